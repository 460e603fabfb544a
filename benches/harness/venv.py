"""The locked Python environment in which clients and rivals run."""

import os
import sys
from pathlib import Path

from harness.errors import BenchError


def python() -> str:
    """The interpreter of the environment that `benches/peers/setup.sh` makes."""
    interpreter = _folder() / "bin/python"
    if not interpreter.exists():
        raise BenchError(f"{interpreter} does not exist: run benches/peers/setup.sh first")
    return str(interpreter)


def enter() -> None:
    """Goes on in that environment: runs the script again from its start, unless it is there already."""
    if Path(sys.prefix).resolve() == _folder().resolve():
        return
    try:
        interpreter = python()
    except BenchError as error:
        raise SystemExit(f"error: {error}") from None
    os.execv(interpreter, [interpreter, *sys.argv])


def _folder() -> Path:
    return Path(os.environ.get("MURRE_BENCH_VENV") or Path.home() / ".cache/murre/venv-bench")
