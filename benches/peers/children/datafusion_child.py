"""DataFusion from the Python package, at its defaults with one target partition per pinned core."""

import sys
import time

import datafusion
import pyarrow
from datafusion import SessionConfig, SessionContext
from harness.answering import answer
from peers.children import first_column

threads = int(sys.argv[1])
context = SessionContext(SessionConfig().with_target_partitions(threads))
result: list[pyarrow.RecordBatch] = []


def setup(sql: str) -> dict:
    context.sql(sql).collect()
    return {}


def query(sql: str) -> dict:
    started = time.perf_counter()
    result[:] = context.sql(sql).collect()
    return {"seconds": time.perf_counter() - started, "rows": sum(batch.num_rows for batch in result)}


def settings(_argument) -> dict:
    """`SHOW ALL` of a second session: showing needs the information schema, which is off by default."""
    shown = SessionContext(SessionConfig().with_target_partitions(threads).with_information_schema(True))
    rows = shown.sql("SHOW ALL").to_pydict()
    return {"settings": {"version": datafusion.__version__} | dict(zip(rows["name"], map(str, rows["value"])))}


answer({"setup": setup, "query": query, "first_column": first_column.of(result), "settings": settings})
