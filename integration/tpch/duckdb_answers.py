"""The answers, inside the locked environment; fetch_answers.py starts this.

The extension ships answers for data of DuckDB's own dbgen. Its addresses and comments are not those of the
specification's dbgen, which tpchgen reproduces, so five queries need answers of their own: DuckDB computes them on tpchgen's data.
The other 17 are written as shipped, after DuckDB has given the same on tpchgen's data.
"""

import argparse
import importlib.util
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

HERE = Path(__file__).resolve().parent
# They show an address or a comment, or search in one.
OF_GENERATED_TEXT = {2, 10, 13, 15, 20}
TABLES = ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"]


def shipped(scale_factor: str) -> dict[int, str]:
    """The extension's answers: a header line and the rows, separated by `|`, NULL is empty."""
    connection = duckdb.connect()
    # Loaded from its file: the package only carries it.
    package = Path(importlib.util.find_spec("duckdb_extension_tpch").submodule_search_locations[0])
    (extension,) = package.glob("extensions/*/tpch.duckdb_extension")
    connection.execute(f"LOAD '{extension}'")
    found = dict(
        connection.execute("SELECT query_nr, answer FROM tpch_answers() WHERE scale_factor = ?::DOUBLE", [scale_factor]).fetchall()
    )
    if sorted(found) != list(range(1, 23)):
        sys.exit(f"duckdb_answers: the extension has no complete answers for scale factor {scale_factor}")
    return {number: _ending_in_one_newline(answer) for number, answer in found.items()}


def _ending_in_one_newline(text: str) -> str:
    """A last line that is one NULL is empty and must stay, so only a missing end of line is added."""
    return text if text.endswith("\n") else text + "\n"


def computed(scale_factor: str) -> dict[int, str]:
    """DuckDB's answers on tpchgen's data, in the same form."""
    with tempfile.TemporaryDirectory(prefix="murre-answers-") as folder:
        generator = Path(sys.executable).parent / "tpchgen-cli"
        subprocess.run([generator, "parquet", "--quiet", "--scale-factor", scale_factor, "--output-dir", folder], check=True)
        connection = duckdb.connect()
        for table in TABLES:
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM '{folder}/{table}.parquet'")
        return {number: _answer(connection, number) for number in range(1, 23)}


def _answer(connection: duckdb.DuckDBPyConnection, number: int) -> str:
    query = (HERE / f"queries/q{number:02}.sql").read_text()
    result = connection.execute(query)
    header = [column[0] for column in result.description]
    rows = [["" if value is None else str(value) for value in row] for row in result.fetchall()]
    return "".join("|".join(line) + "\n" for line in [header, *rows])


def same(left: str, right: str) -> bool:
    """Equal as texts, or as numbers to nine digits: the order of additions decides the rest. Headers do not count."""
    lines = list(zip(left.splitlines()[1:], right.splitlines()[1:], strict=False))
    return len(left.splitlines()) == len(right.splitlines()) and all(
        len(ours.split("|")) == len(theirs.split("|")) and all(map(_same_value, ours.split("|"), theirs.split("|")))
        for ours, theirs in lines
    )


def _same_value(left: str, right: str) -> bool:
    try:
        return left == right or math.isclose(float(left), float(right), rel_tol=1e-9)
    except ValueError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("scale_factors", nargs="+")
    parser.add_argument("--as-shipped", action="store_true")
    arguments = parser.parse_args()
    for scale_factor in arguments.scale_factors:
        answers = shipped(scale_factor)
        if not arguments.as_shipped:
            ours = computed(scale_factor)
            differing = {number for number in answers if not same(answers[number], ours[number])}
            if unexpected := differing - OF_GENERATED_TEXT:
                sys.exit(f"duckdb_answers: at scale factor {scale_factor} these differ from what is shipped: {sorted(unexpected)}")
            answers |= {number: ours[number] for number in OF_GENERATED_TEXT}
        folder = arguments.output / f"sf{scale_factor}"
        folder.mkdir(parents=True, exist_ok=True)
        for number, answer in answers.items():
            (folder / f"q{number:02}.csv").write_text(answer)
        print(f"wrote {folder}")


if __name__ == "__main__":
    main()
