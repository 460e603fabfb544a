"""The two ways from one process to another: DoGet of the Murre server, and a plain TCP copy."""

import dataclasses
import sys
from pathlib import Path

from harness import venv
from harness.child import Child
from harness.errors import BenchError
from harness.murre_server import MurreServer

COLUMNS = 8
TABLE = "numbers"
QUERY = f"SELECT * FROM {TABLE}"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the processes run; `cores` of `None` pins nothing."""

    cores: list[int] | None
    timeout_seconds: float
    logs: Path

    def child(self, name: str, command: list[str]) -> Child:
        return Child(name, command, self.logs / f"{name}.log", self.cores, self.timeout_seconds)


@dataclasses.dataclass(frozen=True)
class Copied:
    """One copy. CPU seconds of the side that sends, and of the side that receives."""

    seconds: float
    bytes: int
    sender_cpu_seconds: float
    receiver_cpu_seconds: float


class FlightPath:
    """`rows` rows of eight non-null Int64 columns in a temporary table, read over Flight SQL."""

    def __init__(self, place: Place, rows: int):
        self.rows = rows
        threads = None if place.cores is None else len(place.cores)
        self.server = MurreServer(place.logs / "murre-server.log", place.cores, threads)
        try:
            command = [venv.python(), "-m", "flight.reader", self.server.address]
            self.reader = place.child("flight-reader", command)
        except BaseException:
            self.server.stop()
            raise

    def create_table(self) -> None:
        columns = ", ".join(f"CAST(value AS BIGINT) + {column} AS c{column}" for column in range(COLUMNS))
        declared = ", ".join(f"c{number} BIGINT NOT NULL" for number in range(COLUMNS))
        self.reader.ask("setup", f"CREATE TEMPORARY TABLE {TABLE} ({declared})")
        self.reader.ask("setup", f"INSERT INTO {TABLE} SELECT {columns} FROM generate_series(1, {self.rows})")

    def copy(self) -> Copied:
        server_before, reader_before = self.server.cpu_seconds(), self.reader.cpu_seconds()
        answer = self.reader.ask("read", QUERY)
        server_after, reader_after = self.server.cpu_seconds(), self.reader.cpu_seconds()
        if answer["rows"] != self.rows:
            raise BenchError(f"{answer['rows']} rows came over Flight, not {self.rows}")
        if answer["fields"] != ["int64 not null"] * COLUMNS:
            raise BenchError(f"the columns are {answer['fields']}, not {COLUMNS} of `int64 not null`")
        return Copied(answer["seconds"], answer["bytes"], server_after - server_before, reader_after - reader_before)

    def settings(self) -> dict[str, str]:
        return {"version": self.server.version()} | self.server.environment | self.reader.ask("settings")["settings"]

    def stop(self) -> None:
        self.reader.stop()
        self.server.stop()


class TcpPath:
    """The same number of bytes from one process to another, with 1 MiB buffers and nothing in between."""

    def __init__(self, place: Place):
        self.sender = place.child("tcp-sender", [sys.executable, "-m", "flight.tcp_sender"])
        port = self.sender.ask("port")["port"]
        self.receiver = place.child("tcp-receiver", [sys.executable, "-m", "flight.tcp_receiver", str(port)])

    def copy(self, size: int) -> Copied:
        sender_before, receiver_before = self.sender.cpu_seconds(), self.receiver.cpu_seconds()
        answer = self.receiver.ask("receive", size)
        sender_after, receiver_after = self.sender.cpu_seconds(), self.receiver.cpu_seconds()
        return Copied(answer["seconds"], answer["bytes"], sender_after - sender_before, receiver_after - receiver_before)

    def stop(self) -> None:
        self.receiver.stop()
        self.sender.stop()
