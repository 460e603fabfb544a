"""A public network namespace with hosts around it, on public addresses or behind translators. Needs root, ip, nft and tc.

The same networks as those of the tests (`worker-wasm/tests/it/rendezvous/network.rs`): translators drop what nobody asked
for, and choose public ports that are the same for all destinations, or others for each.
"""

import ctypes
import os
import subprocess
from pathlib import Path

from shuffle.forwarder import Forwarder

PUBLIC = "203.0.113.1"
# What a shaped link lets through, and how much of it at once.
SHAPED = "rate 1gbit burst 256kb latency 20ms"


class Namespace:
    """Lives as long as a process that was started in it."""

    def __init__(self):
        self._keeper = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if self._keeper.stdout.readline().strip() != b"up":
            raise SystemExit("cannot make a network namespace: run as root")
        self.path = f"/proc/{self._keeper.pid}/ns/net"

    def command(self, words: list[str]) -> list[str]:
        return ["nsenter", f"--net={self.path}", *words]

    def run(self, line: str) -> None:
        subprocess.run(self.command(line.split()), check=True)

    def rules(self, rules: str) -> None:
        subprocess.run(self.command(["nft", "-f", "-"]), input=rules.encode(), check=True)

    def cable(self, here: str, there: "Namespace", end: str) -> None:
        self.run(f"ip link add name {here} type veth peer name {end} netns {there._keeper.pid}")
        self.run(f"ip link set {here} up")
        there.run(f"ip link set {end} up")

    def switch(self, name: str, address: str) -> None:
        self.run(f"ip link add name {name} type bridge")
        self.run(f"ip address add {address} dev {name}")
        self.run(f"ip link set {name} up")

    def enter(self) -> None:
        """Moves this thread there; processes and threads that it starts afterwards are there too."""
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = os.open(self.path, os.O_RDONLY)
        if libc.setns(descriptor, 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(descriptor)

    def close(self) -> None:
        self._keeper.kill()
        self._keeper.wait()


class Host(Namespace):
    """A worker's host. `uplink` is its one interface, `public` its own public address, if it has one."""

    uplink = ""
    public: str | None = None

    def shape(self) -> None:
        self.run(f"tc qdisc add dev {self.uplink} root tbf {SHAPED}")


class Network:
    def __init__(self, switched: bool = True):
        self.public = Namespace()
        if switched:
            self.public.switch("public", f"{PUBLIC}/24")
        self._all = [self.public]
        self._cables = 0

    def _address(self) -> str:
        self._cables += 1
        return f"203.0.113.{10 + self._cables}"

    def _plug(self, namespace: Namespace) -> str:
        address = self._address()
        here = f"cable{self._cables}"
        self.public.cable(here, namespace, "wan")
        self.public.run(f"ip link set {here} master public")
        namespace.run(f"ip address add {address}/24 dev wan")
        return address

    def host(self) -> Host:
        """One that everybody can dial."""
        host = Host()
        self._all.append(host)
        host.public, host.uplink = self._plug(host), "wan"
        return host

    def behind(self, masquerade: str, forwarder: Forwarder | None = None) -> Host:
        """One behind a translator of its own, which is on the switch, or on that forwarder."""
        nat, host = Namespace(), Host()
        self._all += [nat, host]
        if forwarder:
            forwarder.plug(nat, "wan", self._address())
        else:
            self._plug(nat)
        nat.switch("lan", "10.0.0.1/24")
        nat.run("sysctl --quiet --write net.ipv4.ip_forward=1")
        nat.rules(
            f"""
            table ip nat {{
                chain out {{ type nat hook postrouting priority srcnat; oifname wan {masquerade}; }}
            }}
            table ip filter {{
                chain input {{
                    type filter hook input priority filter; policy drop;
                    iifname {{ lo, lan }} accept
                    ct state established,related accept
                }}
                chain forward {{
                    type filter hook forward priority filter; policy drop;
                    iifname lan accept
                    ct state established,related accept
                }}
            }}
            """
        )
        nat.cable("cable0", host, "eth")
        nat.run("ip link set cable0 master lan")
        host.run("ip address add 10.0.0.2/24 dev eth")
        host.run("ip route add default via 10.0.0.1")
        host.uplink = "eth"
        return host

    def close(self) -> None:
        for namespace in reversed(self._all):
            namespace.close()


def iperf(server: Namespace, address: str, client: Namespace, seconds: int) -> float:
    """Bytes a second from the client to the server, as iperf3 counts them."""
    import json

    folder = Path(os.environ.get("MURRE_IPERF_DIR", Path.home() / ".cache/murre/iperf3"))
    program = folder / "usr/bin/iperf3"
    if not program.exists():
        raise SystemExit(f"{program} is missing: run benches/shuffle/setup.sh")
    libraries = {path.parent for path in folder.glob("**/*.so*")}
    environment = os.environ | {"LD_LIBRARY_PATH": ":".join(map(str, libraries))}
    listening = subprocess.Popen(
        server.command([str(program), "--server", "--one-off", "--forceflush"]),
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    while "listening" not in listening.stdout.readline():
        pass
    words = [str(program), "--client", address, "--time", str(seconds), "--json"]
    done = subprocess.run(client.command(words), check=True, capture_output=True, env=environment)
    listening.stdout.read()
    listening.wait()
    return json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"] / 8
