#!/usr/bin/env python3
"""How long two workers behind translators take to connect to each other, over a link that delays every packet.

In each round two workers come, and a query makes one of them ask for the other. The time is what the one that asks says
took: from the pairing at the rendezvous until both connections are there, proved and encrypted. Needs root, and the
environment of benches/peers/setup.sh.
"""

import argparse
import dataclasses
import datetime
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import venv  # noqa: E402

venv.enter()

from harness import command, machine, results  # noqa: E402
from harness.errors import BenchError  # noqa: E402
from shuffle.cluster import Cluster  # noqa: E402
from shuffle.forwarder import Forwarder  # noqa: E402
from shuffle.namespaces import PUBLIC, Network  # noqa: E402
from shuffle.tables import Tables  # noqa: E402

# What a worker logs of a pair, without colours.
PAIR = re.compile(r"a pair is connected .*peer=w\d+ way=(\w+) took=([\d.]+)(µs|ms|s)")
SECONDS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0}
WAIT_SECONDS_MAX = 60


@dataclasses.dataclass(frozen=True)
class Punch:
    """One pair of connections."""

    round: int
    seconds: float


def arguments() -> argparse.Namespace:
    parser = command.parser(__file__, __doc__)
    parser.add_argument("--delay", type=float, default=5, help="milliseconds that each packet is held back, each way (default: 5)")
    parser.add_argument("--rounds", type=int, default=15, help="pairs of workers (default: 15)")
    return parser.parse_args()


def run(options: argparse.Namespace) -> None:
    warnings = machine.refuse_when_busy(options.force)
    os.environ["MURRE_LOG"] = "info,worker_wasm=debug"
    with tempfile.TemporaryDirectory(prefix="murre-bench-") as folder:
        tables = Tables(Path(folder), 2_000_000)
        network = Network(switched=False)
        forwarder = Forwarder(options.delay / 1e3)
        try:
            hosts = [network.behind("masquerade", forwarder) for _ in range(2)]
            forwarder.plug(network.public, "far", PUBLIC)
            forwarder.start()
            rows = []
            # The client and the server are in the public namespace.
            thread = threading.Thread(target=lambda: rows.extend(rounds(Path(folder), network, hosts, tables, options.rounds)))
            thread.start()
            thread.join()
        finally:
            forwarder.close()
            network.close()
    if len(rows) < options.rounds:
        raise BenchError("not all rounds were run")
    settings = {"machine": machine.describe(), "delay_milliseconds": options.delay, "warnings": warnings}
    path = results.write(options.results, f"{datetime.date.today().isoformat()}-punch-{options.delay:g}ms", rows, settings)
    times = sorted(row.seconds * 1e3 for row in rows)
    print(f"{len(times)} pairs punched: p50 {statistics.median(times):.1f} ms, best {times[0]:.1f}, worst {times[-1]:.1f}")
    print(path)


def rounds(folder: Path, network: Network, hosts: list, tables: Tables, count: int) -> list[Punch]:
    network.public.enter()
    rows = []
    for number in range(count):
        with Cluster(folder, network, hosts) as cluster:
            cluster.query(tables)
            rows.append(Punch(number, punched(cluster.logs())))
    return rows


def punched(logs: list[Path]) -> float:
    """Seconds that the faster end of the pair says; the other one waits for an invitation."""
    give_up = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        found = [match for log in logs for match in PAIR.finditer(log.read_text())]
        if any(match[1] != "punched" for match in found):
            raise BenchError(f"not punched: {found}")
        if len(found) >= len(logs):
            return max(float(match[2]) * SECONDS[match[3]] for match in found)
        if time.monotonic() > give_up:
            raise BenchError("the workers do not say that they are connected")
        time.sleep(0.05)


def main() -> None:
    options = arguments()
    command.run("bench-punch", lambda: run(options))


if __name__ == "__main__":
    main()
