#!/usr/bin/env python3
"""How long nobody's write is acknowledged when the leader is killed under load, and how long it takes to catch up again.

Sixteen clients write to three members; the leader's process is killed; the time from the last acknowledged write before
to the first one after is what the load generator saw as its longest gap. Then the member is started again in its folder,
and the time is taken until it has applied what the leader has. Ten times, each with a new leader.
"""

import argparse
import datetime
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from cluster import HERE, Murre, default_kv, machine, until

CLIENTS = 16
# Under load before the kill, and after it.
BEFORE_SECONDS = 2
AFTER_SECONDS = 5


def leader(store: Murre) -> int | None:
    """The member that leads the newest term."""
    nodes = (store.status() or {"nodes": []})["nodes"]
    leaders = [node for node in nodes if node["leads"]]
    return max(leaders, key=lambda node: node["term"])["id"] if leaders else None


def index(version: str) -> int:
    return int(version.split(".")[1])


def has_caught_up(store: Murre, number: int) -> bool:
    nodes = {node["id"]: node for node in (store.status() or {"nodes": []})["nodes"]}
    leaders = [node for node in nodes.values() if node["leads"]]
    if number not in nodes or not leaders:
        return False
    newest = max(index(node["applied"]) for node in leaders)
    return index(nodes[number]["applied"]) >= newest


def fail_over(store: Murre) -> dict:
    seconds = BEFORE_SECONDS + AFTER_SECONDS
    command = [store.kv, "bench", "--workload", "put", "--clients", str(CLIENTS), "--seconds", str(seconds)]
    load = subprocess.Popen(
        [*command, "--json", "--endpoints", store.endpoints], stdout=subprocess.PIPE, text=True
    )
    time.sleep(BEFORE_SECONDS)
    number = until("a leader", lambda: leader(store))
    process = store.processes[number - 1]
    process.kill()
    process.wait()
    output, _ = load.communicate()
    if load.returncode:
        raise SystemExit("the load generator failed")
    result = json.loads(output)
    start = time.monotonic()
    store.processes[number - 1] = store.start_member(number)
    until("catching up", lambda: has_caught_up(store, number))
    return {
        "killed": number,
        "gap_ms": result["longest_gap_ms"],
        "writes": result["ops"],
        "errors": result["errors"],
        "catch_up_ms": 1000 * (time.monotonic() - start),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kv", default=default_kv(), help="program with the store's commands")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--keep", action="store_true", help="write the results into the repository")
    arguments = parser.parse_args()
    at = machine()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        store = Murre(arguments.kv, Path(folder))
        try:
            store.start()
            for _ in range(arguments.kills):
                results.append(fail_over(store))
                print(json.dumps(results[-1]), flush=True)
        finally:
            store.stop()
    gaps = sorted(result["gap_ms"] for result in results)
    caught_up = sorted(result["catch_up_ms"] for result in results)
    print(
        f"no write acknowledged for {statistics.median(gaps):.0f} ms (median of {len(gaps)}, {gaps[0]:.0f} to"
        f" {gaps[-1]:.0f}); caught up after {statistics.median(caught_up):.0f} ms ({caught_up[-1]:.0f} at most)"
    )
    if arguments.keep:
        now = datetime.datetime.now(datetime.timezone.utc)
        document = {"at": now.isoformat(timespec="seconds"), "machine": at, "results": results}
        path = HERE / "results" / f"{now:%Y-%m-%d-%H%M}-failover.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document, indent=1) + "\n")
        print(path)


if __name__ == "__main__":
    main()
