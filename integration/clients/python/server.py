"""A real server process on free ports, with a data folder of its own, and the class of tests that share one."""

import subprocess
import tempfile
import threading
import time
import unittest
from collections.abc import Callable
from pathlib import Path

from harness import binaries

READY = "ready: flight-sql "
# Longest wait for an event that takes well under a second.
SOON_SECONDS = 60


class Server:
    """A running server; `options` are those of its command line."""

    def __init__(self, *options: str):
        self._folder = tempfile.TemporaryDirectory(prefix="murre-clients-")
        self.data = Path(self._folder.name) / "data"
        self._log = Path(self._folder.name) / "log"
        # fmt: off
        command = [
            binaries.murre(), "serve",
            "--listen", "127.0.0.1:0",
            "--http", "127.0.0.1:0",
            "--data-dir", str(self.data),
            "--threads", "2",
            *options,
        ]
        # fmt: on
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.announced = self._until_ready()
        # `grpc://HOST:PORT`, with `grpc+tls` where the port is encrypted.
        self.url = self.announced[0].removeprefix(READY).split(" ")[0]
        self.address = self.url.split("://")[1]
        self.http = self.announced[0].split(" http ")[1]
        # Reads on, so that the server never waits for a full pipe.
        threading.Thread(target=self._process.stdout.read, daemon=True).start()

    def _until_ready(self) -> list[str]:
        lines = []
        for line in self._process.stdout:
            if line == "\n":
                return lines
            lines.append(line.rstrip("\n"))
        raise RuntimeError(f"the server did not get ready: {self.log()}")

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()


def until(what: str, happened: Callable[[], bool]) -> None:
    """Waits for an event."""
    give_up = time.monotonic() + SOON_SECONDS
    while not happened():
        if time.monotonic() > give_up:
            raise AssertionError(f"waited {SOON_SECONDS} s for {what}")
        time.sleep(0.01)


class WithServer(unittest.TestCase):
    # Of the server's command line.
    options: tuple[str, ...] = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.options)
        cls.addClassCleanup(cls.server.stop)
