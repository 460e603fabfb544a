"""The receiving half of the plain TCP copy: reads into one buffer until all bytes have come."""

import socket
import sys
import time

from harness.answering import answer

BUFFER_BYTES = 1 << 20
port = int(sys.argv[1])


def receive(size: int) -> dict:
    buffer = memoryview(bytearray(BUFFER_BYTES))
    got = 0
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(size.to_bytes(8, "big"))
        while count := connection.recv_into(buffer):
            got += count
    seconds = time.perf_counter() - started
    if got != size:
        raise RuntimeError(f"{got} of {size} bytes came")
    return {"seconds": seconds, "bytes": got}


answer({"receive": receive})
