"""A link in user space that holds every packet back for a while, because not every kernel has one.

Namespaces hang on it with a TUN device each; a packet goes to the one that has its destination address.
"""

import fcntl
import heapq
import ipaddress
import os
import select
import struct
import threading
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PACKET_BYTES_MAX = 65536


class Forwarder:
    """Forwards until it is closed. `delay_seconds` is that of one packet, one way."""

    def __init__(self, delay_seconds: float):
        self._delay = delay_seconds
        self._tuns: dict[int, int] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._forward, daemon=True)

    def plug(self, namespace, name: str, address: str) -> None:
        """A device of this name and address (with /24) in the namespace."""
        opened = threading.Thread(target=self._open, args=(namespace, name, address))
        opened.start()
        opened.join()
        namespace.run(f"ip address add {address}/24 dev {name}")
        namespace.run(f"ip link set {name} up")

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        for tun in self._tuns.values():
            os.close(tun)

    def _open(self, namespace, name: str, address: str) -> None:
        # In a thread of its own, which stays there.
        namespace.enter()
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TUN | IFF_NO_PI))
        self._tuns[int(ipaddress.IPv4Address(address))] = tun

    def _forward(self) -> None:
        poll = select.poll()
        for tun in self._tuns.values():
            poll.register(tun, select.POLLIN)
        waiting: list[tuple[float, int, int, bytes]] = []
        number = 0
        while not self._closing.is_set():
            # Woken early rather than late: the rest is waited for without sleeping.
            left = waiting[0][0] - time.monotonic() - 0.001 if waiting else 0.1
            for tun, _ in poll.poll(max(0.0, left) * 1e3):
                packet = os.read(tun, PACKET_BYTES_MAX)
                # IPv4 only; what else the kernel says on a new device is nobody's.
                to = self._tuns.get(int.from_bytes(packet[16:20], "big")) if packet[0] >> 4 == 4 else None
                if to is not None:
                    number += 1
                    heapq.heappush(waiting, (time.monotonic() + self._delay, number, to, packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, to, packet = heapq.heappop(waiting)
                try:
                    os.write(to, packet)
                except OSError:
                    # A full queue loses packets, as links do.
                    pass
