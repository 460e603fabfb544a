#!/usr/bin/env python3
"""How much of the time below FragmentExec is spent in compiled code.

Runs `examples/tpch_plans` of worker-wasm under `perf record -e cpu-clock` and sorts the samples: a sample in code that
wasmtime has compiled counts as compiled; one whose callers include a running fragment counts as host, but for a scan that
it reads, of Parquet or of memory, and copying into the input window, which have columns of their own. All others are
DataFusion's own operators.

    cargo build -p worker-wasm --example tpch_plans
    benches/fragments/share.py FOLDER --source memory --queries 1 3 6 14

Needs perf, and Linux with `kernel.perf_event_paranoid` at most 1.
"""

import argparse
import os
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

# Parts of symbols, by what they are about; the first that some caller has decides.
SCAN = ("parquet::", "FileStream", "datafusion_datasource", "object_store", "snap::", "MemoryStream", "BatchSplitStream")
COPY = ("input::Pushed", "Instance>::copy_in", "Instance>::copy_late", "runtime::values", "runtime::text::LongText")
# What FragmentExec runs; making its code is not among that.
FRAGMENT = ("worker_wasm::exec::stream", "worker_wasm::exec::table", "worker_wasm::runtime::instance")


def kind(frames):
    """What a sample is about; `frames` are its symbols and objects, the innermost first."""
    symbol, where = frames[0]
    if "wasm[" in symbol or "perf-" in where or "JIT" in where:
        return "compiled"
    symbols = [symbol for symbol, _ in frames]
    if not any(part in symbol for symbol in symbols for part in FRAGMENT):
        return "native"
    for symbol in symbols:
        if any(part in symbol for part in COPY):
            return "copy"
        if any(part in symbol for part in SCAN):
            return "scan"
        if "worker_wasm::exec::stream" in symbol:
            break
    return "host"


def samples(data):
    """The frames of each sample in a perf file."""
    command = ["perf", "script", "--no-inline", "-i", data, "-F", "ip,sym,dso"]
    frames = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as script:
        for line in script.stdout:
            line = line.strip()
            if line:
                _, _, named = line.partition(" ")
                symbol, _, where = named.rpartition(" (")
                frames.append((symbol, where))
            elif frames:
                yield frames
                frames = []
    if frames:
        yield frames


def measure(program, folder, source, rounds, query):
    """Samples by kind, and those of the host by their symbol and the nearest of ours."""
    with tempfile.TemporaryDirectory() as scratch:
        data = str(Path(scratch) / "perf.data")
        command = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "997", "--call-graph", "dwarf,16384", "-o", data]
        command += [program, folder, source, str(rounds), str(query)]
        environment = dict(os.environ, MURRE_PERF_MAP="1", MURRE_ONLY="all")
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        kinds, hosts = Counter(), Counter()
        for frames in samples(data):
            found = kind(frames)
            kinds[found] += 1
            if found == "host":
                symbols = [symbol for symbol, _ in frames]
                own = next(symbol for symbol in symbols if any(part in symbol for part in FRAGMENT))
                hosts[symbols[0], own] += 1
        return kinds, hosts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="with the tables as Parquet files")
    parser.add_argument("--source", choices=["memory", "parquet"], default="memory")
    parser.add_argument("--queries", type=int, nargs="+", default=[1, 3, 6, 14])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hosts", type=int, default=0, help="how many symbols of the host's share to print")
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    parser.add_argument("--program", default=f"{target}/debug/examples/tpch_plans")
    options = parser.parse_args()
    print("| query | compiled | host | share | copy | scan |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for query in options.queries:
        counts, hosts = measure(options.program, options.folder, options.source, options.rounds, query)
        below = counts["compiled"] + counts["host"]
        if not below:
            raise SystemExit(f"query {query}: no sample is below a fragment; does {options.program} run it?")
        share = counts["compiled"] / below
        print(f"| q{query:02} | {counts['compiled']} | {counts['host']} | {share:.0%} | {counts['copy']} | {counts['scan']} |")
        for (symbol, own), count in hosts.most_common(options.hosts):
            print(f"    {count:6} {symbol}  in {own}")


if __name__ == "__main__":
    main()
