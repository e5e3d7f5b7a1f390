"""The core is tested in float64, with exact matrix products, and no array is stretched to a higher rank by accident.

The data, the neuralnet, the experiments and the benchmarks choose their precision themselves: their tests start as
their users do.

What XLA compiles is kept in `.pytest_cache/jax`: most of the time of a test is spent on compiling, and several tests,
the other worker, the processes that tests start and the next run all ask for the same programs. Where the slow tests
are left out, it is also compiled with few optimizations: a quarter of the time, while `make test-all` runs the tests
on what users run. Only what the benchmarks compile is always compiled so: their tests run it once, and time nothing.
"""

import os
import shutil
from collections import Counter
from pathlib import Path

import jax
import pytest

COMPILED, MOST = Path(__file__).parents[1] / ".pytest_cache" / "jax", 2**30  # bytes
CACHE = {
    "jax_compilation_cache_dir": str(COMPILED),
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}
for name, value in CACHE.items():
    jax.config.update(name, value)
    os.environ[name.upper()] = str(value)  # for the processes that tests start

QUICK = "not slow"
RUN_ONCE = {"benchmarks"}
AS_USERS_START = {"data", "experiments", "benchmarks", "r_neuralnet"}

jax.config.update("jax_enable_x64", True)  # for what test modules make while they are collected
jax.config.update("jax_default_matmul_precision", "highest")
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_configure(config):
    """Compile quickly for the quick tests; start anew where years of programs have come together, before any worker."""
    if config.option.markexpr == QUICK:
        jax.config.update("jax_disable_most_optimizations", True)
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # for the processes that tests start
        if jax.__version_info__ < (0, 11):  # which has another way to compile still, in half the time
            os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_use_fusion_emitters=false"
    if not hasattr(config, "workerinput") and COMPILED.is_dir():
        if sum(file.stat().st_size for file in COMPILED.iterdir()) > MOST:
            shutil.rmtree(COMPILED)


def pytest_collection_modifyitems(items):
    """Put the files with expensive tests first: what is left for the end is short, and no worker waits for another."""
    tests = Counter(item.path for item in items)
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: (-slow[item.path], -tests[item.path], item.path))


@pytest.fixture(autouse=True, scope="module")
def as_the_module_needs(request):
    folder, quickly = request.path.parent.name, request.config.option.markexpr == QUICK
    jax.config.update("jax_enable_x64", folder not in AS_USERS_START)
    jax.config.update("jax_disable_most_optimizations", quickly or folder in RUN_ONCE)
    yield
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_disable_most_optimizations", quickly)


@pytest.fixture
def key():
    return jax.random.key(0)
