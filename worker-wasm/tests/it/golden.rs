//! Fragment text and the module it becomes, side by side in one file.
//!
//! `MURRE_BLESS=1 cargo test -p worker-wasm --test it golden` rewrites what follows the fragment; say why it changed.

use std::{fs, path::Path};

use worker_wasm::{Fragment, compile, fragment::verifier::verify};

use crate::support::GUARDED;

pub(crate) const RULE: &str = "\n;; the module\n";

#[test]
fn modules_are_what_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 5, "the golden files are gone");
    let bless = std::env::var("MURRE_BLESS").is_ok();
    let mut changed = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let source = text.split(RULE).next().unwrap().trim_end();
        let fragment: Fragment = source.parse().unwrap();
        let module = compile(&fragment).unwrap();
        GUARDED.load(&module).unwrap();
        let printed = wasmprinter::print_bytes(module.bytes()).unwrap();
        // The description is the fragment above in binary.
        let printed: Vec<_> = printed
            .lines()
            .filter(|line| !line.starts_with("  (@custom"))
            .collect();
        let expected = format!("{source}\n{RULE}{}\n", printed.join("\n"));
        if bless {
            fs::write(&path, expected).unwrap();
        } else if expected != text {
            changed.push(path);
        }
    }
    assert!(
        changed.is_empty(),
        "the modules of {changed:?} have changed"
    );
}

#[test]
fn printed_fragments_read_back_as_themselves() {
    let text = "(fragment
      (input (column (timestamp us \"Europe/Berlin\") nullable no-nulls) (column (decimal 15 2) i64) (column boolean))
      (params (param (decimal 9 0) i32) (param float64))
      (pipeline (input 0)
        (filter (or c2 (not (is-null c0))))
        (project c0 (case (when c2 (neg c1)) (else (null (decimal 15 2)))) (in c1 c1 (null (decimal 15 2))) (cast c2 uint8))
        (aggregate partial (keys c0) (avg (decimal 19 6) c1 (where c2)) (count) (min c3)))
      (pipeline (groups 0) (project (coalesce c1 c3)) (emit)))";
    let fragment: Fragment = text.parse().unwrap();
    // The average's state is a count and a sum, so types differ: this one is well-formed, not verified.
    assert!(verify(&fragment).is_err());
    let again: Fragment = fragment.to_string().parse().unwrap();
    assert_eq!(fragment, again);
}

#[test]
fn printed_joins_and_sorts_read_back_as_themselves() {
    let text = "(fragment
      (input (column int64 nullable) (column date32))
      (params (param uint64))
      (pipeline (input 0)
        (join left-anti (table (keys 1 0) (column date32) (column int64 nullable)) (keys c0 c1) nulls-equal (where (eq c0 c3)))
        (sort (desc c0 nulls-first) (asc c1 nulls-last) (fetch p0)))
      (pipeline (sorted 0) (build 1 0)))";
    let fragment: Fragment = text.parse().unwrap();
    verify(&fragment).unwrap();
    let again: Fragment = fragment.to_string().parse().unwrap();
    assert_eq!(fragment, again);
}

#[test]
fn broken_text_is_refused_and_says_where() {
    let check = |text: &str, expected: &str| {
        let error = text.parse::<Fragment>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    };
    check("", "ends early");
    check("(fragment (input)\n(params)", "line 2");
    check("(fragment) x", "goes on");
    check("(fragment (input (column int128)))", "a type");
    check(
        "(fragment (pipeline (input 0) (filter (frob c0)) (emit)))",
        "an expression",
    );
    check(&"(".repeat(100_000), "nested deeper");
}

#[test]
fn fragments_that_break_a_rule_are_refused() {
    let check = |columns: &str, rest: &str, expected: &str| {
        let text = format!("(fragment (input {columns}) (params) {rest})");
        let fragment: Fragment = text.parse().unwrap();
        let error = verify(&fragment).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    };
    let int = "(column int32)";
    check(
        int,
        "(pipeline (input 0) (project c1) (emit))",
        "column 1 does not exist",
    );
    check(
        int,
        "(pipeline (input 0) (project p0) (emit))",
        "parameter 0 does not exist",
    );
    check(int, "(pipeline (input 1) (emit))", "input 1 does not exist");
    check(
        int,
        "(pipeline (input 0) (aggregate single (keys c0) (count))) (pipeline (sorted 0) (emit))",
        "its source is not sorted",
    );
    check(
        int,
        "(pipeline (input 0) (sort (asc c0 nulls-last) (fetch p0))) (pipeline (sorted 0) (emit))",
        "parameter 0 does not exist",
    );
    check(
        "(column utf8)",
        "(pipeline (input 0) (sort (asc (coalesce c0 c0) nulls-last))) (pipeline (sorted 0) (emit))",
        "pipeline 0 cannot be compiled yet: computed text is no sort key",
    );
    check(
        int,
        "(pipeline (input 0) (join inner (table (keys 0) (column int64)) (keys c0)) (emit))",
        "not the types of the table's keys",
    );
    check(
        int,
        "(pipeline (input 0) (join inner (table (keys 1) (column int32)) (keys c0)) (emit))",
        "key 1 does not exist",
    );
    check(
        int,
        "(pipeline (input 0) (join left (table (keys 0) (column int32)) (keys c0))
           (join full (table (keys 0) (column int32)) (keys c0)) (emit))",
        "two joins keep rows",
    );
    check(
        int,
        "(pipeline (input 0) (sort (asc c0 nulls-last)))
         (pipeline (sorted 0) (join inner (table (keys 0) (column int32)) (keys c0)) (emit))",
        "stored rows do not probe",
    );
    check(
        int,
        "(pipeline (input 0) (join inner (table (keys 0) (column int32)) (keys c0) (where c1)) (emit))",
        "not boolean",
    );
    check(
        int,
        "(pipeline (input 0) (build 1))",
        "key 1 does not exist",
    );
    check(
        int,
        "(pipeline (input 0) (filter c0) (emit))",
        "not boolean",
    );
    check(
        int,
        "(pipeline (input 0) (project (add c0 (null int64))) (emit))",
        "no arithmetic",
    );
    check(
        int,
        "(pipeline (input 0) (project (rem (null float64) (null float64))) (emit))",
        "no arithmetic",
    );
    check(
        int,
        "(pipeline (input 0) (project (cast c0 date32) (cast c0 (timestamp us))) (emit))",
        "no cast",
    );
    check(
        "(column (decimal 38 38))",
        "(pipeline (input 0) (project (cast c0 (decimal 38 -1))) (emit))",
        "no cast",
    );
    check(
        "(column (decimal 38 0)) (column (decimal 38 38))",
        "(pipeline (input 0) (project (div c0 c1)) (emit))",
        "no arithmetic",
    );
    check(
        int,
        "(pipeline (input 0) (project (and)) (emit)) (pipeline (input 0) (emit))",
        "only that",
    );
    check(
        int,
        "(pipeline (input 0) (aggregate single (keys c0)))",
        "the last pipeline emits",
    );
    check(
        int,
        "(pipeline (input 0) (aggregate single (keys) (avg float64 c0))) (pipeline (groups 0) (emit))",
        "does not take",
    );
    check(
        "(column int32 i32)",
        "(pipeline (input 0) (emit))",
        "range class",
    );
    check(
        "(column (decimal 39 0))",
        "(pipeline (input 0) (emit))",
        "does not exist",
    );
    check(
        "(column (decimal 5 6))",
        "(pipeline (input 0) (emit))",
        "does not exist",
    );
}
