"""The lecture's MLP and CNN as Flax NNX modules, and the way to and from the plain parameters of `jaxnn.networks`.

The only module of the library that imports flax. The modules return logits and compute the same functions as
`networks.mlp.logits` and `networks.cnn.logits`; trained by `jax.grad` they are a witness for the gradients by hand.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Key

from jaxnn.errors import require
from jaxnn.losses import accuracy, one_hot, softmax_cross_entropy

Params = dict[str, Array]
Stages = list[tuple[str, Callable[[Array], Array]]]
_GLOROT = nnx.initializers.glorot_uniform()  # Keras' start; flax's own is lecun_normal


class MLP(nnx.Module):
    """Lecture section 8.3: dense with ReLU, dropout, dense; the probabilities are the softmax of what it returns."""

    def __init__(
        self, n_inputs: int = 784, n_hidden: int = 512, n_outputs: int = 10, *, rate: float = 0.2, rngs: nnx.Rngs
    ):
        self.dense = nnx.Linear(n_inputs, n_hidden, kernel_init=_GLOROT, rngs=rngs)
        self.dropout = nnx.Dropout(rate)
        self.dense_1 = nnx.Linear(n_hidden, n_outputs, kernel_init=_GLOROT, rngs=rngs)

    def stages(self, key: Key[Array, ""] | None = None) -> Stages:
        """Return the layers by the names that Keras gives them; dropout takes part only where there is a `key`."""
        return [
            ("dense", lambda x: nnx.relu(self.dense(x))),
            ("dropout", lambda x: self.dropout(x, deterministic=key is None, rngs=key)),
            ("dense_1", self.dense_1),
        ]

    def __call__(self, x: Float[Array, "n d"], key: Key[Array, ""] | None = None) -> Float[Array, "n k"]:
        return _in_turn(self.stages(key), x)


class CNN(nnx.Module):
    """Lecture section 8.5: two convolutions, a pool, dense with ReLU, dropout, dense; returns logits as `MLP` does."""

    def __init__(
        self,
        image: tuple[int, int, int] = (28, 28, 1),
        filters: tuple[int, int] = (32, 16),
        n_hidden: int = 1000,
        n_outputs: int = 10,
        *,
        rate: float = 0.5,
        rngs: nnx.Rngs,
    ):
        h, w, channels = image
        features = (h // 2) * (w // 2) * filters[1]
        self.conv2d = nnx.Conv(channels, filters[0], (3, 3), kernel_init=_GLOROT, rngs=rngs)
        self.conv2d_1 = nnx.Conv(filters[0], filters[1], (2, 2), kernel_init=_GLOROT, rngs=rngs)
        self.dense_2 = nnx.Linear(features, n_hidden, kernel_init=_GLOROT, rngs=rngs)
        self.dropout_1 = nnx.Dropout(rate)
        self.dense_3 = nnx.Linear(n_hidden, n_outputs, kernel_init=_GLOROT, rngs=rngs)

    def stages(self, key: Key[Array, ""] | None = None) -> Stages:
        """Return the layers by the names that Keras gives them; dropout takes part only where there is a `key`."""
        return [
            ("conv2d", self.conv2d),
            ("activation", nnx.relu),
            ("conv2d_1", lambda x: nnx.softplus(self.conv2d_1(x))),
            ("max_pooling2d", lambda x: nnx.max_pool(x, (2, 2), strides=(2, 2))),
            ("flatten", lambda x: x.reshape(len(x), -1)),
            ("dense_2", lambda x: nnx.relu(self.dense_2(x))),
            ("dropout_1", lambda x: self.dropout_1(x, deterministic=key is None, rngs=key)),
            ("dense_3", self.dense_3),
        ]

    def __call__(self, x: Float[Array, "n h w c"], key: Key[Array, ""] | None = None) -> Float[Array, "n k"]:
        return _in_turn(self.stages(key), x)


Model = MLP | CNN


class Row(NamedTuple):
    """A line of the summary: a layer, the shape of what it returns for one example, and how many numbers it learns."""

    layer: str
    shape: tuple[int, ...]
    parameters: int


def summary(model: Model, shape: tuple[int, ...]) -> list[Row]:
    """Return a row for each layer of `model`, as Keras' `summary` does, for examples of the given shape."""
    x, rows = jax.ShapeDtypeStruct((1, *shape), jnp.float32), []  # shapes only: nothing is computed
    for name, stage in model.stages():
        x = jax.eval_shape(stage, x)
        weights = jax.tree.leaves(nnx.state(getattr(model, name), nnx.Param)) if hasattr(model, name) else []
        rows.append(Row(name, x.shape[1:], sum(w.size for w in weights)))
    return rows


def to_params(model: Model) -> Params:
    """Return the weights as the plain parameters `{"W1", "b1", ...}` of `jaxnn.networks`, numbered layer by layer."""
    params = {}
    for number, layer in enumerate(_layers(model), 1):
        params |= {f"W{number}": layer.kernel[...], f"b{number}": layer.bias[...]}
    return params


def from_params(model: Model, params: Params) -> Model:
    """Return a copy of `model` with the weights of `params`; raise where a shape is another."""
    copy, expected = nnx.clone(model), set(to_params(model))
    require(set(params) == expected, "params", sorted(params), f"the names {sorted(expected)}")
    for number, layer in enumerate(_layers(copy), 1):
        for variable, name in (layer.kernel, f"W{number}"), (layer.bias, f"b{number}"):
            require(
                params[name].shape == variable.shape, name, f"shape {params[name].shape}", f"shape {variable.shape}"
            )
            variable[...] = params[name]
    return copy


def as_objective(model: Model) -> tuple[nnx.State, Callable]:
    """Return the weights of `model` and the pure function `(weights, x, y, key=None) -> (loss, {"accuracy"})`.

    `jax.value_and_grad(function, has_aux=True)` of it goes into `jaxnn.fit` with the weights as the parameters.
    """
    graph, weights = nnx.split(model)  # the graph is static: what jit and grad see is a function of the weights alone

    def loss_and_metrics(
        weights: nnx.State, x: Array, y: Array, key: Key[Array, ""] | None = None
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        z = nnx.merge(graph, weights)(x, key)
        y = one_hot(y, z.shape[1], z.dtype)
        return softmax_cross_entropy(z, y) / len(z), {"accuracy": accuracy(z, y)}  # the loss of jaxnn is a sum

    return weights, loss_and_metrics


def _in_turn(stages: Stages, x: Array) -> Array:
    for _, stage in stages:
        x = stage(x)
    return x


def _layers(model: Model) -> list[Any]:
    """Return the layers that have weights, in the order in which they are applied."""
    layers = [getattr(model, name, None) for name, _ in model.stages()]
    return [layer for layer in layers if hasattr(layer, "kernel")]
