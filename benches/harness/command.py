"""How a benchmark command begins and ends: what all of them take, its own errors as one sentence, and nothing left running
when it is stopped."""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from harness.errors import BenchError


def parser(script: str, description: str) -> argparse.ArgumentParser:
    """The options that every benchmark has: where its results go, and whether a busy machine is good enough."""
    options = argparse.ArgumentParser(description=description)
    folder = Path(script).resolve().parent / "results"
    options.add_argument("--results", type=Path, default=folder, help="folder of the CSV and JSON files (default: beside the script)")
    options.add_argument("--force", action="store_true", help="measure on a busy machine; the results then carry a warning")
    return options


def run(name: str, body: Callable[[], None]) -> None:
    """Runs `body`. A termination signal unwinds the stack as an interrupt does, so servers and folders are cleaned up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        body()
    except BenchError as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
