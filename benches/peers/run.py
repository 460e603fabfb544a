#!/usr/bin/env python3
"""TPC-H in Murre beside DuckDB and DataFusion, interleaved on the same pinned cores. See benches/README.md."""

import argparse
import contextlib
import datetime
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import command, machine, results  # noqa: E402
from peers import engines, rounds, table, tpch  # noqa: E402

ROUNDS = 7
# At their defaults, but for the threads; the rest of each engine's settings is in the JSON file.
PRINTED_SETTINGS = ["threads", "datafusion.execution.target_partitions"]


def arguments() -> argparse.Namespace:
    parser = command.parser(__file__, __doc__)
    parser.add_argument("--sf", type=float, default=1, help="scale factor of the data (default: 1)")
    parser.add_argument("--source", choices=["parquet", "memory"], default="parquet", help="where the tables are (default: parquet)")
    parser.add_argument("--cores", type=int, choices=[1, 2], default=1, help="cores that server and client share (default: 1)")
    parser.add_argument("--engines", type=_engines, default=list(engines.STARTERS), help="comma-separated (default: all)")
    parser.add_argument("--queries", type=_queries, default=list(range(1, tpch.QUERY_COUNT + 1)), help="as in 1,3,6-9 (default: all 22)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"measured rounds (default: {ROUNDS})")
    parser.add_argument("--new-texts", action="store_true", help="no engine sees the same text twice: each run has a comment of its own")
    parser.add_argument("--timeout", type=float, default=300, help="seconds an engine may take for one request (default: 300)")
    return parser.parse_args()


def _engines(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := [name for name in chosen if name not in engines.STARTERS]:
        raise argparse.ArgumentTypeError(f"no engine {unknown[0]!r}; there are {', '.join(engines.STARTERS)}")
    return chosen


def _queries(text: str) -> list[int]:
    chosen: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        try:
            chosen += range(int(first), int(last or first) + 1)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{part!r} is neither a number nor a range") from None
    if not chosen or min(chosen) < 1 or max(chosen) > tpch.QUERY_COUNT:
        raise argparse.ArgumentTypeError(f"queries are 1 to {tpch.QUERY_COUNT}")
    return chosen


def run(options: argparse.Namespace) -> None:
    warnings = machine.refuse_when_busy(options.force)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    started = datetime.date.today()
    files = tpch.files(options.sf)
    settings = {
        "date": started.isoformat(),
        "scale_factor": options.sf,
        "source": options.source,
        "new_texts": options.new_texts,
        "cores": machine.pick_cores(options.cores),
        "rounds": options.rounds,
        "warnings": warnings,
        "machine": machine.describe(),
        "scaling": machine.two_loop_scaling(),
        "data_bytes": {name: file.stat().st_size for name, file in files.items()},
    }
    _print_scaling(settings["scaling"])
    rows, settings["engines"] = _measure(options, files, settings["cores"])

    stem = f"{started.isoformat()}-sf{options.sf:g}-{options.source}-{options.cores}core"
    path = results.write(options.results, stem, rows, settings)
    print(table.render(rows, settings))
    print(f"\nraw rows: {path}", file=sys.stderr)


def _measure(options: argparse.Namespace, files: dict[str, Path], cores: list[int]) -> tuple[list[rounds.Row], dict]:
    """All rows, and the settings of each engine."""
    with contextlib.ExitStack() as cleanup:
        logs = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="murre-bench-logs-")))
        place = engines.Place(cores, options.timeout, logs)
        running = []
        for name in options.engines:
            print(f"{name}: starting", file=sys.stderr)
            engine = engines.start(name, place)
            cleanup.callback(engine.stop)
            engine.create_tables(files, options.source)
            running.append(engine)
        settings = {engine.name: engine.settings() for engine in running}
        for name, shown in settings.items():
            _print_settings(name, shown)
        rows = []
        for query in options.queries:
            print(f"q{query:02}", file=sys.stderr)
            rows += rounds.measure(running, query, options.rounds, options.new_texts)
        return rows, settings


def _print_settings(name: str, settings: dict[str, str | None]) -> None:
    """Short on the terminal; a rival has hundreds of defaults, and the JSON file has them all."""
    short = settings if len(settings) < 20 else {key: settings[key] for key in ["version", *PRINTED_SETTINGS] if key in settings}
    print(f"{name}: {', '.join(f'{key} = {value}' for key, value in short.items())}", file=sys.stderr)


def _print_scaling(scaling: dict[str, float | None]) -> None:
    if scaling["scaling"] is None:
        print(f"one loop: {scaling['one_loop_seconds']:.2f} s (only one core here)", file=sys.stderr)
        return
    print(
        f"one loop alone: {scaling['one_loop_seconds']:.2f} s, two at once: {scaling['two_loops_seconds']:.2f} s, "
        f"scaling {scaling['scaling']:.2f} of 2",
        file=sys.stderr,
    )


def main() -> None:
    options = arguments()
    command.run("bench-peers", lambda: run(options))


if __name__ == "__main__":
    main()
