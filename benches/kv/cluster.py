"""Three processes of a store on the loopback, for the benches in this folder."""

import json
import os
import platform
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PATIENCE_SECONDS = 60
MEMBERS = 3


def default_kv() -> str:
    return str(Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "debug/examples/kv")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what: str, ask):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.05)
    raise SystemExit(f"{what} does not happen")


def machine() -> dict:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True)
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpus": os.cpu_count(),
        "model": model[0].split(": ")[1] if model else platform.machine(),
        "kernel": platform.release(),
        "load": os.getloadavg(),
        "commit": commit.stdout.strip(),
    }


class Store:
    """Members that can be stopped and started again, on the same ports and in the same folders."""

    def __init__(self, kv: str, folder: Path):
        self.kv = kv
        self.folder = folder
        self.ports = [free_port() for _ in range(MEMBERS)]
        self.processes: list[subprocess.Popen] = []

    def cpu_seconds(self) -> float:
        def ticks(process: subprocess.Popen) -> int:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")")[-1].split()
            return int(fields[11]) + int(fields[12])

        return sum(map(ticks, self.processes)) / TICKS_PER_SECOND

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []


class Murre(Store):
    name = "murre"
    extra: list[str] = []
    is_new = True

    def addresses(self) -> list[str]:
        return [f"127.0.0.1:{port}" for port in self.ports]

    def start(self):
        addresses = self.addresses()
        self.endpoints = ",".join(addresses)
        for number in range(1, MEMBERS + 1):
            self.processes.append(self.start_member(number))
            if number == 1 and self.is_new:
                subprocess.run([self.kv, "init", "--endpoints", addresses[0]], check=True)
        self.is_new = False
        until("three votes and a leader", self.is_ready)

    def start_member(self, number: int) -> subprocess.Popen:
        command = [self.kv, "serve", "--id", str(number), "--listen", self.addresses()[number - 1]]
        command += ["--data-dir", str(self.folder / f"murre{number}")]
        if number > 1:
            command += ["--join", self.addresses()[0]]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        process.stdout.readline()
        return process

    def status(self) -> dict | None:
        command = [self.kv, "status", "--json", "--patience", "1", "--endpoints", self.endpoints]
        status = subprocess.run(command, capture_output=True, text=True)
        return json.loads(status.stdout) if status.returncode == 0 else None

    def is_ready(self) -> bool:
        status = self.status()
        if not status or not any(node["leads"] for node in status["nodes"]):
            return False
        nodes = status["nodes"]
        return len(nodes) == MEMBERS and all(
            sum(member["voter"] for member in node["members"]) == MEMBERS for node in nodes
        )


class Etcd(Store):
    name = "etcd"
    extra = ["--etcd"]

    def __init__(self, kv: str, folder: Path, etcd: str):
        super().__init__(kv, folder)
        self.etcd = etcd
        self.peers = [free_port() for _ in range(MEMBERS)]

    def start(self):
        members = ",".join(f"m{n}=http://127.0.0.1:{port}" for n, port in enumerate(self.peers, 1))
        log = open(self.folder / "etcd.log", "ab")
        for number, (peer, client) in enumerate(zip(self.peers, self.ports), 1):
            urls = {"peer": f"http://127.0.0.1:{peer}", "client": f"http://127.0.0.1:{client}"}
            command = [self.etcd, "--name", f"m{number}", "--data-dir", str(self.folder / f"etcd{number}")]
            command += ["--listen-peer-urls", urls["peer"], "--initial-advertise-peer-urls", urls["peer"]]
            command += ["--listen-client-urls", urls["client"], "--advertise-client-urls", urls["client"]]
            command += ["--initial-cluster", members]
            # Two of the loads would fill its default of 2 GiB before the last round.
            command += ["--quota-backend-bytes", str(8 << 30)]
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        self.endpoints = until("a leader of etcd", self.leader)

    def leader(self) -> str | None:
        """The member that says of itself that it leads."""
        for port in self.ports:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=1) as answer:
                    if b"\netcd_server_is_leader 1\n" in answer.read():
                        return f"127.0.0.1:{port}"
            except OSError:
                pass
        return None
