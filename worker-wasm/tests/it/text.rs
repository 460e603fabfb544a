//! Text where random tests seldom go: literals, long keys that outgrow the heap's pieces, and what a view may not say.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, StringViewArray},
    datatypes::Int64Type,
};
use worker_wasm::{Fragment, fragment::like::classify, runtime::Param};

use crate::support::run;

fn literal(text: &str) -> Param {
    Param::Text(text.into())
}

/// Rows of the first column for which a fragment's filter holds.
fn kept(filter: &str, params: &[Param], rows: &[&str]) -> Vec<String> {
    let declared = "(param utf8) ".repeat(params.len());
    let fragment = format!(
        "(fragment (input (column utf8)) (params {declared}) (pipeline (input 0) (filter {filter}) (emit)))"
    );
    let fragment: Fragment = fragment.parse().unwrap();
    let column: ArrayRef = Arc::new(StringArray::from(rows.to_vec()));
    let batch = RecordBatch::try_from_iter([("c0", column)]).unwrap();
    let out = run(&fragment, params, &[batch]).unwrap();
    let texts = out.column(0).as_string_view();
    texts.iter().map(|text| text.unwrap().to_owned()).collect()
}

#[test]
fn patterns_are_parameters_of_their_class() {
    let types = [
        "PROMO BURNISHED COPPER",
        "PROMO",
        "SMALL PROMO TIN",
        "LARGE BRUSHED BRASS",
        "",
        "100% STEEL",
        "ÉTAIN",
    ];
    let check = |pattern: &str, expected: &[&str]| {
        let (class, needle) = classify(pattern);
        let class = format!("{class:?}").to_lowercase();
        let filter = format!("(like {class} c0 p0)");
        assert_eq!(
            kept(&filter, &[literal(&needle)], &types),
            expected,
            "{pattern}"
        );
        // The general class takes every pattern as it is written.
        let general = kept("(like general c0 p0)", &[literal(pattern)], &types);
        assert_eq!(general, expected, "{pattern}");
    };
    check("PROMO%", &["PROMO BURNISHED COPPER", "PROMO"]);
    check("PROMO", &["PROMO"]);
    check("%BRASS", &["LARGE BRUSHED BRASS"]);
    check(
        "%PROMO%",
        &["PROMO BURNISHED COPPER", "PROMO", "SMALL PROMO TIN"],
    );
    check("%R%S%", &["PROMO BURNISHED COPPER", "LARGE BRUSHED BRASS"]);
    check(r"%0\%%", &["100% STEEL"]);
    check("_TAIN", &["ÉTAIN"]);
    check("", &[""]);
    check("%", &types);
    check("PROMO BURNISHED COPPER AND MORE%", &[]);
}

#[test]
fn literals_are_compared_whatever_their_length() {
    let segments = [
        "BUILDING",
        "BUILDING ",
        "BUILDINGS",
        "AUTOMOBILE",
        "b",
        "BUILDING MATERIALS",
        "",
    ];
    let check = |filter: &str, params: &[&str], expected: &[&str]| {
        let params: Vec<_> = params.iter().map(|text| literal(text)).collect();
        assert_eq!(kept(filter, &params, &segments), expected, "{filter}");
    };
    check("(eq c0 p0)", &["BUILDING"], &["BUILDING"]);
    check(
        "(eq c0 p0)",
        &["BUILDING MATERIALS"],
        &["BUILDING MATERIALS"],
    );
    check("(eq c0 p0)", &[""], &[""]);
    check("(in c0 p0 p1)", &["b", "AUTOMOBILE"], &["AUTOMOBILE", "b"]);
    check("(lt c0 p0)", &["BUILDING"], &["AUTOMOBILE", ""]);
    check("(ge c0 p0)", &["BUILDINGS"], &["BUILDINGS", "b"]);
}

/// Batch `number` of rows whose keys are long, distinct across a batch, and the same ones every other batch.
fn long_keys(number: usize, rows: usize) -> RecordBatch {
    let key = |row: usize| format!("{:0>200}", (number % 2) * rows + row);
    let keys: StringViewArray = (0..rows).map(|row| Some(key(row))).collect();
    let numbers = Int64Array::from_iter_values((0..rows).map(|_| 1));
    let columns: [(&str, ArrayRef); 2] = [("c0", Arc::new(keys)), ("c1", Arc::new(numbers))];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn long_keys_are_kept_when_their_batch_is_gone() {
    let fragment: Fragment = "(fragment (input (column utf8) (column int64)) (params)
          (pipeline (input 0) (aggregate single (keys c0) (sum c1) (min c0) (max c0)))
          (pipeline (groups 0) (emit)))"
        .parse()
        .unwrap();
    const ROWS: usize = 5000;
    let batches: Vec<_> = (0..6).map(|number| long_keys(number, ROWS)).collect();
    let out = run(&fragment, &[], &batches).unwrap();
    assert_eq!(out.num_rows(), 2 * ROWS);
    let texts = [0, 2, 3].map(|column| out.column(column).as_string_view());
    let sums = out.column(1).as_primitive::<Int64Type>();
    for row in 0..out.num_rows() {
        let expected = format!("{row:0>200}");
        assert_eq!(texts.map(|texts| texts.value(row)), [expected.as_str(); 3]);
        assert_eq!(sums.value(row), 3);
    }
}

#[test]
fn growing_and_shrinking_minima_keep_their_text() {
    let fragment: Fragment = "(fragment (input (column utf8 nullable)) (params)
          (pipeline (input 0) (aggregate single (keys) (min c0) (max c0)))
          (pipeline (groups 0) (emit)))"
        .parse()
        .unwrap();
    let words = [
        "m",
        "l is longer than a view",
        "k",
        "j is by far the longest of them all, so far",
        "zz",
        "zzz and more than a view has",
    ];
    let batch = |text: &str| {
        let column: ArrayRef = Arc::new(StringArray::from(vec![Some(text), None]));
        RecordBatch::try_from_iter([("c0", column)]).unwrap()
    };
    let batches: Vec<_> = words.iter().map(|text| batch(text)).collect();
    for end in 1..=words.len() {
        let out = run(&fragment, &[], &batches[..end]).unwrap();
        let result = [0, 1].map(|column| out.column(column).as_string_view().value(0));
        let mut seen = words[..end].to_vec();
        seen.sort_unstable();
        assert_eq!(result, [seen[0], seen[end - 1]]);
    }
}
