//! TPC-H tables -> Parquet files, one per table.
//!
//! A file appears under its name once it is whole, so an interrupted run is taken up by the next.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use anyhow::{Context, anyhow};
use parquet::{
    arrow::ArrowWriter,
    basic::Compression,
    file::properties::{EnabledStatistics, WriterProperties},
};

use super::tables::{TABLES, Table};

const ROW_GROUP_ROWS: usize = 1_048_576;

/// Writes the tables that `folder` does not have yet.
pub(super) fn generate(folder: &Path, scale: f64) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let missing: Vec<_> = TABLES
        .iter()
        .filter(|table| !file(folder, table.name).exists())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!(
        "generating TPC-H at scale factor {scale} in {}",
        folder.display()
    );
    let next = AtomicUsize::new(0);
    let work = || -> anyhow::Result<()> {
        while let Some(table) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
            let started = Instant::now();
            let rows = write(folder, table, scale)
                .with_context(|| format!("cannot generate {}", table.name))?;
            eprintln!(
                "  {:<9} {rows:>12} rows  {:>6.1} s",
                table.name,
                started.elapsed().as_secs_f64()
            );
        }
        Ok(())
    };
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(missing.len());
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker
                .join()
                .map_err(|_| anyhow!("a generator stopped"))??;
        }
        Ok(())
    })
}

/// Where a table is.
pub(super) fn file(folder: &Path, table: &str) -> PathBuf {
    folder.join(format!("{table}.parquet"))
}

fn write(folder: &Path, table: &Table, scale: f64) -> anyhow::Result<u64> {
    let temporary = folder.join(format!(".{}.parquet.{}.tmp", table.name, process::id()));
    let written = write_to(&temporary, table, scale).and_then(|rows| {
        fs::rename(&temporary, file(folder, table.name))?;
        Ok(rows)
    });
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_to(path: &Path, table: &Table, scale: f64) -> anyhow::Result<u64> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        // With the page index, readers skip pages by their statistics.
        .set_statistics_enabled(EnabledStatistics::Page)
        .build();
    let mut writer = ArrowWriter::try_new(File::create(path)?, (table.schema)(), Some(properties))?;
    let mut rows = 0;
    for batch in (table.batches)(scale) {
        writer.write(&batch)?;
        rows += batch.num_rows() as u64;
    }
    // Later runs trust the file by its name: its bytes are on disk before it has it.
    writer.into_inner()?.sync_all()?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use parquet::{arrow::arrow_reader::ArrowReaderMetadata, file::metadata::PageIndexPolicy};

    use super::*;

    #[test]
    fn files_are_whole_and_written_once() {
        let folder = tempfile::tempdir().expect("a folder");
        generate(folder.path(), 0.001).expect("generated");
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .expect("listed")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        names.sort();
        let mut expected: Vec<_> = TABLES
            .iter()
            .map(|table| file(folder.path(), table.name))
            .collect();
        expected.sort();
        assert_eq!(names, expected);

        let orders = file(folder.path(), "orders");
        let options = parquet::arrow::arrow_reader::ArrowReaderOptions::new()
            .with_page_index_policy(PageIndexPolicy::Required);
        let metadata = ArrowReaderMetadata::load(&File::open(&orders).expect("a file"), options)
            .expect("metadata");
        assert_eq!(metadata.metadata().file_metadata().num_rows(), 1500);
        assert!(metadata.metadata().column_index().is_some());
        assert_eq!(metadata.schema().fields(), (TABLES[1].schema)().fields());

        let modified = || {
            fs::metadata(&orders)
                .expect("a file")
                .modified()
                .expect("a time")
        };
        let before = modified();
        generate(folder.path(), 0.001).expect("nothing to do");
        assert_eq!(modified(), before);
    }
}
