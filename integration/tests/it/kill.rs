//! The real server under `kill -9`: every statement is whole or absent, and acknowledged ones are whole.
//!
//! Each round starts a server on the folder that the last one died in, looks at every table, and runs statements one
//! after the other until the server is killed in the middle of one. Rows carry the number of their statement, so half
//! a statement shows. Half of the kills come at a random moment, and half at the moment a commit reaches the log:
//! between that and the answer is a window that random moments miss.
//!
//! `MURRE_KILL_SEED=7` picks other sizes and moments.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use arrow::{
    array::{Array, AsArray},
    compute::cast,
    datatypes::{DataType, Int64Type},
};

use crate::server::{Client, Server, rows};

const ROUNDS: usize = 50;

/// A kill at a random moment comes at most this long after the first statement.
const KILL_AFTER_MAX: Duration = Duration::from_millis(800);

/// Longest wait for a statement's commit.
const COMMIT_MAX: Duration = Duration::from_secs(60);

/// Tables are dropped between rounds when they hold more, so that looking at them stays quick.
const KEPT_ROWS_MAX: i64 = 10_000_000;
const KEPT_TABLES_MAX: usize = 12;

/// The table that rows are inserted into, as a number; table `n` made by a statement is `c_n`.
const INSERTED: i64 = 0;

fn table_name(table: i64) -> String {
    if table == INSERTED {
        "t".to_owned()
    } else {
        format!("c_{table}")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Insert,
    CreateAs,
}

/// Writes the numbers 1 to `rows`, each with the statement's own number.
#[derive(Debug, Clone, Copy)]
struct Statement {
    number: i64,
    kind: Kind,
    rows: i64,
}

impl Statement {
    fn table(&self) -> i64 {
        match self.kind {
            Kind::Insert => INSERTED,
            Kind::CreateAs => self.number,
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, kind, rows } = self;
        let table = table_name(self.table());
        match kind {
            Kind::Insert => write!(f, "INSERT INTO {table} ")?,
            Kind::CreateAs => write!(f, "CREATE TABLE {table} AS ")?,
        }
        write!(
            f,
            "SELECT CAST({number} AS BIGINT) AS statement, value FROM generate_series(1, {rows})"
        )
    }
}

/// Tables, and the number of rows by table and statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Contents {
    tables: BTreeSet<i64>,
    rows: BTreeMap<(i64, i64), i64>,
}

impl Contents {
    fn with(&self, statement: &Statement) -> Self {
        let mut with = self.clone();
        with.tables.insert(statement.table());
        with.rows
            .insert((statement.table(), statement.number), statement.rows);
        with
    }

    /// What differs, in a few words.
    fn difference(&self, expected: &Self) -> String {
        let missing = expected
            .rows
            .iter()
            .filter(|(key, rows)| self.rows.get(key) != Some(rows));
        let surplus = self
            .rows
            .iter()
            .filter(|(key, rows)| expected.rows.get(key) != Some(rows));
        format!(
            "tables {:?} instead of {:?}; missing {:?}; surplus {:?}",
            self.tables,
            expected.tables,
            missing.collect::<Vec<_>>(),
            surplus.collect::<Vec<_>>()
        )
    }
}

/// A seeded stream of numbers (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn heads(&mut self) -> bool {
        self.next() & 1 == 0
    }

    /// 1,000 to 2,000,000, small ones as likely as large ones.
    fn size(&mut self) -> i64 {
        (1e3 * 2e3_f64.powf(self.fraction())) as i64
    }
}

/// How the statement in flight at a kill came out.
#[derive(Debug, Default)]
struct Tally {
    absent: BTreeMap<Kind, usize>,
    present: BTreeMap<Kind, usize>,
    acknowledged: BTreeMap<Kind, usize>,
}

/// Runs statements until the server is killed. Gives what was acknowledged, and the statement that was not.
async fn run_statements(
    mut client: Client,
    mut random: Random,
    first: i64,
    killed: Arc<AtomicBool>,
) -> Result<(Vec<Statement>, Statement)> {
    let mut acknowledged = Vec::new();
    for number in first.. {
        let kind = if random.heads() {
            Kind::Insert
        } else {
            Kind::CreateAs
        };
        let statement = Statement {
            number,
            kind,
            rows: random.size(),
        };
        match client.execute_update(statement.to_string(), None).await {
            Ok(_) => acknowledged.push(statement),
            Err(_) if killed.load(Ordering::Acquire) => return Ok((acknowledged, statement)),
            Err(error) => bail!("{statement} failed on a running server: {error}"),
        }
    }
    unreachable!("numbers do not end")
}

/// Waits until the log of changes is longer than now.
fn wait_for_commit(log: &Path) -> Result<()> {
    let len = fs::metadata(log)?.len();
    let give_up = Instant::now() + COMMIT_MAX;
    while fs::metadata(log)?.len() == len {
        ensure!(Instant::now() < give_up, "no commit in {COMMIT_MAX:?}");
        std::thread::sleep(Duration::from_micros(20));
    }
    Ok(())
}

/// Reads everything back; a statement whose rows are not 1, 2, 3 and so on is an error.
async fn contents(client: &mut Client) -> Result<Contents> {
    let mut contents = Contents::default();
    let names = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";
    for batch in rows(client, names).await? {
        let names = cast(batch.column(0), &DataType::Utf8)?;
        for name in names.as_string::<i32>().iter().flatten() {
            let table = if name == "t" {
                Some(INSERTED)
            } else {
                name.strip_prefix("c_").and_then(|n| n.parse().ok())
            };
            contents
                .tables
                .insert(table.with_context(|| format!("table {name} that nobody made"))?);
        }
    }
    let aggregates = contents.tables.iter().map(|table| {
        let name = table_name(*table);
        format!(
            "SELECT CAST({table} AS BIGINT), statement, count(*), count(value), min(value), max(value), sum(value) \
             FROM {name} GROUP BY statement"
        )
    });
    let aggregates = aggregates.collect::<Vec<_>>().join(" UNION ALL ");
    for batch in rows(client, &aggregates).await? {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| column.as_primitive::<Int64Type>())
            .collect();
        for row in 0..batch.num_rows() {
            ensure!(
                columns.iter().all(|column| column.is_valid(row)),
                "nulls among the rows"
            );
            let [table, statement, rows, values, min, max, sum] =
                [0, 1, 2, 3, 4, 5, 6].map(|n: usize| columns[n].value(row));
            ensure!(
                (values, min, max, sum) == (rows, 1, rows, rows * (rows + 1) / 2),
                "statement {statement} is torn: {rows} rows from {min} to {max}, with sum {sum}, in {}",
                table_name(table)
            );
            contents.rows.insert((table, statement), rows);
        }
    }
    Ok(contents)
}

/// Empties the folder when there is much in it. The server is not killed meanwhile.
async fn tidy(client: &mut Client, model: &mut Contents) -> Result<()> {
    if model.rows.values().sum::<i64>() < KEPT_ROWS_MAX && model.tables.len() < KEPT_TABLES_MAX {
        return Ok(());
    }
    for table in std::mem::take(&mut model.tables) {
        client
            .execute_update(format!("DROP TABLE {}", table_name(table)), None)
            .await?;
    }
    model.rows.clear();
    create_inserted(client, model).await
}

async fn create_inserted(client: &mut Client, model: &mut Contents) -> Result<()> {
    let sql = format!(
        "CREATE TABLE {} (statement BIGINT, value BIGINT)",
        table_name(INSERTED)
    );
    client.execute_update(sql, None).await?;
    model.tables.insert(INSERTED);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_leaves_each_statement_whole_or_absent() -> Result<()> {
    let seed = std::env::var("MURRE_KILL_SEED").map_or(Ok(1), |seed| seed.parse())?;
    let mut random = Random(seed);
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let log = data.join("tables").join("changes.log");

    let mut model = Contents::default();
    let mut tally = Tally::default();
    let mut next_number = 1;
    let mut server = Server::start(&data)?;
    create_inserted(&mut server.client().await?, &mut model).await?;
    for round in 0..ROUNDS {
        let at_commit = round % 2 == 1;
        let killed = Arc::new(AtomicBool::new(false));
        let statements = Random(random.next());
        let work = run_statements(
            server.client().await?,
            statements,
            next_number,
            Arc::clone(&killed),
        );
        let work = tokio::spawn(work);
        tokio::time::sleep(KILL_AFTER_MAX.mul_f64(random.fraction())).await;
        let log = log.clone();
        let mut server_to_kill = server;
        tokio::task::spawn_blocking(move || {
            if at_commit {
                wait_for_commit(&log)?;
            }
            killed.store(true, Ordering::Release);
            server_to_kill.kill9()
        })
        .await??;
        let (acknowledged, in_flight) = work
            .await?
            .with_context(|| format!("round {round}, seed {seed}"))?;
        next_number = in_flight.number + 1;

        server = Server::start(&data).with_context(|| format!("round {round}, seed {seed}"))?;
        let mut client = server.client().await?;
        let found = contents(&mut client).await.with_context(|| {
            format!(
                "round {round}, seed {seed}, in flight: {in_flight}, acknowledged: {acknowledged:?}"
            )
        })?;
        for statement in &acknowledged {
            model = model.with(statement);
            *tally.acknowledged.entry(statement.kind).or_default() += 1;
        }
        let with = model.with(&in_flight);
        if found == model {
            *tally.absent.entry(in_flight.kind).or_default() += 1;
        } else if found == with {
            *tally.present.entry(in_flight.kind).or_default() += 1;
            model = with;
        } else {
            bail!(
                "round {round}, seed {seed}, in flight: {in_flight}\nfound {}",
                found.difference(&model)
            );
        }
        tidy(&mut client, &mut model).await?;
    }

    let mix = format!(
        "{ROUNDS} kills with seed {seed}; acknowledged {:?}; in flight and absent {:?}, in flight and present {:?}",
        tally.acknowledged, tally.absent, tally.present
    );
    eprintln!("{mix}");
    for outcomes in [&tally.acknowledged, &tally.absent, &tally.present] {
        for kind in [Kind::Insert, Kind::CreateAs] {
            ensure!(
                outcomes.contains_key(&kind),
                "no {kind:?} in {outcomes:?}: {mix}"
            );
        }
    }

    ensure!(server.terminate()?.success(), "{}", server.log()?);
    let server = Server::start(&data)?;
    let found = contents(&mut server.client().await?).await?;
    ensure!(
        found == model,
        "after a clean stop: {}",
        found.difference(&model)
    );
    Ok(())
}
