"""The witness that needs no reference: the gradient of m examples is the mean, or the sum, of the m gradients."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.verify import evaluation
from jaxnn.verify.problem import Leaves, Problem, pose
from jaxnn.verify.rounding import EPSILON, SAFETY


class Split(NamedTuple):
    """How examples lie in the arguments: `size` of them along `axis` of the arguments `places`; `parts` of them.

    `parts` are the arguments of the first example alone and of the others; `weights` what their losses are multiplied
    with to give the loss of all.
    """

    size: int
    axis: int
    places: tuple[int, ...]
    parts: tuple[tuple[Any, ...], ...]
    weights: tuple[float, ...]


def split(problem: Problem, loss: Callable[[Sequence[Any]], float]) -> Split | None:
    """Return how the loss adds up over examples, seen from its values `loss(args)` alone; None if it does not."""
    data = {i: arg for i, arg in enumerate(problem.args) if i not in problem.argnums and _is_data(arg)}
    whole = None
    for axis in (0, -1):
        sizes = {i: _size(arg, axis) for i, arg in data.items()}
        for size in dict.fromkeys(sizes.values()):
            places = tuple(i for i in data if sizes[i] == size)
            if size < 2:
                continue
            whole = loss(problem.args) if whole is None else whole
            parts = tuple(_part(problem.args, places, axis, piece) for piece in (slice(0, 1), slice(1, None)))
            try:
                first, rest = (loss(part) for part in parts)
            except (TypeError, ValueError, IndexError, AssertionError):
                continue
            if not np.isfinite([whole, first, rest]).all():  # infinity adds up to infinity whatever the parts are
                continue
            for weights in ((1 / size, (size - 1) / size), (1.0, 1.0)):
                total = weights[0] * first + weights[1] * rest
                if abs(total - whole) <= 1e-10 * (abs(weights[0] * first) + abs(weights[1] * rest)):
                    return Split(size, axis, places, parts, weights)
    return None


def examples(
    split: Split, problem: Problem, argnums: int | Sequence[int], options: Mapping[str, Any]
) -> Iterator[tuple[tuple[Any, ...], float, Leaves]]:
    """Yield each part's arguments, weight and hand-written gradient, as float64 arrays; compiled with `options`."""

    def grad(arrays, frame):
        part = pose(problem.whole_loss, problem.whole_grad, frame.fill(arrays), argnums, any_dtype=True)
        return part.grad(part.leaves)

    program = jax.jit(grad, static_argnums=1, compiler_options=dict(options))  # one for parts of one size
    for args, weight in zip(split.parts, split.weights, strict=True):
        part = pose(problem.whole_loss, problem.whole_grad, args, argnums, any_dtype=True)
        try:
            found = program(*evaluation.split(part, part.leaves, data_too=True))
        except Exception:  # it runs outside of `jit` only
            found = part.grad(part.leaves)
        yield args, weight, [np.asarray(v, np.float64) for v in found]


def disagreement(parts: Sequence[tuple[float, Leaves]], whole: Leaves, noise: Leaves) -> tuple[float, float]:
    """Return how far the weighted parts are from the gradient of the whole at most, and the error bar there."""
    worst, bar = 0.0, 0.0
    for i, (total, shake) in enumerate(zip(whole, noise, strict=True)):
        pieces = [weight * gradient[i] for weight, gradient in parts]
        gap = np.abs(sum(pieces) - total)
        error = SAFETY * EPSILON * (4 * shake + sum(np.abs(p) for p in pieces)) + np.finfo(float).tiny
        error = error + SAFETY * EPSILON * np.max(np.abs(total), initial=0.0)
        if gap.size and not np.all(gap <= error):
            k = int(np.argmax(np.nan_to_num(gap / error, nan=np.inf)))
            if np.isnan(gap.flat[k]):
                return np.inf, float(error.flat[k])
            if gap.flat[k] / error.flat[k] > (worst / bar if bar else 0):
                worst, bar = float(gap.flat[k]), float(error.flat[k])
    return worst, bar


def _is_data(arg):
    """Return whether an argument may hold examples: an array, or a list of them."""
    if isinstance(arg, list):
        return True
    array = isinstance(arg, jax.Array | np.ndarray) and np.ndim(arg) >= 1
    return array and not jnp.issubdtype(arg.dtype, jax.dtypes.prng_key)


def _size(arg, axis):
    """Return how many examples there are along an axis, 0 where there is none."""
    if isinstance(arg, list):
        return len(arg) if axis == 0 else 0
    return np.shape(arg)[axis]


def _part(args, places, axis, piece):
    def cut(arg):
        if isinstance(arg, list):
            return arg[piece]
        whole = np.asarray(arg)  # a slice of JAX's is a program that has to be compiled
        part = whole[piece] if axis == 0 else whole[..., piece]
        return jnp.asarray(part) if isinstance(arg, jax.Array) else part

    return tuple(cut(arg) if i in places else arg for i, arg in enumerate(args))
