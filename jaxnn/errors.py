"""The errors that bad input raises, and the checks that raise them.

Every message names the argument, says what was seen, what was expected and, where it is not plain, what to do. Shapes
are checked whenever a function is called or traced; values only where they are there to be looked at, so inside `jit`
nothing is checked and nothing is paid.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import dtypes
from jax.core import Tracer


class InvalidArgument(ValueError):
    """An argument that cannot be right: the message names it, what was seen and what was expected."""


class Diverged(ValueError):
    """Training whose loss became NaN or infinite: the message says at which epoch and step."""


class WrongGradient(ValueError):
    """Training stopped by a gradient that is wrong: `verdict` says where and why.

    `params` are the last good ones, of the check before, or those of the start; `history` holds the epochs up to there.
    """

    def __init__(self, message: str, verdict: Any, params: Any, history: dict[str, np.ndarray]):
        super().__init__(message)
        self.verdict, self.params, self.history = verdict, params, history


class CheckpointError(ValueError):
    """A checkpoint that cannot be written, cannot be read, or belongs to another run."""


class DataFileError(ValueError):
    """A data file that is missing, damaged, truncated or not what it claims to be."""


def require(ok: bool | np.bool, name: str, seen: object, expected: str) -> None:
    """Raise `InvalidArgument` unless `ok`."""
    if not ok:
        raise InvalidArgument(f"{name}: got {seen}, expected {expected}")


def check_positive_int(name: str, value: Any) -> None:
    """Sizes, counts and batch sizes: a whole number of at least 1."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    require(whole and value >= 1, name, repr(value), "a whole number of at least 1")


def as_pair(name: str, value: Any, least: int = 1) -> tuple[int, int]:
    """Return two whole numbers of at least `least`, given as a sequence of them."""
    sizes = list(value) if isinstance(value, tuple | list) else []
    whole = [isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= least for n in sizes]
    require(len(sizes) == 2 and all(whole), name, repr(value), f"two whole numbers of at least {least}")
    return int(sizes[0]), int(sizes[1])


def check_share(name: str, value: Any) -> None:
    """Shares: a number in [0, 1)."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    require(number and 0 <= value < 1, name, repr(value), "a share in [0, 1)")


def check_positive(name: str, value: Any) -> None:
    """Rates and scales: a finite number above 0."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    require(number and np.isfinite(value) and value > 0, name, repr(value), "a finite number above 0")


def is_concrete(x: Any) -> bool:
    """Whether the values of `x` can be looked at here, which they cannot while a function is traced."""
    return not isinstance(x, Tracer)


def check_shape(name: str, x: Any, expected: Sequence[int | str]) -> None:
    """Sizes given as numbers must match; sizes given as letters may be anything but 0."""
    check_sizes(name, np.shape(x), expected)


def check_sizes(name: str, shape: Sequence[int], expected: Sequence[int | str]) -> None:
    """The same for a shape at hand."""
    wanted = "(" + ", ".join(map(str, expected)) + ("," if len(expected) == 1 else "") + ")"
    ok = len(shape) == len(expected) and all(
        n == e if isinstance(e, int) else n > 0 for n, e in zip(shape, expected, strict=True)
    )
    require(ok, name, f"shape {tuple(shape)}", f"shape {wanted}")


def check_finite(name: str, x: Any) -> None:
    """No NaN and no infinity; says where the first one is."""
    if not is_concrete(x):
        return
    values = np.asarray(x)
    if not jnp.issubdtype(values.dtype, np.inexact):
        return
    bad = ~np.isfinite(values)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        require(False, name, f"{values[first]} at index {first}", "finite numbers only")


def check_probabilities(name: str, y: Any) -> None:
    """Numbers in [0, 1]; says where the first other one is."""
    if not is_concrete(y):
        return
    values = np.asarray(y)
    bad = ~((values >= 0) & (values <= 1))
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        require(False, name, f"{values[first]} at index {first}", "numbers in [0, 1]")


def check_labels(name: str, y: Any, n_classes: int) -> None:
    """Whole numbers in 0..n_classes-1; says where the first wrong one is."""
    expected = f"whole numbers in 0..{n_classes - 1}"
    dtype = y.dtype if hasattr(y, "dtype") else np.asarray(y).dtype
    require(jnp.issubdtype(dtype, np.integer), name, f"dtype {dtype}", expected)
    if not is_concrete(y):
        return
    values = np.asarray(y)
    bad = (values < 0) | (values >= n_classes)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        require(False, name, f"{values[first]} at index {first}", expected)


def check_key(name: str, key: Any) -> None:
    """A random key, typed or as the raw numbers of `jax.random.PRNGKey`."""
    is_key = isinstance(key, jax.Array) and (
        jnp.issubdtype(key.dtype, dtypes.prng_key) or (key.dtype == np.uint32 and key.ndim == 1)
    )
    require(is_key, name, repr(key), "a random key such as jax.random.key(0)")


def check_dtype(name: str, dtype: Any) -> None:
    """A dtype that JAX can give: float64 only with x64 switched on."""
    given = dtypes.canonicalize_dtype(dtype)
    require(
        given == np.dtype(dtype),
        name,
        f"{np.dtype(dtype)}, of which JAX would make {given}",
        "a dtype that JAX is set up for; switch float64 on with jax.config.update('jax_enable_x64', True)",
    )
