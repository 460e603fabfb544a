//! The shapes of TPC-H Q3 and Q14 as fragments, with joins fused into what follows them, against plain loops.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use arrow::{
    array::{
        ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array,
        RecordBatch, RecordBatchOptions,
    },
    compute::concat_batches,
    datatypes::{DataType, Date32Type, Decimal128Type, Field, Int64Type, Schema},
};
use tpchgen::generators::{CustomerGenerator, LineItemGenerator, OrderGenerator, PartGenerator};
use worker_wasm::{Fragment, runtime::Param};

use crate::{
    joins::{build, probe},
    support::{drain, go},
};

const SCALE: f64 = 0.02;
const BATCH_ROWS: usize = 8192;
const DAY_1995_03_15: i32 = 9204;
const DAY_1995_09_01: i32 = 9374;
const DAY_1995_10_01: i32 = 9404;

fn batches(columns: Vec<ArrayRef>) -> Vec<RecordBatch> {
    let fields = columns.iter().enumerate().map(|(index, column)| {
        let data_type: DataType = column.data_type().clone();
        Field::new(format!("c{index}"), data_type, false)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let rows = columns[0].len();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let whole = RecordBatch::try_new_with_options(schema, columns, &options).unwrap();
    let starts = (0..rows).step_by(BATCH_ROWS);
    starts
        .map(|start| whole.slice(start, BATCH_ROWS.min(rows - start)))
        .collect()
}

fn longs(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn days(values: impl Iterator<Item = i32>) -> ArrayRef {
    Arc::new(Date32Array::from_iter_values(values))
}

fn money(values: impl Iterator<Item = i64>) -> ArrayRef {
    let values = Decimal128Array::from_iter_values(values.map(i128::from));
    Arc::new(values.with_precision_and_scale(15, 2).unwrap())
}

struct Item {
    order: i64,
    part: i64,
    price: i64,
    discount: i64,
    shipped: i32,
}

fn items() -> Vec<Item> {
    let generator = LineItemGenerator::new(SCALE, 1, 1);
    let items = generator.iter().map(|item| Item {
        order: item.l_orderkey,
        part: item.l_partkey,
        price: item.l_extendedprice.into_inner(),
        discount: item.l_discount.into_inner(),
        shipped: item.l_shipdate.to_unix_epoch(),
    });
    items.collect()
}

fn item_batches(items: &[Item], key: impl Fn(&Item) -> i64) -> Vec<RecordBatch> {
    batches(vec![
        longs(items.iter().map(key)),
        money(items.iter().map(|item| item.price)),
        money(items.iter().map(|item| item.discount)),
        days(items.iter().map(|item| item.shipped)),
    ])
}

/// The fragment of a golden file.
fn golden(text: &str) -> Fragment {
    text.split("\n;; the module\n")
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn q3_joins_twice_aggregates_and_keeps_the_first_ten() {
    let customers: HashSet<i64> = CustomerGenerator::new(SCALE, 1, 1)
        .iter()
        .filter(|customer| customer.c_mktsegment == "BUILDING")
        .map(|customer| customer.c_custkey)
        .collect();
    let orders: Vec<_> = OrderGenerator::new(SCALE, 1, 1)
        .iter()
        .map(|order| {
            (
                order.o_orderkey,
                order.o_custkey,
                order.o_orderdate.to_unix_epoch(),
                order.o_shippriority,
            )
        })
        .collect();
    let items = items();

    let customer_table = build(
        &"(fragment (input (column int64)) (params) (pipeline (input 0) (build 0)))"
            .parse()
            .unwrap(),
        &[],
        &batches(vec![longs(customers.iter().copied())]),
    );
    let day = Param::Int(DAY_1995_03_15.into());
    let order_batches = batches(vec![
        longs(orders.iter().map(|order| order.0)),
        longs(orders.iter().map(|order| order.1)),
        days(orders.iter().map(|order| order.2)),
        Arc::new(Int32Array::from_iter_values(
            orders.iter().map(|order| order.3),
        )),
    ]);
    let mut building = probe(
        &golden(include_str!("golden/join_build.frag")),
        std::slice::from_ref(&day),
        &[Arc::new(customer_table)],
    )
    .unwrap();
    for batch in &order_batches {
        building.push(0, batch, &mut go).unwrap();
    }
    building.finish(0, &mut go).unwrap();
    let order_table = Arc::new(building.take_table().unwrap());

    let mut instance = probe(
        &golden(include_str!("golden/join_q3.frag")),
        &[day, Param::Int(1), Param::Int(10)],
        &[order_table],
    )
    .unwrap();
    for batch in &item_batches(&items, |item| item.order) {
        instance.push(0, batch, &mut go).unwrap();
    }
    instance.finish(0, &mut go).unwrap();
    let mut out = Vec::new();
    drain(&mut instance, &mut out).unwrap();
    let out = concat_batches(&instance.schema(), &out).unwrap();

    let orders: HashMap<i64, i32> = orders
        .into_iter()
        .filter(|order| order.2 < DAY_1995_03_15 && customers.contains(&order.1))
        .map(|order| (order.0, order.2))
        .collect();
    let mut revenue: BTreeMap<i64, i128> = BTreeMap::new();
    for item in items.iter().filter(|item| item.shipped > DAY_1995_03_15) {
        if orders.contains_key(&item.order) {
            *revenue.entry(item.order).or_default() +=
                i128::from(item.price * (100 - item.discount));
        }
    }
    let mut expected: Vec<_> = revenue
        .into_iter()
        .map(|(order, revenue)| (-revenue, orders[&order], order))
        .collect();
    expected.sort_unstable();
    expected.truncate(10);
    let found: Vec<_> = (0..out.num_rows())
        .map(|row| {
            let revenue = out.column(1).as_primitive::<Decimal128Type>().value(row);
            let date = out.column(2).as_primitive::<Date32Type>().value(row);
            (
                -revenue,
                date,
                out.column(0).as_primitive::<Int64Type>().value(row),
            )
        })
        .collect();
    assert_eq!(found.len(), 10);
    assert_eq!(found, expected);
}

#[test]
fn q14_adds_up_what_it_joins() {
    let parts: Vec<_> = PartGenerator::new(SCALE, 1, 1)
        .iter()
        .map(|part| (part.p_partkey, part.p_type.starts_with("PROMO")))
        .collect();
    let items = items();
    let table = build(
        &"(fragment (input (column int64) (column boolean)) (params) (pipeline (input 0) (build 0)))"
            .parse()
            .unwrap(),
        &[],
        &batches(vec![
            longs(parts.iter().map(|part| part.0)),
            Arc::new(BooleanArray::from_iter(parts.iter().map(|part| Some(part.1)))),
        ]),
    );
    let params = [DAY_1995_09_01, DAY_1995_10_01, 1, 0].map(|value| Param::Int(value.into()));
    let mut instance = probe(
        &golden(include_str!("golden/join_q14.frag")),
        &params,
        &[Arc::new(table)],
    )
    .unwrap();
    for batch in &item_batches(&items, |item| item.part) {
        instance.push(0, batch, &mut go).unwrap();
    }
    instance.finish(0, &mut go).unwrap();
    let out = instance.pull(10, &mut go).unwrap().unwrap();
    let sum = |column: usize| out.column(column).as_primitive::<Decimal128Type>().value(0);

    let promoted: HashSet<i64> = parts
        .into_iter()
        .filter(|part| part.1)
        .map(|part| part.0)
        .collect();
    let month = items
        .iter()
        .filter(|item| (DAY_1995_09_01..DAY_1995_10_01).contains(&item.shipped));
    let mut expected = [0i128; 2];
    for item in month {
        let revenue = i128::from(item.price * (100 - item.discount));
        expected[1] += revenue;
        if promoted.contains(&item.part) {
            expected[0] += revenue;
        }
    }
    assert!(expected[0] > 0);
    assert_eq!([sum(0), sum(1)], expected);
}
