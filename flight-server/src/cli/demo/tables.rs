//! The eight TPC-H tables: columns in the specification's order, and their rows as Arrow batches.
//!
//! Shapes: keys are `Int64`, other integers `Int32`, money and quantities `Decimal128(15, 2)`, texts `Utf8`.
//! Source: TPC-H specification 3.0.1, section 1.4; rows are those of tpchgen, which reproduces dbgen.

use std::{fmt, fmt::Write, iter, sync::Arc};

use arrow::{
    array::{
        ArrayBuilder, ArrayRef, Date32Builder, Decimal128Builder, Int32Builder, Int64Builder,
        RecordBatch, StringBuilder,
    },
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use tpchgen::{
    dates::TPCHDate,
    decimal::TPCHDecimal,
    generators::{
        CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
        PartSuppGenerator, RegionGenerator, SupplierGenerator,
    },
};

/// Rows of a batch: large enough for the writer to be busy, small enough to keep little in memory.
const BATCH_ROWS: usize = 65_536;

pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) schema: fn() -> SchemaRef,
    /// All rows at a scale factor. Made as they are asked for.
    pub(super) batches: fn(f64) -> Box<dyn Iterator<Item = RecordBatch>>,
}

/// The largest first, so that the other ones fill in beside it.
pub(super) const TABLES: [Table; 8] = [
    lineitem::TABLE,
    orders::TABLE,
    partsupp::TABLE,
    part::TABLE,
    customer::TABLE,
    supplier::TABLE,
    nation::TABLE,
    region::TABLE,
];

/// A table as `column: kind = value of a row`.
macro_rules! table {
    ($table:ident, $generator:ident, |$row:ident| { $($column:ident: $kind:ident = $value:expr,)+ }) => {
        mod $table {
            use super::*;

            pub(super) const TABLE: Table = Table { name: stringify!($table), schema, batches };

            fn schema() -> SchemaRef {
                Arc::new(Schema::new(vec![$(Field::new(stringify!($column), $kind::data_type(), false)),+]))
            }

            fn batches(scale: f64) -> Box<dyn Iterator<Item = RecordBatch>> {
                let schema = schema();
                let mut rows = $generator::new(scale, 1, 1).iter();
                Box::new(iter::from_fn(move || {
                    $(let mut $column = $kind::default();)+
                    let mut some = false;
                    for $row in rows.by_ref().take(BATCH_ROWS) {
                        some = true;
                        $($column.push($value);)+
                    }
                    let columns = vec![$($column.finish()),+];
                    some.then(|| RecordBatch::try_new(Arc::clone(&schema), columns).expect("columns fit their schema"))
                }))
            }
        }
    };
}

table!(region, RegionGenerator, |row| {
    r_regionkey: Key = row.r_regionkey,
    r_name: Text = row.r_name,
    r_comment: Text = row.r_comment,
});

table!(nation, NationGenerator, |row| {
    n_nationkey: Key = row.n_nationkey,
    n_name: Text = row.n_name,
    n_regionkey: Key = row.n_regionkey,
    n_comment: Text = row.n_comment,
});

table!(part, PartGenerator, |row| {
    p_partkey: Key = row.p_partkey,
    p_name: Text = row.p_name,
    p_mfgr: Text = row.p_mfgr,
    p_brand: Text = row.p_brand,
    p_type: Text = row.p_type,
    p_size: Int = row.p_size,
    p_container: Text = row.p_container,
    p_retailprice: Decimal = row.p_retailprice,
    p_comment: Text = row.p_comment,
});

table!(supplier, SupplierGenerator, |row| {
    s_suppkey: Key = row.s_suppkey,
    s_name: Text = row.s_name,
    s_address: Text = row.s_address,
    s_nationkey: Key = row.s_nationkey,
    s_phone: Text = row.s_phone,
    s_acctbal: Decimal = row.s_acctbal,
    s_comment: Text = row.s_comment,
});

table!(partsupp, PartSuppGenerator, |row| {
    ps_partkey: Key = row.ps_partkey,
    ps_suppkey: Key = row.ps_suppkey,
    ps_availqty: Int = row.ps_availqty,
    ps_supplycost: Decimal = row.ps_supplycost,
    ps_comment: Text = row.ps_comment,
});

table!(customer, CustomerGenerator, |row| {
    c_custkey: Key = row.c_custkey,
    c_name: Text = row.c_name,
    c_address: Text = row.c_address,
    c_nationkey: Key = row.c_nationkey,
    c_phone: Text = row.c_phone,
    c_acctbal: Decimal = row.c_acctbal,
    c_mktsegment: Text = row.c_mktsegment,
    c_comment: Text = row.c_comment,
});

table!(orders, OrderGenerator, |row| {
    o_orderkey: Key = row.o_orderkey,
    o_custkey: Key = row.o_custkey,
    o_orderstatus: Text = row.o_orderstatus,
    o_totalprice: Decimal = row.o_totalprice,
    o_orderdate: Date = row.o_orderdate,
    o_orderpriority: Text = row.o_orderpriority,
    o_clerk: Text = row.o_clerk,
    o_shippriority: Int = row.o_shippriority,
    o_comment: Text = row.o_comment,
});

table!(lineitem, LineItemGenerator, |row| {
    l_orderkey: Key = row.l_orderkey,
    l_partkey: Key = row.l_partkey,
    l_suppkey: Key = row.l_suppkey,
    l_linenumber: Int = row.l_linenumber,
    // tpchgen counts whole pieces; the specification makes the column a decimal.
    l_quantity: Decimal = TPCHDecimal(row.l_quantity * 100),
    l_extendedprice: Decimal = row.l_extendedprice,
    l_discount: Decimal = row.l_discount,
    l_tax: Decimal = row.l_tax,
    l_returnflag: Text = row.l_returnflag,
    l_linestatus: Text = row.l_linestatus,
    l_shipdate: Date = row.l_shipdate,
    l_commitdate: Date = row.l_commitdate,
    l_receiptdate: Date = row.l_receiptdate,
    l_shipinstruct: Text = row.l_shipinstruct,
    l_shipmode: Text = row.l_shipmode,
    l_comment: Text = row.l_comment,
});

#[derive(Default)]
struct Key(Int64Builder);

impl Key {
    fn data_type() -> DataType {
        DataType::Int64
    }

    fn push(&mut self, value: i64) {
        self.0.append_value(value);
    }

    fn finish(mut self) -> ArrayRef {
        ArrayBuilder::finish(&mut self.0)
    }
}

#[derive(Default)]
struct Int(Int32Builder);

impl Int {
    fn data_type() -> DataType {
        DataType::Int32
    }

    fn push(&mut self, value: i32) {
        self.0.append_value(value);
    }

    fn finish(mut self) -> ArrayRef {
        ArrayBuilder::finish(&mut self.0)
    }
}

struct Decimal(Decimal128Builder);

impl Default for Decimal {
    fn default() -> Self {
        Self(Decimal128Builder::new().with_data_type(Self::data_type()))
    }
}

impl Decimal {
    fn data_type() -> DataType {
        DataType::Decimal128(15, 2)
    }

    fn push(&mut self, value: TPCHDecimal) {
        self.0.append_value(value.into_inner().into());
    }

    fn finish(mut self) -> ArrayRef {
        ArrayBuilder::finish(&mut self.0)
    }
}

#[derive(Default)]
struct Date(Date32Builder);

impl Date {
    fn data_type() -> DataType {
        DataType::Date32
    }

    fn push(&mut self, value: TPCHDate) {
        self.0.append_value(value.to_unix_epoch());
    }

    fn finish(mut self) -> ArrayRef {
        ArrayBuilder::finish(&mut self.0)
    }
}

#[derive(Default)]
struct Text(StringBuilder);

impl Text {
    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn push(&mut self, value: impl fmt::Display) {
        // Written in place: most texts are put together from parts.
        write!(self.0, "{value}").expect("memory takes text");
        self.0.append_value("");
    }

    fn finish(mut self) -> ArrayRef {
        ArrayBuilder::finish(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;

    use super::*;

    #[test]
    fn tables_have_their_rows_and_columns() {
        let expected = [
            ("lineitem", 6005, 16),
            ("orders", 1500, 9),
            ("partsupp", 800, 5),
            ("part", 200, 9),
            ("customer", 150, 8),
            ("supplier", 10, 7),
            ("nation", 25, 4),
            ("region", 5, 3),
        ];
        let found = TABLES.map(|table| {
            let rows: usize = (table.batches)(0.001).map(|batch| batch.num_rows()).sum();
            (table.name, rows, (table.schema)().fields().len())
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn large_tables_come_in_several_batches() {
        let rows: Vec<_> = (TABLES[0].batches)(0.02)
            .map(|batch| batch.num_rows())
            .collect();
        assert_eq!(rows[0], BATCH_ROWS);
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn values_are_those_of_dbgen() {
        let first = (TABLES[0].batches)(0.001).next().expect("rows").slice(0, 1);
        let expected = "\
+------------+-----------+-----------+--------------+------------+-----------------+------------+-------+--------------+--------------+------------+--------------+---------------+-------------------+------------+-------------------------+
| l_orderkey | l_partkey | l_suppkey | l_linenumber | l_quantity | l_extendedprice | l_discount | l_tax | l_returnflag | l_linestatus | l_shipdate | l_commitdate | l_receiptdate | l_shipinstruct    | l_shipmode | l_comment               |
+------------+-----------+-----------+--------------+------------+-----------------+------------+-------+--------------+--------------+------------+--------------+---------------+-------------------+------------+-------------------------+
| 1          | 156       | 4         | 1            | 17.00      | 17954.55        | 0.04       | 0.02  | N            | O            | 1996-03-13 | 1996-02-12   | 1996-03-22    | DELIVER IN PERSON | TRUCK      | egular courts above the |
+------------+-----------+-----------+--------------+------------+-----------------+------------+-------+--------------+--------------+------------+--------------+---------------+-------------------+------------+-------------------------+";
        assert_eq!(
            pretty_format_batches(&[first])
                .expect("a table")
                .to_string(),
            expected
        );
    }
}
