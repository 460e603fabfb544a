#!/usr/bin/env python3
"""Ten million rows from Murre to pyarrow over Flight SQL, beside a plain TCP copy of as many bytes. See benches/README.md."""

import argparse
import contextlib
import datetime
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flight import paths, table  # noqa: E402
from harness import command, machine, results  # noqa: E402

ROUNDS = 7
ROWS = 10_000_000


def arguments() -> argparse.Namespace:
    parser = command.parser(__file__, __doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"rows of the table (default: {ROWS})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"measured rounds (default: {ROUNDS})")
    parser.add_argument("--cores", type=int, choices=[1, 2], help="pin all processes to so many cores (default: no pinning)")
    parser.add_argument("--timeout", type=float, default=300, help="seconds one request may take (default: 300)")
    return parser.parse_args()


def run(options: argparse.Namespace) -> None:
    warnings = machine.refuse_when_busy(options.force)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    cores = None if options.cores is None else machine.pick_cores(options.cores)
    today = datetime.date.today().isoformat()
    settings = {
        "date": today,
        "rows": options.rows,
        "rounds": options.rounds,
        "cores": cores,
        "warnings": warnings,
        "machine": machine.describe(),
        "scaling": machine.two_loop_scaling(),
    }
    rows, settings["murre"] = _measure(options, cores)
    pinning = "unpinned" if cores is None else f"{len(cores)}core"
    path = results.write(options.results, f"{today}-{options.rows}rows-{pinning}", rows, settings)
    print(table.render(rows, settings))
    print(f"\nraw rows: {path}", file=sys.stderr)


def _measure(options: argparse.Namespace, cores: list[int] | None) -> tuple[list[table.Row], dict]:
    """All rows, the two paths taking turns at going first, and the settings of the server."""
    with contextlib.ExitStack() as cleanup:
        logs = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="murre-bench-logs-")))
        place = paths.Place(cores, options.timeout, logs)
        flight = paths.FlightPath(place, options.rows)
        cleanup.callback(flight.stop)
        tcp = paths.TcpPath(place)
        cleanup.callback(tcp.stop)
        flight.create_table()
        size = flight.copy().bytes

        rows = []
        for number in range(table.WARM_UP, options.rounds + 1):
            copies = [("flight", flight.copy), ("tcp", lambda: tcp.copy(size))]
            for position, (name, copy) in enumerate(copies if number % 2 else reversed(copies)):
                copied = copy()
                rows.append(
                    table.Row(
                        number,
                        position,
                        name,
                        copied.seconds,
                        copied.bytes,
                        copied.sender_cpu_seconds,
                        copied.receiver_cpu_seconds,
                    )
                )
        return rows, flight.settings()


def main() -> None:
    options = arguments()
    command.run("bench-flight", lambda: run(options))


if __name__ == "__main__":
    main()
