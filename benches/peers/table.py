#!/usr/bin/env python3
"""Prints the table of a results file: medians, ratios, sums and the overhead of the server."""

import argparse
import dataclasses
import math
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import results  # noqa: E402
from peers.rounds import WARM_UP, Row  # noqa: E402

LABELS = {"murre": "murre", "datafusion-same": "datafusion-same", "datafusion": "datafusion 55", "duckdb": "duckdb"}


@dataclasses.dataclass(frozen=True)
class Medians:
    """Of one engine: query -> median over the rounds."""

    wall_ms: dict[int, float]
    cpu_seconds: dict[int, float]


@dataclasses.dataclass(frozen=True)
class Column:
    """One column: a cell per query, and what stands in the sum row and the geometric mean row."""

    title: str
    cell: Callable[[int], str]
    total: str
    mean: str


def render(rows: list[Row], settings: dict) -> str:
    """The whole table as Markdown, with the lines it must be read with."""
    engines = [name for name in LABELS if any(row.engine == name for row in rows)]
    medians = {name: _medians(rows, name) for name in engines}
    queries = sorted({row.query for row in rows})
    columns = [_time_column(name, medians[name]) for name in engines]
    columns += [
        _ratio_column(name, rival, medians)
        for name, rival in [("murre", "datafusion-same"), ("murre", "duckdb")]
        if name in medians and rival in medians
    ]
    # A column `cold compile ms` goes here: the warm-up round minus the median is not it.
    columns += [_cpu_column(name, medians[name]) for name in engines]

    lines = [
        _line("query", [column.title for column in columns]),
        _line("---", ["---:"] * len(columns)),
        *(_line(f"q{query:02}", [column.cell(query) for column in columns]) for query in queries),
        _line("**sum**", [column.total for column in columns]),
        _line("**geometric mean**", [column.mean for column in columns]),
    ]
    return "\n".join([*_preface(settings), "", *lines, "", *_server_overhead(medians)])


def _medians(rows: list[Row], engine: str) -> Medians:
    runs: dict[int, list[Row]] = {}
    for row in rows:
        if row.engine == engine and row.round != WARM_UP:
            runs.setdefault(row.query, []).append(row)
    return Medians(
        {query: statistics.median(row.wall_seconds * 1000 for row in of) for query, of in runs.items()},
        {query: statistics.median(row.cpu_seconds for row in of) for query, of in runs.items()},
    )


def _time_column(name: str, medians: Medians) -> Column:
    wall = medians.wall_ms
    return Column(
        f"{LABELS[name]} ms",
        lambda query: f"{wall[query]:.1f}",
        f"{sum(wall.values()):.1f}",
        f"{_geometric_mean(wall.values()):.1f}",
    )


def _ratio_column(name: str, rival: str, medians: dict[str, Medians]) -> Column:
    ours, theirs = medians[name].wall_ms, medians[rival].wall_ms
    ratios = {query: ours[query] / theirs[query] for query in ours}
    return Column(
        f"{LABELS[name]} / {LABELS[rival]}",
        lambda query: f"{ratios[query]:.2f}",
        f"{sum(ours.values()) / sum(theirs.values()):.2f}",
        f"{_geometric_mean(ratios.values()):.2f}",
    )


def _cpu_column(name: str, medians: Medians) -> Column:
    cpu = medians.cpu_seconds
    return Column(
        f"{LABELS[name]} CPU s",
        lambda query: f"{cpu[query]:.3f}",
        f"{sum(cpu.values()):.3f}",
        f"{_geometric_mean(cpu.values()):.3f}",
    )


def _server_overhead(medians: dict[str, Medians]) -> list[str]:
    if "murre" not in medians or "datafusion-same" not in medians:
        return []
    murre = sum(medians["murre"].wall_ms.values())
    same = sum(medians["datafusion-same"].wall_ms.values())
    return [f"Server overhead, (sum murre - sum datafusion-same) / sum datafusion-same: **{(murre - same) / same:+.1%}**"]


def _preface(settings: dict) -> list[str]:
    scaling = settings["scaling"]["scaling"]
    two_loops = "one core only" if scaling is None else f"two loops on two cores do {scaling:.2f} times one loop's work"
    return [
        f"TPC-H SF{settings['scale_factor']:g} from {settings['source']}, {len(settings['cores'])} pinned core(s), "
        f"median of {settings['rounds']}, {settings['machine']['cpu_model']}, {two_loops}, "
        f"commit {settings['machine']['commit']}.",
        *(f"**Not for publication**: {warning}." for warning in settings["warnings"]),
    ]


def _geometric_mean(values) -> float:
    return math.exp(statistics.fmean(math.log(max(value, 1e-9)) for value in values))


def _line(first: str, cells: list[str]) -> str:
    return f"| {first} | {' | '.join(cells)} |"


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
