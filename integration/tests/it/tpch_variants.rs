//! TPC-H Q1, Q3, Q6 and Q14 over tables whose columns have other names, places and types, and nulls: code generation knows
//! types and operators, not these tables.
//!
//! Each runs compiled, without the host's help and without an operator of DataFusion's own, and natively; the rows agree.

use anyhow::{Context, Result, ensure};

use crate::{
    server::{Client, Server, rows, update},
    tpch::{cells, check_compiled, generate, query_text, register, same_value},
};

const QUERIES: [u32; 4] = [1, 3, 6, 14];

/// What a column is about, which decides what types it has in a variant.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Key,
    Money,
    Other,
}

/// A column's name, and what it is about.
type Column = (&'static str, Kind);

/// Tables with the columns that the four queries read, and the prefix these have in a variant.
const TABLES: [(&str, &str, &[Column]); 4] = [
    (
        "lineitem",
        "fig_",
        &[
            ("l_orderkey", Kind::Key),
            ("l_partkey", Kind::Key),
            ("l_quantity", Kind::Money),
            ("l_extendedprice", Kind::Money),
            ("l_discount", Kind::Money),
            ("l_tax", Kind::Money),
            ("l_returnflag", Kind::Other),
            ("l_linestatus", Kind::Other),
            ("l_shipdate", Kind::Other),
        ],
    ),
    (
        "orders",
        "elm_",
        &[
            ("o_orderkey", Kind::Key),
            ("o_custkey", Kind::Key),
            ("o_orderdate", Kind::Other),
            ("o_shippriority", Kind::Other),
        ],
    ),
    (
        "customer",
        "yew_",
        &[("c_custkey", Kind::Key), ("c_mktsegment", Kind::Other)],
    ),
    (
        "part",
        "oak_",
        &[("p_partkey", Kind::Key), ("p_type", Kind::Other)],
    ),
];

#[derive(Clone, Copy)]
struct Variant {
    name: &'static str,
    key: Option<&'static str>,
    money: Option<&'static str>,
    nulls: bool,
}

const VARIANTS: [Variant; 4] = [
    Variant {
        name: "other names and places",
        key: None,
        money: None,
        nulls: false,
    },
    Variant {
        name: "floats and 32-bit keys",
        key: Some("INT"),
        money: Some("DOUBLE"),
        nulls: false,
    },
    Variant {
        name: "decimals of 30 digits and unsigned keys",
        key: Some("BIGINT UNSIGNED"),
        money: Some("DECIMAL(30, 2)"),
        nulls: false,
    },
    Variant {
        name: "nulls in each column",
        key: None,
        money: None,
        nulls: true,
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_queries_are_compiled_whatever_their_columns_are() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    register(&mut client, &generate("0.1")?).await?;
    for variant in VARIANTS {
        for (table, prefix, columns) in TABLES {
            make(&mut client, variant, table, prefix, columns).await?;
        }
        for query in QUERIES {
            let sql = renamed(&query_text(query)?);
            let checked = check(&mut client, &sql).await;
            checked.with_context(|| format!("q{query:02} with {}", variant.name))?;
        }
        for (_, prefix, _) in TABLES {
            update(&mut client, &format!("DROP TABLE {prefix}rows")).await?;
        }
    }
    Ok(())
}

/// A temporary table with the columns in the opposite order, as the variant has them.
async fn make(
    client: &mut Client,
    variant: Variant,
    table: &str,
    prefix: &str,
    columns: &[(&str, Kind)],
) -> Result<()> {
    let key = columns[0].0;
    let selected = columns.iter().enumerate().rev();
    let selected = selected.map(|(index, (column, kind))| {
        let ty = match kind {
            Kind::Key => variant.key,
            Kind::Money => variant.money,
            Kind::Other => None,
        };
        let typed = ty.map_or_else(
            || (*column).to_owned(),
            |ty| format!("CAST({column} AS {ty})"),
        );
        let value = match variant.nulls {
            true => format!("CASE WHEN {key} % 53 <> {index} THEN {typed} END"),
            false => typed,
        };
        format!("{value} AS {prefix}{}", &column[2..])
    });
    let selected: Vec<_> = selected.collect();
    let sql = format!(
        "CREATE TEMPORARY TABLE {prefix}rows AS SELECT {} FROM {table}",
        selected.join(", ")
    );
    update(client, &sql).await?;
    Ok(())
}

/// The query over the tables of a variant.
fn renamed(sql: &str) -> String {
    let lines = sql.lines().filter(|line| !line.starts_with("--"));
    let mut sql = lines.collect::<Vec<_>>().join("\n");
    // Q3 keeps ten rows: sums of nulls alone are equal, and which of them come first is nobody's promise.
    sql = sql.replace(
        "order by revenue desc, o_orderdate",
        "order by revenue desc, o_orderdate, l_orderkey, o_shippriority",
    );
    for (table, prefix, columns) in TABLES {
        for (column, _) in columns {
            sql = sql.replace(column, &format!("{prefix}{}", &column[2..]));
        }
        // Only behind FROM do tables stand alone.
        for end in [",", "\n"] {
            for start in [" ", "\n"] {
                let from = format!("{start}{table}{end}");
                sql = sql.replace(&from, &format!("{start}{prefix}rows{end}"));
            }
        }
    }
    sql
}

async fn check(client: &mut Client, sql: &str) -> Result<()> {
    check_compiled(client, sql).await?;
    let compiled = cells(&rows(client, sql).await?)?;
    update(client, "SET murre.compile = 'never'").await?;
    let native = cells(&rows(client, sql).await?)?;
    ensure!(!native.is_empty(), "no rows");
    ensure!(
        compiled.len() == native.len(),
        "{} rows, natively {}",
        compiled.len(),
        native.len()
    );
    for (compiled, native) in compiled.iter().zip(&native) {
        let mut cells = compiled.iter().zip(native);
        ensure!(
            cells.all(|(one, other)| same_value(one, other)),
            "row {compiled:?}, natively {native:?}"
        );
    }
    Ok(())
}
