"""A child process that answers one JSON line on stdout for each JSON line on stdin (the child's side)."""

import json
import os
import sys
from collections.abc import Callable


def answer(handlers: dict[str, Callable[..., dict]]) -> None:
    """Answers until stdin ends. Each handler takes the request's argument and returns the answer.

    Whatever a library prints goes to stderr, so that stdout carries answers only.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    answers.write('{"ready": true}\n')
    for line in sys.stdin:
        ((verb, argument),) = json.loads(line).items()
        try:
            reply = handlers[verb](argument)
        except Exception as error:  # noqa: BLE001 - every failure of the engine is the answer
            reply = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(reply) + "\n")
