"""What is shuffled."""

import subprocess
from pathlib import Path

from harness import binaries

COLUMNS = 7


class Tables:
    """Parquet files that both workers see: `long` with random columns, `short` with its keys."""

    KEYS = 1000

    def __init__(self, folder: Path, rows: int):
        self.long, self.short = folder / "long.parquet", folder / "short.parquet"
        values = ", ".join(f"random() AS c{number}" for number in range(COLUMNS))
        for path, sql in (
            (self.long, f"SELECT value % {self.KEYS} AS k, {values} FROM generate_series(1, {rows})"),
            (self.short, f"SELECT value AS s FROM generate_series(0, {self.KEYS - 1})"),
        ):
            copy = f"COPY ({sql}) TO '{path}' OPTIONS ('format.compression' 'uncompressed', 'format.dictionary_enabled' 'false')"
            words = [binaries.murre(), "sql", "--data-dir", str(folder / "made"), "--command", copy]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)

    def query(self) -> str:
        sums = " + ".join(f"c{number}" for number in range(COLUMNS))
        return f"SELECT count(*), sum({sums}) FROM '{self.short}' JOIN '{self.long}' ON k = s"
