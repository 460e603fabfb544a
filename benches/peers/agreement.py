"""Whether all engines gave the same result: the row count, and a checksum over the sorted first column.

Numbers are compared to nine digits: one engine's decimal is another's double.
"""

import dataclasses
import hashlib
import re

from harness.errors import BenchError

NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][-+]?\d+)?")


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    rows: int
    checksum: str


def fingerprint(rows: int, first_column: list[str | None]) -> Fingerprint:
    texts = sorted(map(_normal, first_column))
    checksum = hashlib.sha256("\n".join([str(rows), *texts]).encode()).hexdigest()
    return Fingerprint(rows, checksum[:16])


def _normal(value: str | None) -> str:
    if value is None:
        return "NULL"
    return f"{float(value):.9g}" if NUMBER.fullmatch(value) else value


def require(query: int, seen: dict[str, Fingerprint]) -> None:
    """Fails the run when two engines differ on a query."""
    if len(set(seen.values())) > 1:
        lines = [f"  {engine}: {found.rows} rows, checksum {found.checksum}" for engine, found in seen.items()]
        raise BenchError("\n".join([f"q{query:02}: the engines do not agree", *lines]))
