#!/usr/bin/env python3
"""What a shuffle between two workers carries, by the way of its streams, beside iperf3 over the same links.

Each worker is on a host of its own, in network namespaces: both can be dialled (direct), both are behind translators that
keep ports (punched), or behind such that do not (relayed through the server). Links are shaped to 1 Gbit/s by tbf where a
host sends, or not at all. The query joins a table, spread over both workers by hash, with a small one: half of the table's
rows go from each worker to the other, as Arrow without compression, inside TLS. Bytes are those that the workers count,
the time is the query's, planning and reading Parquet included; iperf3 sends from one of the hosts to the other, or, from
behind a translator, to the server's. Needs root, benches/shuffle/setup.sh, and the environment of benches/peers/setup.sh.
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
from harness.errors import BenchError  # noqa: E402
from shuffle.cluster import Cluster  # noqa: E402
from shuffle.namespaces import PUBLIC, Network, iperf  # noqa: E402
from shuffle.tables import Tables  # noqa: E402

WAYS = ("direct", "punched", "relayed")
IPERF_SECONDS = 3


@dataclasses.dataclass(frozen=True)
class Shuffle:
    """One run of the query. Bytes are of one direction; CPU seconds those of both workers, and of the server."""

    way: str
    shaped: bool
    round: int
    seconds: float
    sent_bytes: int
    worker_cpu_seconds: float
    server_cpu_seconds: float
    iperf_bytes_per_second: float


def arguments() -> argparse.Namespace:
    parser = command.parser(__file__, __doc__)
    parser.add_argument("--rows", type=int, default=24_000_000, help="rows of the table, of 64 bytes (default: 24000000)")
    parser.add_argument("--copies", type=int, default=2, help="times that it is read (default: 2)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of the query for each way (default: 5)")
    parser.add_argument("--ways", default=",".join(WAYS), help="some of direct, punched, relayed (default: all)")
    return parser.parse_args()


def run(options: argparse.Namespace) -> None:
    warnings = machine.refuse_when_busy(options.force)
    rows = []
    with tempfile.TemporaryDirectory(prefix="murre-bench-") as folder:
        tables = Tables(Path(folder), options.rows, options.copies)
        for way in options.ways.split(","):
            for shaped in (True, False):
                rows += measure(Path(folder), tables, way, shaped, options.rounds)
    settings = {"machine": machine.describe(), "rows": options.rows, "copies": options.copies, "warnings": warnings}
    path = results.write(options.results, f"{datetime.date.today().isoformat()}-{options.copies * options.rows}rows", rows, settings)
    print(table_of(rows))
    print(path)


def measure(folder: Path, tables: Tables, way: str, shaped: bool, rounds: int) -> list[Shuffle]:
    network = Network()
    try:
        masquerade = {"punched": "masquerade", "relayed": "masquerade random,fully-random"}
        hosts = [network.host() if way == "direct" else network.behind(masquerade[way]) for _ in range(2)]
        if shaped:
            for host in hosts:
                host.shape()
        target, address = (hosts[1], hosts[1].public) if way == "direct" else (network.public, PUBLIC)
        # The client and the server are in the public namespace.
        network.public.enter()
        rate = iperf(target, address, hosts[0], IPERF_SECONDS)
        with Cluster(folder, network, hosts) as cluster:
            cluster.query(tables)
            return [shuffle(cluster, tables, way, shaped, number, rate) for number in range(rounds)]
    finally:
        network.close()


def shuffle(cluster: Cluster, tables: Tables, way: str, shaped: bool, number: int, rate: float) -> Shuffle:
    sent, cpu, server = cluster.column("bytes_sent"), cluster.cpu_seconds(), cluster.server.cpu_seconds()
    start = time.monotonic()
    cluster.query(tables)
    seconds = time.monotonic() - start
    sent = [after - before for after, before in zip(cluster.column("bytes_sent"), sent, strict=True)]
    for other in WAYS:
        if any(cluster.column(f"streams_{other}")) != (other == way):
            raise BenchError(f"streams are not {way}: {[cluster.column(f'streams_{each}') for each in WAYS]}")
    cpu, server = cluster.cpu_seconds() - cpu, cluster.server.cpu_seconds() - server
    return Shuffle(way, shaped, number, seconds, max(sent), cpu, server, rate)


def table_of(rows: list[Shuffle]) -> str:
    lines = [
        "| way | link | MB each way | seconds | GB/s | of iperf3 | CPU s a GB, workers | server |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for way, shaped in dict.fromkeys((row.way, row.shaped) for row in rows):
        own = [row for row in rows if (row.way, row.shaped) == (way, shaped)]
        rate = statistics.median(row.sent_bytes / row.seconds for row in own)
        both = [2 * row.sent_bytes / 1e9 for row in own]
        workers = statistics.median(row.worker_cpu_seconds / size for row, size in zip(own, both, strict=True))
        server = statistics.median(row.server_cpu_seconds / size for row, size in zip(own, both, strict=True))
        lines.append(
            f"| {way} | {'1 Gbit/s' if shaped else 'unshaped'} | {own[0].sent_bytes / 1e6:.0f} "
            f"| {statistics.median(row.seconds for row in own):.2f} | {rate / 1e9:.3f} "
            f"| {rate / own[0].iperf_bytes_per_second:.2f} | {workers:.2f} | {server:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    options = arguments()
    command.run("bench-shuffle", lambda: run(options))


if __name__ == "__main__":
    main()
