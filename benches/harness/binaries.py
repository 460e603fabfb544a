"""Where the built programs are."""

import os
from pathlib import Path

from harness.errors import BenchError
from harness.machine import REPOSITORY


def murre() -> str:
    """The server: $MURRE_BIN, or the dev build."""
    return _built("murre", "MURRE_BIN", "cargo build --bin murre")


def murre_lambda() -> str:
    """The function: $MURRE_LAMBDA_BIN, or the dev build."""
    return _built("murre-lambda", "MURRE_LAMBDA_BIN", "cargo build -p murre-lambda")


def bench_datafusion() -> str:
    """DataFusion of the same build as the server: $BENCH_DATAFUSION_BIN, or the dev build."""
    return _built("bench-datafusion", "BENCH_DATAFUSION_BIN", "cargo build -p benches")


def _built(name: str, variable: str, build: str) -> str:
    if chosen := os.environ.get(variable):
        if Path(chosen).is_file():
            return chosen
        raise BenchError(f"{variable} is {chosen}, which is not a file")
    target = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")
    program = target / "debug" / name
    if not program.is_file():
        raise BenchError(f"{program} does not exist: run `{build}` first, or set {variable}")
    return str(program)
