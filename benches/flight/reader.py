"""The client: reads a query's result chunk by chunk, counts rows and bytes, keeps nothing."""

import sys
import time

import pyarrow
from harness.answering import answer
from harness.flight_sql import FlightSql

connection = FlightSql(sys.argv[1])


def setup(sql: str) -> dict:
    connection.update(sql)
    return {}


def read(sql: str) -> dict:
    """Time runs from execute to the last chunk. Bytes are those of the Arrow buffers, not of the wire."""
    rows = size = 0
    schema = None
    started = time.perf_counter()
    for batch in connection.batches(sql):
        rows += batch.num_rows
        size += batch.nbytes
        schema = batch.schema
    seconds = time.perf_counter() - started
    fields = [] if schema is None else [f"{field.type}{'' if field.nullable else ' not null'}" for field in schema]
    return {"seconds": seconds, "rows": rows, "bytes": size, "fields": fields}


def settings(_argument) -> dict:
    return {"settings": {"client": f"pyarrow {pyarrow.__version__}"}}


answer({"setup": setup, "read": read, "settings": settings})
