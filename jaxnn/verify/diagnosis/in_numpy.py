"""The functions of `jax`, `jax.lax` and `jax.nn` that backward passes are written with, in NumPy.

Code that calls them is looked into at NumPy's speed where it gives the same then; what is not here it gets from JAX.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnn.verify.diagnosis.exchange import NUMPY, updatable


class _Library:
    """A module with some of its functions in NumPy."""

    def __init__(self, module: Any, **functions: Any):
        vars(self).update(functions)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def scan(
    f: Callable,
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """Return what `jax.lax.scan` does: the last carry, and the outputs of all rounds, stacked."""
    rounds = range(len(jax.tree.leaves(xs)[0]) if length is None else length)
    carry, ys = init, []
    for i in reversed(rounds) if reverse else rounds:
        carry, y = f(carry, jax.tree.map(lambda x, i=i: x[i], xs))
        ys.append(y)
    return carry, jax.tree.map(lambda *parts: updatable(np.stack(parts)), *(ys[::-1] if reverse else ys))


def fori_loop(lower: int, upper: int, body_fun: Callable, init_val: Any, *, unroll: int | bool | None = None) -> Any:
    """Return what `jax.lax.fori_loop` does."""
    for i in range(int(lower), int(upper)):
        init_val = body_fun(i, init_val)
    return init_val


def cond(pred: Any, true_fun: Callable, false_fun: Callable, *operands: Any) -> Any:
    """Return what `jax.lax.cond` does, for a single truth value."""
    return (true_fun if bool(pred) else false_fun)(*operands)


def dynamic_slice(operand: Any, start_indices: Any, slice_sizes: Any) -> Any:
    """Return what `jax.lax.dynamic_slice` does: a start too far on is moved back."""
    bounds = zip(operand.shape, start_indices, slice_sizes, strict=True)
    starts = [(min(max(int(start), 0), n - size), size) for n, start, size in bounds]
    return operand[tuple(slice(start, start + size) for start, size in starts)]


def dynamic_slice_in_dim(operand: Any, start_index: Any, slice_size: int, axis: int = 0) -> Any:
    """Return what `jax.lax.dynamic_slice_in_dim` does."""
    starts, sizes = [0] * operand.ndim, list(operand.shape)
    starts[axis], sizes[axis] = start_index, slice_size
    return dynamic_slice(operand, starts, sizes)


def vmap(fun: Callable, in_axes: Any = 0, out_axes: int = 0) -> Callable:
    """Return what `jax.vmap` does, a call for each example; axes are one for each argument."""

    def mapped(*args):
        axes = in_axes if isinstance(in_axes, tuple | list) else (in_axes,) * len(args)
        pairs = list(zip(args, axes, strict=True))
        size = next(np.shape(jax.tree.leaves(arg)[0])[axis] for arg, axis in pairs if axis is not None)

        def example(i):
            return fun(*(arg if a is None else jax.tree.map(lambda x, a=a: np.take(x, i, a), arg) for arg, a in pairs))

        return jax.tree.map(lambda *parts: updatable(np.stack(parts, out_axes)), *map(example, range(size)))

    return mapped


def jit(fun: Callable | None = None, **options: Any) -> Callable:
    """Return the function as it is."""
    return (lambda fun: fun) if fun is None else fun


def logsumexp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return what `jax.nn.logsumexp` does, without weights."""
    top = np.max(a, axis=axis, keepdims=True)
    found = np.log(np.sum(np.exp(a - top), axis=axis, keepdims=True)) + top
    return found if keepdims else np.squeeze(found, axis)


def softmax(x: Any, axis: Any = -1) -> Any:
    """Return what `jax.nn.softmax` does."""
    return np.exp(x - logsumexp(x, axis, keepdims=True))


def sigmoid(x: Any) -> Any:
    """Return what `jax.nn.sigmoid` does."""
    return 1 / (1 + np.exp(-x))


def one_hot(x: Any, num_classes: int, *, dtype: Any = float) -> Any:
    """Return what `jax.nn.one_hot` does, the classes last."""
    return (np.asarray(x)[..., None] == np.arange(num_classes)).astype(dtype)


LAX: Any = _Library(
    jax.lax,
    **{name: getattr(np, name) for name in ("exp", "log", "tanh", "sqrt", "abs", "square", "sign", "expand_dims")},
    **{"max": np.maximum, "min": np.minimum, "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide},
    **{"scan": scan, "fori_loop": fori_loop, "cond": cond, "select": np.where, "stop_gradient": lambda x: x},
    **{"dynamic_slice": dynamic_slice, "dynamic_slice_in_dim": dynamic_slice_in_dim},
    **{
        "rsqrt": lambda x: 1 / np.sqrt(x),
        "logistic": sigmoid,
        "map": lambda f, xs: scan(lambda _, x: (0, f(x)), 0, xs)[1],
    },
)
NN: Any = _Library(
    jax.nn,
    **{"softmax": softmax, "logsumexp": logsumexp, "sigmoid": sigmoid, "one_hot": one_hot, "tanh": np.tanh},
    log_softmax=lambda x, axis=-1: x - logsumexp(x, axis, keepdims=True),
    relu=lambda x: np.maximum(x, 0),
    softplus=lambda x: np.logaddexp(x, 0),
    silu=lambda x: x * sigmoid(x),
)
JAX: Any = _Library(jax, numpy=NUMPY, lax=LAX, nn=NN, vmap=vmap, jit=jit, checkpoint=jit)
"""`jax` as code that was written for it reads it in NumPy."""
