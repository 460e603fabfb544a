//! Rows -> text or bytes on stdout.
//!
//! Tables need all rows before the first line, to know how wide columns are; the other formats are written as rows come.

use std::{
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    sync::Arc,
};

use anyhow::{Context, bail};
use arrow::{
    array::RecordBatch,
    csv,
    datatypes::SchemaRef,
    ipc::writer::StreamWriter,
    json,
    util::{display::FormatOptions, pretty::pretty_format_batches_with_options},
};

/// Rows of a table that the interactive shell keeps and shows.
const SHOWN_ROWS_MAX: usize = 1_000;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns
    #[default]
    Table,
    /// Comma-separated values, with a header
    Csv,
    /// One JSON object per line
    Json,
    /// One Arrow IPC stream, of one result
    Arrow,
}

/// Where results go, and how.
#[derive(Debug)]
pub(super) struct Output {
    format: Format,
    pub(super) interactive: bool,
    /// An IPC stream holds one result.
    arrow_written: bool,
}

impl Output {
    pub(super) fn new(format: Format, interactive: bool) -> anyhow::Result<Self> {
        let mut output = Self {
            format: Format::Table,
            interactive,
            arrow_written: false,
        };
        output.set_format(format)?;
        Ok(output)
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn set_format(&mut self, format: Format) -> anyhow::Result<()> {
        if format == Format::Arrow && io::stdout().is_terminal() {
            bail!("arrow output is binary: send stdout to a file or a pipe");
        }
        self.format = format;
        Ok(())
    }

    /// Begins a result.
    pub(super) fn sink(&mut self) -> anyhow::Result<Sink<BufWriter<Stdout>>> {
        if self.format == Format::Arrow && std::mem::replace(&mut self.arrow_written, true) {
            bail!("arrow output holds one result, and this is a second one");
        }
        let limit = self.interactive.then_some(SHOWN_ROWS_MAX);
        Ok(Sink::new(self.format, limit, BufWriter::new(io::stdout())))
    }
}

/// Writes one result.
pub(super) enum Sink<W: Write> {
    Table {
        out: W,
        kept: Vec<RecordBatch>,
        kept_rows: usize,
        rows: usize,
        limit: Option<usize>,
    },
    Csv {
        out: W,
        header_written: bool,
    },
    Json {
        out: W,
    },
    /// The writer begins with the first batch: only batches know how they are encoded.
    Arrow {
        out: Option<W>,
        writer: Option<StreamWriter<W>>,
    },
}

impl<W: Write> Sink<W> {
    fn new(format: Format, limit: Option<usize>, out: W) -> Self {
        match format {
            Format::Table => Self::Table {
                out,
                kept: Vec::new(),
                kept_rows: 0,
                rows: 0,
                limit,
            },
            Format::Csv => Self::Csv {
                out,
                header_written: false,
            },
            Format::Json => Self::Json { out },
            Format::Arrow => Self::Arrow {
                out: Some(out),
                writer: None,
            },
        }
    }

    /// Whether [`Sink::write`] writes, rather than keeps for later.
    pub(super) fn writes_at_once(&self) -> bool {
        !matches!(self, Self::Table { .. })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        match self {
            Self::Table {
                kept,
                kept_rows,
                rows,
                limit,
                ..
            } => {
                *rows += batch.num_rows();
                let room = limit
                    .map_or(usize::MAX, |limit| limit - *kept_rows)
                    .min(batch.num_rows());
                if room > 0 || kept.is_empty() {
                    kept.push(batch.slice(0, room));
                    *kept_rows += room;
                }
            }
            // Through memory: the writers of texts hide why stdout fails.
            Self::Csv {
                out,
                header_written,
            } => {
                let mut text = Vec::new();
                let mut writer = csv::WriterBuilder::new()
                    .with_header(!*header_written)
                    .build(&mut text);
                writer.write(batch).context("cannot write CSV")?;
                drop(writer);
                *header_written = true;
                out.write_all(&text)?;
            }
            Self::Json { out } => {
                let mut text = Vec::new();
                let mut writer: json::LineDelimitedWriter<_> = json::WriterBuilder::new()
                    .with_explicit_nulls(true)
                    .build(&mut text);
                writer.write(batch).context("cannot write JSON")?;
                writer.finish()?;
                out.write_all(&text)?;
            }
            Self::Arrow { out, writer } => {
                if let Some(out) = out.take() {
                    *writer = Some(StreamWriter::try_new(out, &batch.schema()).map_err(unwrap_io)?);
                }
                if let Some(writer) = writer {
                    writer
                        .write(batch)
                        .map_err(unwrap_io)
                        .context("cannot write Arrow")?;
                }
            }
        }
        Ok(())
    }

    /// Ends the result; `schema` is that of a result without batches.
    pub(super) fn finish(mut self, schema: &SchemaRef) -> anyhow::Result<W> {
        // CSV headers and Arrow schemas come with the first batch.
        if let Self::Csv {
            header_written: false,
            ..
        }
        | Self::Arrow { out: Some(_), .. } = &self
        {
            self.write(&RecordBatch::new_empty(Arc::clone(schema)))?;
        }
        let mut out = match self {
            Self::Table {
                mut out,
                mut kept,
                kept_rows,
                rows,
                ..
            } => {
                if kept.is_empty() {
                    kept.push(RecordBatch::new_empty(Arc::clone(schema)));
                }
                let options = FormatOptions::default()
                    .with_display_error(true)
                    .with_null("NULL");
                writeln!(
                    out,
                    "{}",
                    pretty_format_batches_with_options(&kept, &options)?
                )?;
                if rows > kept_rows {
                    writeln!(
                        out,
                        "(… {} rows in all, first {} shown)",
                        grouped(rows as u64),
                        grouped(kept_rows as u64)
                    )?;
                }
                out
            }
            Self::Csv { out, .. } | Self::Json { out } => out,
            // Ends the stream before it gives the output back.
            Self::Arrow {
                writer: Some(writer),
                ..
            } => writer.into_inner().map_err(unwrap_io)?,
            Self::Arrow { writer: None, .. } => bail!("the Arrow stream did not begin"),
        };
        out.flush()?;
        Ok(out)
    }
}

/// Keeps a failure of stdout what it is: a closed pipe is no error of ours.
fn unwrap_io(error: arrow::error::ArrowError) -> anyhow::Error {
    match error {
        arrow::error::ArrowError::IoError(_, source) => source.into(),
        other => other.into(),
    }
}

/// 1234567 as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{ArrayRef, Int32Array, StringArray},
        ipc::reader::StreamReader,
    };

    use super::*;

    fn batch() -> RecordBatch {
        let columns: [(&str, ArrayRef, bool); 2] = [
            ("a", Arc::new(Int32Array::from(vec![1, 2, 3])), false),
            (
                "b",
                Arc::new(StringArray::from(vec![Some("x"), None, Some("y,z")])),
                true,
            ),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).expect("a batch")
    }

    fn write(format: Format, limit: Option<usize>, batches: &[RecordBatch]) -> Vec<u8> {
        let mut sink = Sink::new(format, limit, Vec::new());
        for batch in batches {
            sink.write(batch).expect("written");
        }
        sink.finish(&batch().schema()).expect("finished")
    }

    fn check(format: Format, limit: Option<usize>, batches: &[RecordBatch], expected: &str) {
        assert_eq!(
            String::from_utf8(write(format, limit, batches)).expect("text"),
            expected
        );
    }

    #[test]
    fn tables_show_the_first_rows_and_count_all() {
        let expected = "\
+---+------+
| a | b    |
+---+------+
| 1 | x    |
| 2 | NULL |
+---+------+
(… 6 rows in all, first 2 shown)
";
        check(Format::Table, Some(2), &[batch(), batch()], expected);
    }

    #[test]
    fn a_result_without_rows_has_its_columns() {
        check(
            Format::Table,
            None,
            &[],
            "+---+---+\n| a | b |\n+---+---+\n+---+---+\n",
        );
        check(Format::Csv, None, &[], "a,b\n");
        check(Format::Json, None, &[], "");
    }

    #[test]
    fn csv_has_one_header() {
        check(
            Format::Csv,
            Some(2),
            &[batch(), batch()],
            "a,b\n1,x\n2,\n3,\"y,z\"\n1,x\n2,\n3,\"y,z\"\n",
        );
    }

    #[test]
    fn json_is_one_object_per_line() {
        let expected = "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":null}\n{\"a\":3,\"b\":\"y,z\"}\n";
        check(Format::Json, None, &[batch()], expected);
    }

    #[test]
    fn arrow_is_a_whole_stream() {
        for batches in [vec![], vec![batch(), batch()]] {
            let bytes = write(Format::Arrow, None, &batches);
            let reader = StreamReader::try_new(bytes.as_slice(), None).expect("a stream");
            assert_eq!(reader.schema(), batch().schema());
            let rows: usize = reader.map(|batch| batch.expect("a batch").num_rows()).sum();
            assert_eq!(rows, 3 * batches.len());
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }
}
