//! Managed tables after a power loss: whole or not at all.
//!
//! A script runs on a [`RecordingDisk`]; then the power fails after each recorded operation, and the store is opened
//! on states the disk may be in. What it finds must be what was there before the step in flight, or after it;
//! steps that were acknowledged stay. The rules for the states are in `recording_disk.rs`.
//!
//! The `mutant_*` tests run the same on disks that break a promise, and want to see the damage.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    ops::Range,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use arrow::{
    array::{AsArray, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Int64Type, Schema, SchemaRef},
};
use catalog::{
    CatalogError, DEFAULT_SCHEMA, NewTable, Relation, TableName, TableStore, TableWriter, View,
    disk::{Disk, DiskFile, RealDisk},
    local::LocalTableStore,
};
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use crate::recording_disk::{
    Arrived::{self, Everything, Nothing, Perhaps},
    Image, Operation, Random, RecordingDisk, Volume, read_image, write_image,
};

/// The store's folder, inside of the recorded one: its own name must become durable too.
const ROOT: &str = "tables";

/// States made of each crash point: which names and which bytes have arrived.
const FATES: [(Arrived, Arrived); 11] = [
    (Nothing, Nothing),
    (Everything, Everything),
    (Everything, Nothing),
    (Nothing, Everything),
    (Everything, Perhaps(128)),
    (Everything, Perhaps(200)),
    (Perhaps(128), Everything),
    (Perhaps(128), Nothing),
    (Perhaps(128), Perhaps(128)),
    (Perhaps(200), Perhaps(230)),
    (Perhaps(60), Perhaps(60)),
];

/// Times that a recording is replayed with other random states.
const SEEDS: u64 = 6;

/// Enough to describe what is wrong.
const MAX_VIOLATIONS: usize = 5;

/// What a store holds, to the row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Contents {
    schemas: BTreeSet<String>,
    relations: BTreeMap<TableName, Held>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Held {
    /// The ids, in order.
    Rows(Vec<i64>),
    View(String),
}

impl Contents {
    fn of_new_store() -> Self {
        Self {
            schemas: [DEFAULT_SCHEMA.to_owned()].into(),
            relations: BTreeMap::new(),
        }
    }

    fn put(&mut self, name: &TableName, ids: impl IntoIterator<Item = i64>) {
        self.relations
            .insert(name.clone(), Held::Rows(ids.into_iter().collect()));
    }

    fn add(&mut self, name: &TableName, ids: impl IntoIterator<Item = i64>) {
        let Some(Held::Rows(rows)) = self.relations.get_mut(name) else {
            panic!("no table {name}")
        };
        rows.extend(ids);
        rows.sort_unstable();
    }

    /// Short enough for a message.
    fn summary(&self) -> String {
        let relations = self.relations.iter().map(|(name, held)| match held {
            Held::Rows(rows) => format!("{name}: {} rows", rows.len()),
            Held::View(_) => format!("{name}: a view"),
        });
        format!(
            "schemas {:?}, {}",
            self.schemas,
            relations.collect::<Vec<_>>().join(", ")
        )
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("payload", DataType::Utf8, false),
    ]))
}

/// Follows from the id, and does not compress: a row with wrong bytes is noticed, and a thousand rows fill many pages.
fn payload(id: i64) -> String {
    let mut random = Random(id as u64);
    format!(
        "{:016x}{:016x}{:016x}",
        random.next(),
        random.next(),
        random.next()
    )
}

fn batch(ids: &[i64]) -> RecordBatch {
    let payloads = ids
        .iter()
        .map(|id| Some(payload(*id)))
        .collect::<StringArray>();
    RecordBatch::try_new(
        schema(),
        vec![Arc::new(Int64Array::from(ids.to_vec())), Arc::new(payloads)],
    )
    .unwrap()
}

fn table(name: &str) -> TableName {
    TableName::new(DEFAULT_SCHEMA, name)
}

fn new_table(name: &TableName, or_replace: bool) -> NewTable {
    NewTable {
        name: name.clone(),
        schema: schema(),
        defaults: Vec::new(),
        or_replace,
    }
}

fn view(sql: &str) -> Relation {
    Relation::View(View {
        sql: sql.into(),
        default_schema: DEFAULT_SCHEMA.into(),
        names_files: Some(true),
    })
}

type Outcome = Result<(), CatalogError>;

/// One file for each part.
fn write_files(writer: &dyn TableWriter, parts: &[Vec<i64>]) -> Outcome {
    for ids in parts {
        let mut file = writer.open_file()?;
        file.write(&batch(ids))?;
        file.close()?;
    }
    Ok(())
}

async fn write_and_commit(writer: Box<dyn TableWriter>, parts: &[Vec<i64>]) -> Outcome {
    write_files(&*writer, parts)?;
    writer.commit().await.map(drop)
}

/// A run to be replayed: what was done to the disk, and what each acknowledged step left in the store.
struct Recording {
    /// Durable when the run began.
    before: Image,
    operations: Vec<Operation>,
    /// By the number of acknowledged steps.
    models: Vec<Contents>,
}

/// Runs steps on a store and keeps the model.
struct Script {
    folder: TempDir,
    before: Image,
    recorder: RecordingDisk,
    /// The recorder, or something in front of it that breaks its promises.
    disk: Arc<dyn Disk>,
    store: LocalTableStore,
    models: Vec<Contents>,
}

impl Script {
    /// Opens a store on `before` with `contents` in it: the first step.
    fn start(
        before: Image,
        contents: Contents,
        wrap: impl FnOnce(RecordingDisk) -> Arc<dyn Disk>,
    ) -> Result<Self, CatalogError> {
        let folder = scratch();
        write_image(folder.path(), &before);
        let recorder = RecordingDisk::new(folder.path());
        let disk = wrap(recorder.clone());
        recorder.mark(Operation::Begin);
        let store = LocalTableStore::open(&folder.path().join(ROOT), Arc::clone(&disk))?;
        recorder.mark(Operation::Acknowledge);
        Ok(Self {
            folder,
            before,
            recorder,
            disk,
            store,
            models: vec![contents.clone(), contents],
        })
    }

    /// One step: `change` is what it does to the model, `run` does it.
    async fn step(
        &mut self,
        change: impl FnOnce(&mut Contents),
        run: impl AsyncFnOnce(&LocalTableStore) -> Outcome,
    ) -> Outcome {
        let mut model = self.models.last().unwrap().clone();
        change(&mut model);
        self.models.push(model);
        self.recorder.mark(Operation::Begin);
        run(&self.store).await?;
        self.recorder.mark(Operation::Acknowledge);
        Ok(())
    }

    fn reopen(&mut self) -> Outcome {
        self.models.push(self.models.last().unwrap().clone());
        self.recorder.mark(Operation::Begin);
        self.store = LocalTableStore::open(&self.folder.path().join(ROOT), Arc::clone(&self.disk))?;
        self.recorder.mark(Operation::Acknowledge);
        Ok(())
    }

    async fn insert(&mut self, name: &TableName, parts: &[Vec<i64>]) -> Outcome {
        let rows = parts.concat();
        self.step(
            |model| model.add(name, rows),
            async |store| write_and_commit(store.insert(name, false).await?, parts).await,
        )
        .await
    }

    async fn overwrite(&mut self, name: &TableName, parts: &[Vec<i64>]) -> Outcome {
        let rows = parts.concat();
        self.step(
            |model| model.put(name, rows),
            async |store| write_and_commit(store.insert(name, true).await?, parts).await,
        )
        .await
    }

    async fn create(&mut self, name: &TableName, or_replace: bool, parts: &[Vec<i64>]) -> Outcome {
        let rows = parts.concat();
        self.step(
            |model| model.put(name, rows),
            async |store| {
                write_and_commit(
                    store.create_table(new_table(name, or_replace)).await?,
                    parts,
                )
                .await
            },
        )
        .await
    }

    async fn define(&mut self, name: &TableName, sql: &str, or_replace: bool) -> Outcome {
        self.step(
            |model| drop(model.relations.insert(name.clone(), Held::View(sql.into()))),
            async |store| store.define(name, view(sql), or_replace).await,
        )
        .await
    }

    async fn drop_relation(&mut self, name: &TableName, views: bool) -> Outcome {
        self.step(
            |model| drop(model.relations.remove(name)),
            async |store| store.drop_relation(name, views, false).await,
        )
        .await
    }

    async fn create_schema(&mut self, schema: &str) -> Outcome {
        self.step(
            |model| {
                model.schemas.insert(schema.into());
            },
            async |store| store.create_schema(schema, false).await,
        )
        .await
    }

    async fn drop_schema(&mut self, schema: &str) -> Outcome {
        self.step(
            |model| {
                model.schemas.remove(schema);
                model.relations.retain(|name, _| name.schema != schema);
            },
            async |store| store.drop_schema(schema, false, true).await,
        )
        .await
    }

    fn finish(self) -> Recording {
        let Self {
            folder,
            before,
            recorder,
            store,
            models,
            ..
        } = self;
        let operations = recorder.operations();
        drop(store);
        let left = open_and_read(folder.path()).expect("the store opens after a clean end");
        assert_eq!(
            &left.contents,
            models.last().unwrap(),
            "the model and the store disagree without any crash"
        );
        Recording {
            before,
            operations,
            models,
        }
    }
}

/// Everything a store can do to its disk, on a disk behind `wrap`.
async fn whole_life(wrap: impl FnOnce(RecordingDisk) -> Arc<dyn Disk>) -> Recording {
    let mut script = Script::start(Image::new(), Contents::of_new_store(), wrap).unwrap();
    live(&mut script).await.unwrap();
    script.finish()
}

async fn live(script: &mut Script) -> Outcome {
    let (t, c, v) = (table("t"), TableName::new("s", "c"), table("v"));
    script.create(&t, false, &[]).await?;
    script.insert(&t, &[vec![1, 2, 3]]).await?;
    script
        .insert(
            &t,
            &[(100..110).collect(), (1_000..1_500).collect(), vec![200]],
        )
        .await?;
    script.create_schema("s").await?;
    script
        .create(
            &c,
            false,
            &[(2_000..2_300).collect(), (3_000..3_010).collect()],
        )
        .await?;
    // A line of the log that is longer than a page, and tears in the middle.
    script
        .define(
            &v,
            &format!("CREATE VIEW v AS SELECT '{}'", "long ".repeat(2_000)),
            false,
        )
        .await?;
    script
        .overwrite(&t, &[(4_000..4_200).collect(), vec![4_900]])
        .await?;
    script.create(&c, true, &[vec![5_000]]).await?;
    script
        .step(
            |_| {},
            async |store| {
                let writer = store.insert(&t, false).await?;
                write_files(&*writer, &[(6_000..6_100).collect()])?;
                let mut unfinished = writer.open_file()?;
                unfinished.write(&batch(&[6_200]))
            },
        )
        .await?;
    script
        .step(
            |_| {},
            async |store| {
                let writer = store
                    .create_table(new_table(&table("never"), false))
                    .await?;
                write_files(&*writer, &[vec![6_300]])
            },
        )
        .await?;
    script.insert(&c, &[vec![7_000, 7_001]]).await?;
    script.overwrite(&c, &[]).await?;
    script.define(&v, "CREATE VIEW v AS SELECT 2", true).await?;
    script.drop_relation(&t, false).await?;
    script.create(&t, false, &[vec![8_000]]).await?;
    script.drop_schema("s").await?;
    script.reopen()?;
    script.insert(&t, &[vec![9_000]]).await?;
    script.drop_relation(&v, true).await
}

/// What opening a state brought to light.
#[derive(Debug)]
struct Found {
    contents: Contents,
    /// The log ended in a change that was not whole.
    torn_tail: bool,
    /// There were files or folders that belonged to no table.
    leftovers: bool,
}

/// Opens the store in `base` and reads every row of every table.
fn open_and_read(base: &Path) -> Result<Found, String> {
    let root = base.join(ROOT);
    let before = read_image(base);
    let store = LocalTableStore::open(&root, Arc::new(RealDisk))
        .map_err(|e| format!("does not open: {e}"))?;
    let snapshot = store.snapshot();
    let mut contents = Contents {
        schemas: snapshot.schemas.keys().cloned().collect(),
        relations: BTreeMap::new(),
    };
    let mut owned = 0;
    for (schema, relations) in &snapshot.schemas {
        for (name, entry) in relations {
            let held = match &entry.relation {
                Relation::View(view) => Held::View(view.sql.clone()),
                Relation::External(_) => {
                    return Err(format!("an external table {name} that nobody made"));
                }
                Relation::Managed(table) => {
                    let folder = entry.folder.as_ref().expect("a managed table has a folder");
                    let mut ids = Vec::new();
                    for file in &table.files {
                        let rows = read_rows(&folder.path().join(&file.file), file.bytes)
                            .map_err(|e| format!("table {name}, file {}: {e}", file.file))?;
                        if rows.len() as u64 != file.rows {
                            return Err(format!(
                                "table {name}, file {}: {} rows",
                                file.file,
                                rows.len()
                            ));
                        }
                        ids.extend(rows);
                    }
                    owned += table.files.len();
                    ids.sort_unstable();
                    Held::Rows(ids)
                }
            };
            contents
                .relations
                .insert(TableName::new(schema, name), held);
        }
    }
    let after = read_image(base);
    let left = after.keys().filter(|path| is_data(path)).count();
    if left != owned {
        return Err(format!(
            "{left} data files on disk, {owned} belong to tables"
        ));
    }
    let log = |image: &Image| {
        image
            .get(&Path::new(ROOT).join("changes.log"))
            .cloned()
            .flatten()
            .unwrap_or_default()
    };
    let (log_before, log_after) = (log(&before), log(&after));
    // A log that was rewritten is shorter too, and not a part of the old one.
    let torn_tail = log_after.len() < log_before.len() && log_before.starts_with(&log_after);
    let leftovers = before.keys().any(|path| !after.contains_key(path));
    Ok(Found {
        contents,
        torn_tail,
        leftovers,
    })
}

fn is_data(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "parquet")
}

fn read_rows(path: &Path, len: u64) -> Result<Vec<i64>, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let found_len = file.metadata().map_err(|e| e.to_string())?.len();
    if found_len != len {
        return Err(format!("{found_len} bytes instead of {len}"));
    }
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.build())
        .map_err(|e| e.to_string())?;
    let mut ids = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|e| e.to_string())?;
        let payloads = batch.column(1).as_string::<i32>();
        for (id, found) in batch
            .column(0)
            .as_primitive::<Int64Type>()
            .values()
            .iter()
            .zip(payloads)
        {
            if found != Some(payload(*id).as_str()) {
                return Err(format!("row {id} has another payload than was written"));
            }
            ids.push(*id);
        }
    }
    Ok(ids)
}

/// What the crash points of one recording led to.
#[derive(Debug, Default)]
struct Tally {
    crash_points: usize,
    /// Disk states, and how many of them differ.
    states: usize,
    distinct: usize,
    torn_tails: usize,
    leftovers: usize,
    /// Crashes inside of a step that changes something: not done, or done.
    old: usize,
    new: usize,
    violations: Vec<String>,
    /// States that opening had to repair, with what was found in them.
    repaired: Vec<(Image, Contents)>,
}

impl Tally {
    fn absorb(&mut self, other: Self) {
        let Self {
            crash_points,
            states,
            distinct,
            torn_tails,
            leftovers,
            old,
            new,
            violations,
            repaired,
        } = other;
        self.crash_points += crash_points;
        self.states += states;
        self.distinct += distinct;
        self.torn_tails += torn_tails;
        self.leftovers += leftovers;
        self.old += old;
        self.new += new;
        self.violations.extend(violations);
        self.repaired.extend(repaired);
    }
}

/// Lets the power fail after each operation.
fn replay(recording: &Recording, seed: u64) -> Tally {
    replay_from(0, recording, seed)
}

/// Lets the power fail after each operation but the first ones.
fn replay_from(first: usize, recording: &Recording, seed: u64) -> Tally {
    let mut tally = Tally::default();
    let mut random = Random(seed);
    let mut volume = Volume::new(&recording.before);
    let mut seen = HashMap::new();
    let (mut acknowledged, mut in_flight) = (0, false);
    for (number, operation) in recording.operations.iter().enumerate() {
        volume.apply(operation);
        match operation {
            Operation::Begin => in_flight = true,
            Operation::Acknowledge => (acknowledged, in_flight) = (acknowledged + 1, false),
            _ => {}
        }
        if number < first {
            continue;
        }
        let old = &recording.models[acknowledged];
        let new = if in_flight {
            &recording.models[acknowledged + 1]
        } else {
            old
        };
        tally.crash_points += 1;
        for (names, bytes) in FATES {
            let image = volume.image(names, bytes, &mut random);
            tally.states += 1;
            let found = seen.entry(hash(&image)).or_insert_with(|| {
                tally.distinct += 1;
                let found = open_image(&image);
                if let Ok(Found {
                    contents,
                    torn_tail,
                    leftovers,
                }) = &found
                {
                    tally.torn_tails += usize::from(*torn_tail);
                    tally.leftovers += usize::from(*leftovers);
                    if *torn_tail || *leftovers {
                        tally.repaired.push((image, contents.clone()));
                    }
                }
                found
            });
            let wrong = match found {
                Err(error) => error.clone(),
                Ok(found) if found.contents == *old || found.contents == *new => {
                    if old != new {
                        *(if found.contents == *old {
                            &mut tally.old
                        } else {
                            &mut tally.new
                        }) += 1;
                    }
                    continue;
                }
                Ok(found) => format!(
                    "holds {}\n    instead of {}\n    or {}",
                    found.contents.summary(),
                    old.summary(),
                    new.summary()
                ),
            };
            let operation: String = format!("{operation:?}").chars().take(120).collect();
            tally.violations.push(format!(
                "step {acknowledged}, crash after operation {number} {operation}, names {names:?}, bytes {bytes:?}: {wrong}"
            ));
            if tally.violations.len() == MAX_VIOLATIONS {
                return tally;
            }
        }
    }
    tally
}

fn open_image(image: &Image) -> Result<Found, String> {
    let folder = scratch();
    write_image(folder.path(), image);
    open_and_read(folder.path())
}

fn hash(image: &Image) -> u64 {
    let mut hasher = DefaultHasher::new();
    image.hash(&mut hasher);
    hasher.finish()
}

/// In memory where the system has such a folder: thousands of states are written and read.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        TempDir::new_in(memory)
    } else {
        TempDir::new()
    }
    .unwrap()
}

fn assert_whole(what: &str, tally: &Tally) {
    let Tally {
        crash_points,
        states,
        distinct,
        torn_tails,
        leftovers,
        old,
        new,
        violations,
        ..
    } = tally;
    let mix = format!(
        "{what}: {crash_points} crash points, {states} states ({distinct} distinct), {torn_tails} torn tails, \
         {leftovers} with leftovers, step in flight absent {old}, present {new}"
    );
    eprintln!("{mix}");
    assert!(violations.is_empty(), "{mix}\n{}", violations.join("\n"));
    for count in [crash_points, states, distinct, old, new] {
        assert_ne!(*count, 0, "{mix}");
    }
}

#[tokio::test]
async fn every_crash_point_leaves_each_step_whole_or_absent() {
    let recording = whole_life(|disk| Arc::new(disk)).await;
    let mut tally = Tally::default();
    for seed in 10..10 + SEEDS {
        tally.absorb(replay(&recording, seed));
    }
    assert_whole("whole life", &tally);
    assert!(
        tally.torn_tails > 0 && tally.leftovers > 0,
        "nothing had to be repaired"
    );
}

#[tokio::test]
async fn a_crash_while_the_store_repairs_itself_is_repaired_too() {
    let first = replay(&whole_life(|disk| Arc::new(disk)).await, 2);
    let mut total = Tally::default();
    let stride = first.repaired.len().div_ceil(40).max(1);
    for (image, contents) in first.repaired.into_iter().step_by(stride) {
        let mut script = Script::start(image, contents, |disk| Arc::new(disk)).unwrap();
        script.create_schema("after_the_crash").await.unwrap();
        script
            .create(&TableName::new("after_the_crash", "t"), false, &[vec![1]])
            .await
            .unwrap();
        total.absorb(replay(&script.finish(), 3));
    }
    assert_whole("second crash", &total);
}

#[tokio::test]
async fn a_log_rewritten_at_start_up_is_the_old_one_or_the_new_one() {
    let t = table("t");
    let (before, contents) = long_log(&t).await;
    let old_len = before[&Path::new(ROOT).join("changes.log")]
        .as_ref()
        .unwrap()
        .len();
    let mut script = Script::start(before, contents, |disk| Arc::new(disk)).unwrap();
    let new_len = fs::metadata(script.folder.path().join(ROOT).join("changes.log"))
        .unwrap()
        .len();
    assert!((new_len as usize) < old_len, "the log was not rewritten");
    script.insert(&t, &[vec![10]]).await.unwrap();
    script.create_schema("s").await.unwrap();
    let recording = script.finish();
    assert!(
        recording
            .operations
            .iter()
            .any(|operation| matches!(operation, Operation::Rename { .. }))
    );
    assert_whole("rewritten log", &replay(&recording, 4));
}

/// A store whose log is long enough to be rewritten at the next start.
async fn long_log(t: &TableName) -> (Image, Contents) {
    let folder = scratch();
    // Not replayed; the recorder is here for not waiting for the real disk.
    let disk = RecordingDisk::new(folder.path());
    let store = LocalTableStore::open(&folder.path().join(ROOT), Arc::new(disk)).unwrap();
    let writer = store.create_table(new_table(t, false)).await.unwrap();
    write_and_commit(writer, &[vec![1, 2]]).await.unwrap();
    for _ in 0..520 {
        store.create_schema("brief", false).await.unwrap();
        store.drop_schema("brief", false, false).await.unwrap();
    }
    drop(store);
    let mut contents = Contents::of_new_store();
    contents.put(t, [1, 2]);
    (read_image(folder.path()), contents)
}

/// Which sync a disk forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Data,
    Log,
    /// Of the folder that the store's folder is in.
    Base,
    Root,
    TableFolder,
}

/// Says that it has synced, and has not.
#[derive(Debug)]
struct Forgetful {
    disk: RecordingDisk,
    broken: Broken,
}

#[derive(Debug)]
struct ForgetfulFile {
    file: Box<dyn DiskFile>,
    forgets: bool,
}

impl Forgetful {
    fn file(&self, path: &Path, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let forgets = self.broken
            == if is_data(path) {
                Broken::Data
            } else {
                Broken::Log
            };
        Box::new(ForgetfulFile { file, forgets })
    }
}

impl Disk for Forgetful {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(path, self.disk.create(path)?))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(path, self.disk.append(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let folder = if path.ends_with(ROOT) {
            Broken::Root
        } else if path.parent().is_some_and(|parent| parent.ends_with(ROOT)) {
            Broken::TableFolder
        } else {
            Broken::Base
        };
        if self.broken == folder {
            Ok(())
        } else {
            self.disk.sync_dir(path)
        }
    }
}

impl Write for ForgetfulFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskFile for ForgetfulFile {
    fn sync(&mut self) -> io::Result<()> {
        if self.forgets {
            Ok(())
        } else {
            self.file.sync()
        }
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}

async fn assert_noticed(broken: Broken) {
    let recording = whole_life(|disk| Arc::new(Forgetful { disk, broken })).await;
    let tally = replay(&recording, 5);
    assert!(
        !tally.violations.is_empty(),
        "a disk with a broken {broken:?} passes"
    );
    eprintln!("broken {broken:?}: {}", tally.violations[0]);
}

#[tokio::test]
async fn mutant_data_files_that_are_not_synced_are_noticed() {
    assert_noticed(Broken::Data).await;
}

#[tokio::test]
async fn mutant_folders_that_are_not_synced_are_noticed() {
    for broken in [Broken::Base, Broken::Root, Broken::TableFolder] {
        assert_noticed(broken).await;
    }
}

#[tokio::test]
async fn mutant_a_log_that_is_not_synced_is_noticed() {
    assert_noticed(Broken::Log).await;
}

/// A disk on which some operations in a row fail, without effect or half done.
#[derive(Debug, Clone)]
struct Failing {
    disk: RecordingDisk,
    /// Operations until the first failure, and until the first one after that works again.
    fail: Range<usize>,
    done: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct FailingFile {
    file: Box<dyn DiskFile>,
    disk: Failing,
}

impl Failing {
    fn check(&self) -> io::Result<()> {
        match self
            .fail
            .contains(&self.done.fetch_add(1, Ordering::Relaxed))
        {
            true => Err(io::Error::other("the disk is broken")),
            false => Ok(()),
        }
    }

    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(FailingFile {
            file,
            disk: self.clone(),
        })
    }
}

impl Disk for Failing {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.disk.create_dir(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.check()?;
        Ok(self.file(self.disk.create(path)?))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.check()?;
        Ok(self.file(self.disk.append(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check()?;
        self.disk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.disk.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.disk.remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.disk.sync_dir(path)
    }
}

impl Write for FailingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let failed = self.disk.check();
        if failed.is_err() {
            // A full disk takes some of the bytes first.
            self.file.write_all(&bytes[..bytes.len() / 2])?;
        }
        failed.and_then(|()| self.file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskFile for FailingFile {
    fn sync(&mut self) -> io::Result<()> {
        self.disk.check()?;
        self.file.sync()
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.disk.check()?;
        self.file.set_len(len)
    }
}

/// The step that fails may or may not have happened; the ones before it have, and stay, whenever the power fails too.
#[tokio::test]
async fn each_operation_may_fail_and_tables_stay_whole() {
    let (mut failed_steps, mut survived, mut continued) = (0, 0, 0);
    let mut total = Tally::default();
    for in_a_row in [1, 2, 3, 4, usize::MAX / 2] {
        for first in 0.. {
            let done = Arc::new(AtomicUsize::new(0));
            let fail = first..first + in_a_row;
            let wrap = |disk| -> Arc<dyn Disk> {
                Arc::new(Failing {
                    disk,
                    fail,
                    done: Arc::clone(&done),
                })
            };
            // A store that does not open has promised nothing.
            let Ok(mut script) = Script::start(Image::new(), Contents::of_new_store(), wrap) else {
                continue;
            };
            let outcome = live(&mut script).await;
            let Script {
                folder,
                before,
                recorder,
                store,
                models,
                ..
            } = script;
            let operations = recorder.operations();
            let what = format!("{in_a_row} failures after {first} operations, {outcome:?}");
            match outcome {
                Ok(()) => survived += 1,
                Err(_) => failed_steps += 1,
            }
            let mut expected = models[models.len() - 1 - usize::from(outcome.is_err())..].to_vec();
            let mut next = expected[0].clone();
            next.schemas.insert("next".into());
            match store.create_schema("next", false).await {
                // A store that goes on has undone what failed.
                Ok(()) => (expected, continued) = (vec![next], continued + 1),
                Err(_) => expected.push(next),
            }
            drop(store);
            let left = open_and_read(folder.path()).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert!(
                expected.contains(&left.contents),
                "{what}: holds {}",
                left.contents.summary()
            );
            if first % 5 == 0 {
                // What leads up to the failure is replayed elsewhere.
                let tally = replay_from(
                    operations.len().saturating_sub(12),
                    &Recording {
                        before,
                        operations,
                        models,
                    },
                    first as u64,
                );
                assert!(
                    tally.violations.is_empty(),
                    "{what}, and a power loss: {}",
                    tally.violations.join("\n")
                );
                total.absorb(tally);
            }
            if done.load(Ordering::Relaxed) <= first {
                break;
            }
        }
    }
    eprintln!(
        "failing disk: {failed_steps} steps failed, {survived} runs survived, {continued} stores went on; {} states after a power loss",
        total.states
    );
    assert!(failed_steps > 0 && survived > 0 && continued > survived);
}

/// Holds back the syncs of the log until it is let go.
#[derive(Debug)]
struct Slow {
    disk: RecordingDisk,
    /// Locked while the log must wait; the counter says how often it has begun to.
    gate: Arc<Mutex<()>>,
    waiting: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct SlowFile {
    file: Box<dyn DiskFile>,
    gate: Arc<Mutex<()>>,
    waiting: Arc<AtomicUsize>,
}

impl Disk for Slow {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create(path)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.append(path)?;
        Ok(Box::new(SlowFile {
            file,
            gate: Arc::clone(&self.gate),
            waiting: Arc::clone(&self.waiting),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path)
    }
}

impl Write for SlowFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskFile for SlowFile {
    fn sync(&mut self) -> io::Result<()> {
        self.waiting.fetch_add(1, Ordering::Release);
        let _open = self.gate.lock();
        self.file.sync()
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}

#[expect(
    clippy::await_holding_lock,
    reason = "the lock holds the commit back until its caller is gone"
)]
#[tokio::test]
async fn a_caller_that_leaves_during_a_commit_takes_no_files_along() {
    let folder = scratch();
    let (gate, waiting) = (Arc::new(Mutex::new(())), Arc::new(AtomicUsize::new(0)));
    let disk = RecordingDisk::new(folder.path());
    let disk = Slow {
        disk,
        gate: Arc::clone(&gate),
        waiting: Arc::clone(&waiting),
    };
    let store = LocalTableStore::open(&folder.path().join(ROOT), Arc::new(disk)).unwrap();
    let (created, inserted) = (table("created"), table("inserted"));
    write_and_commit(
        store
            .create_table(new_table(&inserted, false))
            .await
            .unwrap(),
        &[vec![1]],
    )
    .await
    .unwrap();
    for writer in [
        store.insert(&inserted, false).await.unwrap(),
        store
            .create_table(new_table(&created, false))
            .await
            .unwrap(),
    ] {
        write_files(&*writer, &[vec![2, 3]]).unwrap();
        let closed = gate.lock();
        let before = waiting.load(Ordering::Acquire);
        let caller = tokio::spawn(async move { writer.commit().await.map(drop) });
        while waiting.load(Ordering::Acquire) == before {
            tokio::task::yield_now().await;
        }
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        drop(closed);
        // Waits its turn behind the commit.
        store.create_schema("s", true).await.unwrap();
    }
    drop(store);
    let mut whole = Contents::of_new_store();
    whole.schemas.insert("s".into());
    whole.put(&inserted, [1, 2, 3]);
    whole.put(&created, [2, 3]);
    assert_eq!(open_and_read(folder.path()).unwrap().contents, whole);
}

#[tokio::test]
async fn mutant_a_recording_without_its_last_syncs_is_noticed() {
    let mut recording = whole_life(|disk| Arc::new(disk)).await;
    let last = recording
        .operations
        .iter()
        .rposition(|operation| matches!(operation, Operation::Sync { .. }));
    recording.operations.remove(last.unwrap());
    assert!(!replay(&recording, 6).violations.is_empty());
}
