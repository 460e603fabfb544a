"""The order of measurement: for each query one warm-up, then rounds in which every engine runs once, in rotated order."""

import dataclasses
from collections.abc import Iterator

from peers import agreement, tpch
from peers.engines import Engine

WARM_UP = 0


@dataclasses.dataclass(frozen=True)
class Row:
    """One raw row of the results. Round 0 is the warm-up; `position` is the engine's turn within the round, from 0."""

    query: int
    round: int
    position: int
    engine: str
    wall_seconds: float
    cpu_seconds: float
    server_cpu_seconds: float
    client_cpu_seconds: float
    rows: int
    checksum: str


def measure(engines: list[Engine], query: int, rounds: int, new_texts: bool) -> Iterator[Row]:
    """All runs of one query, each with a text of its own or all with the same. Fails as soon as two engines differ."""
    sql = tpch.query(query)
    seen: dict[str, agreement.Fingerprint] = {}
    for number in range(WARM_UP, rounds + 1):
        for position, engine in enumerate(_rotated(engines, number + query)):
            run = engine.run(f"{sql}\n-- round {number}" if new_texts else sql)
            found = agreement.fingerprint(run.rows, engine.first_column())
            agreement.require(query, seen | {f"{engine.name}, round {number}": found})
            seen.setdefault(engine.name, found)
            cpu_seconds = run.server_cpu_seconds + run.client_cpu_seconds
            yield Row(
                query,
                number,
                position,
                engine.name,
                run.wall_seconds,
                cpu_seconds,
                run.server_cpu_seconds,
                run.client_cpu_seconds,
                run.rows,
                found.checksum,
            )


def _rotated(engines: list[Engine], by: int) -> list[Engine]:
    turn = by % len(engines)
    return engines[turn:] + engines[:turn]
