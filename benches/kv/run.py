#!/usr/bin/env python3
"""The store beside etcd: three members each on the loopback, same disk, same load generator, one store at a time.

One call per operation (two for cas: a read and a write that depends on it), keys of 16 bytes, values of 256. CPU seconds
are those of the three members, read from the kernel before and after; the load generator's stand beside them. Behind the
closed loops come open loops at parts of the most puts a second. Raw results go into benches/kv/results/, and the table
of medians is printed, for benches/README.md.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from cluster import HERE, Etcd, Murre, Store, default_kv, machine

# In an open loop operations begin when their time has come. With 256 callers those that wait for an answer keep others from
# beginning whenever an answer takes as long as 256 of them are apart, some 11 ms: what is then measured is the callers.
OPEN_CLIENTS = 2048


def measure(store: Store, workload: str, clients: int, seconds: int, more: list[str]) -> dict:
    command = [store.kv, "bench", "--workload", workload, "--clients", str(clients), "--json"]
    command += ["--seconds", str(seconds), "--endpoints", store.endpoints, *store.extra, *more]
    before = store.cpu_seconds()
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(output.stdout)
    result["servers_cpu_s"] = store.cpu_seconds() - before
    result["servers_cpu_s_per_1000"] = 1000 * result["servers_cpu_s"] / max(result["ops"], 1)
    return {"store": store.name, "workload": workload, "clients": clients, **result}


def medians(results: list[dict], loop: str) -> dict:
    """Of each load, by workload, clients or part of the peak, and store: medians over the rounds."""
    groups: dict = {}
    for result in results:
        if result["loop"] == loop:
            kind = result["clients"] if loop == "closed" else result["part"]
            groups.setdefault((result["workload"], kind, result["store"]), []).append(result)
    fields = ["ops_per_s", "p50_ms", "p99_ms", "servers_cpu_s_per_1000"]
    return {
        load: {field: statistics.median(result[field] for result in rounds) for field in fields}
        | {"errors": sum(result["errors"] for result in rounds)}
        for load, rounds in groups.items()
    }


def table(results: list[dict]) -> str:
    closed = medians(results, "closed")
    lines = [
        "| load | clients | murre ops/s | etcd ops/s | ratio | murre p50, p99 ms | etcd p50, p99 ms "
        "| murre CPU s per 1,000 | etcd CPU s per 1,000 | ratio |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for workload, clients, store in closed:
        if store != "murre" or (workload, clients, "etcd") not in closed:
            continue
        ours, theirs = closed[workload, clients, "murre"], closed[workload, clients, "etcd"]
        cpu = [one["servers_cpu_s_per_1000"] for one in (ours, theirs)]
        lines.append(
            f"| {workload} | {clients} | {ours['ops_per_s']:.0f} | {theirs['ops_per_s']:.0f} "
            f"| {ours['ops_per_s'] / theirs['ops_per_s']:.2f} | {ours['p50_ms']:.2f}, {ours['p99_ms']:.2f} "
            f"| {theirs['p50_ms']:.2f}, {theirs['p99_ms']:.2f} | {cpu[0]:.3f} | {cpu[1]:.3f} | {cpu[0] / cpu[1]:.2f} |"
        )
    lines += ["", "| open loop | operations/s | p50 ms | p99 ms | errors |", "| --- | ---: | ---: | ---: | ---: |"]
    for (workload, part, store), one in medians(results, "open").items():
        lines.append(
            f"| {store}, {workload} at {part:.0%} of its peak | {one['ops_per_s']:.0f} "
            f"| {one['p50_ms']:.2f} | {one['p99_ms']:.2f} | {one['errors']} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = Path(os.environ.get("MURRE_ETCD_DIR", Path.home() / ".cache/murre/etcd"))
    parser.add_argument("--kv", default=default_kv(), help="program with the store's commands")
    parser.add_argument("--etcd", default=str(cache / "usr/bin/etcd"), help="see setup.sh")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--clients", default="1,16,256")
    parser.add_argument("--workloads", default="put,get,range,cas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", default="0.7", help="of the most puts a second, in open loops")
    parser.add_argument("--only", choices=["murre", "etcd"], help="one of the stores")
    parser.add_argument("--folder", help="where the stores keep their data; a temporary folder otherwise")
    parser.add_argument("--keep", action="store_true", help="write the results into the repository")
    arguments = parser.parse_args()
    at = machine()
    results: list[dict] = []

    def note(loop: str, number: int, result: dict):
        results.append({"loop": loop, "round": number, **result})
        print(json.dumps(results[-1]), flush=True)

    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        stores = [Murre(arguments.kv, Path(folder)), Etcd(arguments.kv, Path(folder), arguments.etcd)]
        stores = [store for store in stores if arguments.only in (None, store.name)]
        for number in range(arguments.rounds):
            for store in stores:
                try:
                    store.start()
                    # All keys in the first round; connections and caches are warm then as well.
                    measure(store, "put", 256, 1, ["--fill"] if number == 0 else [])
                    for workload in arguments.workloads.split(","):
                        for clients in map(int, arguments.clients.split(",")):
                            note("closed", number, measure(store, workload, clients, arguments.seconds, []))
                    peaks = [
                        result["ops_per_s"]
                        for result in results
                        if (result["loop"], result["round"], result["store"], result["workload"])
                        == ("closed", number, store.name, "put")
                    ]
                    for part in map(float, arguments.parts.split(",") if peaks else []):
                        rate = ["--rate", str(int(part * max(peaks)))]
                        result = measure(store, "put", OPEN_CLIENTS, arguments.seconds, rate)
                        note("open", number, {"part": part, **result})
                finally:
                    store.stop()
    print(table(results))
    if not arguments.keep:
        return
    now = datetime.datetime.now(datetime.timezone.utc)
    document = {
        "at": now.isoformat(timespec="seconds"),
        "machine": at,
        "seconds": arguments.seconds,
        "results": results,
    }
    path = HERE / "results" / f"{now:%Y-%m-%d-%H%M}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
    print(path)


if __name__ == "__main__":
    main()
