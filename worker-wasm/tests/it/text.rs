//! Text where random tests seldom go: literals, long keys that outgrow the heap's pieces, and what a view may not say.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, StringViewArray},
    compute::concat_batches,
    datatypes::Int64Type,
};
use worker_wasm::{Fragment, fragment::like::classify, runtime::Param};

use crate::{
    joins,
    support::{drain, go, run},
};

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
fn needles_are_found_whatever_their_length_and_place() {
    let text: String = ('a'..='z').chain('A'..='Z').collect();
    for length in 1..=text.len() {
        for start in [0, 1, (text.len() - length) / 2, text.len() - length] {
            let Some(needle) = text.get(start..start + length) else {
                continue;
            };
            // The first and the last character alone are in the texts that are not to be found.
            let (head, tail) = needle.split_at(length / 2);
            let texts = [needle, &text, &format!("{head}-{tail}"), &text[..start]];
            let found = kept("(like contains c0 p0)", &[literal(needle)], &texts);
            let expected: Vec<_> = texts.into_iter().filter(|of| of.contains(needle)).collect();
            assert_eq!(found, expected, "{needle}");
        }
    }
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

/// Numbers below `keys` and text that names them, in rows `0..rows`; long ones, but for each third.
fn named(keys: usize, rows: usize, what: &str) -> RecordBatch {
    let numbers = Int64Array::from_iter_values((0..rows).map(|row| (row % keys) as i64));
    let texts: StringArray = (0..rows).map(|row| Some(name(what, row % keys))).collect();
    let columns: [(&str, ArrayRef); 2] = [("c0", Arc::new(numbers)), ("c1", Arc::new(texts))];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn name(what: &str, number: usize) -> String {
    match number % 3 {
        0 => format!("{what} {number}"),
        _ => format!("{what} that is told at length, number {number}"),
    }
}

#[test]
fn joined_text_is_kept_by_groups_sorts_and_other_tables() {
    const KEYS: usize = 300;
    let building: Fragment = "(fragment (input (column int64) (column utf8)) (params)
          (pipeline (input 0) (build 0)))"
        .parse()
        .unwrap();
    let table = Arc::new(joins::build(&building, &[], &[named(KEYS, KEYS, "part")]));
    // Text of tables, of batches and of literals is kept; groups are sorted with theirs.
    let fragment: Fragment =
        "(fragment (input (column int64) (column utf8)) (params (param utf8) (param int64))
          (pipeline (input 0)
            (join inner (table (keys 0) (column int64) (column utf8)) (keys c0))
            (aggregate single (keys c1 c3)
              (count) (max (case (when (lt c0 p1) p0) (else c3))) (min c1) (min c3) (min c0)))
          (pipeline (groups 0) (sort (asc c6 nulls-first)))
          (pipeline (sorted 1) (emit)))"
            .parse()
            .unwrap();
    const LITERAL: &str = "a literal longer than a view";
    let params = [literal(LITERAL), Param::Int(150)];
    let mut instance = joins::probe(&fragment, &params, &[table]).unwrap();
    for _ in 0..3 {
        let batch = named(KEYS, 4 * KEYS, "supplier");
        instance.push(0, &batch, &mut go).unwrap();
    }
    instance.finish(0, &mut go).unwrap();
    let mut out = Vec::new();
    drain(&mut instance, &mut out).unwrap();
    let out = concat_batches(&instance.schema(), &out).unwrap();
    assert_eq!(out.num_rows(), KEYS);
    let counts = out.column(2).as_primitive::<Int64Type>();
    for row in 0..KEYS {
        let texts = [0, 1, 3, 4, 5].map(|column| out.column(column).as_string_view().value(row));
        let (part, supplier) = (name("part", row), name("supplier", row));
        let most = if row < 150 { LITERAL } else { &supplier };
        assert_eq!(texts, [&part, &supplier, most, &part, &supplier]);
        assert_eq!(counts.value(row), 12);
    }
}

#[test]
fn a_table_takes_over_text_of_the_table_that_was_probed() {
    const KEYS: usize = 5000;
    let first: Fragment = "(fragment (input (column int64) (column utf8)) (params)
          (pipeline (input 0) (build 0)))"
        .parse()
        .unwrap();
    let first = Arc::new(joins::build(&first, &[], &[named(KEYS, KEYS, "part")]));
    let second: Fragment = "(fragment (input (column int64) (column utf8)) (params)
          (pipeline (input 0)
            (join inner (table (keys 0) (column int64) (column utf8)) (keys c0))
            (project c2 c1 c3)
            (build 2 1)))"
        .parse()
        .unwrap();
    let mut instance = joins::probe(&second, &[], &[first]).unwrap();
    let batch = named(KEYS, KEYS, "supplier");
    instance.push(0, &batch, &mut go).unwrap();
    instance.finish(0, &mut go).unwrap();
    let second = Arc::new(instance.take_table().unwrap());
    let third: Fragment = "(fragment (input (column int64) (column utf8)) (params (param utf8))
          (pipeline (input 0)
            (join right (table (keys 2 1) (column int64) (column utf8) (column utf8)) (keys c1 p0))
            (emit)))"
        .parse()
        .unwrap();
    let params = [literal(&name("part", 4))];
    let mut instance = joins::probe(&third, &params, &[second]).unwrap();
    instance.push(0, &batch, &mut go).unwrap();
    let mut out = Vec::new();
    drain(&mut instance, &mut out).unwrap();
    let out = concat_batches(&instance.schema(), &out).unwrap();
    assert_eq!(out.num_rows(), KEYS);
    // One row has a partner; all others come without.
    let (parts, suppliers) = (
        out.column(1).as_string_view(),
        out.column(2).as_string_view(),
    );
    assert_eq!(out.column(1).null_count(), KEYS - 1);
    let row = (0..KEYS).find(|row| parts.is_valid(*row)).unwrap();
    assert_eq!(parts.value(row), name("part", 4));
    assert_eq!(suppliers.value(row), name("supplier", 4));
    assert_eq!(
        out.column(4).as_string_view().value(row),
        name("supplier", 4)
    );
}

#[test]
fn joined_rows_with_text_longer_than_a_block_may_have_are_kept_one_by_one() {
    let numbers: Fragment = "(fragment (input (column int64)) (params)
          (pipeline (input 0) (build 0)))"
        .parse()
        .unwrap();
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![7, 7, 7, 8]));
    let batch = RecordBatch::try_from_iter([("c0", keys)]).unwrap();
    let table = Arc::new(joins::build(&numbers, &[], &[batch]));
    let fragment: Fragment = "(fragment (input (column int64) (column utf8)) (params)
          (pipeline (input 0)
            (join inner (table (keys 0) (column int64)) (keys c0))
            (project c2)
            (sort (asc (null int32) nulls-last)))
          (pipeline (sorted 0) (emit)))"
        .parse()
        .unwrap();
    let texts = ["a", "b", "c", "d"].map(|letter| letter.repeat(300_000));
    let columns: [(&str, ArrayRef); 2] = [
        ("c0", Arc::new(Int64Array::from(vec![7, 8, 9, 7]))),
        ("c1", Arc::new(StringArray::from(texts.to_vec()))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut instance = joins::probe(&fragment, &[], &[table]).unwrap();
    instance.push(0, &batch, &mut go).unwrap();
    instance.finish(0, &mut go).unwrap();
    let mut out = Vec::new();
    drain(&mut instance, &mut out).unwrap();
    let out = concat_batches(&instance.schema(), &out).unwrap();
    let rows: Vec<_> = out.column(0).as_string_view().iter().flatten().collect();
    let [a, b, _, d] = &texts;
    assert_eq!(rows, [a, a, a, b, d, d, d]);
}
