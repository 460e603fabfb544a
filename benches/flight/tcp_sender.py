"""The sending half of the plain TCP copy: every connection says how many bytes it wants, and gets them."""

import socket
import threading

from harness.answering import answer

BUFFER_BYTES = 1 << 20


def send(connection: socket.socket) -> None:
    with connection:
        left = int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big")
        buffer = memoryview(bytes(BUFFER_BYTES))
        while left > 0:
            part = buffer[: min(left, BUFFER_BYTES)]
            connection.sendall(part)
            left -= len(part)


def serve(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        send(connection)


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=[listener], daemon=True).start()
answer({"port": lambda _argument: {"port": listener.getsockname()[1]}})
