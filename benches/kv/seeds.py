#!/usr/bin/env python3
"""Many seeds of the simulated store, some at a time, counted by the commit that the store's code is of.

What is done of a commit is noted in benches/kv/results/seeds.jsonl, so this may be stopped and started again: only the
seeds that are missing run. The sums are printed as a row for benches/README.md. A seed that fails stops everything and
says how it is replayed.
"""

import argparse
import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from cluster import HERE

ROOT = HERE.parent.parent
CODE = ["kv-store/src", "kv-store/tests", "kv-store/Cargo.toml"]
NOTES = HERE / "results" / "seeds.jsonl"
TEST = "simulation::no_seed_breaks_strict_serialisability"


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def test_program() -> str:
    command = ["cargo", "test", "--locked", "-p", "kv-store", "--test", "it", "--no-run", "--message-format=json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = map(json.loads, built.splitlines())
    return [m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "it"][-1]


def run(program: str, first: int, end: int) -> dict:
    start = time.monotonic()
    environment = {"KV_SEEDS": f"{first}..{end}", "PATH": "/usr/bin:/bin"}
    command = ["nice", program, TEST, "--exact", "--nocapture"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    counts = [line for line in done.stderr.splitlines() if line.startswith("counts: ")]
    return {
        "first": first,
        "end": end,
        "seconds": round(time.monotonic() - start, 1),
        "counts": json.loads(counts[0].removeprefix("counts: ")),
    }


def noted(commit: str) -> list[dict]:
    lines = NOTES.read_text().splitlines() if NOTES.exists() else []
    return [note for note in map(json.loads, lines) if note["commit"] == commit]


def row(commit: str) -> str:
    notes = noted(commit)
    total: dict = {}
    for note in notes:
        for name, count in note["counts"].items():
            total[name] = total.get(name, 0) + count
    seeds = sum(note["end"] - note["first"] for note in notes)
    said = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in total.items())
    return f"| {commit[:12]} | {seeds:,} | {said} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upto", type=int, default=10_000, help="seeds, counted from 0")
    parser.add_argument("--chunk", type=int, default=250)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    if git("status", "--porcelain", "--", *CODE):
        raise SystemExit("the store's code has changes that are not committed")
    commit = git("log", "-1", "--format=%H", "--", *CODE)
    done = {first for note in noted(commit) for first in range(note["first"], note["end"])}
    chunks = [
        (first, min(first + arguments.chunk, arguments.upto))
        for first in range(0, arguments.upto, arguments.chunk)
        if first not in done
    ]
    NOTES.parent.mkdir(exist_ok=True)
    if chunks:
        program = test_program()
        with ThreadPoolExecutor(arguments.jobs) as jobs:
            running = [jobs.submit(run, program, *chunk) for chunk in chunks]
            try:
                for job in as_completed(running):
                    note = {"commit": commit, **job.result()}
                    with NOTES.open("a") as notes:
                        notes.write(json.dumps(note) + "\n")
                    print(f"seeds {note['first']}..{note['end']}: {note['seconds']} s", flush=True)
            except BaseException:
                jobs.shutdown(wait=False, cancel_futures=True)
                raise
    print(row(commit))


if __name__ == "__main__":
    main()
