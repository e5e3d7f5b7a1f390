r"""The network of lecture sections 4 and 6: one hidden layer of sigmoid nodes, sigmoid outputs, Bernoulli loss.

$Z_1 = x W_1 + b_1$, $A_1 = \sigma(Z_1)$, $Z_2 = A_1 W_2 + b_2$, $\hat y = A_2 = \sigma(Z_2)$. One example a row: the
lecture, which has one a column, prints the transposes of these, and its `W1` is our `W1.T`. Any number of inputs,
hidden nodes and outputs.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxnn.data.rrandom import RRandom
from jaxnn.errors import check_dtype, check_finite, check_key, check_positive_int, check_probabilities, check_shape
from jaxnn.losses import bernoulli, sum_squared_error
from jaxnn.networks.columns import products
from jaxnn.networks.targets import column_targets
from jaxnn.ops import dense, dense_bwd, sigmoid, sigmoid_bwd

Params = dict[str, Array]


class Forward(NamedTuple):
    """What the forward pass computes: `Z1`, `A1` are `(n, n_hidden)`, `Z2`, `A2` `(n, n_outputs)`."""

    Z1: Array
    A1: Array
    Z2: Array
    A2: Array


def layer_sizes(x: Float[Array, "n d"], y: Float[Array, "n k"], n_hidden: int) -> tuple[int, int, int]:
    """Return the lecture's `n_x, n_h, n_y`: the numbers of inputs, hidden nodes and outputs."""
    check_positive_int("n_hidden", n_hidden)
    check_shape("x", x, ("n", "d"))
    check_shape("y", y, (x.shape[0], "k"))
    return x.shape[1], n_hidden, y.shape[1]


def init(
    rng_or_key: RRandom | Array, n_inputs: int, n_hidden: int, n_outputs: int, *, dtype: DTypeLike | None = None
) -> Params:
    """Return the lecture's start: weights uniform on (-1, 1), biases 0.

    `W1` is `(n_inputs, n_hidden)`, `b1` `(n_hidden,)`, `W2` `(n_hidden, n_outputs)`, `b2` `(n_outputs,)`. From an
    `RRandom` the weights come off R's stream in the lecture's order: `matrix(runif(n_h * n_x, -1, 1), byrow = TRUE)`,
    then `W2` likewise.
    """
    for name, size in {"n_inputs": n_inputs, "n_hidden": n_hidden, "n_outputs": n_outputs}.items():
        check_positive_int(name, size)
    if dtype is not None:
        check_dtype("dtype", dtype)
    shapes = (n_hidden, n_inputs), (n_outputs, n_hidden)
    if isinstance(rng_or_key, RRandom):
        lecture = [rng_or_key.runif(rows * columns, -1, 1).reshape(rows, columns) for rows, columns in shapes]
    else:
        check_key("rng_or_key", rng_or_key)
        keys = jax.random.split(rng_or_key)
        lecture = [jax.random.uniform(k, s, dtype or float, -1, 1) for k, s in zip(keys, shapes, strict=True)]
    w1, w2 = (jnp.asarray(w, dtype).T for w in lecture)
    return {"W1": w1, "b1": jnp.zeros(n_hidden, w1.dtype), "W2": w2, "b2": jnp.zeros(n_outputs, w1.dtype)}


def forward(params: Params, x: Float[Array, "n d"]) -> Forward:
    """Return every intermediate value of the network, as the lecture prints them."""
    check_finite("x", x)
    z1 = dense(x, params["W1"], params["b1"])
    a1 = sigmoid(z1)
    z2 = dense(a1, params["W2"], params["b2"])
    return Forward(z1, a1, z2, sigmoid(z2))


def backward(params: Params, x: Float[Array, "n d"], y: Float[Array, "n k"], values: Forward) -> Params:
    r"""Return the gradient of `loss`, `forward` line by line from the last to the first.

    $\bar Z_2 = (A_2 - y) / n$, $\bar A_1 = \bar Z_2 W_2'$, $\bar Z_1 = \bar A_1 A_1 (1 - A_1)$. Each output has its own
    entry in `b2`'s gradient; the lecture's `db2` adds them all up, which is right for one output only.
    """
    y = column_targets(y, values.A2.shape)
    dz2 = (values.A2 - y) / len(x)
    da1, dW2, db2 = dense_bwd((values.A1, params["W2"]), dz2)
    (dz1,) = sigmoid_bwd((values.A1,), da1)
    _, dW1, db1 = dense_bwd((x, params["W1"]), dz1)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def apply(params: Params, x: Float[Array, "n d"]) -> Float[Array, "n k"]:
    r"""Return the predicted probabilities $\hat y = A_2$."""
    return forward(params, x).A2


def loss(params: Params, x: Float[Array, "n d"], y: Float[Array, "n k"]) -> Float[Array, ""]:
    r"""Return the cost $-\frac{1}{n} \sum y \log \hat y + (1 - y) \log(1 - \hat y)$; `y` may be `(n,)` if $k = 1$."""
    check_probabilities("y", y)
    z2 = forward(params, x).Z2
    return bernoulli(z2, column_targets(y, z2.shape)) / len(z2)


def update(params: Params, grads: Params, rate: float) -> Params:
    """Return one step of gradient descent, each parameter less `rate` times its gradient."""
    return jax.tree.map(lambda p, g: p - rate * g, params, grads)


def value_and_grad(params: Params, x: Float[Array, "n d"], y: Float[Array, "n k"]) -> tuple[Array, Params]:
    r"""Return `loss` and its gradient by hand, `backward`'s, in one pass written for speed (see `_forward_columns`).

    $e^{-|z|}$ serves $\hat y$ and the cost alike, and the cost takes the logarithm of the likelihood, a product,
    instead of adding up $n$ logarithms, which would cost a third of the step.
    """
    check_probabilities("y", y)
    inputs, a1, z2, y = _forward_columns(params, x, y)
    # Of -|z|, so that it is at most 1 and does not overflow.
    e = jnp.exp(-jnp.abs(z2))
    a2 = jnp.where(z2 >= 0, 1, e) / (1 + e)
    cost = jnp.sum(jnp.maximum(z2, 0) - y * z2) + _sum_log(1 + e)
    return cost / len(x), _backward_columns(params, inputs, a1, (a2 - y) / len(x))


def half_squared_error(params: Params, x: Float[Array, "n d"], y: Float[Array, "n k"]) -> Float[Array, ""]:
    r"""Return $E = \frac{1}{2} \sum (y - \hat y)^2$, a sum: the error `"sse"` of R's neuralnet (lecture section 7)."""
    y_hat = apply(params, x)
    return sum_squared_error(y_hat, column_targets(y, y_hat.shape)) / 2


def half_squared_error_and_grad(params: Params, x: Float[Array, "n d"], y: Float[Array, "n k"]) -> tuple[Array, Params]:
    r"""Return `half_squared_error` and its gradient by hand, $\bar Z_2 = (\hat y - y)\, \hat y (1 - \hat y)$."""
    inputs, a1, z2, y = _forward_columns(params, x, y)
    a2 = sigmoid(z2)
    return jnp.sum((a2 - y) ** 2) / 2, _backward_columns(params, inputs, a1, (a2 - y) * a2 * (1 - a2))


def _forward_columns(params, x, y):
    """Return the inputs with a row of ones, `A1`, `Z2` and `y`, one example a column as in the lecture.

    So every operation runs along `n` contiguous numbers.
    """
    check_finite("x", x)
    check_shape("x", x, ("n", params["W1"].shape[0]))
    y = column_targets(y, (len(x), params["W2"].shape[1])).T
    # One example a column takes 14.6 us a step of the lecture's loop, one a row 22.3; the row of ones makes the biases
    # weights like the others, and their gradient a row of the same product.
    inputs = _with_ones(jnp.asarray(x).T)
    a1 = sigmoid(jnp.concatenate([params["W1"], params["b1"][None]]).T @ inputs)
    return inputs, a1, params["W2"].T @ a1 + params["b2"][:, None], y


def _backward_columns(params, inputs, a1, dz2):
    dz1 = (params["W2"] @ dz2) * a1 * (1 - a1)
    layer1, layer2 = products(inputs, dz1), products(_with_ones(a1), dz2)
    return {"W1": layer1[:-1], "b1": layer1[-1], "W2": layer2[:-1], "b2": layer2[-1]}


def _with_ones(rows):
    """Return the rows and one of ones below: the inputs of the next layer's biases."""
    return jnp.concatenate([rows, jnp.ones_like(rows[:1])])


def _sum_log(t):
    """Return the sum of log t for t in [1, 2]: as many as the float type can hold, 32 at most, are multiplied first."""
    # A product of 32 numbers up to 2 is at most 2^32, which every float type but float16 holds.
    together = min(32, jnp.finfo(t.dtype).maxexp - 1)
    t = jnp.pad(t.ravel(), (0, -t.size % together), constant_values=1)
    return jnp.sum(jnp.log(jnp.prod(t.reshape(together, -1), axis=0)))
