"""A Flight SQL client of two messages over pyarrow.flight: statements and updates, with a session kept by cookie.

The protobuf messages are written by hand, so that the benchmark needs nothing but pyarrow.
"""

from collections.abc import Iterator

import pyarrow
from pyarrow import flight

TYPE_URL = "type.googleapis.com/arrow.flight.protocol.sql."


class FlightSql:
    """One connection, which is one session: its temporary tables live as long as it.

    With another one given as `beside` it is a further connection of that one's session.
    """

    def __init__(self, address: str, beside: "FlightSql | None" = None):
        self._cookies = _CookieJar() if beside is None else beside._cookies
        # Clients of one process otherwise share their connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._client = flight.FlightClient(f"grpc://{address}", middleware=[self._cookies], generic_options=options)

    def batches(self, sql: str) -> Iterator[pyarrow.RecordBatch]:
        """Executes a query and yields its batches as they arrive."""
        info = self._client.get_flight_info(_descriptor("CommandStatementQuery", sql))
        for endpoint in info.endpoints:
            for chunk in self._client.do_get(endpoint.ticket):
                yield chunk.data

    def update(self, sql: str) -> None:
        """Executes a statement that returns no rows, and waits until it is done."""
        writer, answers = self._client.do_put(_descriptor("CommandStatementUpdate", sql), pyarrow.schema([]))
        writer.done_writing()
        answers.read()
        writer.close()

    def close(self) -> None:
        self._client.close()


def _descriptor(message: str, sql: str) -> flight.FlightDescriptor:
    """`Any { type_url = 1, value = 2 }` around a message whose field 1 is the SQL text."""
    command = _bytes_field(1, sql.encode())
    any_message = _bytes_field(1, (TYPE_URL + message).encode()) + _bytes_field(2, command)
    return flight.FlightDescriptor.for_command(any_message)


def _bytes_field(number: int, value: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


class _CookieJar(flight.ClientMiddlewareFactory):
    """Sends back the cookies the server has set, for all calls of one connection."""

    def __init__(self):
        super().__init__()
        self._cookies: dict[str, str] = {}

    def start_call(self, _info):
        return _CookieCall(self._cookies)


class _CookieCall(flight.ClientMiddleware):
    def __init__(self, cookies: dict[str, str]):
        super().__init__()
        self._cookies = cookies

    def sending_headers(self):
        if not self._cookies:
            return {}
        return {"cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}

    def received_headers(self, headers):
        for cookie in headers.get("set-cookie", []):
            name, _, value = cookie.split(";", 1)[0].partition("=")
            self._cookies[name.strip()] = value.strip()
