"""Waiting for what a device computes, so that Ctrl-C is heard meanwhile."""

import contextlib
import threading
import time
from typing import Any

import jax


def wait_for(result: Any) -> Any:
    """Return `result`, any tree of arrays, once it is computed, and hear Ctrl-C before."""
    # `block_until_ready` holds Python's signals back until it returns, so a thread waits in it in place of the main
    # one. Looking every now and then whether the result is there would take 4 % of two cores from what computes it.
    if threading.current_thread() is threading.main_thread():
        for _ in range(20):  # a millisecond in all: starting a thread would be most of the time of so short a program
            if all(leaf.is_ready() for leaf in jax.tree.leaves(result)):
                return result
            time.sleep(5e-5)
        waiting = threading.Thread(target=_wait_silently, args=(result,))
        waiting.start()
        while waiting.is_alive():
            waiting.join(0.1)
    return jax.block_until_ready(result)


def _wait_silently(result):
    with contextlib.suppress(Exception):  # the caller raises it
        jax.block_until_ready(result)
