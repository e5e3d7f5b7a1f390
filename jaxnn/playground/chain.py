r"""The gradient of one weight as the lecture writes it: values, local derivatives, adjoints (lecture sections 3 and 4).

By hand from `program.backward`, and by autodiff of a network written out without it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from jaxnn.playground.program import ACTIVATIONS, Network, Params, Points, Settings, backward, forward, value_and_grad


class Adjoints(NamedTuple):
    r"""Derivatives of an error: by the weights and biases, by the nodes' values `a`, by their sums `z`."""

    W: Float[Array, "l h h"]
    b: Float[Array, "l h"]
    a: Float[Array, "l+1 h"]
    z: Float[Array, "l h"]


class Evidence(NamedTuple):
    """All that a chain is told from: of one point, and the mean gradient of all points."""

    a: Float[Array, "l+1 h"]
    z: Float[Array, "l h"]
    slopes: Float[Array, "l h"]
    error: Float[Array, ""]
    by_hand: Adjoints
    by_autodiff: Adjoints
    mean_by_hand: Params
    mean_by_autodiff: Params


@jax.jit
def evidence(network: Network, settings: Settings, train: Points, index: Int[Array, ""]) -> Evidence:
    """Return the values, the local derivatives and both gradients at training point `index`."""
    params = network.params
    x, y = train.x[index][None], train.y[index]
    a = forward(params, settings, x)
    masks = jnp.ones((len(params.b), *x.shape), x.dtype)
    output = a[settings.depth, 0, 0]
    grads, das, dzs = backward(params, settings, a, masks, jnp.zeros_like(x).at[0, 0].set(output - y))
    z = jnp.einsum("lh,lhk->lk", a[:-1, 0], params.W) + params.b
    functions = [slope for _, slope in ACTIVATIONS.values()]
    slopes = jax.vmap(lambda place, value: lax.switch(place, functions, value))(settings.activation, a[1:, 0])
    _, total = value_and_grad(params, True, settings, train)  # of a link that L1 killed too
    return Evidence(
        *(a[:, 0], z, slopes, (output - y) ** 2 / 2),
        Adjoints(grads.W, grads.b, das[:, 0], dzs[:, 0]),
        Adjoints(*jax.grad(_error)(Adjoints(*params, jnp.zeros_like(a[:, 0]), jnp.zeros_like(z)), settings, x[0], y)),
        jax.tree.map(lambda g: g / train.n, total),
        jax.grad(_mean_error)(params, settings, train),
    )


def _error(inputs: Adjoints, settings: Settings, x, y):
    """Return the error of one point, where `inputs.a` and `inputs.z` are added to the nodes' values and sums.

    With zeros there the error is the network's own, and its derivatives by them are the adjoints, from autodiff alone.
    """
    functions = [function for function, _ in ACTIVATIONS.values()]

    def layer(a, of):
        W, b, added_to_z, added_to_a, activation, is_there = of
        value = lax.switch(activation, functions, a @ W + b + added_to_z) + added_to_a
        return jnp.where(is_there, value, a), None

    # A scan, so that one layer is compiled and not eleven: half of the time that a user waits for the first chain.
    is_there = jnp.arange(len(inputs.b)) < settings.depth
    layers = inputs.W, inputs.b, inputs.z, inputs.a[1:], settings.activation, is_there
    output, _ = lax.scan(layer, x + inputs.a[0], layers)
    return (output[0] - y) ** 2 / 2


def _mean_error(params: Params, settings: Settings, points: Points):
    none = jnp.zeros((len(params.b) + 1, params.b.shape[1])), jnp.zeros_like(params.b)
    errors = jax.vmap(lambda x, y: _error(Adjoints(*params, *none), settings, x, y))(points.x, points.y)
    return jnp.sum(jnp.where(jnp.arange(len(errors)) < points.n, errors, 0)) / points.n


def table(found: Evidence, layer: int, node: int, source: int, names: Sequence[str], hidden: Sequence[int]) -> dict:
    r"""Return the chain of the weight from `source` to `node` of `layer` as rows of text and numbers.

    `values` have what is computed, forward; `local` the derivatives of one step; `adjoints` those of the error J, last
    to first, each by hand and by autodiff; `mean` the weight's mean gradient over the training points, the same two.
    """
    last = len(hidden)

    def a(layer, node):
        return names[node] if layer == 0 else "ŷ" if layer > last else f"a{layer}.{node + 1}"

    into, out = a(layer, source), a(layer + 1, node)
    z, w = f"z{layer + 1}.{node + 1}", f"w{layer + 1}.{node + 1}.{source + 1}"
    weight = layer, source, node
    above = [*hidden, 1][layer + 1] if layer < last else 0  # nodes that this one goes into
    terms = [f"w{layer + 2}.{k}.{node + 1} ∂J/∂z{layer + 2}.{k}" for k in range(1, above + 1)]
    sums = " + ".join(terms) or "ŷ - y"
    hand, auto = found.by_hand, found.by_autodiff
    return {
        "weight": w,
        "values": [
            [into, "a feature" if layer == 0 else "a node's value", float(found.a[layer, source])],
            [z, f"{w} {into} + …", float(found.z[layer, node])],
            [out, f"f({z})", float(found.a[layer + 1, node])],
            ["ŷ", "the output", float(found.a[last + 1, 0])],
            ["J", "(ŷ - y)² / 2", float(found.error)],
        ],
        "local": [
            [f"∂{z}/∂{w}", into, float(found.a[layer, source])],
            [f"∂{out}/∂{z}", f"f'({z})", float(found.slopes[layer, node])],
        ],
        "adjoints": [
            [f"∂J/∂{out}", sums, float(hand.a[layer + 1, node]), float(auto.a[layer + 1, node])],
            [f"∂J/∂{z}", f"∂J/∂{out} · f'({z})", float(hand.z[layer, node]), float(auto.z[layer, node])],
            [f"∂J/∂{w}", f"∂J/∂{z} · {into}", float(hand.W[weight]), float(auto.W[weight])],
        ],
        "mean": [float(found.mean_by_hand.W[weight]), float(found.mean_by_autodiff.W[weight])],
    }
