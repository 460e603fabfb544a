"""DuckDB in a memory database, at its defaults with one thread per pinned core."""

import sys
import time

import duckdb
import pyarrow
from harness.answering import answer
from peers.children import first_column

connection = duckdb.connect(config={"threads": int(sys.argv[1])})
result: list[pyarrow.RecordBatch] = []


def setup(sql: str) -> dict:
    connection.execute(sql)
    return {}


def query(sql: str) -> dict:
    started = time.perf_counter()
    table = connection.sql(sql).to_arrow_table()
    seconds = time.perf_counter() - started
    result[:] = table.to_batches()
    return {"seconds": seconds, "rows": table.num_rows}


def settings(_argument) -> dict:
    rows = connection.execute("SELECT name, value FROM duckdb_settings() ORDER BY name").fetchall()
    return {"settings": {"version": duckdb.__version__} | {name: str(value) for name, value in rows}}


answer({"setup": setup, "query": query, "first_column": first_column.of(result), "settings": settings})
