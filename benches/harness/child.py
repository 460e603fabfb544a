"""A child process that answers one JSON line on stdout for each JSON line on stdin (the parent's side).

A request is an object with one key, the verb, and its argument: `{"query": "select 1"}`.
An answer is an object; `{"error": text}` is a failure. The first line a child writes is `{"ready": true}`.
"""

import json
import os
import select
import subprocess
import time
from pathlib import Path

from harness import machine
from harness.cpu_clock import cpu_seconds
from harness.errors import BenchError

BENCHES = Path(__file__).resolve().parents[1]


class Child:
    """One running child; stderr goes to `log`, whose end is shown when the child fails."""

    def __init__(self, name: str, command: list[str], log: Path, cores: list[int] | None, timeout_seconds: float):
        self.name = name
        self.log = log
        self.timeout_seconds = timeout_seconds
        self._unread = b""
        environment = os.environ | {"PYTHONPATH": str(BENCHES), "PYTHONUNBUFFERED": "1"}
        with log.open("wb") as stderr:
            try:
                self.process = subprocess.Popen(
                    machine.pinned(command, cores),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env=environment,
                )
            except FileNotFoundError as error:
                raise BenchError(f"{name}: cannot start {error.filename}") from error
        self._read()

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.process.pid)

    def ask(self, verb: str, argument=None) -> dict:
        """Sends one request and waits for its answer."""
        line = json.dumps({verb: argument}) + "\n"
        try:
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._failed("has ended") from None
        return self._read()

    def stop(self) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _read(self) -> dict:
        line = self._line()
        try:
            answer = json.loads(line)
        except json.JSONDecodeError:
            raise self._failed(f"wrote a line that is not JSON: {line[:200]!r}") from None
        if "error" in answer:
            raise self._failed(answer["error"])
        return answer

    def _line(self) -> bytes:
        pipe = self.process.stdout.fileno()
        deadline = time.monotonic() + self.timeout_seconds
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                self.process.kill()
                raise self._failed(f"gave no answer within {self.timeout_seconds:.0f} s")
            chunk = os.read(pipe, 1 << 20)
            if not chunk:
                raise self._failed("has ended")
            self._unread += chunk
        line, self._unread = self._unread.split(b"\n", 1)
        return line

    def _failed(self, what: str) -> BenchError:
        tail = self.log.read_text(errors="replace").strip().splitlines()[-15:]
        return BenchError("\n".join([f"{self.name}: {what}", *tail]))
