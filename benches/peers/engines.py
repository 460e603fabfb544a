"""The engines of the table: how each is started, how it gets its tables, and how one run is measured.

Every engine is a child process that answers `setup`, `query`, `first_column` and `settings` (see harness/child.py).
Murre is two processes, the server and its client, and their CPU seconds are summed.
"""

import dataclasses
from pathlib import Path

from harness import binaries, venv
from harness.child import Child
from harness.murre_server import MurreServer


@dataclasses.dataclass(frozen=True)
class Place:
    """Where engines run: one thread per pinned core."""

    cores: list[int]
    timeout_seconds: float
    logs: Path


@dataclasses.dataclass(frozen=True)
class Measured:
    """One execution, from `execute` to the last batch. `server_cpu_seconds` is 0 for an engine inside its client."""

    wall_seconds: float
    server_cpu_seconds: float
    client_cpu_seconds: float
    rows: int


class Engine:
    """An engine inside one child process."""

    def __init__(self, name: str, child: Child):
        self.name = name
        self.child = child

    def create_tables(self, files: dict[str, Path], source: str) -> None:
        for table, file in files.items():
            for sql in self.table_sql(table, file, source):
                self.child.ask("setup", sql)

    def table_sql(self, table: str, file: Path, source: str) -> list[str]:
        """The statements that make `table` out of a Parquet file."""
        raise NotImplementedError

    def run(self, sql: str) -> Measured:
        server_before, client_before = self.server_cpu_seconds(), self.child.cpu_seconds()
        answer = self.child.ask("query", sql)
        server_after, client_after = self.server_cpu_seconds(), self.child.cpu_seconds()
        return Measured(answer["seconds"], server_after - server_before, client_after - client_before, answer["rows"])

    def first_column(self) -> list[str | None]:
        """The first column of the last result as texts; the result is dropped."""
        return self.child.ask("first_column")["values"]

    def settings(self) -> dict[str, str | None]:
        return self.child.ask("settings")["settings"]

    def server_cpu_seconds(self) -> float:
        return 0.0

    def stop(self) -> None:
        self.child.stop()


class DataFusion(Engine):
    def table_sql(self, table: str, file: Path, source: str) -> list[str]:
        return _datafusion_sql(table, file, source, "CREATE TABLE")


class DuckDb(Engine):
    def table_sql(self, table: str, file: Path, source: str) -> list[str]:
        kind = {"parquet": "VIEW", "memory": "TABLE"}[source]
        return [f"CREATE {kind} {table} AS SELECT * FROM read_parquet('{file}')"]


class Murre(Engine):
    def __init__(self, name: str, child: Child, server: MurreServer):
        super().__init__(name, child)
        self.server = server

    def table_sql(self, table: str, file: Path, source: str) -> list[str]:
        return _datafusion_sql(table, file, source, "CREATE TEMPORARY TABLE")

    def settings(self) -> dict[str, str | None]:
        server = {"version": self.server.version(), "command": " ".join(self.server.command[1:])}
        return server | self.server.environment | super().settings()

    def server_cpu_seconds(self) -> float:
        return self.server.cpu_seconds()

    def stop(self) -> None:
        super().stop()
        self.server.stop()


def _datafusion_sql(table: str, file: Path, source: str, create_in_memory: str) -> list[str]:
    external = {"parquet": table, "memory": f"{table}_file"}[source]
    statements = [f"CREATE EXTERNAL TABLE {external} STORED AS PARQUET LOCATION '{file}'"]
    if source == "memory":
        statements.append(f"{create_in_memory} {table} AS SELECT * FROM {external}")
    return statements


def _start_murre(name: str, place: Place) -> Engine:
    server = MurreServer(place.logs / "murre-server.log", place.cores, threads=len(place.cores))
    try:
        return Murre(name, _python_child(name, place, "murre_client", server.address), server)
    except BaseException:
        server.stop()
        raise


def _start_datafusion_same(name: str, place: Place) -> Engine:
    command = [binaries.bench_datafusion(), "--threads", str(len(place.cores))]
    return DataFusion(name, _child(name, place, command))


def _start_datafusion(name: str, place: Place) -> Engine:
    return DataFusion(name, _python_child(name, place, "datafusion_child", str(len(place.cores))))


def _start_duckdb(name: str, place: Place) -> Engine:
    return DuckDb(name, _python_child(name, place, "duckdb_child", str(len(place.cores))))


def _python_child(name: str, place: Place, module: str, argument: str) -> Child:
    return _child(name, place, [venv.python(), "-m", f"peers.children.{module}", argument])


def _child(name: str, place: Place, command: list[str]) -> Child:
    return Child(name, command, place.logs / f"{name}.log", place.cores, place.timeout_seconds)


STARTERS = {
    "murre": _start_murre,
    "datafusion-same": _start_datafusion_same,
    "datafusion": _start_datafusion,
    "duckdb": _start_duckdb,
}


def start(name: str, place: Place) -> Engine:
    return STARTERS[name](name, place)
