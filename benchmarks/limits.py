"""What this machine can do at most, measured on the spot: products of matrices by dtype and precision, and copies."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

SAMPLES = 7
SIZE = {"cpu": 1536, "gpu": 8192, "tpu": 8192}  # rows and columns of the matrices
COPIED = {"cpu": 1 << 27, "gpu": 1 << 31, "tpu": 1 << 30}  # bytes, far more than the caches hold
PRODUCTS = {
    "float64": ("float64", "highest"),
    "float32": ("float32", "default"),  # TF32 on a GPU, bfloat16 on a TPU
    "float32 exact": ("float32", "highest"),
    "bfloat16": ("bfloat16", "default"),
}


def measured() -> dict[str, float]:
    """Return FLOP/s of products of square matrices by `PRODUCTS`' names, and bytes/s of `copy`, read and written."""
    backend = jax.default_backend()
    size, copied = SIZE.get(backend, SIZE["cpu"]), COPIED.get(backend, COPIED["cpu"])
    found = {name: 2 * size**3 / seconds_of_product(size, *how) for name, how in PRODUCTS.items()}
    numbers = jnp.zeros(copied // 4, jnp.float32)
    return found | {"copy": 2 * copied / fastest(jax.jit(lambda x: x + 1), numbers)}


def seconds_of_product(size: int, dtype: str, precision: str) -> float:
    """Return the seconds of one product of two matrices."""
    with jax.enable_x64(dtype == "float64"):
        matrix = jnp.ones((size, size), dtype)
        return fastest(jax.jit(lambda a, b: jnp.matmul(a, b, precision=precision)), matrix, matrix)


def fastest(run: Callable, *arguments: jax.Array) -> float:
    """Return the shortest of several times, the first and the compilation left out: a limit is what can be reached."""
    run(*arguments).block_until_ready()
    times = []
    for _ in range(SAMPLES):
        start = time.perf_counter()
        run(*arguments).block_until_ready()
        times.append(time.perf_counter() - start)
    return float(np.min(times))
