"""The code that the mutants are made of: which module, which function and gradient in it, and at which arguments."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from benchmarks.mutants import points
from benchmarks.mutants.models import convolution, dropout, linear, normalized, rule, sigmoid
from benchmarks.mutants.mutant import Mutant, mutated


class Problem(NamedTuple):
    """A scalar `loss(*args)` and its gradient by hand, with respect to the first argument."""

    loss: Callable
    grad: Callable


class Rule(NamedTuple):
    """A rule in `jax.custom_vjp`'s form."""

    f: Callable
    fwd: Callable
    bwd: Callable


class Target(NamedTuple):
    """A module, what is checked in it, the arguments by scenario, and the names of their dimensions for `grid`.

    `x64` is False where JAX is to run without.
    """

    module: str
    build: Callable[[ModuleType], Problem | Rule]
    cases: Callable[[], dict[str, tuple]]
    dims: Any = None
    x64: bool = True


STRIDED = {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (1, 2)}


def of_model(module) -> Problem:
    return Problem(module.loss, module.grad)


def of_rule(name: str, **options) -> Callable[[ModuleType], Rule]:
    """Return what takes `name`, `name_fwd` and `name_bwd` from a module, with the same options in all three."""

    def build(module):
        f, fwd, bwd = (getattr(module, name + suffix) for suffix in ("", "_fwd", "_bwd"))
        return Rule(*(partial(function, **options) if options else function for function in (f, fwd, bwd)))

    return build


def of_dropout(module) -> Rule:
    """Return dropout with its key held fixed."""

    def fwd(x):
        return module.dropout_fwd(x, jax.random.key(4), rate=0.4)

    def bwd(residuals, g):
        return module.dropout_bwd(residuals, g, rate=0.4)[:1]

    return Rule(lambda x: module.dropout(x, jax.random.key(4), rate=0.4), fwd, bwd)


def of_lax_convolution(module) -> Rule:
    """Return the convolution that GPUs run, without the bias."""

    def geometry(x, w):
        return module._geometry(x.shape, w.shape, 1, "same", 1)

    def bwd(residuals, g):
        return module._by_lax_bwd(geometry(*residuals), *residuals, g)

    return Rule(
        lambda x, w: module._by_lax(geometry(x, w), x, w),
        lambda x, w: (module._by_lax(geometry(x, w), x, w), (x, w)),
        bwd,
    )


def of_network(module) -> Problem:
    """Return a network's loss and its gradient by hand."""
    return Problem(module.loss, lambda params, x, y: module.value_and_grad(params, x, y)[1])


def of_lecture(module) -> Problem:
    """Return the hidden layer's gradient line by line."""
    return Problem(module.loss, lambda params, x, y: module.backward(params, x, y, module.forward(params, x)))


def of_squared(module) -> Problem:
    return Problem(module.half_squared_error, lambda params, x, y: module.half_squared_error_and_grad(params, x, y)[1])


def with_dropout(module) -> Problem:
    """Return a network's loss and gradient with dropout, the key held fixed."""

    def loss(params, x, y):
        return module.loss(params, x, y, jax.random.key(9), rate=0.4)

    return Problem(loss, lambda params, x, y: module.value_and_grad(params, x, y, jax.random.key(9), rate=0.4)[1])


def of_features(module) -> Problem:
    """Return a mean over the features of the convolutional network, plain or in blocks."""

    def loss(params, x):
        features, _ = module.features_fwd(params, x)
        return jnp.sum(jnp.sin(features)) / len(x)

    def grad(params, x):
        features, residuals = module.features_fwd(params, x)
        return module.features_bwd(residuals, jnp.cos(features) / len(x))

    return Problem(loss, grad)


COLUMNS = {"W": "k d", "b": "k 1"}, "d m", "k m"
HIDDEN_COLUMNS = {"W1": "h d", "b1": "h 1", "W2": "k h", "b2": "k 1"}, "d m", "k m"
KERNELS = {"K1": "3 3 c f", "k1": "f", "K2": "2 2 f g", "k2": "g", "V": "h*w*g k", "c": "k"}
IMAGES_TWICE_POOLED = KERNELS, "n 4*h 4*w c", "n k"
POOLED = ("n 2*h 2*w c",)
DENSE = {"W1": "d h", "b1": "h", "W2": "h k", "b2": "k"}, "n d", "n k"
FEATURES = {"W1": "3 3 c f", "b1": "f", "W2": "2 2 f g", "b2": "g"}

TARGETS = {
    "linear": Target("benchmarks.mutants.models.linear", of_model, linear.cases, COLUMNS),
    "sigmoid": Target("benchmarks.mutants.models.sigmoid", of_model, sigmoid.cases, HIDDEN_COLUMNS),
    "dropout": Target("benchmarks.mutants.models.dropout", of_model, dropout.cases, (*HIDDEN_COLUMNS, "h m")),
    "convolution": Target("benchmarks.mutants.models.convolution", of_model, convolution.cases, IMAGES_TWICE_POOLED),
    "rule": Target("benchmarks.mutants.models.rule", of_rule("f"), rule.cases, ("d", "d", "n d")),
    "normalized": Target(
        "benchmarks.mutants.models.normalized", of_model, normalized.cases, ({"W": "h d", "v": "k h"}, "d m", "k m")
    ),
    "linear_x32": Target("benchmarks.mutants.models.linear", of_model, linear.cases, COLUMNS, x64=False),
    "sigmoid_rule": Target("jaxnn.ops.activations", of_rule("sigmoid"), points.activation, ("n d",)),
    "tanh_rule": Target("jaxnn.ops.activations", of_rule("tanh"), points.activation, ("n d",)),
    "relu_rule": Target("jaxnn.ops.activations", of_rule("relu"), points.activation, ("n d",)),
    "softplus_rule": Target("jaxnn.ops.activations", of_rule("softplus"), points.activation, ("n d",)),
    "heaviside_rule": Target("jaxnn.ops.activations", of_rule("heaviside"), points.activation, ("n d",)),
    "dense_rule": Target("jaxnn.ops.dense", of_rule("dense"), points.dense, ("n d", "d k", "k")),
    "flatten_rule": Target("jaxnn.ops.dense", of_rule("flatten"), points.pooling, POOLED),
    "dropout_rule": Target("jaxnn.ops.dense", of_dropout, points.activation, ("n d",)),
    "conv_rule": Target(
        "jaxnn.ops.convolution", of_rule("conv2d", padding="same"), points.convolution, ("n h w c", "2 2 c k", "k")
    ),
    "conv_strided": Target(
        "jaxnn.ops.convolution", of_rule("conv2d", **STRIDED), points.convolution, ("n h w c", "2 2 c k", "k")
    ),
    "conv_lax": Target(
        "jaxnn.ops.convolution", of_lax_convolution, points.convolution_without_bias, ("n h w c", "2 2 c k")
    ),
    "pool_rule": Target("jaxnn.ops.pooling", of_rule("max_pool"), points.pooling, POOLED),
    "squared_error": Target("jaxnn.losses", of_rule("sum_squared_error"), points.outputs, ("n k", "n k")),
    "bernoulli": Target("jaxnn.losses", of_rule("bernoulli"), points.outputs, ("n k", "n k")),
    "softmax": Target("jaxnn.losses", of_rule("softmax_cross_entropy"), points.outputs, ("n k", "n k")),
    "linear_net": Target("jaxnn.networks.linear", of_network, points.linear, ({"W1": "d k", "b1": "k"}, "n d", "n k")),
    "hidden": Target("jaxnn.networks.hidden_layer", of_network, points.hidden, DENSE),
    "hidden_lecture": Target("jaxnn.networks.hidden_layer", of_lecture, points.hidden, DENSE),
    "hidden_squared": Target("jaxnn.networks.hidden_layer", of_squared, points.hidden, DENSE),
    "mlp": Target("jaxnn.networks.mlp", of_network, points.mlp, DENSE),
    "mlp_dropout": Target("jaxnn.networks.mlp", with_dropout, points.mlp, DENSE),
    "cnn": Target("jaxnn.networks.cnn", of_features, points.features, (FEATURES, "n 2*h 2*w c")),
    "cnn_net": Target(
        "jaxnn.networks.cnn",
        of_network,
        points.cnn,
        ({**FEATURES, "W3": "h*w*g p", "b3": "p", "W4": "p k", "b4": "k"}, "n 2*h 2*w c", "n k"),
    ),
    "blocks": Target("jaxnn.networks.blocks", of_features, points.features, (FEATURES, "n 2*h 2*w c")),
}


def problem(target: Target, mutant: Mutant, folder: Path) -> Problem | Rule:
    """Return what a checker is given: the right function, and the gradient with the mistake, its source in `folder`."""
    right = target.build(import_module(target.module))
    wrong = target.build(mutated(target.module, mutant.edits, folder, mutant.id))
    if len(mutant.edits) > 1:  # both are to be wrong alike
        return wrong
    return wrong._replace(f=right.f) if isinstance(right, Rule) else wrong._replace(loss=right.loss)
