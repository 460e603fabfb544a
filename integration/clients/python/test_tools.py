"""What ODBC drivers and Power BI ask before they show anything, and whether `information_schema` says the same."""

import unittest

import adbc_driver_flightsql.dbapi as flight_sql
import pyarrow
from messages import command
from pyarrow import flight
from server import WithServer

# In SqlInfo and XdbcDataType.
STATEMENT_TIMEOUT = 100
SERVER_NAME, SERVER_VERSION, ARROW_VERSION, READ_ONLY = range(4)
KEYWORDS, NUMERIC_FUNCTIONS, SEARCH_ESCAPE, CONVERT, ISOLATION = 508, 509, 513, 517, 560
DATE, DECIMAL = 91, 3


class Tools(WithServer):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.connection = flight_sql.connect(cls.server.url, autocommit=True)
        cls.addClassCleanup(cls.connection.close)
        cls.client = flight.connect(cls.server.url)
        cls.addClassCleanup(cls.client.close)
        for sql in (
            "CREATE SCHEMA shop",
            "CREATE TABLE shop.orders (id BIGINT NOT NULL, price DECIMAL(9,2), at TIMESTAMP, note VARCHAR, f REAL)",
            "CREATE VIEW shop.cheap AS SELECT id, price FROM shop.orders WHERE price < 1",
            "CREATE TABLE \"Mixed Case\" (\"A b\" INT)",
            "INSERT INTO shop.orders VALUES (1, 0.5, now(), 'x', 1), (2, 2, NULL, NULL, NULL)",
        ):
            cls.run_sql(sql)

    @classmethod
    def run_sql(cls, sql):
        with cls.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table()

    def asked(self, name, fields=None):
        """The rows of a metadata command, whose schema is the one announced."""
        descriptor = command(name, fields)
        info = self.client.get_flight_info(descriptor)
        table = self.client.do_get(info.endpoints[0].ticket).read_all()
        self.assertEqual(table.schema, info.schema)
        self.assertEqual(self.client.get_schema(descriptor).schema, info.schema)
        return table.to_pylist()

    def test_pitfall_2a_14_odbc_asks_what_the_server_can_do(self):
        wanted = [SERVER_NAME, SERVER_VERSION, ARROW_VERSION, READ_ONLY, KEYWORDS, NUMERIC_FUNCTIONS, SEARCH_ESCAPE, CONVERT, ISOLATION]
        every = {row["info_name"]: row["value"] for row in self.asked("CommandGetSqlInfo")}
        self.assertEqual(every[SERVER_NAME], "Murre")
        self.assertIs(every[READ_ONLY], False)
        self.assertIn("SELECT", every[KEYWORDS])
        self.assertEqual(every[SEARCH_ESCAPE], "\\")
        # Handles are forgotten half an hour after their last use.
        self.assertEqual(every[STATEMENT_TIMEOUT], 1_800_000)
        for name in wanted:
            with self.subTest(name=name):
                self.assertEqual(self.asked("CommandGetSqlInfo", {1: name}), [{"info_name": name, "value": every[name]}])

    def test_pitfall_2a_13_odbc_asks_for_types(self):
        every = self.asked("CommandGetXdbcTypeInfo")
        names = {row["type_name"] for row in every}
        self.assertTrue({"BIGINT", "DECIMAL", "VARCHAR", "TIMESTAMP", "BOOLEAN"} <= names, names)
        # In order of their numbers, as the specification has it.
        self.assertEqual([row["data_type"] for row in every], sorted(row["data_type"] for row in every))
        for data_type, name in ((DATE, "DATE"), (DECIMAL, "DECIMAL")):
            self.assertEqual([row["type_name"] for row in self.asked("CommandGetXdbcTypeInfo", {1: data_type})], [name])
        # Each one makes a column, and is its type's name.
        for row in every:
            name = row["type_name"]
            with self.subTest(type=name):
                self.run_sql(f"CREATE OR REPLACE TABLE of_type (a {name})")
                [table] = self.asked("CommandGetTables", {3: "of_type", 5: True})
                field = pyarrow.ipc.read_schema(pyarrow.py_buffer(table["table_schema"])).field("a")
                self.assertEqual(field.metadata[b"ARROW:FLIGHT:SQL:TYPE_NAME"].decode(), name)
        self.run_sql("DROP TABLE of_type")

    def test_pitfall_2a_13_keys_are_asked_for_and_there_are_none(self):
        for name in ("CommandGetPrimaryKeys", "CommandGetImportedKeys", "CommandGetExportedKeys"):
            self.assertEqual(self.asked(name, {1: "murre", 2: "shop", 3: "orders"}), [])
        self.assertEqual(self.asked("CommandGetCrossReference", {3: "orders", 6: "cheap"}), [])

    def test_pitfall_2a_13_what_is_asked_for_by_pattern(self):
        def names(fields):
            return [row["table_name"] for row in self.asked("CommandGetTables", fields)]

        self.assertEqual(names({2: "shop"}), ["cheap", "orders"])
        self.assertEqual(names({1: "murre", 2: "sh_p", 3: "%", 4: ["TABLE"]}), ["orders"])
        self.assertEqual(names({4: ["SYSTEM TABLE"]}), [])
        self.assertEqual(names({1: "elsewhere"}), [])
        self.assertEqual([row["db_schema_name"] for row in self.asked("CommandGetDbSchemas", {2: "s%"})], ["shop"])
        self.assertEqual([row["table_type"] for row in self.asked("CommandGetTableTypes")], ["LOCAL TEMPORARY", "TABLE", "VIEW"])

    def described(self):
        """Tables with their columns, as the metadata commands have them."""
        tables = self.asked("CommandGetTables", {5: True})
        self.assertEqual(
            tables, sorted(tables, key=lambda t: [t[name] for name in ("catalog_name", "db_schema_name", "table_name", "table_type")])
        )
        return [
            (table, pyarrow.ipc.read_schema(pyarrow.py_buffer(table["table_schema"])))
            for table in tables
            if table["db_schema_name"] != "information_schema"
        ]

    def test_the_information_schema_lists_the_same_schemas_and_tables(self):
        schemas = self.run_sql("SELECT catalog_name, schema_name FROM information_schema.schemata ORDER BY 1, 2").to_pylist()
        self.assertEqual(
            [tuple(row.values()) for row in schemas],
            [(row["catalog_name"], row["db_schema_name"]) for row in self.asked("CommandGetDbSchemas")],
        )
        known = self.run_sql("SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables").to_pylist()
        listed = [
            (row["catalog_name"], row["db_schema_name"], row["table_name"], {"TABLE": "BASE TABLE"}.get(row["table_type"], row["table_type"]))
            for row in self.asked("CommandGetTables")
        ]
        self.assertEqual(sorted(tuple(row.values()) for row in known), sorted(listed))

    def test_the_information_schema_lists_the_same_columns(self):
        known = self.run_sql(
            "SELECT table_schema, table_name, column_name, is_nullable, numeric_precision, numeric_scale, ordinal_position "
            "FROM information_schema.columns WHERE table_schema <> 'information_schema'"
        ).to_pylist()
        listed = [
            (table["db_schema_name"], table["table_name"], field.name, "YES" if field.nullable else "NO", position)
            for table, schema in self.described()
            for position, field in enumerate(schema, start=1)
        ]
        self.assertEqual(
            sorted((*list(row.values())[:4], row["ordinal_position"]) for row in known), sorted(listed)
        )
        digits = {(row["table_name"], row["column_name"]): (row["numeric_precision"], row["numeric_scale"]) for row in known}
        self.assertEqual(digits["orders", "price"], (9, 2))

    def test_columns_carry_what_flight_sql_says_about_columns(self):
        [(_, schema)] = [(table, schema) for table, schema in self.described() if table["table_name"] == "orders"]

        def about(name):
            prefix = b"ARROW:FLIGHT:SQL:"
            return {key.removeprefix(prefix).decode(): value.decode() for key, value in schema.field(name).metadata.items()}

        self.assertEqual(
            {name: about("price")[name] for name in ("CATALOG_NAME", "SCHEMA_NAME", "TABLE_NAME", "TYPE_NAME", "PRECISION", "SCALE")},
            {"CATALOG_NAME": "murre", "SCHEMA_NAME": "shop", "TABLE_NAME": "orders", "TYPE_NAME": "DECIMAL", "PRECISION": "9", "SCALE": "2"},
        )
        self.assertEqual((about("note")["TYPE_NAME"], about("note")["IS_CASE_SENSITIVE"]), ("VARCHAR", "1"))

    def test_power_bi_folds_a_query_into_its_own(self):
        for sql in (
            'select * from "murre"."shop"."orders" limit 1000',
            'select "_"."id", "_"."price" from (select * from shop.orders) "_" where "_"."id" = 1 limit 1000',
            'select count(1) as "C1" from (select "rows"."note" as "note" from "shop"."orders" "rows" group by "note") "_"',
            'select "rows"."note" as "note", sum("rows"."price") as "a0" from "shop"."orders" as "rows" group by "rows"."note"'
            ' order by "rows"."note" asc nulls first limit 501',
        ):
            with self.subTest(sql=sql):
                self.assertGreater(self.run_sql(sql).num_rows, 0)
        with self.connection.cursor() as cursor:
            schema = cursor.adbc_execute_schema("select * from (select * from shop.orders) _ where 1 = 0")
        self.assertEqual(schema.names, ["id", "price", "at", "note", "f"])


if __name__ == "__main__":
    unittest.main()
