#!/usr/bin/env python3
"""Point queries through prepared statements of one ADBC connection, and the memory of a server with many of them.

`SELECT * FROM orders WHERE o_orderkey = ?` over TPC-H orders: of a temporary table, and of the Parquet file itself.
Needs the Python environment of integration/clients/python/environment.sh, and TPC-H data (`murre demo tpch --sf 1` makes it).
"""

import argparse
import dataclasses
import datetime
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
from harness import command, machine, results  # noqa: E402
from harness.errors import BenchError  # noqa: E402
from harness.murre_server import MurreServer  # noqa: E402

TPCH = Path(os.environ.get("MURRE_TPCH_DIR", Path.home() / ".cache/murre/tpch"))
QUERY = "SELECT * FROM {table} WHERE o_orderkey = ?"
WARM_UP = 50
# Memory that a client may add to the server's.
CLIENT_BYTES_MAX = 2 << 20


@dataclasses.dataclass(frozen=True)
class Query:
    """One point query: from binding its value to having its row."""

    table: str
    round: int
    milliseconds: float


def arguments() -> argparse.Namespace:
    parser = command.parser(__file__, __doc__)
    parser.add_argument("--sf", default="1", help="scale factor of the data (default: 1)")
    parser.add_argument("--queries", type=int, default=1000, help="measured queries of each table in a round (default: 1000)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of point queries (default: 7)")
    parser.add_argument("--clients", type=int, default=200, help="clients of the memory test; 0 leaves it out (default: 200)")
    parser.add_argument("--seconds", type=float, default=30, help="length of the memory test (default: 30)")
    return parser.parse_args()


def run(options: argparse.Namespace) -> None:
    warnings = machine.refuse_when_busy(options.force)
    orders = TPCH / f"sf{options.sf}" / "orders.parquet"
    if not orders.exists():
        raise BenchError(f"{orders} is missing: make it with `murre demo tpch --sf {options.sf}`")
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        server = MurreServer(Path(log.name), cores=None, threads=None, caches=True)
        try:
            settings = {"machine": machine.describe(), "murre": server.version(), "warnings": warnings}
            with connect(server) as connection:
                execute(connection, f"CREATE EXTERNAL TABLE on_disk STORED AS PARQUET LOCATION '{orders}'")
                execute(connection, "CREATE TEMPORARY TABLE orders AS SELECT * FROM on_disk")
                keys = order_keys(connection)
                rows = []
                for number in range(options.rounds):
                    for table in ("orders", "on_disk"):
                        times = latencies(connection, table, keys, options.queries)
                        rows += [Query(table, number, milliseconds) for milliseconds in times]
                if options.clients:
                    execute(connection, "CREATE TABLE stored AS SELECT * FROM on_disk WHERE o_orderkey < 1000")
                    settings["many_clients"] = many_clients(server, options.clients, options.seconds)
        finally:
            server.stop()
    today = datetime.date.today().isoformat()
    path = results.write(options.results, f"{today}-sf{options.sf}-points", rows, settings)
    print(table_of(rows))
    print(settings.get("many_clients", ""))
    print(f"raw rows: {path}")


def table_of(rows: list[Query]) -> str:
    """Medians over the rounds of each round's percentiles."""
    lines = ["| table | p50 ms | p99 ms |", "| --- | ---: | ---: |"]
    for table in ("orders", "on_disk"):
        rounds = {row.round for row in rows}
        percentiles = [statistics.quantiles((row.milliseconds for row in rows if (row.table, row.round) == (table, number)), n=100) for number in rounds]
        p50, p99 = (statistics.median(of[index] for of in percentiles) for index in (49, 98))
        lines.append(f"| {table} | {p50:.2f} | {p99:.2f} |")
    return "\n".join(lines)


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


def latencies(connection, table: str, keys: list[int], queries: int) -> list[float]:
    """Milliseconds of each query, after a warm-up."""
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
    return times[WARM_UP:]


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
