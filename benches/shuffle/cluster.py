"""A server on the public host, and a worker on each of the others."""

import subprocess
import time
from pathlib import Path

import pyarrow

from harness import binaries
from harness.cpu_clock import cpu_seconds
from harness.errors import BenchError
from harness.flight_sql import FlightSql
from harness.murre_server import MurreServer, free_port
from shuffle.namespaces import PUBLIC, Network
from shuffle.tables import Tables

WAIT_SECONDS_MAX = 60


class Cluster:
    """A server on the public host, and a worker on each of the others."""

    def __init__(self, folder: Path, network: Network, hosts: list):
        listen = f"{PUBLIC}:{free_port()}"
        more = ("--workers", "remote", "--workers-listen", listen)
        self.server = MurreServer(folder / "server.log", cores=None, threads=None, caches=True, more=more)
        token = str(self.server.token_file())
        self._workers, self._logs = [], []
        for number, host in enumerate(hosts):
            words = [binaries.murre(), "worker", "--name", f"w{number}", "--coordinator", listen, "--token-file", token]
            if host.public:
                words += ["--listen", f"{host.public}:0"]
            log = (folder / f"w{number}.log").open("wb")
            self._logs.append(Path(log.name))
            self._workers.append(subprocess.Popen(host.command(words), stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        self._client = FlightSql(self.server.address)
        give_up = time.monotonic() + WAIT_SECONDS_MAX
        while len(self.column("id")) < len(hosts):
            if time.monotonic() > give_up:
                raise BenchError("the workers do not come")
        # Both sides of the join are spread by hash, though one is small.
        self._client.update("SET datafusion.optimizer.hash_join_single_partition_threshold = 0")
        self._client.update("SET datafusion.optimizer.hash_join_single_partition_threshold_rows = 0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self.server.stop()

    def column(self, name: str) -> list:
        batches = list(self._client.batches("SHOW WORKERS"))
        return pyarrow.Table.from_batches(batches).column(name).to_pylist() if batches else []

    def query(self, tables: Tables) -> None:
        list(self._client.batches(tables.query()))

    def cpu_seconds(self) -> float:
        """Of both workers."""
        return sum(cpu_seconds(worker.pid) for worker in self._workers)

    def logs(self) -> list[Path]:
        return self._logs
