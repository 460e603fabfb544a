"""How a benchmark command ends: its own errors as one sentence, and nothing left running when it is stopped."""

import signal
import sys
from collections.abc import Callable

from harness.errors import BenchError


def run(name: str, body: Callable[[], None]) -> None:
    """Runs `body`. A termination signal unwinds the stack as an interrupt does, so servers and folders are cleaned up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        body()
    except BenchError as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
