"""Tests for `benchmarks/profiling.py`: the files are there, and the program that ran is in them."""

import gzip
import json

import jax
import jax.numpy as jnp

from benchmarks import profiling
from benchmarks.timing import peer_side


@jax.jit
def product_sorted(x):
    return jnp.sort(x @ x)


def test_the_programs_of_a_block_are_in_the_trace(tmp_path):
    x = jnp.ones((50, 50))
    product_sorted(x).block_until_ready()
    profiling.write(tmp_path / "new", peer_side(lambda: lambda: product_sorted(x).block_until_ready(), 1))
    (trace,) = tmp_path.glob("new/plugins/profile/*/perfetto_trace.json.gz")
    events = json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
    names = [event["name"] for event in events if event.get("ph") == "X"]
    assert "PjitFunction(product_sorted)" in names
    assert sum(name.startswith("sort") for name in names) == 2, "two units, one sort in each"
    assert list(tmp_path.glob("new/plugins/profile/*/*.xplane.pb"))
