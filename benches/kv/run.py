#!/usr/bin/env python3
"""The store beside etcd: three members each on the loopback, same disk, same load generator.

One call per operation, keys of 16 bytes, values of 256. CPU seconds are those of the three members, read from the
kernel before and after; the load generator's stand beside them. Raw results go into benches/kv/results/.
"""

import argparse
import datetime
import json
import os
import platform
import socket
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PATIENCE_SECONDS = 60


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
        time.sleep(0.1)
    raise SystemExit(f"{what} does not happen")


class Store:
    """Three processes, and where their leader is."""

    def __init__(self, kv: str):
        self.kv = kv
        self.processes: list[subprocess.Popen] = []

    def cpu_seconds(self) -> float:
        def ticks(process: subprocess.Popen) -> int:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")")[-1].split()
            return int(fields[11]) + int(fields[12])

        return sum(map(ticks, self.processes)) / TICKS_PER_SECOND

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


class Murre(Store):
    name = "murre"
    extra: list[str] = []

    def __init__(self, kv: str, folder: Path):
        super().__init__(kv)
        ports = [free_port() for _ in range(3)]
        self.endpoints = ",".join(f"127.0.0.1:{port}" for port in ports)
        first = f"127.0.0.1:{ports[0]}"
        for number, port in enumerate(ports, 1):
            command = [kv, "serve", "--id", str(number), "--listen", f"127.0.0.1:{port}"]
            command += ["--data-dir", str(folder / f"murre{number}")]
            if number > 1:
                command += ["--join", first]
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
            process.stdout.readline()
            self.processes.append(process)
            if number == 1:
                subprocess.run([kv, "init", "--endpoints", first], check=True)
        until("three votes", self.has_three_voters)

    def has_three_voters(self) -> bool:
        command = [self.kv, "status", "--json", "--endpoints", self.endpoints]
        status = subprocess.run(command, capture_output=True, text=True)
        if status.returncode:
            return False
        nodes = json.loads(status.stdout)["nodes"]
        return len(nodes) == 3 and all(
            sum(member["voter"] for member in node["members"]) == 3 for node in nodes
        )


class Etcd(Store):
    name = "etcd"
    extra = ["--etcd"]

    def __init__(self, kv: str, folder: Path, etcd: str):
        super().__init__(kv)
        peers = [free_port() for _ in range(3)]
        clients = [free_port() for _ in range(3)]
        members = ",".join(f"m{n}=http://127.0.0.1:{port}" for n, port in enumerate(peers, 1))
        log = open(folder / "etcd.log", "wb")
        for number, (peer, client) in enumerate(zip(peers, clients), 1):
            urls = {"peer": f"http://127.0.0.1:{peer}", "client": f"http://127.0.0.1:{client}"}
            command = [etcd, "--name", f"m{number}", "--data-dir", str(folder / f"etcd{number}")]
            command += ["--listen-peer-urls", urls["peer"], "--initial-advertise-peer-urls", urls["peer"]]
            command += ["--listen-client-urls", urls["client"], "--advertise-client-urls", urls["client"]]
            command += ["--initial-cluster", members]
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        self.endpoints = until("a leader of etcd", lambda: self.leader(clients))

    @staticmethod
    def leader(clients: list[int]) -> str | None:
        """The member that says of itself that it leads."""
        import urllib.request

        for port in clients:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=1) as answer:
                    if b"\netcd_server_is_leader 1\n" in answer.read():
                        return f"127.0.0.1:{port}"
            except OSError:
                pass
        return None


def measure(store: Store, workload: str, clients: int, seconds: int, fill: bool) -> dict:
    command = [store.kv, "bench", "--workload", workload, "--clients", str(clients), "--json"]
    command += ["--endpoints", store.endpoints, *store.extra]
    if fill:
        subprocess.run([*command, "--seconds", "1", "--fill"], check=True, stdout=subprocess.DEVNULL)
    before = store.cpu_seconds()
    output = subprocess.run([*command, "--seconds", str(seconds)], check=True, capture_output=True, text=True)
    result = json.loads(output.stdout)
    result["servers_cpu_s"] = store.cpu_seconds() - before
    result["servers_cpu_s_per_1000"] = 1000 * result["servers_cpu_s"] / max(result["ops"], 1)
    return {"store": store.name, "workload": workload, "clients": clients, **result}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    cache = Path(os.environ.get("MURRE_ETCD_DIR", Path.home() / ".cache/murre/etcd"))
    parser.add_argument("--kv", default=str(target / "debug/examples/kv"), help="program with the store's commands")
    parser.add_argument("--etcd", default=str(cache / "usr/bin/etcd"), help="see setup.sh")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--clients", default="1,16,256")
    parser.add_argument("--workloads", default="put,get,range")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where the stores keep their data; a temporary folder otherwise")
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        stores = []
        try:
            stores.append(Murre(arguments.kv, Path(folder)))
            stores.append(Etcd(arguments.kv, Path(folder), arguments.etcd))
            fill = True
            for number in range(arguments.rounds):
                for workload in arguments.workloads.split(","):
                    for clients in map(int, arguments.clients.split(",")):
                        for store in stores:
                            result = measure(store, workload, clients, arguments.seconds, fill)
                            results.append({"round": number, **result})
                            print(json.dumps(results[-1]), flush=True)
                        fill = False
        finally:
            for store in stores:
                store.stop()
    now = datetime.datetime.now(datetime.timezone.utc)
    document = {
        "at": now.isoformat(timespec="seconds"),
        "machine": {"cpus": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()},
        "seconds": arguments.seconds,
        "results": results,
    }
    path = HERE / "results" / f"{now:%Y-%m-%d-%H%M}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
    print(path)


if __name__ == "__main__":
    main()
