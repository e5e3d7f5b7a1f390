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
from jaxnn.references import near
from jaxnn.verify import check, check_rule
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
    triple = [partial(getattr(module, name + part), **options) for part in ("", "_fwd", "_bwd")]
    return Check(name, at, lambda: check_rule(*triple, *args()))


def convolution_through_lax(x: Shape, w: Shape, stride=1, padding="valid", dilation=1) -> Verdict:
    """Check the formulation that the CPU does not take."""
    geometry = convolution._geometry(x, w, stride, padding, dilation)
    f, f_bwd = partial(convolution._by_lax, geometry), partial(convolution._by_lax_bwd, geometry)
    return check_rule(f, lambda x, w: (f(x, w), (x, w)), lambda residuals, g: f_bwd(*residuals, g), *normal(x, w))


def networks() -> Iterator[Check]:
    """Give the gradients of `jaxnn.networks`, with respect to the parameters."""
    for sizes, n in (((3, 2), 5), ((1, 1), 1)):
        yield network(linear, examples, sizes, n)
    yield network(linear, in_float32, (3, 2), 5)
    for name in ("value_and_grad", "half_squared_error_and_grad", "backward"):
        for sizes, n in (((2, 4, 1), 33), ((3, 2, 3), 7), ((17, 3, 2), 1)):
            yield network(hidden_layer, examples, sizes, n, name)
        yield network(hidden_layer, saturated, (2, 4, 1), 33, name)
        yield network(hidden_layer, in_float32, (2, 4, 1), 33, name)
    for sizes, n in (((5, 4, 3), 6), ((4, (), 3), 5), ((5, (4, 3, 6), 2), 3), ((1, 1, 1), 1)):
        yield network(mlp, examples, sizes, n)
    for activation in mlp.ACTIVATIONS:
        yield network(mlp, examples, (4, (3, 5), 3), 5, activation=activation)
    for arrange in (soft, at_kinks, saturated, in_float32):
        yield network(mlp, arrange, (5, (4, 6), 3), 6)
    yield network(mlp, with_key, (4, (9, 7), 3), 5, rate=0.5)
    for sizes, n in ((((6, 4, 1), (3, 2), 5, 3), 9), (((5, 7, 2), (2, 3), 4, 3), 3)):
        yield network(cnn, examples, sizes, n)
        for module in (cnn, blocks):
            yield Check(f"{title(module)}.features_bwd", sized(sizes, n), partial(features, module, sizes, n))
    for arrange in (soft, at_kinks, saturated, in_float32):
        yield network(cnn, arrange, ((6, 4, 1), (3, 2), 5, 3), 9)
    yield network(cnn, with_key, ((5, 7, 2), (2, 3), 4, 3), 3, rate=0.5)


def network(
    module: ModuleType,
    arrange: Callable[..., tuple],
    sizes: tuple,
    n: int,
    name: str = "value_and_grad",
    **options: Any,
) -> Check:
    """Return the check of a network's gradient of these `init` sizes, at `n` examples that `arrange` makes."""
    words = [sized(sizes, n), arrange.__name__.replace("_", " "), *(f"{k} {v}" for k, v in options.items())]
    loss = module.half_squared_error if name.startswith("half") else module.loss
    grad = backward_of_forward if name == "backward" else getattr(module, name)
    bound = partial(loss, **options), partial(grad, **options)
    what = f"{title(module)}.{name}"
    return Check(
        what, ", ".join(w for w in words if w != "examples"), lambda: check(*bound, *arrange(module, sizes, n))
    )


def backward_of_forward(params, x, y):
    return hidden_layer.backward(params, x, y, hidden_layer.forward(params, x))


def features(module: ModuleType, sizes: tuple, n: int) -> Verdict:
    """Check the features of the CNN as a rule of the parameters, in the plain or in the blocked form."""
    params, x, _ = examples(cnn, sizes, n)
    dense_layers = {"W3", "b3", "W4", "b4"}
    kernels = {name: array for name, array in params.items() if name not in dense_layers}
    f_fwd = partial(module.features_fwd, x=x)
    return check_rule(lambda p: f_fwd(p)[0], f_fwd, lambda residuals, g: (module.features_bwd(residuals, g),), kernels)


def examples(module: ModuleType, sizes: tuple, n: int) -> tuple:
    """Return parameters, inputs and targets of normal random numbers; no bias is 0."""
    rng = np.random.default_rng(n)
    start = module.init(jax.random.key(n), *sizes, dtype=float)
    params = jax.tree.map(lambda p: jnp.asarray(p + 0.3 * rng.normal(size=p.shape)), start)
    shape, classes = (sizes[0] if module is cnn else sizes[:1]), sizes[-1]
    x = jnp.asarray(rng.normal(size=(n, *shape)))
    if module in (linear, hidden_layer):
        return params, x, jnp.asarray(rng.uniform(size=(n, classes)))
    return params, x, jnp.asarray(rng.integers(0, classes, n))


def with_key(module: ModuleType, sizes: tuple, n: int) -> tuple:
    """Return examples and a key, with which nodes drop out."""
    return *examples(module, sizes, n), jax.random.key(n)


def soft(module: ModuleType, sizes: tuple, n: int) -> tuple:
    """Return examples whose targets are weights that do not sum to 1."""
    params, x, _ = examples(module, sizes, n)
    return params, x, normal((n, sizes[-1]))[0] ** 2


def at_kinks(module: ModuleType, sizes: tuple, n: int) -> tuple:
    """Return examples whose first layer is 0 everywhere: relu at its kink, all windows of the pool tied."""
    params, x, y = examples(module, sizes, n)
    return {**params, "b1": jnp.zeros_like(params["b1"])}, jnp.zeros_like(x), y


def saturated(module: ModuleType, sizes: tuple, n: int) -> tuple:
    """Return examples with parameters a hundred times as large."""
    params, x, y = examples(module, sizes, n)
    return {name: 100 * array for name, array in params.items()}, x, y


def in_float32(module: ModuleType, sizes: tuple, n: int) -> tuple:
    """Return examples in single precision."""
    return float32(examples(module, sizes, n))


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
