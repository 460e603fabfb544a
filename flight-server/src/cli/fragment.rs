//! `murre fragment`: looks into a fragment module, or runs it alone over Parquet files.
//!
//! A module's bytes are what the column `wasm` of `EXPLAIN WAT` holds.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use arrow::{
    array::RecordBatch,
    util::{display::FormatOptions, pretty::pretty_format_batches_with_options},
};
use datafusion::common::ScalarValue;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use worker_wasm::{
    FragmentModule, abi, lower,
    runtime::{
        ArtefactCache, ArtefactLimits, Instance, MemoryAccount, NoHostFunctions, Param, Protection,
        Refused, Runtime, RuntimeConfig,
    },
};

/// Look into a fragment module, or run it alone
#[derive(Debug, clap::Args)]
pub struct FragmentArgs {
    #[command(subcommand)]
    fragment: Fragment,
}

#[derive(Debug, clap::Subcommand)]
enum Fragment {
    /// Print what a module is made from
    Inspect {
        /// File of the module's bytes
        module: PathBuf,
        /// Print its WebAssembly text, too
        #[arg(long)]
        wat: bool,
    },
    /// Run a module over Parquet files and print its rows
    Run {
        /// File of the module's bytes
        module: PathBuf,
        /// A Parquet file for each input, whose first columns are the input's
        #[arg(long, value_name = "FILE")]
        input: Vec<PathBuf>,
        /// A literal for each parameter, as SQL would cast it from text
        #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
        param: Vec<String>,
    },
}

#[expect(clippy::unused_async, reason = "commands of the binary run alike")]
pub async fn run(args: FragmentArgs) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match args.fragment {
        Fragment::Inspect { module, wat } => {
            let module = read(&module)?;
            writeln!(out, "{}", describe(&module))?;
            if wat {
                writeln!(out, "{}", module.wat()?)?;
            }
        }
        Fragment::Run {
            module,
            input,
            param,
        } => {
            let rows = rows(&read(&module)?, &input, &param)?;
            let options = FormatOptions::default().with_null("NULL");
            writeln!(
                out,
                "{}",
                pretty_format_batches_with_options(&rows, &options)?
            )?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<FragmentModule> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(FragmentModule::from_bytes(bytes)?)
}

fn describe(module: &FragmentModule) -> String {
    let description = module.description();
    let columns = module.output().iter();
    let columns = columns.map(|of| match of.nullable {
        true => format!("{} null", of.ty),
        false => of.ty.to_string(),
    });
    format!(
        "module   {}\nbytes    {}\nabi      {}\ncodegen  {}\nstate    {} bytes\noutput   {}\n{}",
        module.name(),
        module.bytes().len(),
        description.abi_version,
        description.codegen_version,
        description.state_bytes,
        columns.collect::<Vec<_>>().join(", "),
        module.fragment(),
    )
}

/// All rows that a module gives, its inputs pushed one after the other.
fn rows(
    module: &FragmentModule,
    inputs: &[PathBuf],
    params: &[String],
) -> anyhow::Result<Vec<RecordBatch>> {
    let expected = module.fragment();
    ensure!(
        inputs.len() == expected.inputs.len(),
        "the module has {} inputs, and --input names {}",
        expected.inputs.len(),
        inputs.len()
    );
    let runtime = Runtime::new(RuntimeConfig {
        protection: Protection::probe(1),
        idle_memories_max: 0,
        idle_memory_bytes: 0,
        perf_map: false,
        artefacts: ArtefactCache::new(
            ArtefactLimits {
                modules_max: 1,
                disk_bytes_max: 0,
            },
            None,
        ),
    })?;
    let loaded = runtime.load(module)?;
    let params = literals(module, params)?;
    let mut instance = Instance::open(
        &runtime,
        &loaded,
        &params,
        Box::new(Unlimited),
        Box::new(NoHostFunctions),
    )?;
    let mut rows = Vec::new();
    for (input, path) in inputs.iter().enumerate() {
        let named = || path.display().to_string();
        let file = File::open(path).with_context(named)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).with_context(named)?;
        let columns: Vec<_> = (0..expected.inputs[input].columns.len()).collect();
        for batch in reader.with_batch_size(abi::BATCH_ROWS_MAX).build()? {
            let batch = batch.with_context(named)?.project(&columns);
            instance.push(input, &batch.with_context(named)?, &mut || Ok(()))?;
            drain(&mut instance, &mut rows)?;
        }
        instance.finish(input, &mut || Ok(()))?;
        drain(&mut instance, &mut rows)?;
    }
    Ok(rows)
}

fn drain(instance: &mut Instance, rows: &mut Vec<RecordBatch>) -> anyhow::Result<()> {
    while let Some(batch) = instance.pull(abi::BATCH_ROWS_MAX as u32, &mut || Ok(()))? {
        rows.push(batch);
    }
    Ok(())
}

/// `--param` as what `open` takes.
fn literals(module: &FragmentModule, texts: &[String]) -> anyhow::Result<Vec<Param>> {
    let expected = &module.fragment().params;
    ensure!(
        texts.len() == expected.len(),
        "the module has {} parameters, and --param gives {}",
        expected.len(),
        texts.len()
    );
    let values = texts.iter().zip(expected).map(|(text, of)| {
        let value = ScalarValue::try_from_string(text.clone(), &of.ty.to_arrow())?;
        lower::param(&value).with_context(|| format!("\"{text}\" is no literal of type {}", of.ty))
    });
    values.collect()
}

/// One run of one module pays for no one else.
struct Unlimited;

impl MemoryAccount for Unlimited {
    fn grow(&mut self, _: u64) -> Result<(), Refused> {
        Ok(())
    }

    fn shrink(&mut self, _: u64) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use parquet::arrow::ArrowWriter;

    use super::*;

    #[test]
    fn a_module_runs_over_a_file() {
        let text = "(fragment (input (column int64)) (params (param int64))
            (pipeline (input 0) (filter (gt c0 p0)) (aggregate single (keys) (sum c0)))
            (pipeline (groups 0) (emit)))";
        let module = worker_wasm::compile(&text.parse().unwrap()).unwrap();
        assert!(describe(&module).contains("(filter (gt c0 p0))"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("numbers.parquet");
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let rows = rows(&module, &[path], &["97".to_owned()]).unwrap();
        let sum = rows[0]
            .column(0)
            .as_primitive::<arrow::datatypes::Int64Type>();
        assert_eq!(sum.value(0), 98 + 99);
        let error = super::rows(&module, &[], &[]).unwrap_err().to_string();
        assert!(error.contains("1 inputs"), "{error}");
    }
}
