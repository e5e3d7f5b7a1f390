"""Functions of the user's, tried on a few numbers before a network with them is compiled."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxnn.errors import InvalidArgument, require
from jaxnn.r_neuralnet.algorithms import name_of


def check_elementwise(argument: str, function: Callable[..., Any]) -> None:
    """Raise `InvalidArgument` unless the function is one of JAX that does the same to each number by itself."""
    expected = "an elementwise function of one argument, written with jax.numpy, such as jnp.tanh"
    points = jnp.linspace(-2, 2, 6, dtype=float).reshape(2, 3)
    slope = lambda z: jax.vjp(function, z)[1](jnp.ones_like(z))  # noqa: E731
    found = _traced(argument, function, expected, function, points)
    shape = getattr(found, "shape", None)
    require(
        shape == points.shape, argument, f"{name_of(function)}, which makes shape {shape} of {points.shape}", expected
    )
    floating = jnp.issubdtype(found.dtype, jnp.floating)
    require(floating, argument, f"{name_of(function)}, which makes {found.dtype} of {points.dtype}", expected)
    _traced(argument, slope, expected, function, points)

    def both(z):
        return function(z), jax.vmap(function)(z.ravel()).reshape(z.shape), slope(z)

    _traced(argument, both, expected, function, points)
    together, apart, slopes = jax.jit(both)(points)
    alike = np.allclose(together, apart, rtol=1e-6, atol=1e-12, equal_nan=True)
    seen = f"{name_of(function)}, which makes another number of one value beside others than of it alone"
    require(alike, argument, seen, expected)
    flat = f"{name_of(function)}, whose slope is 0 at {', '.join(f'{z:g}' for z in points.ravel().tolist())}"
    require(bool(np.any(np.asarray(slopes) != 0)), argument, flat, f"{expected}, with a slope to train weights by")


def check_error(argument: str, function: Callable[..., Any], y: Float[np.ndarray, "n k"]) -> None:
    """Raise `InvalidArgument` unless the function is an error of JAX: of outputs and targets, added up over rows."""
    name, rows = name_of(function), jnp.asarray(np.resize(y, (12, y.shape[1])))
    expected = "a function f(output, target) written with jax.numpy, whose values are added up: (output - target) ** 2"
    # Outputs of all sizes, so that an error that is flat somewhere, as a hinge is, is told from one that ignores them.
    outputs = rows + jnp.asarray([0.3, -0.3, 0.1, 3, -3, 30, -30, 300, -300, 0.5, -0.5, 1.5])[:, None]

    def summed(output, target):
        return jnp.sum(function(output, target))

    _traced(argument, jax.value_and_grad(summed), expected, function, outputs, rows)

    @jax.jit
    def tried(output, target):
        alone = jax.vmap(lambda o, t: summed(o[None], t[None]))(output, target)
        return jax.grad(summed)(output, target), summed(output[:3], target[:3]), alone[:3].sum()

    slopes, together, apart = tried(outputs, rows)
    require(bool(np.any(np.asarray(slopes) != 0)), argument, f"{name}, which does not depend on the output", expected)
    seen = f"{name}, which is {together:.4g} of three rows and {apart:.4g} of each of them, added up: a mean, perhaps"
    alike = np.allclose(together, apart, rtol=1e-6, atol=1e-12, equal_nan=True)
    require(alike, argument, seen, f"{expected}, without jnp.mean")


def _traced(argument: str, run: Callable[..., Any], expected: str, function: Callable[..., Any], *args: Any) -> Any:
    """Return the shape of what is computed, without computing it."""
    try:
        return jax.eval_shape(lambda *given: run(*given), *args)
    except Exception as error:  # whatever a function of the user's raises
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
        seen = f"{name_of(function)}, of which JAX makes no program ({reason[:200]})"
        raise InvalidArgument(f"{argument}: got {seen}, expected {expected}") from error
