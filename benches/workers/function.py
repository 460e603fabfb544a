#!/usr/bin/env python3
"""How long a function takes from its start to the first rows of a small scan, under AWS's own runtime interface emulator.

A round starts a server and an emulator with `murre-lambda`, has the server make the query's code in its own process, and
then takes the time of the query over a function that does not run yet: calling it, starting its process, its way to the
server, the task, the rows. The second time is that of the same query while the function is there. Runs in the Python
environment that benches/peers/setup.sh makes; benches/workers/setup.sh fetches the emulator.
"""

import argparse
import dataclasses
import datetime
import os
import statistics
import subprocess
import sys
import tempfile
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
EMULATOR = Path(os.environ.get("MURRE_RIE_DIR", Path.home() / ".cache/murre/rie")) / "aws-lambda-rie-x86_64"
SMALL = "SELECT count(*), sum(n_nationkey) FROM nation WHERE n_regionkey = 1"
ANSWER = [{"count": 5, "sum": 47}]
START_SECONDS_MAX = 60


@dataclasses.dataclass(frozen=True)
class Round:
    """One function, from its start."""

    round: int
    cold_milliseconds: float
    warm_milliseconds: float


def arguments() -> argparse.Namespace:
    parser = command.parser(__file__, __doc__)
    parser.add_argument("--rounds", type=int, default=10, help="functions that are started (default: 10)")
    return parser.parse_args()


def run(options: argparse.Namespace) -> None:
    warnings = machine.refuse_when_busy(options.force)
    nation = TPCH / "sf1" / "nation.parquet"
    for path, how in ((nation, "murre demo tpch --sf 1"), (EMULATOR, "benches/workers/setup.sh")):
        if not path.exists():
            raise BenchError(f"{path} is missing: run `{how}`")
    rows = []
    with tempfile.TemporaryDirectory(prefix="murre-bench-") as folder:
        for number in range(options.rounds):
            rows.append(measure(Path(folder), nation, number))
    settings = {"machine": machine.describe(), "warnings": warnings}
    path = results.write(options.results, f"{datetime.date.today().isoformat()}-function", rows, settings)
    print("| start to first batch | rounds | p50 ms | worst ms |\n| --- | --- | --- | --- |")
    for what, times in (
        ("of a function that is called for it", [row.cold_milliseconds for row in rows]),
        ("of one that is there", [row.warm_milliseconds for row in rows]),
    ):
        print(f"| {what} | {len(times)} | {statistics.median(times):.1f} | {max(times):.1f} |")
    print(path)


def measure(folder: Path, nation: Path, number: int) -> Round:
    invoked, runtime = free_port(), free_port()
    with (folder / f"function{number}.log").open("wb") as log:
        # The function's process is started by the first call.
        emulator = subprocess.Popen(
            [
                str(EMULATOR),
                "--runtime-interface-emulator-address",
                f"127.0.0.1:{invoked}",
                "--runtime-api-address",
                f"127.0.0.1:{runtime}",
                binaries.murre_lambda(),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{invoked}/2015-03-31/functions/function/invocations"
    more = ("--workers", "lambda", "--workers-listen", f"127.0.0.1:{free_port()}", "--lambda-url", url, "--lambda-functions", "1")
    server = MurreServer(folder / f"server{number}.log", cores=None, threads=None, caches=True, more=more)
    try:
        listening(invoked)
        client = FlightSql(server.address)
        client.update(f"CREATE EXTERNAL TABLE nation STORED AS PARQUET LOCATION '{nation}'")
        client.update("SET murre.compile = 'always'")
        client.update("SET murre.tasks_per_stage = 2")
        client.update("SET murre.workers = 'embedded'")
        first_batch(client)
        client.update("SET murre.workers = 'lambda'")
        cold, warm = first_batch(client), first_batch(client)
        kinds = pyarrow.Table.from_batches(list(client.batches("SHOW WORKERS"))).column("kind").to_pylist()
        if kinds != ["function"]:
            raise BenchError(f"the workers are {kinds}")
        client.close()
        return Round(number, cold * 1e3, warm * 1e3)
    finally:
        server.stop()
        # With the function, which is its child.
        os.killpg(emulator.pid, 9)
        emulator.wait()


def first_batch(client: FlightSql) -> float:
    """Seconds from execute to the answer, which is one row."""
    start = time.monotonic()
    batches = list(client.batches(SMALL))
    took = time.monotonic() - start
    answer = pyarrow.Table.from_batches(batches).rename_columns(["count", "sum"]).to_pylist()
    if answer != ANSWER:
        raise BenchError(f"the answer is {answer}")
    return took


def listening(port: int) -> None:
    """Returns when somebody listens there, without being asked anything."""
    row = f":{port:04X} "
    give_up = time.monotonic() + START_SECONDS_MAX
    while not any(row in line and " 0A " in line for path in ("tcp", "tcp6") for line in Path(f"/proc/net/{path}").read_text().splitlines()):
        if time.monotonic() > give_up:
            raise BenchError(f"the emulator does not listen within {START_SECONDS_MAX} s")
        time.sleep(0.01)


def main() -> None:
    options = arguments()
    command.run("bench-function", lambda: run(options))


if __name__ == "__main__":
    main()
