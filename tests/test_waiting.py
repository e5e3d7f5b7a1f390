"""Tests for `jaxnn.waiting`: Ctrl-C is heard while a program runs, and every thread gets its result."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import pytest

from jaxnn.waiting import wait_for


@jax.jit
def slow(x):
    """Products of matrices for some seconds; with less to do JAX would compute it in the call itself."""
    return jax.lax.fori_loop(0, 400, lambda _, x: x @ x / 500, x)


@pytest.fixture
def interruptible():
    """Let Ctrl-C raise KeyboardInterrupt, also where a shell started us with it ignored, as `nohup` does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_heard_while_a_program_runs(interruptible):
    result = slow(jnp.ones((500, 500)))
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        wait_for(result)
    assert not result.is_ready()
    assert wait_for({"again": result})["again"].is_ready()


def test_a_result_is_waited_for_in_any_thread():
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(wait_for, [slow(jnp.ones((5, 5))), slow(jnp.ones((50, 50)))]):
            assert result.is_ready()
