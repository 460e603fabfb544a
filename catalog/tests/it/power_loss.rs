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
    path::Path,
    sync::Arc,
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
        Self { schemas: [DEFAULT_SCHEMA.to_owned()].into(), relations: BTreeMap::new() }
    }

    fn put(&mut self, name: &TableName, ids: impl IntoIterator<Item = i64>) {
        self.relations.insert(name.clone(), Held::Rows(ids.into_iter().collect()));
    }

    fn add(&mut self, name: &TableName, ids: impl IntoIterator<Item = i64>) {
        let Some(Held::Rows(rows)) = self.relations.get_mut(name) else { panic!("no table {name}") };
        rows.extend(ids);
        rows.sort_unstable();
    }

    /// Short enough for a message.
    fn summary(&self) -> String {
        let relations = self.relations.iter().map(|(name, held)| match held {
            Held::Rows(rows) => format!("{name}: {} rows", rows.len()),
            Held::View(_) => format!("{name}: a view"),
        });
        format!("schemas {:?}, {}", self.schemas, relations.collect::<Vec<_>>().join(", "))
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
    format!("{:016x}{:016x}{:016x}", random.next(), random.next(), random.next())
}

fn batch(ids: &[i64]) -> RecordBatch {
    let payloads = ids.iter().map(|id| Some(payload(*id))).collect::<StringArray>();
    RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(ids.to_vec())), Arc::new(payloads)]).unwrap()
}

fn table(name: &str) -> TableName {
    TableName::new(DEFAULT_SCHEMA, name)
}

fn new_table(name: &TableName, or_replace: bool) -> NewTable {
    NewTable { name: name.clone(), schema: schema(), defaults: Vec::new(), or_replace }
}

fn view(sql: &str) -> Relation {
    Relation::View(View { sql: sql.into(), default_schema: DEFAULT_SCHEMA.into() })
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
        Ok(Self { folder, before, recorder, disk, store, models: vec![contents.clone(), contents] })
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

    fn reopen(self) -> Result<Self, CatalogError> {
        let Self { folder, before, recorder, disk, store, mut models } = self;
        models.push(models.last().unwrap().clone());
        recorder.mark(Operation::Begin);
        drop(store);
        let store = LocalTableStore::open(&folder.path().join(ROOT), Arc::clone(&disk))?;
        recorder.mark(Operation::Acknowledge);
        Ok(Self { folder, before, recorder, disk, store, models })
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
            async |store| write_and_commit(store.create_table(new_table(name, or_replace)).await?, parts).await,
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
        let Self { folder, before, recorder, store, models, .. } = self;
        let operations = recorder.operations();
        drop(store);
        let left = open_and_read(folder.path()).expect("the store opens after a clean end");
        assert_eq!(&left.contents, models.last().unwrap(), "the model and the store disagree without any crash");
        Recording { before, operations, models }
    }
}

/// Everything a store can do to its disk, on disks behind `wrap`.
async fn whole_life(wrap: impl FnOnce(RecordingDisk) -> Arc<dyn Disk>) -> Result<Recording, CatalogError> {
    let (t, c, v) = (table("t"), TableName::new("s", "c"), table("v"));
    let mut script = Script::start(Image::new(), Contents::of_new_store(), wrap)?;
    script.create(&t, false, &[]).await?;
    script.insert(&t, &[vec![1, 2, 3]]).await?;
    script.insert(&t, &[(100..110).collect(), (1_000..1_500).collect(), vec![200]]).await?;
    script.create_schema("s").await?;
    script.create(&c, false, &[(2_000..2_300).collect(), (3_000..3_010).collect()]).await?;
    // A line of the log that is longer than a page, and tears in the middle.
    script.define(&v, &format!("CREATE VIEW v AS SELECT '{}'", "long ".repeat(2_000)), false).await?;
    script.overwrite(&t, &[(4_000..4_200).collect(), vec![4_900]]).await?;
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
                let writer = store.create_table(new_table(&table("never"), false)).await?;
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
    let mut script = script.reopen()?;
    script.insert(&t, &[vec![9_000]]).await?;
    script.drop_relation(&v, true).await?;
    Ok(script.finish())
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
    let log_len = || fs::metadata(root.join("changes.log")).map_or(0, |metadata| metadata.len());
    let (before, log_len_before) = (read_image(base), log_len());
    let store = LocalTableStore::open(&root, Arc::new(RealDisk)).map_err(|e| format!("does not open: {e}"))?;
    // A log that was rewritten is shorter, and not torn.
    let torn_tail = log_len() < log_len_before && read_image(base).len() <= before.len();
    let snapshot = store.snapshot();
    let mut contents = Contents { schemas: snapshot.schemas.keys().cloned().collect(), relations: BTreeMap::new() };
    let mut owned = 0;
    for (schema, relations) in &snapshot.schemas {
        for (name, entry) in relations {
            let held = match &entry.relation {
                Relation::View(view) => Held::View(view.sql.clone()),
                Relation::External(_) => return Err(format!("an external table {name} that nobody made")),
                Relation::Managed(table) => {
                    let folder = entry.folder.as_ref().expect("a managed table has a folder");
                    let mut ids = Vec::new();
                    for file in &table.files {
                        let rows = read_rows(&folder.path().join(&file.file), file.bytes)
                            .map_err(|e| format!("table {name}, file {}: {e}", file.file))?;
                        if rows.len() as u64 != file.rows {
                            return Err(format!("table {name}, file {}: {} rows", file.file, rows.len()));
                        }
                        ids.extend(rows);
                    }
                    owned += table.files.len();
                    ids.sort_unstable();
                    Held::Rows(ids)
                }
            };
            contents.relations.insert(TableName::new(schema, name), held);
        }
    }
    let is_data = |path: &&std::path::PathBuf| path.extension().is_some_and(|extension| extension == "parquet");
    let after = read_image(base);
    let left = after.keys().filter(is_data).count();
    if left != owned {
        return Err(format!("{left} data files on disk, {owned} belong to tables"));
    }
    let leftovers = before.keys().any(|path| !after.contains_key(path));
    Ok(Found { contents, torn_tail, leftovers })
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
        for (id, found) in batch.column(0).as_primitive::<Int64Type>().values().iter().zip(payloads) {
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

/// Lets the power fail after each operation.
fn replay(recording: &Recording, seed: u64) -> Tally {
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
        let old = &recording.models[acknowledged];
        let new = if in_flight { &recording.models[acknowledged + 1] } else { old };
        tally.crash_points += 1;
        for (names, bytes) in FATES {
            let image = volume.image(names, bytes, &mut random);
            tally.states += 1;
            let found = seen.entry(hash(&image)).or_insert_with(|| {
                tally.distinct += 1;
                let found = open_image(&image);
                if let Ok(Found { contents, torn_tail, leftovers }) = &found {
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
                        *(if found.contents == *old { &mut tally.old } else { &mut tally.new }) += 1;
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
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap()
}

fn assert_whole(what: &str, tally: &Tally) {
    let Tally { crash_points, states, distinct, torn_tails, leftovers, old, new, violations, .. } = tally;
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
    let tally = replay(&whole_life(|disk| Arc::new(disk)).await.unwrap(), 1);
    assert_whole("whole life", &tally);
    assert!(tally.torn_tails > 0 && tally.leftovers > 0, "nothing had to be repaired");
}

#[tokio::test]
async fn a_crash_while_the_store_repairs_itself_is_repaired_too() {
    let first = replay(&whole_life(|disk| Arc::new(disk)).await.unwrap(), 2);
    let mut total = Tally::default();
    let stride = first.repaired.len().div_ceil(40).max(1);
    for (image, contents) in first.repaired.into_iter().step_by(stride) {
        let mut script = Script::start(image, contents, |disk| Arc::new(disk)).unwrap();
        script.create_schema("after_the_crash").await.unwrap();
        script.create(&TableName::new("after_the_crash", "t"), false, &[vec![1]]).await.unwrap();
        let tally = replay(&script.finish(), 3);
        total.crash_points += tally.crash_points;
        total.states += tally.states;
        total.distinct += tally.distinct;
        total.torn_tails += tally.torn_tails;
        total.leftovers += tally.leftovers;
        total.old += tally.old;
        total.new += tally.new;
        total.violations.extend(tally.violations);
    }
    assert_whole("second crash", &total);
}

#[tokio::test]
async fn a_log_rewritten_at_start_up_is_the_old_one_or_the_new_one() {
    let t = table("t");
    let (before, contents) = long_log(&t).await;
    let old_len = before[&Path::new(ROOT).join("changes.log")].as_ref().unwrap().len();
    let mut script = Script::start(before, contents, |disk| Arc::new(disk)).unwrap();
    let new_len = fs::metadata(script.folder.path().join(ROOT).join("changes.log")).unwrap().len();
    assert!((new_len as usize) < old_len, "the log was not rewritten");
    script.insert(&t, &[vec![10]]).await.unwrap();
    script.create_schema("s").await.unwrap();
    let recording = script.finish();
    assert!(recording.operations.iter().any(|operation| matches!(operation, Operation::Rename { .. })));
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

/// Which promise a disk breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    DataSync,
    FolderSync,
    LogSync,
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
        let is_data = path.extension().is_some_and(|extension| extension == "parquet");
        let forgets = self.broken == if is_data { Broken::DataSync } else { Broken::LogSync };
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
        if self.broken == Broken::FolderSync { Ok(()) } else { self.disk.sync_dir(path) }
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
        if self.forgets { Ok(()) } else { self.file.sync() }
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}

async fn assert_noticed(broken: Broken) {
    let recording = whole_life(|disk| Arc::new(Forgetful { disk, broken })).await.unwrap();
    let tally = replay(&recording, 5);
    assert!(!tally.violations.is_empty(), "a disk with a broken {broken:?} passes");
    eprintln!("broken {broken:?}: {}", tally.violations[0]);
}

#[tokio::test]
async fn mutant_data_files_that_are_not_synced_are_noticed() {
    assert_noticed(Broken::DataSync).await;
}

#[tokio::test]
async fn mutant_folders_that_are_not_synced_are_noticed() {
    assert_noticed(Broken::FolderSync).await;
}

#[tokio::test]
async fn mutant_a_log_that_is_not_synced_is_noticed() {
    assert_noticed(Broken::LogSync).await;
}

/// Log and recording agree on the order too: rows first, then the line that names them.
#[tokio::test]
async fn mutant_a_recording_without_its_last_syncs_is_noticed() {
    let mut recording = whole_life(|disk| Arc::new(disk)).await.unwrap();
    let last = recording.operations.iter().rposition(|operation| matches!(operation, Operation::Sync { .. }));
    recording.operations.remove(last.unwrap());
    assert!(!replay(&recording, 6).violations.is_empty());
}
