"""The first column of a result as texts, for the comparison of results between engines."""

from collections.abc import Callable

import pyarrow


def of(result: list[pyarrow.RecordBatch]) -> Callable[..., dict]:
    """A handler that answers with the first column of `result` and empties it."""

    def handler(_argument) -> dict:
        values = [value.as_py() for batch in result for value in batch.column(0)]
        result.clear()
        return {"values": [None if value is None else str(value) for value in values]}

    return handler
