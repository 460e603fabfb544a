"""The client of the Murre server: pyarrow.flight, all batches read and kept until asked about."""

import sys
import time

import pyarrow
from harness.answering import answer
from harness.flight_sql import FlightSql
from peers.children import first_column

result: list[pyarrow.RecordBatch] = []
connection = FlightSql(sys.argv[1])


def setup(sql: str) -> dict:
    connection.update(sql)
    return {}


def query(sql: str) -> dict:
    started = time.perf_counter()
    result[:] = connection.batches(sql)
    return {"seconds": time.perf_counter() - started, "rows": sum(batch.num_rows for batch in result)}


def settings(_argument) -> dict:
    return {"settings": {"client": f"pyarrow {pyarrow.__version__}"}}


answer({"setup": setup, "query": query, "first_column": first_column.of(result), "settings": settings})
