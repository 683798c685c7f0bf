"""Waits for conditions, never for time."""

import os
import time

PATIENCE = 1200 if os.environ.get("MANOMETER_EMULATED") else 120


def wait_for(what, condition):
    """Returns what the condition does, once that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.1)
    return value
