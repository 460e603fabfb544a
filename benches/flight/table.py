#!/usr/bin/env python3
"""Prints the table of a results file: medians of both paths and their ratio."""

import argparse
import dataclasses
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import results  # noqa: E402

GB = 1e9
WARM_UP = 0


@dataclasses.dataclass(frozen=True)
class Row:
    """One raw row of the results: one copy over one path. Round 0 is the warm-up."""

    round: int
    position: int
    path: str
    seconds: float
    bytes: int
    sender_cpu_seconds: float
    receiver_cpu_seconds: float


def render(rows: list[Row], settings: dict) -> str:
    flight, tcp = _of(rows, "flight"), _of(rows, "tcp")
    ratio = _rate(flight) / _rate(tcp)
    return "\n".join(
        [
            f"{settings['rows']} rows of 8 Int64 columns, {flight[0].bytes / GB:.2f} GB of Arrow data, median of {settings['rounds']}, "
            f"{settings['machine']['cpu_model']}, two loops scale {settings['scaling']['scaling'] or 1:.2f} of 2, "
            f"commit {settings['machine']['commit']}.",
            *(f"**Not for publication**: {warning}." for warning in settings["warnings"]),
            "",
            "| path | GB/s | ms | CPU s per GB, sender | CPU s per GB, receiver |",
            "| --- | ---: | ---: | ---: | ---: |",
            _line("Flight SQL (DoGet) to pyarrow", flight),
            _line("plain TCP copy", tcp),
            f"| **Flight / TCP** | {ratio:.2f} | | | |",
        ]
    )


def _of(rows: list[Row], path: str) -> list[Row]:
    return [row for row in rows if row.path == path and row.round != WARM_UP]


def _rate(rows: list[Row]) -> float:
    return statistics.median(row.bytes / GB / row.seconds for row in rows)


def _line(title: str, rows: list[Row]) -> str:
    milliseconds = statistics.median(row.seconds for row in rows) * 1000
    sender = statistics.median(row.sender_cpu_seconds / (row.bytes / GB) for row in rows)
    receiver = statistics.median(row.receiver_cpu_seconds / (row.bytes / GB) for row in rows)
    return f"| {title} | {_rate(rows):.2f} | {milliseconds:.0f} | {sender:.2f} | {receiver:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path, help="a CSV that run.py wrote; its .json lies beside it")
    arguments = parser.parse_args()
    if not arguments.csv.is_file():
        sys.exit(f"table: {arguments.csv} does not exist")
    rows, settings = results.read(arguments.csv, Row)
    print(render(rows, settings))


if __name__ == "__main__":
    main()
