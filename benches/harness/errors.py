"""The one error a benchmark ends with: printed as a sentence, without a stack trace."""


class BenchError(Exception):
    """Something outside the harness is not as it must be; the text says what, and what to do about it."""
