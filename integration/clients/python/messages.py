"""Flight SQL's commands as bytes, for questions that no Python driver asks. Written by hand, so that nothing is needed for it."""

from pyarrow import flight

TYPE_URL = "type.googleapis.com/arrow.flight.protocol.sql."

Value = int | bool | str | bytes | list[str]


def command(name: str, fields: dict[int, Value] | None = None) -> flight.FlightDescriptor:
    """A descriptor for the command `name`: its fields by number."""
    return flight.FlightDescriptor.for_command(wrapped(name, fields))


def wrapped(name: str, fields: dict[int, Value] | None = None) -> bytes:
    """`Any { type_url = 1, value = 2 }` around the message."""
    return message({1: TYPE_URL + name, 2: message(fields or {})})


def message(fields: dict[int, Value]) -> bytes:
    """A message of these fields by number."""
    return b"".join(_field(number, value) for number, value in fields.items())


def _field(number: int, value: Value) -> bytes:
    match value:
        case bool() | int():
            return _varint(number << 3) + _varint(int(value))
        case str():
            return _field(number, value.encode())
        case bytes():
            return _varint(number << 3 | 2) + _varint(len(value)) + value
        case list():
            return b"".join(_field(number, each) for each in value)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
