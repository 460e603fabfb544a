#!/usr/bin/env python3
"""What the disk itself does under three logs: processes that write and fdatasync as often and as much as members do.

The files have their zeros already, as the store's log has. What is printed is how long a write and its fsync take, and how
late a process got to the next one: on a machine without a processor to spare the second is the larger.
"""

import argparse
import multiprocessing
import os
import tempfile
import time

ROOM_BYTES = 1 << 20


def log(path: str, rate: float, bytes_each: int, seconds: float, start: float, results):
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    offset = room = 0
    syncs, lags = [], []
    for number in range(int(rate * seconds)):
        planned = start + number / rate
        time.sleep(max(0.0, planned - time.monotonic()))
        begun = time.monotonic()
        os.pwrite(file, b"e" * bytes_each, offset)
        offset += bytes_each
        if offset > room:
            os.pwrite(file, bytes(ROOM_BYTES), offset)
            room = offset + ROOM_BYTES
        os.fdatasync(file)
        syncs.append(time.monotonic() - begun)
        lags.append(begun - planned)
    results.put((syncs, lags))


def quantiles(name: str, values: list[float]) -> str:
    values.sort()
    at = [values[min(len(values) - 1, int(len(values) * part))] * 1000 for part in (0.5, 0.99, 0.999)]
    return f"| {name} | {at[0]:.2f} | {at[1]:.2f} | {at[2]:.2f} | {values[-1] * 1000:.2f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=300, help="entries a second of each log")
    parser.add_argument("--bytes", type=int, default=16 * 1024, help="of an entry")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--folder", help="a temporary folder otherwise")
    arguments = parser.parse_args()
    results = multiprocessing.Queue()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        start = time.monotonic() + 0.5
        logs = [
            multiprocessing.Process(
                target=log,
                args=(f"{folder}/{n}", arguments.rate, arguments.bytes, arguments.seconds, start, results),
            )
            for n in range(arguments.logs)
        ]
        for one in logs:
            one.start()
        found = [results.get() for _ in logs]
        for one in logs:
            one.join()
    print("| ms | p50 | p99 | p99.9 | most |\n| --- | ---: | ---: | ---: | ---: |")
    print(quantiles("write and fsync", [took for syncs, _ in found for took in syncs]))
    print(quantiles("begun late by", [lag for _, lags in found for lag in lags]))


if __name__ == "__main__":
    main()
