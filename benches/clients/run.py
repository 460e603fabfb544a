#!/usr/bin/env python3
"""Point queries through prepared statements of one ADBC connection, and the memory of a server with many of them.

`SELECT * FROM orders WHERE o_orderkey = ?` over TPC-H orders: of a temporary table, and of the Parquet file itself.
Needs the Python environment of integration/clients/python/run.sh, and TPC-H data (`murre demo tpch --sf 1` makes it).
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import adbc_driver_flightsql.dbapi as flight_sql  # noqa: E402
from harness import command, machine  # noqa: E402
from harness.errors import BenchError  # noqa: E402
from harness.murre_server import MurreServer  # noqa: E402

TPCH = Path(os.environ.get("MURRE_TPCH_DIR", Path.home() / ".cache/murre/tpch"))
QUERY = "SELECT * FROM {table} WHERE o_orderkey = ?"
WARM_UP = 50
# Memory that a client may add to the server's.
CLIENT_BYTES_MAX = 2 << 20


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sf", default="1", help="scale factor of the data (default: 1)")
    parser.add_argument("--queries", type=int, default=1000, help="measured queries of each table (default: 1000)")
    parser.add_argument("--clients", type=int, default=200, help="clients of the memory test; 0 leaves it out (default: 200)")
    parser.add_argument("--seconds", type=float, default=30, help="length of the memory test (default: 30)")
    return parser.parse_args()


def run(options: argparse.Namespace) -> None:
    orders = TPCH / f"sf{options.sf}" / "orders.parquet"
    if not orders.exists():
        raise BenchError(f"{orders} is missing: make it with `murre demo tpch --sf {options.sf}`")
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        server = MurreServer(Path(log.name), cores=None, threads=None, caches=True)
        try:
            result = {"machine": machine.describe(), "murre": server.version()}
            with connect(server) as connection:
                execute(connection, f"CREATE EXTERNAL TABLE on_disk STORED AS PARQUET LOCATION '{orders}'")
                execute(connection, "CREATE TEMPORARY TABLE orders AS SELECT * FROM on_disk")
                keys = order_keys(connection)
                result["temporary"] = latencies(connection, "orders", keys, options.queries)
                result["parquet"] = latencies(connection, "on_disk", keys, options.queries)
                if options.clients:
                    execute(connection, "CREATE TABLE stored AS SELECT * FROM on_disk WHERE o_orderkey < 1000")
                    result["many_clients"] = many_clients(server, options.clients, options.seconds)
        finally:
            server.stop()
    print(json.dumps(result, indent=2))


def connect(server: MurreServer):
    return flight_sql.connect(f"grpc://{server.address}", autocommit=True)


def execute(connection, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def order_keys(connection) -> list[int]:
    """Keys that exist, drawn from the whole table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT o_orderkey FROM orders WHERE o_orderkey % 701 < 8")
        keys = cursor.fetch_arrow_table().column(0).to_pylist()
    random.Random(1).shuffle(keys)
    return keys


def latencies(connection, table: str, keys: list[int], queries: int) -> dict[str, float]:
    """Of one query: from binding its value to having its row, in milliseconds."""
    sql = QUERY.format(table=table)
    times = []
    with connection.cursor() as cursor:
        cursor.adbc_prepare(sql)
        for number in range(WARM_UP + queries):
            key = keys[number % len(keys)]
            began = time.perf_counter()
            cursor.execute(sql, (key,))
            row = cursor.fetchone()
            times.append((time.perf_counter() - began) * 1000)
            if row[0] != key:
                raise BenchError(f"asked for order {key} of {table}, got {row}")
    times = sorted(times[WARM_UP:])
    percentile = statistics.quantiles(times, n=100)
    return {"p50_ms": round(percentile[49], 3), "p99_ms": round(percentile[98], 3), "max_ms": round(times[-1], 3)}


def many_clients(server: MurreServer, count: int, seconds: float) -> dict[str, float]:
    """Clients that all ask at once; what the server's memory grows to meanwhile."""
    idle = resident_bytes(server)
    end = time.monotonic() + seconds
    outcomes: list[int | Exception] = []

    def ask() -> None:
        try:
            outcomes.append(ask_until(server, end))
        except Exception as error:  # noqa: BLE001: it is reported, by number and text
            outcomes.append(error)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    peak = idle
    while any(thread.is_alive() for thread in threads):
        peak = max(peak, resident_bytes(server))
        time.sleep(0.1)
    failed = [str(outcome) for outcome in outcomes if isinstance(outcome, Exception)]
    answered = sum(outcome for outcome in outcomes if isinstance(outcome, int))
    return {
        "clients": count,
        "answered": answered,
        "failed": len(failed),
        "first_failure": failed[0] if failed else None,
        "idle_mib": idle >> 20,
        "peak_mib": peak >> 20,
        "limit_mib": (idle + count * CLIENT_BYTES_MAX) >> 20,
    }


def ask_until(server: MurreServer, end: float) -> int:
    answered = 0
    sql = QUERY.format(table="stored")
    with connect(server) as connection, connection.cursor() as cursor:
        cursor.adbc_prepare(sql)
        while time.monotonic() < end:
            cursor.execute(sql, (answered % 200 * 4 + 1,))
            cursor.fetchone()
            answered += 1
    return answered


def resident_bytes(server: MurreServer) -> int:
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise BenchError("the server's memory cannot be read")


if __name__ == "__main__":
    options = arguments()
    command.run("bench-clients", lambda: run(options))
