"""pyarrow.flight against a real server: the statement path, as Python users reach it."""

import unittest

import pyarrow
from harness.flight_sql import FlightSql
from messages import command
from pyarrow import flight
from server import WithServer


class Pyarrow(WithServer):
    def setUp(self):
        self.client = FlightSql(self.server.address)
        self.addCleanup(self.client.close)

    def rows(self, sql):
        return pyarrow.Table.from_batches(list(self.client.batches(sql))).to_pylist()

    def test_values_of_every_kind_arrive(self):
        rows = self.rows(
            "SELECT 1 AS i, CAST(1.50 AS DECIMAL(10,2)) AS d, 'ä€😀' AS s, NULL AS n, true AS b, "
            "DATE '2024-02-29' AS day, [1, NULL, 3] AS l, arrow_cast('x', 'Dictionary(Int32, Utf8)') AS k"
        )
        self.assertEqual(len(rows), 1)
        self.assertEqual(str(rows[0]["d"]), "1.50")
        self.assertEqual((rows[0]["s"], rows[0]["n"], rows[0]["l"], rows[0]["k"]), ("ä€😀", None, [1, None, 3], "x"))

    def test_many_rows_arrive_in_order_and_whole(self):
        total, last = 0, 0
        for batch in self.client.batches(
            "SELECT value, CASE WHEN value % 3 = 0 THEN NULL ELSE value END AS v, 'text ' || value AS t "
            "FROM generate_series(1, 3000000) ORDER BY value"
        ):
            values = batch.column(0)
            self.assertEqual(values[0].as_py(), last + 1)
            last = values[-1].as_py()
            total += batch.num_rows
            self.assertEqual(batch.column(2)[-1].as_py(), f"text {last}")
            self.assertEqual(batch.column(1)[-1].as_py(), None if last % 3 == 0 else last)
        self.assertEqual((total, last), (3_000_000, 3_000_000))

    def test_tables_are_written_and_temporary_ones_belong_to_the_session(self):
        self.client.update("CREATE TABLE t (a INT NOT NULL, b VARCHAR)")
        self.client.update("INSERT INTO t VALUES (1, 'x'), (2, NULL)")
        self.client.update("CREATE TEMPORARY TABLE mine AS SELECT * FROM t")
        self.assertEqual(self.rows("SELECT a, b FROM mine ORDER BY a"), [{"a": 1, "b": "x"}, {"a": 2, "b": None}])
        other = FlightSql(self.server.address)
        self.addCleanup(other.close)
        with self.assertRaises(pyarrow.ArrowKeyError):
            list(other.batches("SELECT * FROM mine"))

    def test_statements_sent_as_queries_run_once(self):
        """Python clients send DDL and DML down the query path and may never fetch."""
        list(self.client.batches("CREATE TABLE once (a INT)"))
        counted = list(self.client.batches("INSERT INTO once VALUES (1), (2), (3)"))
        self.assertEqual(counted[0].column(0)[0].as_py(), 3)
        self.assertEqual(self.rows("SELECT count(*) AS n FROM once"), [{"n": 3}])

    def test_pitfall_2a_20_an_empty_result_has_its_schema(self):
        for sql in ("SELECT 1 AS a, 'x' AS b WHERE false", "CREATE TABLE empty (a INT)", "DROP TABLE empty"):
            with self.subTest(sql=sql):
                info, reader = self.fetched(statement(sql))
                self.assertEqual(reader.schema, info.schema)
                self.assertEqual(reader.read_all().num_rows, 0)

    def fetched(self, descriptor):
        client = self.client._client
        info = client.get_flight_info(descriptor)
        return info, client.do_get(info.endpoints[0].ticket)

    def test_pitfall_2a_03_one_schema_in_every_answer(self):
        for sql in (
            "SELECT 1 AS a, NULL AS b, count(*) AS n FROM generate_series(1, 3)",
            "SELECT arrow_cast('x', 'Dictionary(Int32, Utf8)') AS d, arrow_cast([1], 'LargeList(Int64)') AS l",
            "SELECT table_name FROM information_schema.tables",
        ):
            with self.subTest(sql=sql):
                info, reader = self.fetched(statement(sql))
                self.assertEqual(self.client._client.get_schema(statement(sql)).schema, info.schema)
                self.assertEqual(reader.schema, info.schema)
                self.assertEqual(reader.read_all().schema, info.schema)

    def test_pitfall_2a_11_no_answer_names_a_place(self):
        for descriptor in (statement("SELECT 1 AS a"), command("CommandGetCatalogs")):
            info = self.client._client.get_flight_info(descriptor)
            self.assertEqual([list(endpoint.locations) for endpoint in info.endpoints], [[]])

    def test_pitfall_2a_19_columns_begin_where_processors_like_it(self):
        """All columns of a message lie in one piece of memory, each at a multiple of 64 bytes."""
        sql = "SELECT value AS a, 'text ' || value AS b, value % 2 = 0 AS c, CAST(value AS SMALLINT) AS d FROM generate_series(1, 1001)"
        for batch in self.client.batches(sql):
            addresses = [
                buffer.address for column in batch.columns for buffer in column.buffers() if buffer is not None and buffer.size > 0
            ]
            self.assertEqual({(address - addresses[0]) % 64 for address in addresses}, {0})

    def test_a_slice_of_large_batches_comes_in_few_messages(self):
        """Its bytes are counted, not those of the batches it is cut from."""
        batches = list(self.client.batches("SELECT repeat('x', 2000) AS s FROM generate_series(1, 8000) LIMIT 50"))
        self.assertEqual((len(batches), sum(batch.num_rows for batch in batches)), (1, 50))

    def test_only_actions_that_are_there_are_listed(self):
        listed = {action.type for action in self.client._client.list_actions()}
        self.assertTrue({"CreatePreparedStatement", "CreatePreparedSubstraitPlan", "CancelFlightInfo", "SetSessionOptions"} <= listed)
        self.assertFalse({name for name in listed if "Transaction" in name or "Savepoint" in name})

    def test_errors_say_what_is_wrong(self):
        with self.assertRaisesRegex(pyarrow.ArrowInvalid, "nothing"):
            self.rows("SELECT nothing")
        with self.assertRaisesRegex(NotImplementedError, "UPDATE"):
            self.client.update("UPDATE t SET a = 1")
        self.assertEqual(self.rows("SELECT 1 AS alive"), [{"alive": 1}])

    def test_what_is_no_flight_sql_is_refused_as_the_client_s_fault(self):
        client = self.client._client
        for descriptor in (flight.FlightDescriptor.for_command(b"no protobuf"), flight.FlightDescriptor.for_path("a")):
            with self.assertRaises(pyarrow.ArrowInvalid):
                client.get_flight_info(descriptor)
        with self.assertRaises(pyarrow.ArrowInvalid):
            client.do_get(flight.Ticket(b"no ticket")).read_all()
        with self.assertRaises(NotImplementedError):
            list(client.list_flights())
        self.assertEqual(self.rows("SELECT 1 AS alive"), [{"alive": 1}])


def statement(sql):
    return command("CommandStatementQuery", {1: sql})


if __name__ == "__main__":
    unittest.main()
