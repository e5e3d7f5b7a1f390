r"""The dense network of lecture section 8.3, of any depth: inputs, hidden layers with dropout, softmax.

For each hidden layer $A_i = \mathrm{dropout}(f(A_{i-1} W_i + b_i))$ with $A_0 = x$, then
$Z_L = A_{L-1} W_L + b_L$ and $\hat y = \mathrm{softmax}(Z_L)$. The activation $f$ is that of all hidden layers; the
lecture has one layer of ReLU. The depth is that of the parameters `W1, b1, ..., WL, bL`; one layer alone is softmax
regression. Dropout takes part only where a random `key` is given, which is in training.
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import core
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int, Key

from jaxnn import ops
from jaxnn.errors import check_dtype, check_finite, check_key, check_positive_int, check_shape, require
from jaxnn.losses import accuracy, one_hot, softmax_cross_entropy, softmax_cross_entropy_bwd, softmax_cross_entropy_fwd
from jaxnn.ops import dense_bwd, dense_fwd, dropout_bwd, dropout_fwd

Params = dict[str, Array]
Residuals = tuple[Any, ...]
Vectors = Float[Array, "n d"]
MaybeKey = Key[Array, ""] | None
"""Where there is none, all nodes are active."""

Labels = Int[Array, " n"] | Float[Array, "n k"]
"""Class numbers `(n,)`, or a row of weights for each example, one-hot in the simplest case."""

ACTIVATIONS = {
    "relu": (ops.relu_fwd, ops.relu_bwd),
    "sigmoid": (ops.sigmoid_fwd, ops.sigmoid_bwd),
    "tanh": (ops.tanh_fwd, ops.tanh_bwd),
    "softplus": (ops.softplus_fwd, ops.softplus_bwd),
    "heaviside": (ops.heaviside_fwd, ops.heaviside_bwd),
}
"""What `activation` may be, each with its rule. Below a layer of heaviside every gradient is 0."""


def init(
    key: Array,
    n_inputs: int = 784,
    n_hidden: int | tuple[int, ...] | list[int] = 512,
    n_outputs: int = 10,
    *,
    dtype: DTypeLike = jnp.float32,
) -> Params:
    r"""Return Keras' start: weights uniform on $\pm\sqrt{6 / (\text{inputs} + \text{outputs})}$ (Glorot), biases 0.

    `n_hidden` is the number of nodes of the hidden layer, or of each where there are several, or `()` for none.
    """
    hidden = list(n_hidden) if isinstance(n_hidden, tuple | list) else [n_hidden]
    check_positive_int("n_inputs", n_inputs)
    for size in hidden:
        check_positive_int("n_hidden", size)
    check_positive_int("n_outputs", n_outputs)
    check_dtype("dtype", dtype)
    check_key("key", key)
    # Within another program JAX takes no options of XLA for this part of it.
    backend = None if isinstance(key, core.Tracer) else jax.default_backend()
    return _drawing(backend)(key, (n_inputs, *hidden, n_outputs), jnp.dtype(dtype))


def _draw(key, sizes, dtype):
    """Return the start of layers with those numbers of nodes."""
    glorot, params = jax.nn.initializers.glorot_uniform(), {}
    for number, key_i in enumerate(jax.random.split(key, len(sizes) - 1), 1):
        params[f"W{number}"] = glorot(key_i, (sizes[number - 1], sizes[number]), dtype)
        params[f"b{number}"] = jnp.zeros(sizes[number], dtype)
    return params


@cache  # one program: piece by piece they take twice as long to compile
def _drawing(backend):
    """Return `_draw` compiled; for a CPU lightly: it runs once, and to optimize it would take longer in all."""
    options = {"xla_backend_optimization_level": 1} if backend == "cpu" else None
    return jax.jit(_draw, static_argnums=(1, 2), compiler_options=options)


def forward(
    params: Params, x: Vectors, key: MaybeKey = None, *, rate: float = 0.2, activation: str = "relu"
) -> tuple[Float[Array, "n k"], Residuals]:
    """Return $Z_L$ and the residuals for `backward`; with a `key`, a share `rate` of each layer's nodes drops out."""
    activation_fwd, _ = _rule(activation)
    *hidden, (w, b) = _layers(params)
    a, residuals = x, []
    for (w_i, b_i), key_i in zip(hidden, _keys(key, len(hidden)), strict=True):
        z, layer = dense_fwd(a, w_i, b_i)
        a, slope = activation_fwd(z)
        a, mask = (a, None) if key_i is None else dropout_fwd(a, key_i, rate=rate)
        residuals.append((layer, slope, mask))
    z, layer = dense_fwd(a, w, b)
    return z, (residuals, layer)


def backward(
    residuals: Residuals, dz: Float[Array, "n k"], *, rate: float = 0.2, activation: str = "relu"
) -> tuple[Float[Array, "n d"], Params]:
    """Return the cotangents of `x` and of the parameters: `forward` line by line, from the last to the first."""
    _, activation_bwd = _rule(activation)
    hidden, layer = residuals
    da, dw, db = dense_bwd(layer, dz)
    grads = {f"W{len(hidden) + 1}": dw, f"b{len(hidden) + 1}": db}
    for number, (layer, slope, mask) in reversed(list(enumerate(hidden, 1))):
        if mask is not None:
            da, _ = dropout_bwd(mask, da, rate=rate)
        (dz,) = activation_bwd(slope, da)
        da, grads[f"W{number}"], grads[f"b{number}"] = dense_bwd(layer, dz)
    return da, grads


def value_and_grad(
    params: Params, x: Vectors, y: Labels, key: MaybeKey = None, *, rate: float = 0.2, activation: str = "relu"
) -> tuple[Array, Params]:
    """Return `loss` and its gradient by hand; arguments as in `loss`."""
    (value, _), grads = metrics_and_grad(params, x, y, key, rate=rate, activation=activation)
    return value, grads


def metrics_and_grad(
    params: Params, x: Vectors, y: Labels, key: MaybeKey = None, *, rate: float = 0.2, activation: str = "relu"
) -> tuple[tuple[Array, dict[str, Array]], Params]:
    """Return `((loss, {"accuracy"}), gradient)`, the accuracy that of the same forward pass, dropout and all."""
    check_finite("x", x)
    z, residuals = forward(params, x, key, rate=rate, activation=activation)
    y = one_hot(y, z.shape[1], z.dtype)
    total, likelihood = softmax_cross_entropy_fwd(z, y)
    dz, _ = softmax_cross_entropy_bwd(likelihood, 1 / len(z))
    _, grads = backward(residuals, dz, rate=rate, activation=activation)
    return (total / len(z), {"accuracy": accuracy(z, y)}), grads


def logits(
    params: Params, x: Float[Array, "n d"], key: MaybeKey = None, *, rate: float = 0.2, activation: str = "relu"
) -> Float[Array, "n k"]:
    """Return $Z_L$; with a `key`, after dropout of the share `rate` of each hidden layer's nodes."""
    check_finite("x", x)
    return forward(params, x, key, rate=rate, activation=activation)[0]


def apply(params: Params, x: Float[Array, "n d"], *, activation: str = "relu") -> Float[Array, "n k"]:
    r"""Return the predicted probabilities $\hat y = \mathrm{softmax}(Z_L)$, all nodes active."""
    return jax.nn.softmax(logits(params, x, activation=activation))


def loss(
    params: Params, x: Vectors, y: Labels, key: MaybeKey = None, *, rate: float = 0.2, activation: str = "relu"
) -> Float[Array, ""]:
    r"""Return the mean cross-entropy $-\frac{1}{n} \sum y \log \hat y$; `y` is labels `(n,)` or one-hot `(n, k)`."""
    return loss_and_metrics(params, x, y, key, rate=rate, activation=activation)[0]


def loss_and_metrics(
    params: Params, x: Vectors, y: Labels, key: MaybeKey = None, *, rate: float = 0.2, activation: str = "relu"
) -> tuple[Array, dict[str, Array]]:
    """Return `(loss, {"accuracy"})`; autodiff of it, with `has_aux=True`, stands for `metrics_and_grad`."""
    z = logits(params, x, key, rate=rate, activation=activation)
    y = one_hot(y, z.shape[1], z.dtype)
    return softmax_cross_entropy(z, y) / len(z), {"accuracy": accuracy(z, y)}


def metrics(params: Params, x: Vectors, y: Labels, *, activation: str = "relu") -> dict[str, Array]:
    """Return `{"loss", "accuracy"}` over the examples, all nodes active."""
    value, others = loss_and_metrics(params, x, y, activation=activation)
    return {"loss": value, **others}


def _layers(params):
    """Return each layer's weights and biases, the first layer's first; raise where they do not follow each other."""
    depth = max(len(params) // 2, 1)
    names = [(f"W{number}", f"b{number}") for number in range(1, depth + 1)]
    require(set(params) == set(sum(names, ())), "params", sorted(params), "W1, b1, W2, b2 and so on, a pair a layer")
    n_inputs = "d"
    for w, b in names:
        check_shape(w, params[w], (n_inputs, "k"))
        n_inputs = np.shape(params[w])[1]
        check_shape(b, params[b], (n_inputs,))
    return [(params[w], params[b]) for w, b in names]


def _keys(key, count):
    """Return a key for each hidden layer's dropout, or as many None."""
    if key is None or count == 1:
        # One hidden layer drops out by the key itself, more by keys split from it.
        return [key] * count
    return list(jax.random.split(key, count))


def _rule(activation):
    known = isinstance(activation, str) and activation in ACTIVATIONS
    require(known, "activation", repr(activation), f"one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[activation]
