//! Query results as the text that stands below `----` in an `.slt` file.
//!
//! Shapes: a batch of `n` rows gives `n` rows of one string per column; a value with line breaks in the last
//! column (a plan) is spread over several rows, one line each.
//! Errors: none; a value Arrow cannot print is printed as `error: ..` and so fails its comparison.
//! Invariant: the text depends on the value only, never on its encoding (Utf8 and Utf8View print the same).
//! Source: the conventions of DataFusion's own sqllogictest files, so that a record can be tried there as it is.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float16Type,
    Float32Type, Float64Type, SchemaRef,
};
use arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};

/// Digits kept behind the decimal point of a float or decimal.
const FRACTION_DIGITS: usize = 12;

/// The letter of a column in a `query <letters>` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
    /// `B`
    Boolean,
    /// `D`: a date, or a time of day.
    Date,
    /// `I`
    Integer,
    /// `P`
    Timestamp,
    /// `R`: a float or a decimal.
    Real,
    /// `T`
    Text,
    /// `?`: everything else.
    Other,
}

impl sqllogictest::ColumnType for ColumnType {
    fn from_char(letter: char) -> Option<Self> {
        match letter {
            'B' => Some(Self::Boolean),
            'D' => Some(Self::Date),
            'I' => Some(Self::Integer),
            'P' => Some(Self::Timestamp),
            'R' => Some(Self::Real),
            'T' => Some(Self::Text),
            '?' => Some(Self::Other),
            _ => None,
        }
    }

    fn to_char(&self) -> char {
        match self {
            Self::Boolean => 'B',
            Self::Date => 'D',
            Self::Integer => 'I',
            Self::Timestamp => 'P',
            Self::Real => 'R',
            Self::Text => 'T',
            Self::Other => '?',
        }
    }
}

/// The letters of a result's columns.
pub(super) fn column_types(schema: &SchemaRef) -> Vec<ColumnType> {
    schema
        .fields()
        .iter()
        .map(|field| column_type(field.data_type()))
        .collect()
}

fn column_type(data_type: &DataType) -> ColumnType {
    match data_type {
        DataType::Boolean => ColumnType::Boolean,
        DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) => {
            ColumnType::Date
        }
        DataType::Timestamp(_, _) => ColumnType::Timestamp,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnType::Text,
        DataType::Dictionary(_, values) => match column_type(values) {
            ColumnType::Text => ColumnType::Text,
            _ => ColumnType::Other,
        },
        other if other.is_integer() => ColumnType::Integer,
        other if other.is_floating() || other.is_decimal() => ColumnType::Real,
        _ => ColumnType::Other,
    }
}

/// All rows of a result, in order.
pub(super) fn rows(schema: &SchemaRef, batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for batch in batches {
        assert_eq!(
            batch.num_columns(),
            schema.fields().len(),
            "a batch has other columns than the schema of its result"
        );
        for row in 0..batch.num_rows() {
            let cells = batch
                .columns()
                .iter()
                .map(|column| cell(column, row))
                .collect();
            spread(cells, &mut rows);
        }
    }
    rows
}

/// One line of the file holds one line of text, so a plan in the last cell becomes rows of its own. They are
/// numbered and their indentation becomes dashes, which stay visible where white space does not.
fn spread(mut cells: Vec<String>, rows: &mut Vec<Vec<String>>) {
    if !cells.last().is_some_and(|cell| cell.contains('\n')) {
        rows.push(cells);
        return;
    }
    let text = cells.pop().expect("a row with a last cell");
    rows.push(cells);
    for (index, line) in text.trim_end_matches('\n').split('\n').enumerate() {
        let content = line.trim_start();
        let indent = "-".repeat(line.len() - content.len());
        rows.push(vec![format!("{:02}){indent}{content}", index + 1)]);
    }
}

fn cell(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "NULL".to_owned();
    }
    match column.data_type() {
        // An array of type Null has no validity bits to ask.
        DataType::Null => "NULL".to_owned(),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Float16 => float(column.as_primitive::<Float16Type>().value(row).into()),
        // Widening to f64 first would print digits that the f32 does not have.
        DataType::Float32 => {
            let value = column.as_primitive::<Float32Type>().value(row);
            if value.is_finite() {
                rounded(&value.to_string())
            } else {
                float(value.into())
            }
        }
        DataType::Float64 => float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal32(_, _) => {
            rounded(&column.as_primitive::<Decimal32Type>().value_as_string(row))
        }
        DataType::Decimal64(_, _) => {
            rounded(&column.as_primitive::<Decimal64Type>().value_as_string(row))
        }
        DataType::Decimal128(_, _) => {
            rounded(&column.as_primitive::<Decimal128Type>().value_as_string(row))
        }
        DataType::Decimal256(_, _) => {
            rounded(&column.as_primitive::<Decimal256Type>().value_as_string(row))
        }
        DataType::Utf8 => text(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => text(column.as_string::<i64>().value(row)),
        DataType::Utf8View => text(column.as_string_view().value(row)),
        DataType::Dictionary(_, _) => {
            let dictionary = column.as_any_dictionary();
            cell(dictionary.values(), dictionary.normalized_keys()[row])
        }
        _ => {
            let options = FormatOptions::new()
                .with_null("NULL")
                .with_duration_format(DurationFormat::Pretty);
            match ArrayFormatter::try_new(column.as_ref(), &options) {
                Ok(formatter) => formatter.value(row).to_string(),
                Err(error) => format!("error: {error}"),
            }
        }
    }
}

fn text(value: &str) -> String {
    if value.is_empty() {
        "(empty)".to_owned()
    } else {
        value.trim_end_matches('\n').to_owned()
    }
}

/// A NaN has no sign here: which one an operation gives differs between machines.
fn float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 {
            "Infinity".to_owned()
        } else {
            "-Infinity".to_owned()
        }
    } else {
        rounded(&value.to_string())
    }
}

/// Rounds plain decimal text half to even at [`FRACTION_DIGITS`] and drops trailing zeros and the sign of zero.
fn rounded(number: &str) -> String {
    let (negative, digits) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let kept = fraction.len().min(FRACTION_DIGITS);
    let mut all: Vec<u8> = whole.bytes().chain(fraction.bytes().take(kept)).collect();
    let dropped = &fraction.as_bytes()[kept..];
    let half = dropped.first().map_or(std::cmp::Ordering::Less, |first| {
        first
            .cmp(&b'5')
            .then_with(|| match dropped[1..].iter().all(|digit| *digit == b'0') {
                true => std::cmp::Ordering::Equal,
                false => std::cmp::Ordering::Greater,
            })
    });
    let last_is_odd = all.last().is_some_and(|digit| digit % 2 == 1);
    if half.is_gt() || (half.is_eq() && last_is_odd) {
        add_one(&mut all);
    }
    let (whole, fraction) = all.split_at(all.len() - kept);
    let whole = String::from_utf8_lossy(whole);
    let fraction = String::from_utf8_lossy(fraction);
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let fraction = fraction.trim_end_matches('0');
    let sign = if negative && !(whole == "0" && fraction.is_empty()) {
        "-"
    } else {
        ""
    };
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// Adds one to a number written in ASCII digits.
fn add_one(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: &str, expected: &str) {
        assert_eq!(rounded(number), expected, "{number}");
    }

    #[test]
    fn a_number_loses_its_trailing_zeros_and_the_sign_of_zero() {
        check("1.500", "1.5");
        check("100", "100");
        check("100.0", "100");
        check("-0", "0");
        check("-0.0", "0");
        check("-0.0000000000001", "0");
        check("0.05", "0.05");
    }

    #[test]
    fn the_twelfth_digit_is_rounded_half_to_even() {
        check("0.1234567890124", "0.123456789012");
        check("0.1234567890125", "0.123456789012");
        check("0.1234567890135", "0.123456789014");
        check("0.12345678901250001", "0.123456789013");
        check("-9.9999999999999", "-10");
        check("999.9999999999999", "1000");
    }

    #[test]
    fn a_float_is_written_without_exponent() {
        assert_eq!(float(1e20), "100000000000000000000");
        assert_eq!(float(0.1 + 0.2), "0.3");
        assert_eq!(float(-f64::NAN), "NaN");
        assert_eq!(float(f64::NEG_INFINITY), "-Infinity");
    }

    #[test]
    fn a_plan_becomes_one_numbered_row_per_line() {
        let mut rows = Vec::new();
        spread(
            vec![
                "logical_plan".to_owned(),
                "Sort: a\n  Values: 1\n".to_owned(),
            ],
            &mut rows,
        );
        assert_eq!(
            rows,
            [
                vec!["logical_plan"],
                vec!["01)Sort: a"],
                vec!["02)--Values: 1"]
            ]
        );
    }
}
