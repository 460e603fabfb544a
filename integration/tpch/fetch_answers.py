#!/usr/bin/env python3
"""Writes the expected answers of the 22 TPC-H queries to answers/sf<scale factor>/q01.csv to q22.csv.

Makes a locked environment of its own under ${MURRE_ANSWERS_VENV:-$HOME/.cache/murre/venv-answers} and runs
duckdb_answers.py in it, which says where the answers are from. Scale factor 1 takes about 1 GB of temporary space.
"""

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK = HERE / "requirements.lock"
SCALE_FACTORS = ["0.01", "0.1", "1"]


def environment() -> Path:
    """The interpreter of the locked environment, made anew when the lock file has changed."""
    folder = Path(os.environ.get("MURRE_ANSWERS_VENV") or Path.home() / ".cache/murre/venv-answers")
    interpreter, made_from = folder / "bin/python", folder / "requirements.lock"
    if made_from.is_file() and made_from.read_bytes() == LOCK.read_bytes():
        return interpreter
    venv.create(folder, with_pip=True, clear=True)
    pip = [interpreter, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--require-hashes", "--requirement", LOCK]
    if subprocess.run(pip, check=False).returncode != 0:
        sys.exit("fetch_answers: the locked packages could not be installed")
    made_from.write_bytes(LOCK.read_bytes())
    return interpreter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE / "answers", help="folder to write to (default: answers beside this file)")
    parser.add_argument("--sf", choices=SCALE_FACTORS, nargs="+", default=SCALE_FACTORS, help="scale factors (default: all)")
    parser.add_argument(
        "--as-shipped", action="store_true", help="all 22 as the extension ships them, for data of DuckDB's own dbgen; needs --output"
    )
    arguments = parser.parse_args()
    if arguments.as_shipped and arguments.output == HERE / "answers":
        parser.error("--as-shipped would replace the answers that fit the test data: choose another --output")
    command = [environment(), HERE / "duckdb_answers.py", arguments.output, *arguments.sf]
    command += ["--as-shipped"] if arguments.as_shipped else []
    sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
