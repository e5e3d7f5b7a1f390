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
    return found | {"copy": 2 * copied / seconds_of_copy(copied // 4)}


def seconds_of_product(size: int, dtype: str, precision: str) -> float:
    """Return the seconds of one product of a matrix of random numbers, since equal ones cost a GPU less power."""
    with jax.enable_x64(dtype == "float64"):
        matrix = jax.random.normal(jax.random.key(0), (size, size), dtype)
        product = jax.jit(lambda a, b: jnp.matmul(a, b, precision=precision))
        return fastest(lambda _: product(matrix, matrix), None)


def seconds_of_copy(numbers: int) -> float:
    """Return the seconds of reading and writing so many float32, in memory that is there already."""
    return fastest(jax.jit(lambda x: x + 1, donate_argnums=0), jnp.zeros(numbers, jnp.float32))


def fastest(run: Callable, last: jax.Array | None) -> float:
    """Return the shortest of several times of `last = run(last)`, the first and the compilation left out."""
    last = run(last).block_until_ready()
    times = []
    for _ in range(SAMPLES):
        start = time.perf_counter()
        last = run(last).block_until_ready()
        times.append(time.perf_counter() - start)
    return float(np.min(times))
