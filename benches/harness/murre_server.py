"""A Murre server of the benchmark's own: a free port, a data folder that is removed afterwards."""

import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from harness import binaries, machine
from harness.cpu_clock import cpu_seconds
from harness.errors import BenchError

START_SECONDS_MAX = 60

# Nothing may be answered from what an earlier round left behind; the page cache of the operating system stays warm.
CACHES_OFF = {
    "MURRE_METADATA_CACHE": "0",
    "MURRE_STATISTICS_CACHE": "0",
}


class MurreServer:
    """The running server. Log lines go to `log`; `threads` of `None` leaves the number of threads to the server; `more` are
    further arguments."""

    def __init__(
        self,
        log: Path,
        cores: list[int] | None,
        threads: int | None,
        caches: bool = False,
        more: tuple[str, ...] = (),
    ):
        self.log = log
        self.binary = binaries.murre()
        self.environment = ({} if caches else CACHES_OFF) | ({} if threads is None else {"MURRE_THREADS": str(threads)})
        self._data = tempfile.TemporaryDirectory(prefix="murre-bench-")
        self.address = f"127.0.0.1:{free_port()}"
        # fmt: off
        self.command = [
            self.binary, "serve",
            "--listen", self.address,
            "--http", "127.0.0.1:0",
            "--data-dir", self._data.name,
            *more,
        ]
        # fmt: on
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                machine.pinned(self.command, cores),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | self.environment,
            )
        try:
            self._wait_until_listening()
        except BaseException:
            self.stop()
            raise

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.process.pid)

    def token_file(self) -> Path:
        """What workers join with, once it is there: the server listens for clients first."""
        path = Path(self._data.name) / "secrets/server/workers.join"
        deadline = time.monotonic() + START_SECONDS_MAX
        while not path.exists():
            if time.monotonic() > deadline:
                raise self._failed(f"did not write {path} within {START_SECONDS_MAX} s")
            time.sleep(0.05)
        return path

    def version(self) -> str:
        return subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._data.cleanup()

    def _wait_until_listening(self) -> None:
        host, port = self.address.split(":")
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise self._failed(f"ended with status {self.process.returncode} while starting")
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise self._failed(f"did not listen on {self.address} within {START_SECONDS_MAX} s")

    def _failed(self, what: str) -> BenchError:
        tail = self.log.read_text(errors="replace").strip().splitlines()[-15:]
        return BenchError("\n".join([f"`{' '.join(self.command)}` {what}", *tail]))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
