"""Every gradient of this project that is written by hand, each with arguments to check it at.

Arguments are float64 where x64 is on, but for the rows named float32.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import losses, ops
from jaxnn.errors import require
from jaxnn.networks import blocks, cnn, hidden_layer, linear, mlp
from jaxnn.ops import convolution
from jaxnn.r_neuralnet.network import Architecture, error_of, forward, objective, output_of
from jaxnn.references import near
from jaxnn.verify import check, check_rule, grid, survey
from jaxnn.verify.verdict import Verdict

Shape = tuple[int, ...]


class Check(NamedTuple):
    """A gradient, in words what it is checked at, and the function that checks it."""

    what: str
    at: str
    verdict: Callable[[], Verdict]


def chosen(names: Sequence[str] | None = None) -> list[Check]:
    """Return the checks of the gradients named, by their own name or their module's; all of them without names."""
    found = list(checks())
    known = list(dict.fromkeys(name for check in found for name in (check.what.split(".")[0], check.what)))
    expected = f"any of {', '.join(known)}"
    for name in names or ():
        require(name in known, "--only", name, expected + near(name, known))
    require(names is None or bool(names), "--only", "nothing", expected)
    return [check for check in found if names is None or {check.what, check.what.split(".")[0]} & set(names)]


def checks() -> Iterator[Check]:
    """Give every check; what it is checked at is made only when it is run."""
    yield from rules()
    yield from networks()
    for output, error in (
        ("linear", "sse"),
        ("logistic", "sse"),
        ("logistic", "ce"),
        ("tanh", "ce"),
        ("softmax", "ce"),
    ):
        yield neuralnet_error("tanh", output, error)
    for activation in ("logistic", "relu", "softplus"):
        yield neuralnet_error(activation, "linear", "sse")


def rules() -> Iterator[Check]:
    """Give the rules of `jaxnn.ops` and `jaxnn.losses`, the convolution in both of its formulations."""
    for name in ("sigmoid", "tanh", "relu", "softplus", "heaviside"):
        yield rule(name, "ordinary", lambda: normal((4, 5)))
        yield rule(name, "a scalar", lambda: normal(()))
        yield rule(name, "zeros and whole numbers", lambda: rounded((4, 5)))
        yield rule(name, "saturated", lambda: (jnp.array([-800.0, -40.0, -20.0, 20.0, 40.0, 800.0]),))
        yield rule(name, "float32", lambda: float32(normal((4, 5))))
    for n, d, k in ((3, 4, 2), (3, 3, 3), (1, 3, 5), (5, 1, 1)):
        yield rule("dense", f"{n} x {d} to {n} x {k}", lambda n=n, d=d, k=k: normal((n, d), (d, k), (k,)))
    yield rule("dense", "float32", lambda: float32(normal((3, 4), (4, 2), (2,))))
    for rate in (0.2, 0.7, 0.0):
        yield rule("dropout", f"rate {rate}", lambda: (*normal((4, 5)), jax.random.key(1)), rate=rate)
    for at, (x, w, options) in CONVOLUTIONS.items():
        yield rule("conv2d", at, lambda x=x, w=w: normal(x, w, w[-1:]), **options)
        yield Check("conv2d", f"{at}, through lax", partial(convolution_through_lax, x, w, **options))
    yield rule("conv2d", "float32", lambda: float32(normal((2, 5, 4, 3), (3, 3, 3, 2), (2,))))
    for shape, size in (((2, 4, 6, 3), (2, 2)), ((1, 7, 8, 2), (3, 2)), ((2, 3, 5, 1), (1, 3))):
        at = " x ".join(map(str, shape)) + f" by {size[0]} x {size[1]}"
        yield rule("max_pool", at, lambda shape=shape: normal(shape), size=size)
        yield rule("max_pool", f"{at}, ties", lambda shape=shape: rounded(shape), size=size)
    yield rule("max_pool", "all equal", lambda: (jnp.ones((1, 4, 4, 2)),))
    yield rule("flatten", "2 x 3 x 2 x 4", lambda: normal((2, 3, 2, 4)))
    yield rule("flatten", "one example", lambda: normal((1, 3)))
    for name in ("sum_squared_error", "bernoulli", "softmax_cross_entropy"):
        yield rule(name, "4 x 3", lambda: normal((4, 3), (4, 3)))
        yield rule(name, "1 x 1", lambda: normal((1, 1), (1, 1)))
        yield rule(name, "zeros", lambda: (jnp.zeros((4, 3)), jnp.zeros((4, 3))))
        yield rule(name, "saturated", lambda: (800 * normal((4, 3))[0], jnp.eye(4, 3)))
        yield rule(name, "float32", lambda: float32(normal((4, 3), (4, 3))))


CONVOLUTIONS: dict[str, tuple[Shape, Shape, dict]] = {
    "3 x 3": ((2, 5, 4, 3), (3, 3, 3, 2), {}),
    "2 x 2, same": ((1, 4, 6, 1), (2, 2, 1, 3), {"padding": "same"}),
    "1 x 1": ((2, 3, 2, 2), (1, 1, 2, 2), {}),
    "stride 3, same": ((2, 7, 6, 2), (1, 2, 2, 1), {"stride": 3, "padding": "same"}),
    "stride 2 x 3, dilation 1 x 2, uneven padding": (
        (1, 5, 6, 2),
        (3, 2, 2, 2),
        {"stride": (2, 3), "padding": ((1, 0), (2, 3)), "dilation": (1, 2)},
    ),
}


def rule(name: str, at: str, args: Callable[[], tuple], **options: Any) -> Check:
    """Return the check of a rule of `ops` or `losses`, with its options."""
    module = losses if hasattr(losses, f"{name}_bwd") else ops
    f, f_fwd, f_bwd = (partial(getattr(module, name + part), **options) for part in ("", "_fwd", "_bwd"))
    return Check(name, at, lambda: check_rule(f, f_fwd, f_bwd, *args()))


def convolution_through_lax(x: Shape, w: Shape, stride=1, padding="valid", dilation=1) -> Verdict:
    """Check the formulation that the CPU does not take."""
    geometry = convolution._geometry(x, w, stride, padding, dilation)
    f = partial(convolution._by_lax, geometry)

    def f_bwd(residuals, g):
        x, w = residuals
        return convolution._by_lax_bwd(geometry, x, w, g)

    return check_rule(f, lambda x, w: (f(x, w), (x, w)), f_bwd, *normal(x, w))


def networks() -> Iterator[Check]:
    """Give the gradients of `jaxnn.networks`, with respect to the parameters, one each also over a grid of shapes."""
    yield network(linear, (3, 2), 5)
    yield network(linear, (3, 2), 5, in_float32)
    yield over_grid(linear, (3, 2), 5)
    for name in ("value_and_grad", "half_squared_error_and_grad", "backward"):
        yield network(hidden_layer, (2, 4, 1), 33, name=name)
        yield network(hidden_layer, (3, 2, 4), 7, saturated, name=name)
    yield network(hidden_layer, (2, 4, 1), 33, in_float32)
    yield over_grid(hidden_layer, (3, 2, 4), 7)
    yield network(mlp, (4, (), 3), 5)
    for activation in mlp.ACTIVATIONS:
        yield network(mlp, (4, (3, 5), 3), 5, activation=activation)
    yield network(mlp, (5, (4, 6), 3), 7, in_float32)
    yield network(mlp, (4, (5, 6), 3), 5, with_key, rate=0.5)
    yield over_grid(mlp, (5, (4, 6), 3), 7)
    yield Check("mlp.backward", "5, (4, 6), 3; 7 examples", mlp_as_rule)
    yield network(cnn, ((6, 4, 1), (3, 2), 5, 3), 9)
    yield network(cnn, ((6, 4, 1), (3, 2), 5, 3), 9, at_kinks)
    yield network(cnn, ((6, 4, 1), (3, 2), 5, 3), 9, in_float32)
    yield network(cnn, ((5, 7, 2), (2, 3), 4, 3), 3, with_key, rate=0.5)
    yield network(cnn, ((9, 8, 2), (2, 3), 4, 3), 3, stride=(2, 1), dilation=2)
    yield over_grid(cnn, ((6, 4, 1), (3, 2), 5, 3), 4, CNN_DIMENSIONS, CNN_CASES)
    for module in (cnn, blocks):
        yield Check(f"{title(module)}.features_bwd", "6 x 4 x 1; 9 examples", partial(features_as_rule, module))


def neuralnet_error(activation: str, output: str, error: str) -> Check:
    """Return the check of the gradient of R's neuralnet, two hidden layers, against the error of its outputs."""
    shape = Architecture((3, 4, 2, 2), activation, output, error)

    def loss(weights, x, y):
        return error_of(output_of(forward(weights, x.T, shape)[2], shape), y.T, shape)

    def verdict():
        weights, x, y = normal((shape.n_weights,), (7, 3), (7, 2))
        y = jnp.abs(y) / (1 + jnp.abs(y).sum(axis=1, keepdims=True)) if output == "tanh" else (y > 0).astype(float)
        return check(loss, objective(shape, ()), jnp.abs(weights) / 3 if output == "tanh" else weights, x, y)

    return Check("r_neuralnet.objective", f"{activation}, {output} outputs, {error}", verdict)


CNN_DIMENSIONS = (
    {"W1": "3 3 c f", "b1": "f", "W2": "2 2 f k", "b2": "k", "W3": "h*w*k m", "b3": "m", "W4": "m q", "b4": "q"},
    "n 2*h 2*w c",
    "n q",
)
CNN_CASES = ("n = 1", "every dimension 1", "all dimensions unequal", "all data tied", "labels that do not sum to 1")


def network(
    module: ModuleType,
    sizes: tuple,
    n: int,
    arrange: Callable[..., tuple] | None = None,
    name: str = "value_and_grad",
    **options: Any,
) -> Check:
    """Return the check of a network's gradient, `init` of these sizes, at `n` examples, which `arrange` changes."""
    loss = module.half_squared_error if name.startswith("half") else module.loss
    grad = backward_of_forward if name == "backward" else getattr(module, name)
    bound = partial(loss, **options), partial(grad, **options)
    words = [sized(sizes, n), *(f"{key} {value}" for key, value in options.items())]
    words += [arrange.__name__.replace("_", " ")] if arrange else []

    def verdict():
        args = examples(module, sizes, n, options.get("stride", 1))
        return check(*bound, *(arrange(*args) if arrange else args))

    return Check(f"{title(module)}.{name}", ", ".join(words), verdict)


def over_grid(module: ModuleType, sizes: tuple, n: int, dims: Any = None, names: Sequence[str] = ("",)) -> Check:
    """Return the survey of a network's gradient at the shapes and values, of these names, that `grid` makes."""

    def verdict():
        params, x, y = examples(module, sizes, n)
        y = y if module in (linear, hidden_layer) else jnp.eye(sizes[-1])[y]
        cases = grid((params, x, y), dims)
        return survey(module.loss, module.value_and_grad, [c for c in cases if c.name.startswith(tuple(names))])

    return Check(f"{title(module)}.value_and_grad", f"a grid around {sized(sizes, n)}", verdict)


def backward_of_forward(params, x, y):
    return hidden_layer.backward(params, x, y, hidden_layer.forward(params, x))


def mlp_as_rule() -> Verdict:
    """Check the dense layers as a rule of the inputs and the parameters."""
    params, x, _ = examples(mlp, (5, (4, 6), 3), 7)

    def f_fwd(x, params):
        return mlp.forward(params, x)

    return check_rule(lambda x, params: f_fwd(x, params)[0], f_fwd, mlp.backward, x, params)


def features_as_rule(module: ModuleType) -> Verdict:
    """Check the features of the CNN as a rule of the kernels, in the plain or in the blocked form."""
    params, x, _ = examples(cnn, ((6, 4, 1), (3, 2), 5, 3), 9)
    kernels = {name: params[name] for name in ("W1", "b1", "W2", "b2")}
    f_fwd = partial(module.features_fwd, x=x)
    return check_rule(lambda p: f_fwd(p)[0], f_fwd, lambda residuals, g: (module.features_bwd(residuals, g),), kernels)


def examples(module: ModuleType, sizes: tuple, n: int, stride: Any = 1) -> tuple:
    """Return parameters, inputs and targets of normal random numbers; no bias is 0."""
    rng = np.random.default_rng(n)
    options = {"stride": stride} if module is cnn else {}
    start = module.init(jax.random.key(n), *sizes, dtype=float, **options)
    params = jax.tree.map(lambda p: jnp.asarray(p + 0.3 * rng.normal(size=p.shape)), start)
    shape, classes = (sizes[0] if module is cnn else sizes[:1]), sizes[-1]
    x = jnp.asarray(rng.normal(size=(n, *shape)))
    if module in (linear, hidden_layer):
        return params, x, jnp.asarray(rng.uniform(size=(n, classes)))
    return params, x, jnp.asarray(rng.integers(0, classes, n))


def with_key(params, x, y) -> tuple:
    """Return the examples and a key, with which nodes drop out."""
    return params, x, y, jax.random.key(1)


def at_kinks(params, x, y) -> tuple:
    """Return the first layer 0 everywhere: relu at its kink, all windows of the pool tied."""
    return {**params, "b1": jnp.zeros_like(params["b1"])}, jnp.zeros_like(x), y


def saturated(params, x, y) -> tuple:
    """Return parameters a hundred times as large."""
    return {name: 100 * array for name, array in params.items()}, x, y


def in_float32(params, x, y) -> tuple:
    """Return the examples in single precision."""
    return float32((params, x, y))


def title(module: ModuleType) -> str:
    return module.__name__.split(".")[-1]


def sized(sizes: tuple, n: int) -> str:
    """Return the sizes in words: "5, 4, 3; 6 examples"."""
    return f"{', '.join(map(str, sizes))}; {n} example{'s' * (n > 1)}"


def normal(*shapes: Shape) -> tuple[jax.Array, ...]:
    """Return arrays of normal random numbers, always the same."""
    rng = np.random.default_rng(0)
    return tuple(jnp.asarray(rng.normal(size=shape)) for shape in shapes)


def rounded(*shapes: Shape) -> tuple[jax.Array, ...]:
    """Return the same as whole numbers: many zeros, many ties."""
    return tuple(jnp.round(array) for array in normal(*shapes))


def float32(arrays: Any) -> Any:
    """Return the floating-point arrays of a tree in single precision."""
    return jax.tree.map(lambda a: a.astype(jnp.float32) if jnp.issubdtype(a.dtype, jnp.floating) else a, arrays)
