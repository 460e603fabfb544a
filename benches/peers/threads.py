#!/usr/bin/env python3
"""How much faster a query is on two cores than on one, beside what two plain loops gain at the same time.

Each engine runs twice, once with one thread on the first core and once with two on both. In a round the loops are timed
before and after each engine, which has several runs on end, because threads that have slept wake late. See
benches/README.md.
"""

import argparse
import contextlib
import dataclasses
import datetime
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import command, machine, results  # noqa: E402
from peers import engines, tpch  # noqa: E402

ROUNDS = 7
RUNS = 10


@dataclasses.dataclass(frozen=True)
class Row:
    """One round. Of `loops_speedup`, the mean of before and after, two cores give 2, one shared core 1."""

    query: int
    round: int
    engine: str
    one_thread_seconds: float
    two_threads_seconds: float
    loops_speedup: float

    @property
    def speedup(self) -> float:
        return self.one_thread_seconds / self.two_threads_seconds

    @property
    def of_loops(self) -> float:
        return self.speedup / self.loops_speedup


def arguments() -> argparse.Namespace:
    parser = command.parser(__file__, __doc__)
    parser.add_argument("--sf", type=float, default=1, help="scale factor of the data (default: 1)")
    parser.add_argument("--source", choices=["parquet", "memory"], default="memory", help="where the tables are (default: memory)")
    parser.add_argument("--engines", nargs="+", choices=list(engines.STARTERS), default=["murre", "datafusion-same", "duckdb"])
    parser.add_argument("--query", type=int, choices=range(1, tpch.QUERY_COUNT + 1), metavar="1-22", default=3, help="(default: 3)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"measured rounds (default: {ROUNDS})")
    parser.add_argument("--timeout", type=float, default=300, help="seconds an engine may take for one request (default: 300)")
    return parser.parse_args()


def measure(options: argparse.Namespace, cores: list[int]) -> tuple[list[Row], dict]:
    """All rows, and the settings of each engine on two threads."""
    text, files = tpch.query(options.query), tpch.files(options.sf)
    with contextlib.ExitStack() as cleanup:
        pairs = {}
        for name in options.engines:
            pairs[name] = []
            for count in (1, 2):
                logs = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="murre-bench-logs-")))
                engine = engines.start(name, engines.Place(cores[:count], options.timeout, logs))
                cleanup.callback(engine.stop)
                engine.create_tables(files, options.source)
                pairs[name].append(engine)
        settings = {name: pair[1].settings() for name, pair in pairs.items()}
        rows = []
        for number in range(options.rounds + 1):
            print(f"round {number}", file=sys.stderr)
            before = machine.two_loop_scaling()["scaling"]
            for name, pair in pairs.items():
                runs = ([engine.run(text).wall_seconds for _ in range(RUNS)] for engine in pair)
                one, two = (statistics.median(seconds) for seconds in runs)
                after = machine.two_loop_scaling()["scaling"]
                rows.append(Row(options.query, number, name, one, two, statistics.mean([before, after])))
                before = after
        return rows, settings


def render(rows: list[Row]) -> str:
    lines = ["| engine | one thread ms | two threads ms | speed-up | two loops | of the loops' |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for name in dict.fromkeys(row.engine for row in rows):
        own = [row for row in rows if row.engine == name and row.round > 0]

        def median(value, own=own) -> float:
            return statistics.median(map(value, own))

        lines.append(
            f"| {name} | {median(lambda row: row.one_thread_seconds) * 1e3:.1f} "
            f"| {median(lambda row: row.two_threads_seconds) * 1e3:.1f} | {median(lambda row: row.speedup):.2f} "
            f"| {median(lambda row: row.loops_speedup):.2f} | {median(lambda row: row.of_loops):.2f} |"
        )
    return "\n".join(lines)


def run(options: argparse.Namespace) -> None:
    warnings = machine.refuse_when_busy(options.force)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    started = datetime.date.today()
    cores = machine.pick_cores(2)
    rows, used = measure(options, cores)
    settings = {
        "date": started.isoformat(),
        "scale_factor": options.sf,
        "source": options.source,
        "cores": cores,
        "rounds": options.rounds,
        "runs_per_round": RUNS,
        "warnings": warnings,
        "machine": machine.describe(),
        "engines": used,
    }
    stem = f"{started.isoformat()}-sf{options.sf:g}-{options.source}-threads"
    path = results.write(options.results, stem, rows, settings)
    print(render(rows))
    print(f"\nraw rows: {path}", file=sys.stderr)


def main() -> None:
    options = arguments()
    command.run("bench-peers", lambda: run(options))


if __name__ == "__main__":
    main()
