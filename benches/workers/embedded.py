#!/usr/bin/env python3
"""What it costs to cut plans into stages: the 22 TPC-H queries whole, and in two tasks a stage over the embedded worker.

One server, one session for each of the two; a round takes every query in both, one right after the other, in an order that
turns round with each round. Plans of tasks are encoded and decoded as for other processes. Runs in the Python environment
that benches/peers/setup.sh makes.
"""

import argparse
import dataclasses
import datetime
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import venv  # noqa: E402

venv.enter()

from harness import command, machine, results  # noqa: E402
from harness.flight_sql import FlightSql  # noqa: E402
from harness.murre_server import MurreServer  # noqa: E402
from peers import tpch  # noqa: E402

WHOLE, STAGES = "whole", "stages"
TASKS = 2


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of one query."""

    plan: str
    query: int
    round: int
    seconds: float


def arguments() -> argparse.Namespace:
    parser = command.parser(__file__, __doc__)
    parser.add_argument("--sf", type=float, default=1, help="scale factor of the data (default: 1)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count; one more warms up (default: 5)")
    parser.add_argument("--queries", default=",".join(map(str, range(1, tpch.QUERY_COUNT + 1))), help="numbers (default: all 22)")
    return parser.parse_args()


def run(options: argparse.Namespace) -> None:
    warnings = machine.refuse_when_busy(options.force)
    files = tpch.files(options.sf)
    queries = [int(number) for number in options.queries.split(",")]
    rows = []
    with tempfile.TemporaryDirectory(prefix="murre-bench-") as folder:
        server = MurreServer(Path(folder) / "server.log", cores=None, threads=None, caches=True)
        try:
            settings = {"machine": machine.describe(), "murre": server.version(), "tasks_per_stage": TASKS, "warnings": warnings}
            sessions = {WHOLE: FlightSql(server.address), STAGES: FlightSql(server.address)}
            for table, path in files.items():
                sessions[WHOLE].update(f"CREATE EXTERNAL TABLE {table} STORED AS PARQUET LOCATION '{path}'")
            sessions[STAGES].update(f"SET murre.tasks_per_stage = {TASKS}")
            for number in range(options.rounds + 1):
                for query in queries:
                    for plan in (WHOLE, STAGES)[:: 1 if (number + query) % 2 else -1]:
                        seconds = measured(sessions[plan], tpch.query(query))
                        if number:
                            rows.append(Run(plan, query, number, seconds))
        finally:
            server.stop()
    path = results.write(options.results, f"{datetime.date.today().isoformat()}-embedded-sf{options.sf:g}", rows, settings)
    print(table_of(rows))
    print(path)


def measured(client: FlightSql, sql: str) -> float:
    start = time.monotonic()
    for _ in client.batches(sql):
        pass
    return time.monotonic() - start


def table_of(rows: list[Run]) -> str:
    def median(plan: str, query: int) -> float:
        return statistics.median(row.seconds for row in rows if (row.plan, row.query) == (plan, query))

    lines = ["| query | whole, ms | in stages, ms | ratio |", "| --- | --- | --- | --- |"]
    queries = sorted({row.query for row in rows})
    sums = {plan: sum(median(plan, query) for query in queries) for plan in (WHOLE, STAGES)}
    for query in queries:
        whole, stages = median(WHOLE, query), median(STAGES, query)
        lines.append(f"| {query} | {whole * 1e3:.0f} | {stages * 1e3:.0f} | {stages / whole:.2f} |")
    lines.append(f"| sum | {sums[WHOLE] * 1e3:.0f} | {sums[STAGES] * 1e3:.0f} | {sums[STAGES] / sums[WHOLE]:.3f} |")
    return "\n".join(lines)


def main() -> None:
    options = arguments()
    command.run("bench-workers-embedded", lambda: run(options))


if __name__ == "__main__":
    main()
