#!/usr/bin/env python3
"""Several large results at once: over one connection, and over a connection each. See benches/README.md."""

import argparse
import dataclasses
import datetime
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import venv  # noqa: E402

venv.enter()

from harness import command, machine, results  # noqa: E402
from harness.errors import BenchError  # noqa: E402
from harness.flight_sql import FlightSql  # noqa: E402
from harness.murre_server import MurreServer  # noqa: E402

COLUMNS = 8
GB = 1e9
KINDS = ("one stream", "one connection", "a connection each")


@dataclasses.dataclass(frozen=True)
class Row:
    """All streams of one measurement together. Round 0 is the warm-up."""

    round: int
    kind: str
    streams: int
    seconds: float
    bytes: int
    server_cpu_seconds: float


def arguments() -> argparse.Namespace:
    parser = command.parser(__file__, __doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of each result (default: 5000000)")
    parser.add_argument("--streams", type=int, default=4, help="results at once (default: 4)")
    parser.add_argument("--rounds", type=int, default=7, help="measured rounds (default: 7)")
    return parser.parse_args()


def run(options: argparse.Namespace) -> None:
    warnings = machine.refuse_when_busy(options.force)
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        server = MurreServer(Path(log.name), cores=None, threads=None)
        try:
            first = FlightSql(server.address)
            create_table(first, options.rows)
            connections = [first] + [FlightSql(server.address, beside=first) for _ in range(options.streams - 1)]
            used = {"one stream": [first], "one connection": [first] * options.streams, "a connection each": connections}
            rows = []
            for number in range(options.rounds + 1):
                kinds = KINDS if number % 2 else tuple(reversed(KINDS))
                rows += [measure(server, number, kind, used[kind], options.rows) for kind in kinds]
            settings = {"machine": machine.describe(), "murre": server.version(), "rows": options.rows, "warnings": warnings}
        finally:
            server.stop()
    today = datetime.date.today().isoformat()
    path = results.write(options.results, f"{today}-{options.streams}streams", rows, settings)
    print(table_of(rows))
    print(f"raw rows: {path}")


def create_table(connection: FlightSql, rows: int) -> None:
    declared = ", ".join(f"c{number} BIGINT NOT NULL" for number in range(COLUMNS))
    columns = ", ".join(f"CAST(value AS BIGINT) + {number}" for number in range(COLUMNS))
    connection.update(f"CREATE TEMPORARY TABLE numbers ({declared})")
    connection.update(f"INSERT INTO numbers SELECT {columns} FROM generate_series(1, {rows})")


def measure(server: MurreServer, number: int, kind: str, connections: list[FlightSql], rows: int) -> Row:
    came = [0] * len(connections)
    start = threading.Barrier(len(connections) + 1)

    def read(place: int) -> None:
        start.wait()
        came[place] = sum(batch.num_rows for batch in connections[place].batches("SELECT * FROM numbers"))

    threads = [threading.Thread(target=read, args=(place,)) for place in range(len(connections))]
    for thread in threads:
        thread.start()
    before, began = server.cpu_seconds(), time.perf_counter()
    start.wait()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if came != [rows] * len(connections):
        raise BenchError(f"{came} rows came, not {rows} on each stream")
    size = rows * COLUMNS * 8 * len(connections)
    return Row(number, kind, len(connections), seconds, size, server.cpu_seconds() - before)


def table_of(rows: list[Row]) -> str:
    lines = ["| | streams | GB/s together | server CPU s per GB |", "| --- | ---: | ---: | ---: |"]
    for kind in KINDS:
        measured = [row for row in rows if row.kind == kind and row.round]
        rate = statistics.median(row.bytes / GB / row.seconds for row in measured)
        cpu = statistics.median(row.server_cpu_seconds / (row.bytes / GB) for row in measured)
        lines.append(f"| {kind} | {measured[0].streams} | {rate:.2f} | {cpu:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    options = arguments()
    command.run("bench-streams", lambda: run(options))
