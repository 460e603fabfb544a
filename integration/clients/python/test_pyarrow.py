"""pyarrow.flight against a real server: the statement path, as Python users reach it."""

import tempfile
import unittest
from pathlib import Path

import pyarrow
from harness.flight_sql import FlightSql
from harness.murre_server import MurreServer


class Pyarrow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.log = tempfile.NamedTemporaryFile(suffix=".log")
        cls.server = MurreServer(Path(cls.log.name), cores=None, threads=2)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.log.close()

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

    def test_an_empty_result_has_its_schema(self):
        info = self.client._client.get_flight_info(_statement("SELECT 1 AS a, 'x' AS b WHERE false"))
        reader = self.client._client.do_get(info.endpoints[0].ticket)
        self.assertEqual(reader.schema, info.schema)
        self.assertEqual(reader.read_all().num_rows, 0)

    def test_errors_say_what_is_wrong(self):
        with self.assertRaisesRegex(pyarrow.ArrowInvalid, "nothing"):
            self.rows("SELECT nothing")
        with self.assertRaisesRegex(NotImplementedError, "UPDATE"):
            self.client.update("UPDATE t SET a = 1")
        self.assertEqual(self.rows("SELECT 1 AS alive"), [{"alive": 1}])


def _statement(sql):
    from harness import flight_sql

    return flight_sql._descriptor("CommandStatementQuery", sql)


if __name__ == "__main__":
    unittest.main()
