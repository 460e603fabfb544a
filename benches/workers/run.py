#!/usr/bin/env python3
"""How soon the tasks of a statement that is killed have stopped on two workers, and when a query's first row comes.

The statement is a join that fragments run, over TPC-H data (`murre demo tpch --sf 1` makes it). A round starts it, waits
until both workers have tasks, kills it, and asks the workers until none has a task, and then until none has memory of one.
First rows are those of a query that soon has more rows than are held back (64 MiB), and of one that has few rows a second,
so that they are held back for 2 s; with the embedded worker nothing is held back. Runs in the Python environment that benches/peers/setup.sh makes.
"""

import argparse
import dataclasses
import datetime
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import venv  # noqa: E402

venv.enter()

import pyarrow  # noqa: E402
from harness import binaries, command, machine, results  # noqa: E402
from harness.errors import BenchError  # noqa: E402
from harness.flight_sql import FlightSql  # noqa: E402
from harness.murre_server import MurreServer, free_port  # noqa: E402

TPCH = Path(os.environ.get("MURRE_TPCH_DIR", Path.home() / ".cache/murre/tpch"))
KILLED = "SELECT count(*), sum(a.l_quantity * b.l_tax) FROM lineitem a, lineitem b WHERE a.l_suppkey = b.l_suppkey"
MANY_ROWS = "SELECT a.l_orderkey, a.l_comment, b.l_comment AS other FROM lineitem a, lineitem b WHERE a.l_suppkey = b.l_suppkey"
FEW_ROWS = "SELECT a.l_orderkey FROM lineitem a, lineitem b WHERE a.l_suppkey = b.l_suppkey AND (a.l_orderkey + b.l_orderkey) % 1000 = 7"
WORKERS = 2
WAIT_SECONDS_MAX = 60


@dataclasses.dataclass(frozen=True)
class Measured:
    """One round of one measurement."""

    what: str
    round: int
    milliseconds: float


def arguments() -> argparse.Namespace:
    parser = command.parser(__file__, __doc__)
    parser.add_argument("--sf", default="1", help="scale factor of the data (default: 1)")
    parser.add_argument("--rounds", type=int, default=20, help="statements that are killed (default: 20)")
    parser.add_argument("--first-rows", type=int, default=5, help="rounds of first rows (default: 5)")
    return parser.parse_args()


def run(options: argparse.Namespace) -> None:
    warnings = machine.refuse_when_busy(options.force)
    lineitem = TPCH / f"sf{options.sf}" / "lineitem.parquet"
    if not lineitem.exists():
        raise BenchError(f"{lineitem} is missing: make it with `murre demo tpch --sf {options.sf}`")
    rows = []
    with tempfile.TemporaryDirectory(prefix="murre-bench-") as folder, Cluster(Path(folder)) as cluster:
        settings = {"machine": machine.describe(), "murre": cluster.server.version(), "workers": WORKERS, "warnings": warnings}
        client = cluster.client()
        client.update(f"CREATE EXTERNAL TABLE lineitem STORED AS PARQUET LOCATION '{lineitem}'")
        for number in range(options.rounds):
            stopped, freed = cluster.kill(KILLED)
            rows += [Measured("kill: tasks stopped", number, stopped), Measured("kill: memory free", number, freed)]
        for number in range(options.first_rows):
            for workers in ("remote", "embedded"):
                for name, sql in (("many rows", MANY_ROWS), ("few rows", FEW_ROWS)):
                    rows.append(Measured(f"first of {name}, {workers}", number, cluster.first_row(sql, workers)))
    path = results.write(options.results, f"{datetime.date.today().isoformat()}-sf{options.sf}", rows, settings)
    print("| what | rounds | p50 ms | worst ms |\n| --- | --- | --- | --- |")
    for what in dict.fromkeys(row.what for row in rows):
        times = [row.milliseconds for row in rows if row.what == what]
        print(f"| {what} | {len(times)} | {statistics.median(times):.1f} | {max(times):.1f} |")
    print(path)


class Cluster:
    """A server and its workers."""

    def __init__(self, folder: Path):
        listen = f"127.0.0.1:{free_port()}"
        more = ("--workers", "remote", "--workers-listen", listen)
        self.server = MurreServer(folder / "server.log", cores=None, threads=None, caches=True, more=more)
        token = self.server.token_file()
        self._workers = []
        for number in range(WORKERS):
            words = [binaries.murre(), "worker", "--name", f"w{number}", "--coordinator", listen, "--token-file", str(token)]
            log = (folder / f"w{number}.log").open("wb")
            self._workers.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        self._beside = self.client()
        until("the workers", lambda: len(self._column("tasks_running")) == WORKERS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self.server.stop()

    def client(self) -> FlightSql:
        return FlightSql(self.server.address)

    def _column(self, name: str) -> list:
        return table(self._beside, "SHOW WORKERS").column(name).to_pylist()

    def kill(self, sql: str) -> tuple[float, float]:
        """Milliseconds from KILL until no worker has a task, and until none has memory."""
        client = self.client()
        client.update("SET murre.compile = 'always'")
        ended = threading.Thread(target=swallow, args=(client, sql))
        ended.start()
        until("tasks on both workers", lambda: all(self._column("tasks_running")))
        # Tasks begin by building; the join itself runs a while later.
        time.sleep(0.5)
        number = table(self._beside, "SHOW PROCESSLIST").column("id").to_pylist()[0]
        start = time.monotonic()
        self._beside.update(f"KILL {number}")
        until("the end of all tasks", lambda: not any(self._column("tasks_running")))
        stopped = time.monotonic() - start
        until("the end of all memory", lambda: not any(self._column("memory_bytes")))
        freed = time.monotonic() - start
        ended.join()
        client.close()
        return stopped * 1e3, freed * 1e3

    def first_row(self, sql: str, workers: str) -> float:
        """Milliseconds from execute to the first batch."""
        client = self.client()
        client.update(f"SET murre.workers = '{workers}'")
        client.update(f"SET murre.tasks_per_stage = {WORKERS}")
        start = time.monotonic()
        next(client.batches(sql))
        took = time.monotonic() - start
        client.close()
        until("the end of all tasks", lambda: not any(self._column("tasks_running")))
        return took * 1e3


def table(client: FlightSql, sql: str) -> pyarrow.Table:
    return pyarrow.Table.from_batches(list(client.batches(sql)))


def swallow(client: FlightSql, sql: str) -> None:
    try:
        list(client.batches(sql))
    except pyarrow.ArrowException:
        # It is killed.
        pass


def until(what: str, happened) -> None:
    give_up = time.monotonic() + WAIT_SECONDS_MAX
    while not happened():
        if time.monotonic() > give_up:
            raise BenchError(f"waited {WAIT_SECONDS_MAX} s for {what}")


def main() -> None:
    options = arguments()
    command.run("bench-workers", lambda: run(options))


if __name__ == "__main__":
    main()
