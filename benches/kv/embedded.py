#!/usr/bin/env python3
"""The store inside of a process: opening, reads, durable transactions, and the disk's fsync. Three rounds, and their medians."""

import argparse
import datetime
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from cluster import HERE, default_kv, machine


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kv", default=default_kv(), help="program with the store's commands")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="write the results into the repository")
    arguments = parser.parse_args()
    at = machine()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            command = [arguments.kv, "bench-embedded", "--data-dir", str(Path(folder) / "store"), "--json"]
            command += ["--seconds", str(arguments.seconds)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            results.append(json.loads(output.stdout))
            print(json.dumps(results[-1]), flush=True)
    print("| measure | median |\n| --- | ---: |")
    for name in results[0]:
        print(f"| {name} | {statistics.median(result[name] for result in results):,.2f} |")
    if arguments.keep:
        now = datetime.datetime.now(datetime.timezone.utc)
        document = {"at": now.isoformat(timespec="seconds"), "machine": at, "results": results}
        path = HERE / "results" / f"{now:%Y-%m-%d-%H%M}-embedded.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document, indent=1) + "\n")
        print(path)


if __name__ == "__main__":
    main()
