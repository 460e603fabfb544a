"""The ADBC driver for Flight SQL through Python's DB-API, as users reach it.

Tests are named after the pitfalls in integration/clients/README.md.
"""

import datetime
import decimal
import threading
import unittest
import warnings

import adbc_driver_flightsql.dbapi as flight_sql
import adbc_driver_manager
import pyarrow
from adbc_driver_flightsql import ConnectionOptions, DatabaseOptions
from adbc_driver_manager import AdbcStatusCode
from server import WithServer, until

# Runs for hours before its one row.
SILENT = "SELECT sum(value) FROM generate_series(1, 9000000000000000)"


class Adbc(WithServer):
    def setUp(self):
        self.connection = self.connect(autocommit=True)

    def connect(self, **arguments):
        connection = flight_sql.connect(f"grpc://{self.server.address}", **arguments)
        self.addCleanup(connection.close)
        return connection

    def run_sql(self, sql, parameters=None):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetch_arrow_table()

    def rows(self, sql, parameters=None):
        return self.run_sql(sql, parameters).to_pylist()

    def test_pitfall_2a_01_ddl_and_dml_by_execute_run_once(self):
        self.run_sql("CREATE TABLE by_execute (a INT, b VARCHAR)")
        with self.connection.cursor() as cursor:
            # Nothing is fetched: the statement has run all the same.
            cursor.execute("INSERT INTO by_execute VALUES (1, 'x'), (2, 'y')")
        self.assertEqual(self.rows("SELECT count(*) AS n FROM by_execute"), [{"n": 2}])
        with self.assertRaisesRegex(adbc_driver_manager.Error, "by_execute"):
            self.run_sql("CREATE TABLE by_execute (a INT)")
        self.run_sql("DROP TABLE by_execute")

    def test_pitfall_2a_02_what_changes_something_has_no_columns(self):
        with self.connection.cursor() as cursor:
            self.assertEqual(len(cursor.adbc_execute_schema("SELECT 1 AS a, 'x' AS b")), 2)
        self.assertEqual(self.run_sql("CREATE TEMPORARY TABLE no_columns (a INT)").num_columns, 0)
        inserted = self.run_sql("INSERT INTO no_columns VALUES (1)")
        self.assertEqual((inserted.num_columns, inserted.num_rows), (0, 0))

    def test_pitfall_2a_03_one_schema_in_every_answer(self):
        """The driver compares the schema of the stream with the one announced, nullability included."""
        for sql in (
            "SELECT 1 AS a, NULL AS b, 'x' AS c, count(*) AS n FROM generate_series(1, 3)",
            "SELECT arrow_cast('x', 'Dictionary(Int32, Utf8)') AS d, [1, NULL] AS l, {'k': 1} AS s",
            "SELECT value, CASE WHEN value > 1 THEN value END AS v FROM generate_series(1, 3)",
            "SELECT table_name, table_type FROM information_schema.tables",
            "SELECT 1 AS a UNION ALL SELECT NULL",
        ):
            with self.subTest(sql=sql), self.connection.cursor() as cursor:
                announced = cursor.adbc_execute_schema(sql)
                cursor.execute(sql)
                self.assertEqual(announced, cursor.fetch_arrow_table().schema)

    def test_pitfall_2a_04_question_mark(self):
        self.assertEqual(
            self.rows("SELECT '?' AS q, ? AS a, ? AS b /* ? */", ("one", 2)), [{"q": "?", "a": "one", "b": 2}]
        )
        self.assertEqual(self.rows("SELECT $2 AS a, $1 AS b", (1, "x")), [{"a": "x", "b": 1}])
        many = ", ".join(f"$10 + {i} AS c{i}" for i in range(1))
        self.assertEqual(self.rows(f"SELECT $2 AS a, {many}, $1 AS z WHERE $3+$4+$5+$6+$7+$8+$9=7", (1, 2) + (1,) * 7 + (10,))[0]["c0"], 10)
        with self.assertRaisesRegex(adbc_driver_manager.Error, "all written"):
            self.rows("SELECT ?, $1", (1, 2))

    def test_pitfall_2a_05_parameter_schema(self):
        self.run_sql("CREATE TEMPORARY TABLE typed (i INT, d DECIMAL(10,2), t TIMESTAMP, s VARCHAR)")
        with self.connection.cursor() as cursor:
            schema = cursor.adbc_prepare(
                "SELECT * FROM typed WHERE i = ? AND d BETWEEN ? AND 3 AND t < ? AND s LIKE ? AND length(?) > 1 LIMIT ?"
            )
        # Timestamps are told in milliseconds, and what can be anything as text.
        self.assertEqual(
            schema.types,
            [
                pyarrow.int32(),
                pyarrow.decimal128(10, 2),
                pyarrow.timestamp("ms"),
                pyarrow.string(),
                pyarrow.string(),
                pyarrow.int64(),
            ],
        )
        self.assertTrue(all(field.nullable for field in schema))
        with self.connection.cursor() as cursor:
            inserted = cursor.adbc_prepare("INSERT INTO typed VALUES (?, ?, ?, ?)")
        self.assertEqual(inserted.types, [pyarrow.int32(), pyarrow.decimal128(10, 2), pyarrow.timestamp("ms"), pyarrow.string()])

    def test_values_of_other_types_are_taken_where_nothing_is_lost(self):
        self.run_sql("CREATE TEMPORARY TABLE small AS SELECT arrow_cast(value, 'Int16') AS a FROM generate_series(1, 9)")
        self.assertEqual(self.rows("SELECT a FROM small WHERE a = ?", (7,)), [{"a": 7}])
        self.assertEqual(self.rows("SELECT a FROM small WHERE a = ?", (7.5,)), [])
        self.assertEqual(self.rows("SELECT a FROM small WHERE a < ?", (1.5,)), [{"a": 1}])
        self.assertEqual(self.rows("SELECT a FROM small WHERE a = ?", (10_000_000,)), [])
        self.assertEqual(self.rows("SELECT a FROM small WHERE a = ?", (None,)), [])
        self.assertEqual(self.rows("SELECT a FROM small WHERE a = ?", ("7",)), [{"a": 7}])
        with self.assertRaisesRegex(adbc_driver_manager.Error, r"parameter \$1"):
            self.rows("SELECT a FROM small WHERE a = ?", ("seven",))

    def test_missing_and_surplus_values_are_named(self):
        for parameters in (None, (1,), (1, 2, 3)):
            with self.subTest(parameters=parameters), self.assertRaisesRegex(adbc_driver_manager.Error, "parameters are 2"):
                self.rows("SELECT ? + 1, ? + 2", parameters)

    def test_pitfall_2a_07_views_are_sent_as_plain_strings(self):
        self.assertEqual(
            self.run_sql("SELECT arrow_cast('x', 'Utf8View') AS v, arrow_cast('x', 'BinaryView') AS b").schema.types,
            [pyarrow.string(), pyarrow.binary()],
        )

    def test_pitfall_2a_10_large_results_come_in_messages_below_the_limit(self):
        """Go's limit is 16 MiB a message."""
        table = self.run_sql("SELECT repeat('x', 1000) AS s, value FROM generate_series(1, 60000)")
        self.assertEqual(table.num_rows, 60_000)

    def test_pitfall_2a_10_a_client_that_takes_less_gets_less_at_once(self):
        """The limit of many gRPC libraries is 4 MiB."""
        small = self.connect(autocommit=True, db_kwargs={DatabaseOptions.WITH_MAX_MSG_SIZE.value: str(4 << 20)})
        with small.cursor() as cursor:
            cursor.execute("SELECT repeat('x', 100000) AS s, [value, value] AS l FROM generate_series(1, 300)")
            self.assertEqual(cursor.fetch_arrow_table().num_rows, 300)
            # One row cannot be cut; the connection lives on.
            cursor.execute("SELECT repeat('x', 5000000) AS s")
            with self.assertRaisesRegex(adbc_driver_manager.Error, "larger than max"):
                cursor.fetch_arrow_table()
            cursor.execute("SELECT 1")
            self.assertEqual(cursor.fetchall(), [(1,)])

    def test_pitfall_2a_15_autocommit_off_warns_and_works(self):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            connection = self.connect()
        self.assertTrue(any("autocommit" in str(warning.message).lower() for warning in warned), warned)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            self.assertEqual(cursor.fetchall(), [(1,)])
        # There is nothing to commit, and nothing to take back.
        connection.commit()
        connection.rollback()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 2")
            self.assertEqual(cursor.fetchone(), (2,))
        with self.assertRaisesRegex(adbc_driver_manager.NotSupportedError, "commits by itself"):
            self.run_sql("BEGIN")

    def test_pitfall_2a_17_many_rows_of_values(self):
        rows = pyarrow.table({"a": [1, 2, 3]})
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT ? + 10 AS a", rows)
            self.assertEqual(sorted(cursor.fetchall()), [(11,), (12,), (13,)])
        self.run_sql("CREATE TABLE many (a BIGINT NOT NULL, b VARCHAR)")
        with self.connection.cursor() as cursor:
            cursor.executemany("INSERT INTO many VALUES (?, upper(?))", [(i, f"text {i}") for i in range(5000)])
            self.assertEqual(cursor.rowcount, 5000)
            with self.assertRaisesRegex(adbc_driver_manager.Error, "a"):
                cursor.executemany("INSERT INTO many VALUES (?, ?)", [(1, "x"), (None, "y")])
        self.assertEqual(
            self.rows("SELECT count(*) AS n, sum(a) AS s, min(b) AS b FROM many"),
            [{"n": 5000, "s": 4999 * 2500, "b": "TEXT 0"}],
        )
        self.run_sql("DROP TABLE many")

    def test_a_prepared_statement_sees_tables_as_they_are(self):
        self.run_sql("CREATE TABLE changing AS SELECT 1 AS a")
        with self.connection.cursor() as cursor:
            sql = "SELECT sum(a) AS s FROM changing WHERE a > ?"
            cursor.adbc_prepare(sql)
            for expected in (1, 3, 6):
                cursor.execute(sql, (0,))
                self.assertEqual(cursor.fetchall(), [(expected,)])
                self.run_sql(f"INSERT INTO changing VALUES ({expected // 3 + 2})")
        self.run_sql("DROP TABLE changing")

    def test_ingest_in_every_mode(self):
        data = pyarrow.table({"a": [1, 2], "b": ["x", None]})
        for temporary in (False, True):
            with self.subTest(temporary=temporary), self.connection.cursor() as cursor:

                def ingest(mode, table=data):
                    return cursor.adbc_ingest("ingested", table, mode=mode, temporary=temporary)

                def count():
                    return self.rows("SELECT count(*) AS n, count(b) AS b FROM ingested")[0]

                with self.assertRaisesRegex(adbc_driver_manager.Error, "ingested"):
                    ingest("append")
                self.assertEqual(ingest("create"), 2)
                with self.assertRaisesRegex(adbc_driver_manager.Error, "exists"):
                    ingest("create")
                self.assertEqual(ingest("append"), 2)
                self.assertEqual(count(), {"n": 4, "b": 2})
                self.assertEqual(ingest("create_append"), 2)
                self.assertEqual(count(), {"n": 6, "b": 3})
                # Columns find their places by name, and one that is left out is null.
                self.assertEqual(ingest("append", pyarrow.table({"b": ["only"]})), 1)
                self.assertEqual(count(), {"n": 7, "b": 4})
                with self.assertRaisesRegex(adbc_driver_manager.Error, "no column \"c\""):
                    ingest("append", pyarrow.table({"a": [1], "c": [1]}))
                self.assertEqual(ingest("replace", pyarrow.table({"b": ["new"]})), 1)
                self.assertEqual(self.rows("SELECT * FROM ingested"), [{"b": "new"}])
                self.run_sql("DROP TABLE ingested")
                self.assertEqual(ingest("create_append"), 2)
                self.run_sql("DROP TABLE ingested")

    def test_a_large_ingest_arrives_whole(self):
        rows = 1_000_000
        data = pyarrow.table({"a": pyarrow.array(range(rows), pyarrow.int64()), "s": ["text"] * rows})
        with self.connection.cursor() as cursor:
            self.assertEqual(cursor.adbc_ingest("large", data.to_reader(max_chunksize=100_000), temporary=True), rows)
        self.assertEqual(self.rows("SELECT count(*) AS n, sum(a) AS s FROM large"), [{"n": rows, "s": rows * (rows - 1) // 2}])

    def test_pitfall_2a_13_objects_are_those_of_information_schema(self):
        self.run_sql("CREATE SCHEMA IF NOT EXISTS shop")
        self.run_sql("CREATE TABLE shop.orders_1 (id BIGINT NOT NULL, price DECIMAL(9,2), at TIMESTAMP)")
        self.run_sql("CREATE TABLE shop.ordersx1 (id INT)")
        self.run_sql("CREATE VIEW shop.cheap AS SELECT id FROM shop.orders_1 WHERE price < 1")
        self.run_sql("CREATE TEMPORARY TABLE mine (a INT)")
        objects = self.connection.adbc_get_objects(depth="all").read_all().to_pylist()
        listed = {
            (catalog["catalog_name"], schema["db_schema_name"], table["table_name"], column["column_name"], column["ordinal_position"])
            for catalog in objects
            for schema in catalog["catalog_db_schemas"] or []
            for table in schema["db_schema_tables"] or []
            for column in table["table_columns"]
        }
        known = {
            tuple(row.values())
            for row in self.rows(
                "SELECT table_catalog, table_schema, table_name, column_name, ordinal_position FROM information_schema.columns"
            )
        }
        self.assertEqual(known - listed, set())
        self.assertEqual({row[:3] for row in listed} - {row[:3] for row in known}, {
            ("murre", "information_schema", row["table_name"])
            for row in self.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'information_schema'")
        } - {row[:3] for row in known})
        kinds = {
            table["table_name"]: table["table_type"]
            for catalog in objects
            for schema in catalog["catalog_db_schemas"] or []
            for table in schema["db_schema_tables"] or []
        }
        self.assertEqual(
            (kinds["orders_1"], kinds["cheap"], kinds["mine"]), ("TABLE", "VIEW", "LOCAL TEMPORARY")
        )
        self.assertEqual(self.connection.adbc_get_table_types(), ["LOCAL TEMPORARY", "TABLE", "VIEW"])
        # `_` is any character, unless it is escaped.
        self.assertEqual(self.names(table_name_filter="orders_1"), ["orders_1", "ordersx1"])
        self.assertEqual(self.names(table_name_filter="orders\\_1"), ["orders_1"])
        self.assertEqual(self.names(db_schema_filter="sho_", table_types_filter=["VIEW"]), ["cheap"])
        self.assertEqual(self.names(catalog_filter="elsewhere"), [])
        schema = self.connection.adbc_get_table_schema("orders_1", db_schema_filter="shop")
        self.assertEqual(schema.names, ["id", "price", "at"])
        self.assertEqual((schema.field("id").nullable, schema.field("price").nullable), (False, True))
        self.run_sql("DROP VIEW shop.cheap")
        self.run_sql("DROP SCHEMA shop CASCADE")

    def names(self, **filters):
        objects = self.connection.adbc_get_objects(depth="tables", **filters).read_all().to_pylist()
        return [
            table["table_name"]
            for catalog in objects
            for schema in catalog["catalog_db_schemas"] or []
            for table in schema["db_schema_tables"] or []
        ]

    def test_objects_end_at_the_depth_that_is_asked_for(self):
        self.run_sql("CREATE TABLE deep (id BIGINT NOT NULL, price DECIMAL(9,2))")

        def objects(depth, **filters):
            catalogs = self.connection.adbc_get_objects(depth=depth, **filters).read_all().to_pylist()
            self.assertEqual([catalog["catalog_name"] for catalog in catalogs], ["murre"])
            return catalogs[0]["catalog_db_schemas"]

        self.assertIsNone(objects("catalogs"))
        schemas = objects("db_schemas")
        self.assertTrue({"information_schema", "public"} <= {schema["db_schema_name"] for schema in schemas})
        self.assertEqual({str(schema["db_schema_tables"]) for schema in schemas}, {"None"})
        [public] = objects("tables", db_schema_filter="public", table_name_filter="deep")
        [table] = public["db_schema_tables"]
        self.assertEqual((table["table_name"], table["table_type"], table["table_columns"]), ("deep", "TABLE", None))
        for depth in ("columns", "all"):
            [public] = objects(depth, db_schema_filter="public", table_name_filter="deep")
            [table] = public["db_schema_tables"]
            self.assertEqual(table["table_constraints"], [])
            described = [
                tuple(column[name] for name in ("column_name", "ordinal_position", "xdbc_type_name"))
                for column in table["table_columns"]
            ]
            # Power BI finds types by these names.
            self.assertEqual(described, [("id", 1, "BIGINT"), ("price", 2, "DECIMAL")])
        [public] = objects("all", table_name_filter="deep", column_name_filter="pri%", db_schema_filter="public")
        self.assertEqual([c["column_name"] for c in public["db_schema_tables"][0]["table_columns"]], ["price"])
        self.run_sql("DROP TABLE deep")

    def test_pitfall_2a_14_info_has_its_types(self):
        info = self.connection.adbc_get_info()
        self.assertEqual(info["vendor_name"], "Murre")
        self.assertRegex(info["vendor_version"], r"^\d+\.\d+\.\d+$")

    def test_session_options_are_kept_and_refused_one_by_one(self):
        self.assertEqual(self.connection.adbc_current_catalog, "murre")
        self.assertEqual(self.connection.adbc_current_db_schema, "public")
        self.run_sql("CREATE SCHEMA IF NOT EXISTS other")
        self.run_sql("CREATE TABLE other.there AS SELECT 5 AS a")
        self.connection.adbc_current_db_schema = "other"
        self.assertEqual(self.connection.adbc_current_db_schema, "other")
        self.assertEqual(self.rows("SELECT a FROM there"), [{"a": 5}])
        with self.assertRaises(adbc_driver_manager.Error):
            self.connection.adbc_current_db_schema = "nowhere"
        self.connection.adbc_current_db_schema = "public"
        self.run_sql("DROP SCHEMA other CASCADE")

    def test_session_options_by_name(self):
        options = self.connection.adbc_connection
        prefix = ConnectionOptions.OPTION_SESSION_OPTION_PREFIX.value
        erase = ConnectionOptions.OPTION_ERASE_SESSION_OPTION_PREFIX.value
        flag = ConnectionOptions.OPTION_BOOL_SESSION_OPTION_PREFIX.value
        options.set_options(**{f"{prefix}murre.memory_limit": "100MB", f"{flag}murre.flight_views": "true"})
        self.assertEqual(self.run_sql("SELECT arrow_cast('x', 'Utf8View') AS v").schema.types, [pyarrow.string_view()])
        self.assertIn("murre.memory_limit", options.get_option(ConnectionOptions.OPTION_SESSION_OPTIONS.value))
        options.set_options(**{f"{erase}murre.flight_views": ""})
        self.assertEqual(self.run_sql("SELECT arrow_cast('x', 'Utf8View') AS v").schema.types, [pyarrow.string()])
        for name, value in (("no.such.option", "1"), ("murre.memory_limit", "much")):
            with self.subTest(name=name), self.assertRaises(adbc_driver_manager.Error):
                options.set_options(**{prefix + name: value})

    def test_each_connection_is_a_session(self):
        self.run_sql("CREATE TEMPORARY TABLE mine (a INT)")
        with self.connect(autocommit=True).cursor() as other, self.assertRaisesRegex(adbc_driver_manager.Error, "mine"):
            other.execute("SELECT * FROM mine")

    def test_a_session_is_kept_by_cookie(self):
        cookies = {DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value: "true"}
        connection = self.connect(autocommit=True, db_kwargs=cookies)
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE kept AS SELECT 1 AS a")
            cursor.execute("SELECT a FROM kept")
            self.assertEqual(cursor.fetchall(), [(1,)])

    def test_headers_of_the_user_s_own_do_no_harm(self):
        headers = {DatabaseOptions.RPC_CALL_HEADER_PREFIX.value + "x-tag": "x" * 20_000}
        with self.connect(autocommit=True, db_kwargs=headers).cursor() as cursor:
            cursor.execute("SELECT 1")
            self.assertEqual(cursor.fetchall(), [(1,)])

    def test_partitions_can_be_read_elsewhere(self):
        with self.connection.cursor() as cursor:
            partitions, schema = cursor.adbc_execute_partitions("SELECT value FROM generate_series(1, 10)")
        self.assertEqual(schema.names, ["value"])
        other = self.connect(autocommit=True)
        values = []
        for partition in partitions:
            with other.cursor() as cursor:
                cursor.adbc_read_partition(partition)
                values += [row[0] for row in cursor.fetchall()]
        self.assertEqual(values, list(range(1, 11)))

    def test_pitfall_2a_20_an_empty_result_has_its_schema(self):
        empty = self.run_sql("SELECT 1 AS a, 'x' AS b WHERE ? = 2", (1,))
        self.assertEqual((empty.num_rows, empty.schema.names), (0, ["a", "b"]))

    def test_values_of_every_python_type_are_bound(self):
        moment = datetime.datetime(2024, 2, 29, 12, 30, 45, 123456)
        for type_name, value in (
            ("BOOLEAN", True),
            ("SMALLINT", -7),
            ("BIGINT", 1 << 40),
            ("DOUBLE", 0.25),
            ("DECIMAL(10, 2)", decimal.Decimal("12.34")),
            ("VARCHAR", "ä€😀"),
            ("BYTEA", b"\x00\xff"),
            ("DATE", moment.date()),
            ("TIME", moment.time()),
            ("TIMESTAMP", moment),
            ("INT[]", [1, None, 3]),
        ):
            with self.subTest(type=type_name):
                self.run_sql(f"CREATE TEMPORARY TABLE bound (a {type_name})")
                with self.connection.cursor() as cursor:
                    cursor.executemany("INSERT INTO bound VALUES (?)", [(value,), (None,)])
                self.assertEqual(self.rows("SELECT a FROM bound WHERE a IS NOT NULL"), [{"a": value}])
                self.assertEqual(self.rows("SELECT count(*) AS n FROM bound WHERE a = ?", (value,)), [{"n": 1}])
                self.run_sql("DROP TABLE bound")

    def test_ingest_goes_where_it_is_told(self):
        self.run_sql("CREATE SCHEMA stock")
        data = pyarrow.table({"a": pyarrow.array([1], pyarrow.int32())})
        with self.connection.cursor() as cursor:
            self.assertEqual(cursor.adbc_ingest("goods", data, catalog_name="murre", db_schema_name="stock"), 1)
            # A batch without rows. The driver sends nothing at all for a table without batches.
            nothing = pyarrow.record_batch([pyarrow.array([], pyarrow.int32())], schema=data.schema)
            self.assertEqual(cursor.adbc_ingest("goods", nothing, mode="append", db_schema_name="stock"), 0)
            self.assertEqual(self.connection.adbc_get_table_schema("goods", db_schema_filter="stock"), data.schema)
            for place in ({"db_schema_name": "nowhere"}, {"catalog_name": "elsewhere"}):
                with self.subTest(place=place), self.assertRaises(adbc_driver_manager.Error):
                    cursor.adbc_ingest("goods", data, **place)
        self.run_sql("DROP SCHEMA stock CASCADE")

    def test_what_is_not_there_says_so(self):
        with self.connection.cursor() as cursor:
            with self.assertRaisesRegex(adbc_driver_manager.ProgrammingError, "(?i)substrait plan"):
                cursor.execute(b"a plan")
        with self.assertRaises(adbc_driver_manager.NotSupportedError):
            self.connection.adbc_get_statistics()

    def test_errors_have_their_kind(self):
        with self.assertRaisesRegex(adbc_driver_manager.ProgrammingError, "nothing"):
            self.rows("SELECT nothing")
        with self.assertRaisesRegex(adbc_driver_manager.ProgrammingError, "nowhere"):
            self.rows("SELECT * FROM nowhere")
        with self.assertRaisesRegex(adbc_driver_manager.NotSupportedError, "UPDATE"):
            self.rows("UPDATE t SET a = 1")


class Stopped(WithServer):
    """Timeouts and cancellation: what the client gives up, the server stops."""

    def setUp(self):
        self.watcher = self.connect()

    def connect(self, **arguments):
        connection = flight_sql.connect(self.server.url, autocommit=True, **arguments)
        self.addCleanup(connection.close)
        return connection

    def running(self, text="9000000000000000"):
        with self.watcher.cursor() as cursor:
            cursor.execute("SHOW PROCESSLIST")
            processes = cursor.fetch_arrow_table().to_pylist()
        return [process for process in processes if text in process["sql"]]

    def stops(self):
        until("the end of the statement", lambda: not self.running())

    def over_time(self, option, statement, **how):
        """Runs `statement` on a connection where `option` gives it little time."""
        connection = self.connect(**{how.get("of", "db_kwargs"): {option: "0.3"}})
        with connection.cursor() as cursor:
            with self.assertRaises(adbc_driver_manager.Error) as caught:
                statement(cursor)
            self.assertEqual(caught.exception.status_code, AdbcStatusCode.TIMEOUT, caught.exception)
        self.stops()

    def test_pitfall_2a_18_rows_that_take_too_long(self):
        def fetch(cursor):
            cursor.execute(SILENT)
            cursor.fetchall()

        self.over_time(DatabaseOptions.TIMEOUT_FETCH.value, fetch)
        self.over_time(ConnectionOptions.TIMEOUT_FETCH.value, fetch, of="conn_kwargs")

    def test_pitfall_2a_18_a_statement_that_takes_too_long(self):
        """What has no rows is an update to the driver, however it is run."""
        self.over_time(
            DatabaseOptions.TIMEOUT_UPDATE.value, lambda cursor: cursor.execute(f"CREATE TABLE late AS {SILENT}")
        )
        with self.watcher.cursor() as cursor, self.assertRaisesRegex(adbc_driver_manager.Error, "late"):
            cursor.execute("SELECT * FROM late")

    def test_pitfall_2a_18_an_update_that_takes_too_long(self):
        with self.watcher.cursor() as cursor:
            cursor.execute("CREATE TABLE slow (a BIGINT)")
        insert = f"INSERT INTO slow SELECT n + ? FROM ({SILENT}) AS s (n)"
        self.over_time(DatabaseOptions.TIMEOUT_UPDATE.value, lambda cursor: cursor.executemany(insert, [(1,)]))
        with self.watcher.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM slow")
            self.assertEqual(cursor.fetchall(), [(0,)])

    def test_a_time_that_is_enough_changes_nothing(self):
        options = (DatabaseOptions.TIMEOUT_FETCH, DatabaseOptions.TIMEOUT_QUERY, DatabaseOptions.TIMEOUT_UPDATE)
        with self.connect(db_kwargs={option.value: "600" for option in options}).cursor() as cursor:
            cursor.execute("SELECT 1")
            self.assertEqual(cursor.fetchall(), [(1,)])

    def cancelled(self, statement, cancel):
        """Runs `statement` in a thread of its own and cancels it once the server is at it."""
        errors = []

        def run():
            try:
                statement()
            except adbc_driver_manager.Error as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        until("the statement", lambda: any(process["state"] == "running" for process in self.running()))
        cancel()
        thread.join()
        self.assertEqual([error.status_code for error in errors], [AdbcStatusCode.CANCELLED], errors)
        self.stops()

    def test_pitfall_2a_18_a_cursor_that_is_cancelled(self):
        with self.connect().cursor() as cursor:
            cursor.execute(SILENT)
            self.cancelled(cursor.fetchall, cursor.adbc_cancel)
            cursor.execute("SELECT 1")
            self.assertEqual(cursor.fetchall(), [(1,)])

    def test_pitfall_2a_18_an_update_that_is_cancelled(self):
        with self.connect().cursor() as cursor:
            self.cancelled(lambda: cursor.execute(f"CREATE TABLE never AS {SILENT}"), cursor.adbc_cancel)

    def test_pitfall_2a_18_a_reader_that_is_dropped(self):
        cursor = self.connect().cursor()
        cursor.execute("SELECT value FROM generate_series(1, 9000000000000000)")
        self.assertEqual(len(cursor.fetchmany(10)), 10)
        self.assertTrue(self.running())
        cursor.close()
        self.stops()

    def test_a_statement_is_polled_to_its_end(self):
        with self.connect().cursor(adbc_stmt_kwargs={"adbc.statement.exec.incremental": "true"}) as cursor:
            partitions, _ = cursor.adbc_execute_partitions("SELECT value FROM generate_series(1, 10)")
            while more := cursor.adbc_statement.execute_partitions()[0]:
                partitions += more
        values = []
        for partition in partitions:
            with self.watcher.cursor() as cursor:
                cursor.adbc_read_partition(partition)
                values += [value for (value,) in cursor.fetchall()]
        self.assertEqual(values, list(range(1, 11)))


if __name__ == "__main__":
    unittest.main()
