"""TPC-H: the eight tables as Parquet files, and the 22 queries with the specification's validation parameters."""

import os
from pathlib import Path

from harness.errors import BenchError
from harness.machine import REPOSITORY

TABLES = ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"]
QUERIES = REPOSITORY / "integration/tpch/queries"
QUERY_COUNT = 22


def files(scale_factor: float) -> dict[str, Path]:
    """The Parquet file of each table."""
    default = Path.home() / ".cache/murre/tpch"
    folder = Path(os.environ.get("MURRE_TPCH_DIR") or default) / f"sf{scale_factor:g}"
    found = {table: folder / f"{table}.parquet" for table in TABLES}
    missing = [path.name for path in found.values() if not path.is_file()]
    if missing:
        raise BenchError(f"{folder} lacks {', '.join(missing)}: run `murre demo tpch --sf {scale_factor:g} --generate-only` first")
    return found


def query(number: int) -> str:
    """The text of a query, without the semicolon."""
    return (QUERIES / f"q{number:02}.sql").read_text().strip().removesuffix(";")
