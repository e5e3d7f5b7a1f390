r"""The gradient of one weight as the lecture writes it: values, local derivatives, adjoints (lecture sections 3 and 4).

By hand from `program.backward`, and by autodiff of a network written out without it.
"""

import re
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
    y: Float[Array, ""]
    error: Float[Array, ""]
    params: Params
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
        *(a[:, 0], z, slopes, y, (output - y) ** 2 / 2, params),
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


# f(z) and f'(z) as one computes them on paper, from z and from the value a; {bare} is z where no sign stands before it.
FORMULAS = {
    "relu": ("max(0, {bare})", "1 if {bare} > 0, else 0"),
    "tanh": ("tanh({bare})", "1 - {a}²"),
    "sigmoid": ("1 / (1 + e^-{z})", "{a} · (1 - {a})"),
    "linear": ("{bare}", "1"),
    "softplus": ("ln(1 + e^{z})", "1 - e^-{a}"),
}
# The features by their coordinates, and as one computes them.
CALLED = {"x": "x1", "y": "x2", "xSquared": "x1²", "ySquared": "x2²", "xTimesY": "x1 x2", "sinX": "sin(x1)"}
CALLED |= {"sinY": "sin(x2)"}
COMPUTED = {"xSquared": "{0}²", "ySquared": "{1}²", "xTimesY": "{0} · {1}", "sinX": "sin({2})", "sinY": "sin({3})"}


def table(
    found: Evidence,
    point: Sequence[float],
    place: Sequence[int],
    names: Sequence[str],
    hidden: Sequence[int],
    functions: Sequence[str],
) -> dict:
    r"""Return the chain of the weight at `place`, `[layer, node, source]`, as rows of text and numbers.

    `values` have what is computed, forward, up to the error J; `slopes` the derivative of each step that the chain
    takes; `adjoints` those of J, last to first, each by hand and by autodiff; `mean` the weight's mean gradient over
    the training points, the same two. A row is what it is, how it is computed, the same with its numbers, and what
    that gives: every number in the third column is the fourth of a row before, a weight or a bias.
    `point` is `[x1, x2, ...]`, `names` are the features', `hidden` the nodes of the layers, `functions` the
    activations, the output's the last.
    """
    layer, node, source = place
    sizes, last = [len(names), *hidden, 1], len(hidden)
    chain = [(at, k) for at in range(last, layer, -1) for k in range(sizes[at + 1])] + [(layer, node)]
    values = [[f"x{axis + 1}", "of the point", "", float(point[axis])] for axis in (0, 1)]
    for i, name in enumerate(names):
        if name in COMPUTED:
            numbers = COMPUTED[name].format(*map(_say, point[:2]), *map(_digits, point[:2]))
            values.append([CALLED[name], "a feature", numbers, float(found.a[0, i])])
    for at in range(last + 1):
        for k in range(sizes[at + 1]):
            values += _node(found, at, k, sizes, names, functions)
    output, y, number = found.a[last + 1, 0], found.y, found.a[layer, source]
    values += [["y", "of the point, its label", "", float(y)]]
    values += [["J", "(ŷ - y)² / 2", f"({_say(output)} - {_say(y)})² / 2", float(found.error)]]
    into, z = _value(layer, source, last, names), f"z{layer + 1}.{node + 1}"
    w = f"w{layer + 1}.{node + 1}.{source + 1}"
    slopes = [_slope(found, at, k, last, names, functions) for at, k in chain]
    adjoints = [row for at, k in chain for row in _adjoints(found, at, k, sizes, names)]
    numbers = f"{_say(found.by_hand.z[layer, node])} · {_say(number)}"
    both = [float(by.W[layer, source, node]) for by in (found.by_hand, found.by_autodiff)]
    return {
        "weight": w,
        "values": values,
        "slopes": [*slopes, [f"∂{z}/∂{w}", into, _say(number), float(number)]],
        "adjoints": [*adjoints, [f"∂J/∂{w}", f"∂J/∂{z} · {into}", numbers, *both]],
        "mean": [float(by.W[layer, source, node]) for by in (found.mean_by_hand, found.mean_by_autodiff)],
    }


def _digits(value: Float[Array, ""] | float) -> str:
    """Return a number as the page shows it."""
    return re.sub(r"e([+-])0*", r"e\1", f"{float(value):.6g}")


def _say(value: Float[Array, ""] | float) -> str:
    """Return the same in brackets where it would not stand after a sign."""
    text = _digits(value)
    return f"({text})" if text.startswith("-") else text


def _value(layer: int, node: int, last: int, names: Sequence[str]) -> str:
    return CALLED[names[node]] if layer == 0 else "ŷ" if layer > last else f"a{layer}.{node + 1}"


def _node(found, layer, node, sizes, names, functions):
    """Return the two rows of a node, its sum and its value."""
    z, a = f"z{layer + 1}.{node + 1}", _value(layer + 1, node, len(sizes) - 2, names)
    inputs = range(sizes[layer])
    into = [_value(layer, i, len(sizes) - 2, names) for i in inputs]
    how = " + ".join([f"w{layer + 1}.{node + 1}.{i + 1} {into[i]}" for i in inputs] + [f"b{layer + 1}.{node + 1}"])
    W, b = found.params.W[layer, :, node], found.params.b[layer, node]
    numbers = " + ".join([f"{_say(W[i])} · {_say(found.a[layer, i])}" for i in inputs] + [_say(b)])
    formula, sum_ = FORMULAS[functions[layer]][0], found.z[layer, node]
    return [
        [z, how, numbers, float(sum_)],
        [
            a,
            formula.format(z=z, bare=z),
            formula.format(z=_say(sum_), bare=_digits(sum_)),
            float(found.a[layer + 1, node]),
        ],
    ]


def _slope(found, layer, node, last, names, functions):
    z, a = f"z{layer + 1}.{node + 1}", _value(layer + 1, node, last, names)
    formula = FORMULAS[functions[layer]][1]
    at = found.z[layer, node]
    numbers = formula.format(z=_say(at), bare=_digits(at), a=_say(found.a[layer + 1, node]))
    return [f"∂{a}/∂{z}", formula.format(z=z, bare=z, a=a), numbers, float(found.slopes[layer, node])]


def _adjoints(found, layer, node, sizes, names):
    """Return the two rows of a node's adjoints: of its value, from the sums that it goes into, and of its sum."""
    last, hand, auto = len(sizes) - 2, found.by_hand, found.by_autodiff
    z, a = f"z{layer + 1}.{node + 1}", _value(layer + 1, node, last, names)
    if layer == last:
        how, numbers = "ŷ - y", f"{_say(found.a[last + 1, 0])} - {_say(found.y)}"
    else:
        above = range(sizes[layer + 2])
        how = " + ".join(f"w{layer + 2}.{k + 1}.{node + 1} ∂J/∂z{layer + 2}.{k + 1}" for k in above)
        W = found.params.W[layer + 1, node]
        numbers = " + ".join(f"{_say(W[k])} · {_say(hand.z[layer + 1, k])}" for k in above)
    slope = f"{_say(hand.a[layer + 1, node])} · {_say(found.slopes[layer, node])}"
    return [
        [f"∂J/∂{a}", how, numbers, float(hand.a[layer + 1, node]), float(auto.a[layer + 1, node])],
        [f"∂J/∂{z}", f"∂J/∂{a} · ∂{a}/∂{z}", slope, float(hand.z[layer, node]), float(auto.z[layer, node])],
    ]
