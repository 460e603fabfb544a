"""Substrait plans of another producer than the server's own: the Python package `substrait`, through ADBC and pyarrow.flight."""

import unittest

import adbc_driver_flightsql.dbapi
import adbc_driver_manager
from messages import command, message
from pyarrow import flight
from server import Server
from substrait.builders import plan, type as types
from substrait.builders.extended_expression import column, literal, scalar_function
from substrait.extension_registry import ExtensionRegistry

REGISTRY = ExtensionRegistry()
COMPARISON = "extension:io.substrait:functions_comparison"
ARITHMETIC = "extension:io.substrait:functions_arithmetic"


def goods():
    schema = types.named_struct(
        names=["id", "name", "price"],
        struct=types.struct(types=[types.i64(nullable=True), types.string(nullable=True), types.fp64(nullable=True)], nullable=False),
    )
    return plan.read_named_table("goods", schema)


def encoded(relation) -> bytes:
    return relation(REGISTRY).SerializeToString()


class Plans(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)
        cls.connection = adbc_driver_flightsql.dbapi.connect(cls.server.url, autocommit=True)
        cls.addClassCleanup(cls.connection.close)
        with cls.connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE goods AS SELECT * FROM (VALUES (1, 'nail', 0.5e0), (2, 'saw', 12e0), (3, 'bolt', 0.25e0)) AS t(id, name, price)"
            )

    def rows(self, relation):
        with self.connection.cursor() as cursor:
            cursor.execute(encoded(relation))
            return cursor.fetchall()

    def test_a_filter_and_a_projection(self):
        cheap = scalar_function(COMPARISON, "lt", expressions=[column("price"), literal(1.0, types.fp64(nullable=False))])
        twice = scalar_function(ARITHMETIC, "multiply", expressions=[column("price"), literal(2.0, types.fp64(nullable=False))], alias="twice")
        relation = plan.select(plan.filter(goods(), cheap), [column("name"), twice])
        self.assertEqual(sorted(self.rows(relation)), [("bolt", 0.5), ("nail", 1.0)])

    def test_a_plan_through_pyarrow(self):
        # SubstraitPlan { plan = 1 } in CommandStatementSubstraitPlan { plan = 1 }.
        relation = encoded(plan.select(goods(), [column("id")]))
        with flight.connect(self.server.url) as client:
            info = client.get_flight_info(command("CommandStatementSubstraitPlan", {1: message({1: relation})}))
            ids = client.do_get(info.endpoints[0].ticket).read_all().column(0).to_pylist()
        self.assertEqual(sorted(ids), [1, 2, 3])

    def test_what_is_no_plan_is_refused(self):
        with self.connection.cursor() as cursor, self.assertRaisesRegex(adbc_driver_manager.ProgrammingError, "Substrait plan cannot be used"):
            cursor.execute(b"no plan")

    def test_the_server_says_that_it_takes_plans(self):
        with flight.connect(self.server.url) as client:
            info = client.get_flight_info(command("CommandGetSqlInfo", {1: 4}))
            rows = client.do_get(info.endpoints[0].ticket).read_all()
        self.assertEqual(rows.column("value").to_pylist(), [True])


if __name__ == "__main__":
    unittest.main()
