"""The locked Python environment in which clients and rivals run."""

import os
from pathlib import Path

from harness.errors import BenchError


def python() -> str:
    """The interpreter of the environment that `benches/peers/setup.sh` makes."""
    default = Path.home() / ".cache/murre/venv-bench"
    interpreter = Path(os.environ.get("MURRE_BENCH_VENV") or default) / "bin/python"
    if not interpreter.exists():
        raise BenchError(f"{interpreter} does not exist: run benches/peers/setup.sh first")
    return str(interpreter)
