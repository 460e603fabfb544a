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
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pyarrow  # noqa: E402
from harness import binaries, command, machine, results  # noqa: E402
from harness.cpu_clock import cpu_seconds  # noqa: E402
from harness.errors import BenchError  # noqa: E402
from harness.flight_sql import FlightSql  # noqa: E402
from harness.murre_server import MurreServer, free_port  # noqa: E402
from shuffle.namespaces import PUBLIC, Network, iperf  # noqa: E402

WAYS = ("direct", "punched", "relayed")
COLUMNS = 7
IPERF_SECONDS = 3
WAIT_SECONDS_MAX = 60


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=24_000_000, help="rows of the table, of 64 bytes (default: 24000000)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of the query for each way (default: 5)")
    parser.add_argument("--ways", default=",".join(WAYS), help="some of direct, punched, relayed (default: all)")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="where raw rows go (default: beside this script)")
    parser.add_argument("--force", action="store_true", help="measure on a busy machine; the result says so")
    return parser.parse_args()


def run(options: argparse.Namespace) -> None:
    warnings = machine.refuse_when_busy(options.force)
    rows = []
    with tempfile.TemporaryDirectory(prefix="murre-bench-") as folder:
        tables = Tables(Path(folder), options.rows)
        for way in options.ways.split(","):
            for shaped in (True, False):
                rows += measure(Path(folder), tables, way, shaped, options.rounds)
    settings = {"machine": machine.describe(), "rows": options.rows, "warnings": warnings}
    path = results.write(options.results, f"{datetime.date.today().isoformat()}-{options.rows}rows", rows, settings)
    print(table_of(rows))
    print(path)


class Tables:
    """Parquet files that both workers see: `long` with random columns, `short` with its keys."""

    KEYS = 1000

    def __init__(self, folder: Path, rows: int):
        self.long, self.short = folder / "long.parquet", folder / "short.parquet"
        values = ", ".join(f"random() AS c{number}" for number in range(COLUMNS))
        for path, sql in (
            (self.long, f"SELECT value % {self.KEYS} AS k, {values} FROM generate_series(1, {rows})"),
            (self.short, f"SELECT value AS s FROM generate_series(0, {self.KEYS - 1})"),
        ):
            copy = f"COPY ({sql}) TO '{path}' OPTIONS ('format.compression' 'uncompressed', 'format.dictionary_enabled' 'false')"
            words = [binaries.murre(), "sql", "--data-dir", str(folder / "made"), "--command", copy]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)

    def query(self) -> str:
        sums = " + ".join(f"c{number}" for number in range(COLUMNS))
        return f"SELECT count(*), sum({sums}) FROM '{self.short}' JOIN '{self.long}' ON k = s"


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
            return [cluster.shuffle(tables, way, shaped, number, rate) for number in range(rounds)]
    finally:
        network.close()


class Cluster:
    """A server on the public host, and a worker on each of the others."""

    def __init__(self, folder: Path, network: Network, hosts: list):
        listen = f"{PUBLIC}:{free_port()}"
        more = ("--workers", "remote", "--workers-listen", listen)
        self.server = MurreServer(folder / "server.log", cores=None, threads=None, caches=True, more=more)
        token = str(self.server.token_file())
        self._workers = []
        for number, host in enumerate(hosts):
            words = [binaries.murre(), "worker", "--name", f"w{number}", "--coordinator", listen, "--token-file", token]
            if host.public:
                words += ["--listen", f"{host.public}:0"]
            log = (folder / f"w{number}.log").open("wb")
            self._workers.append(subprocess.Popen(host.command(words), stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        self._client = FlightSql(self.server.address)
        give_up = time.monotonic() + WAIT_SECONDS_MAX
        while len(self.column("id")) < len(hosts):
            if time.monotonic() > give_up:
                raise BenchError("the workers do not come")
        # Both sides of the join are spread by hash, though one is small.
        self._client.update("SET datafusion.optimizer.hash_join_single_partition_threshold = 0")
        self._client.update("SET datafusion.optimizer.hash_join_single_partition_threshold_rows = 0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self.server.stop()

    def column(self, name: str) -> list:
        batches = list(self._client.batches("SHOW WORKERS"))
        return pyarrow.Table.from_batches(batches).column(name).to_pylist() if batches else []

    def query(self, tables: Tables) -> None:
        list(self._client.batches(tables.query()))

    def shuffle(self, tables: Tables, way: str, shaped: bool, number: int, rate: float) -> Shuffle:
        sent, cpu, server = self.column("bytes_sent"), self._cpu(), self.server.cpu_seconds()
        start = time.monotonic()
        self.query(tables)
        seconds = time.monotonic() - start
        sent = [after - before for after, before in zip(self.column("bytes_sent"), sent, strict=True)]
        for other in WAYS:
            if any(self.column(f"streams_{other}")) != (other == way):
                raise BenchError(f"streams are not {way}: {[self.column(f'streams_{each}') for each in WAYS]}")
        return Shuffle(
            way, shaped, number, seconds, max(sent), self._cpu() - cpu, self.server.cpu_seconds() - server, rate
        )

    def _cpu(self) -> float:
        return sum(cpu_seconds(worker.pid) for worker in self._workers)


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
