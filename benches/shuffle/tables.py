"""What is shuffled."""

import os
import subprocess
from pathlib import Path

from harness import binaries

COLUMNS = 7


class Tables:
    """Parquet files that both workers see: `long` with random columns, read `copies` times over, and `short` with its keys."""

    KEYS = 1000

    def __init__(self, folder: Path, rows: int, copies: int = 1):
        self.long, self.short = folder / "long", folder / "short.parquet"
        self.long.mkdir()
        values = ", ".join(f"random() AS c{number}" for number in range(COLUMNS))
        for path, sql in (
            (self.long / "0.parquet", f"SELECT value % {self.KEYS} AS k, {values} FROM generate_series(1, {rows})"),
            (self.short, f"SELECT value AS s FROM generate_series(0, {self.KEYS - 1})"),
        ):
            copy = f"COPY ({sql}) TO '{path}' OPTIONS ('format.compression' 'uncompressed', 'format.dictionary_enabled' 'false')"
            words = [binaries.murre(), "sql", "--data-dir", str(folder / "made"), "--command", copy]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        for copy in range(1, copies):
            os.link(self.long / "0.parquet", self.long / f"{copy}.parquet")

    def query(self) -> str:
        sums = " + ".join(f"c{number}" for number in range(COLUMNS))
        return f"SELECT count(*), sum({sums}) FROM '{self.short}' JOIN '{self.long}/*.parquet' ON k = s"
