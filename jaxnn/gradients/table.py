"""The table of the gradients: which functions of which modules, and at which points they are looked at."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn import losses
from jaxnn.gradients import points
from jaxnn.gradients.points import Points
from jaxnn.networks import mlp


class Rule(NamedTuple):
    """A rule in the form of `jax.custom_vjp`."""

    f: Callable
    f_fwd: Callable
    f_bwd: Callable


class Problem(NamedTuple):
    """A scalar `loss(*args)` and its gradient by hand, by the first argument."""

    loss: Callable
    grad: Callable


class Gradient(NamedTuple):
    """A row: a gradient's `name`, what is special about it, its module, and the points at which it is looked at.

    `of(module)` takes the functions from the module, or from a copy of it; `dims` names the dimensions of the arguments
    as `jaxnn.verify.grid` takes them.
    """

    name: str
    variant: str
    module: str
    of: Callable[[ModuleType], Rule | Problem]
    points: Callable[[], Points]
    dims: Any = None

    @property
    def title(self) -> str:
        """Return the name with what is special about it, which no other row has."""
        return f"{self.name}, {self.variant}" if self.variant else self.name

    def functions(self) -> Rule | Problem:
        """Return the functions of the module as it is."""
        return self.of(import_module(self.module))


NEURALNETS = (
    ("tanh", "linear", "sse"),
    ("tanh", "logistic", "sse"),
    ("tanh", "logistic", "ce"),
    ("tanh", "tanh", "ce"),
    ("tanh", "softmax", "ce"),
    ("logistic", "linear", "sse"),
    ("relu", "linear", "sse"),
    ("softplus", "linear", "sse"),
)
DENSE = {"W1": "d h", "b1": "h", "W2": "h k", "b2": "k"}, "n d", "n k"
FEATURES = {"W1": "3 3 c f", "b1": "f", "W2": "2 2 f g", "b2": "g"}
CNN = {**FEATURES, "W3": "h*w*g p", "b3": "p", "W4": "p k", "b4": "k"}, "n 2*h 2*w c", "n k"
STRIDED = {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (1, 2)}
KERNEL_DIMS = ("n h w c", "2 2 c k", "k")
CONVOLUTIONS: dict[str, tuple[Callable[[], Points], tuple[str, ...], dict[str, Any]]] = {
    "": (points.kernels_over_images, KERNEL_DIMS, {"padding": "same"}),
    "stride 2 x 1, dilation 1 x 2": (points.kernels_over_images, KERNEL_DIMS, STRIDED),
    "3 x 3": (points.images_of(channels=3, size=(5, 4), kernel=(3, 3)), (), {}),
    "1 x 1": (points.images_of(channels=2, size=(3, 2), kernel=(1, 1)), (), {}),
    "stride 3, same": (points.images_of(channels=2, size=(7, 6), kernel=(1, 2)), (), {"stride": 3, "padding": "same"}),
    "stride 2 x 3, uneven padding": (
        points.images_of(n=1, channels=2, kernel=(3, 2)),
        (),
        {"stride": (2, 3), "padding": ((1, 0), (2, 3)), "dilation": (1, 2)},
    ),
}


def rows() -> Iterator[Gradient]:
    """Yield the table."""
    ops, losses, networks = "jaxnn.ops.", "jaxnn.losses", "jaxnn.networks."
    for name in ("sigmoid", "tanh", "relu", "softplus", "heaviside"):
        yield Gradient(name, "", f"{ops}activations", rule(name), points.elementwise, ("n d",))
        yield Gradient(name, "a scalar", f"{ops}activations", rule(name), lambda: {"std": (points.normal(1)[()],)})
    yield Gradient("dense", "", f"{ops}dense", rule("dense"), points.dense, ("n d", "d k", "k"))
    # Of more than 32 outputs the weights' gradient is another product.
    yield Gradient("dense", "40 outputs", f"{ops}dense", rule("dense"), lambda: {"std": points.dense_of(3, 2, 40)})
    yield Gradient("flatten", "", f"{ops}dense", rule("flatten"), points.pooled, ("n 2*h 2*w c",))
    yield Gradient("flatten", "vectors", f"{ops}dense", rule("flatten"), lambda: {"std": (points.normal(1, 2, 3),)})
    yield Gradient("dropout", "", f"{ops}dense", dropout_at_a_key, points.elementwise, ("n d",))
    for rate in (0.2, 0.7, 0.0):
        yield Gradient("dropout", f"rate {rate}", f"{ops}dense", rule("dropout", rate=rate), points.with_key_of(4, 5))
    for variant, (of_points, dims, options) in CONVOLUTIONS.items():
        bias_free = [text for text in dims if text != "k"]
        lax_variant = f"{variant}, through lax" if variant else "through lax"
        yield Gradient("conv2d", variant, f"{ops}convolution", rule("conv2d", **options), of_points, dims)
        of = partial(through_lax, **options)
        yield Gradient("conv2d", lax_variant, f"{ops}convolution", of, points.without_bias(of_points), tuple(bias_free))
    of = partial(through_lax, on_cpu=True, **STRIDED)
    images = points.without_bias(points.kernels_over_images)
    yield Gradient("conv2d", "through lax as on a CPU", f"{ops}convolution", of, images, KERNEL_DIMS[:2])
    yield Gradient("max_pool", "", f"{ops}pooling", rule("max_pool"), points.pooled, ("n 2*h 2*w c",))
    for s, t in ((3, 2), (1, 3)):
        yield Gradient("max_pool", f"{s} x {t}", f"{ops}pooling", rule("max_pool", size=(s, t)), points.pooled)
    for name in ("sum_squared_error", "bernoulli", "softmax_cross_entropy"):
        yield Gradient(name, "", losses, rule(name), points.outputs, ("n k", "n k"))

    linear_dims = {"W1": "d k", "b1": "k"}, "n d", "n k"
    yield Gradient("linear.value_and_grad", "", f"{networks}linear", network(), points.linear, linear_dims)
    for name, of in {
        "value_and_grad": network(),
        "backward": network(grad=backward_of_forward),
        "half_squared_error_and_grad": network("half_squared_error"),
    }.items():
        yield Gradient(f"hidden_layer.{name}", "", f"{networks}hidden_layer", of, points.hidden, DENSE)
    # Of more than 8 inputs and nodes the products are made in another way.
    wide = points.hidden_of(20, 17, 4)
    yield Gradient("hidden_layer.value_and_grad", "17 nodes", f"{networks}hidden_layer", network(), wide)
    yield Gradient("mlp.value_and_grad", "", f"{networks}mlp", network(), points.dense_labels, DENSE)
    of = network(key=9, rate=0.4)
    yield Gradient("mlp.value_and_grad", "dropout", f"{networks}mlp", of, points.dense_labels, DENSE)
    for activation in mlp.ACTIVATIONS:
        of = network(activation=activation)
        yield Gradient("mlp.value_and_grad", f"{activation}, deep", f"{networks}mlp", of, points.layers_of(4, 5, 6, 3))
    of = network(key=9, rate=0.3, activation="tanh")
    yield Gradient("mlp.value_and_grad", "dropout, deep", f"{networks}mlp", of, points.layers_of(4, 5, 6, 3))
    yield Gradient("mlp.value_and_grad", "no hidden layer", f"{networks}mlp", network(), points.layers_of(4, 3))
    yield Gradient("mlp.backward", "", f"{networks}mlp", dense_layers, points.dense_cotangent, (DENSE[0], "n d"))
    for module in ("cnn", "blocks"):
        of_points, dims = points.features, (FEATURES, "n 2*h 2*w c")
        yield Gradient(f"{module}.features_bwd", "", f"{networks}{module}", features_of, of_points, dims)
    yield Gradient("cnn.value_and_grad", "", f"{networks}cnn", network(), points.cnn, CNN)
    yield Gradient("cnn.value_and_grad", "black images", f"{networks}cnn", network(), points.black_images)
    yield Gradient("cnn.value_and_grad", "dropout", f"{networks}cnn", network(key=9, rate=0.5), points.odd_images)
    geometry = network(stride=(2, 1), dilation=2)
    yield Gradient("cnn.value_and_grad", "stride 2 x 1, dilation 2", f"{networks}cnn", geometry, points.strided_images)
    for module in ("whitened", "phases"):
        of_points = points.whitened_features
        yield Gradient(f"{module}.features_bwd", "", f"{networks}{module}", features_of, of_points)
    yield Gradient("whitened.value_and_grad", "", f"{networks}whitened", network(), points.whitened)
    of_images = points.dense_on_images
    yield Gradient("on_features.metrics_and_grad", "", f"{networks}on_features", on_the_images_themselves, of_images)
    for activation, output, error in NEURALNETS:
        variant = f"{activation}, {output} outputs, {error}"
        of = neuralnet_of(activation, output, error)
        yield Gradient("r_neuralnet.objective", variant, "jaxnn.r_neuralnet.network", of, points.weights_of(output))


# The functions of a row, taken from its module.


def rule(name: str, **options: Any) -> Callable[[ModuleType], Rule]:
    """Return what takes `name`, `name_fwd` and `name_bwd` from a module, with the same options in all three."""

    def of(module):
        functions = (getattr(module, name + suffix) for suffix in ("", "_fwd", "_bwd"))
        return Rule(*(partial(function, **options) if options else function for function in functions))

    return of


def dropout_at_a_key(module: ModuleType) -> Rule:
    """Return dropout with its key held fixed."""
    key, rate = partial(jax.random.key, 4), 0.4

    def f_bwd(residuals, g):
        return module.dropout_bwd(residuals, g, rate=rate)[:1]

    return Rule(lambda x: module.dropout(x, key(), rate=rate), lambda x: module.dropout_fwd(x, key(), rate=rate), f_bwd)


def through_lax(
    module: ModuleType, stride: Any = 1, padding: Any = "valid", dilation: Any = 1, on_cpu: bool = False
) -> Rule:
    """Return the convolution that accelerators run, or CPUs in float32, without the bias."""
    of_kernel = module._correlation_on_cpu if on_cpu else module._correlation

    def geometry(x, w):
        return module._geometry(x.shape, w.shape, stride, padding, dilation)

    def f(x, w):
        return module._by_lax(geometry(x, w), x, w)

    def f_bwd(residuals, g):
        return module._by_lax_bwd(geometry(*residuals), *residuals, g, of_kernel)

    return Rule(f, lambda x, w: (f(x, w), (x, w)), f_bwd)


def network(
    loss: str = "", grad: Callable | None = None, key: int | None = None, **options: Any
) -> Callable[[ModuleType], Problem]:
    """Return what takes a loss of a network and its gradient from a module: `loss` and `value_and_grad` by default.

    With a `key`, the seed of one, nodes drop out.
    """

    def of(module):
        keys = () if key is None else (jax.random.key(key),)
        value_and_grad = getattr(module, f"{loss}_and_grad" if loss else "value_and_grad")

        def by_hand(params, x, y):
            return value_and_grad(params, x, y, *keys, **options)[1]

        def of_loss(params, x, y):
            return getattr(module, loss or "loss")(params, x, y, *keys, **options)

        return Problem(of_loss, by_hand if grad is None else partial(grad, module))

    return of


def backward_of_forward(module: ModuleType, params: Any, x: Any, y: Any) -> Any:
    """Return the hidden layer's gradient line by line."""
    return module.backward(params, x, y, module.forward(params, x))


def dense_layers(module: ModuleType) -> Rule:
    """Return the dense layers as a rule of the parameters and the inputs."""

    def f_bwd(residuals, g):
        dx, grads = module.backward(residuals, g)
        return grads, dx

    return Rule(lambda params, x: module.forward(params, x)[0], module.forward, f_bwd)


def features_of(module: ModuleType) -> Problem:
    """Return a mean over the features of a convolutional network, plain or as a CPU computes them."""

    def loss(params, x):
        features, _ = module.features_fwd(params, x)
        return jnp.sum(jnp.sin(features)) / len(x)

    def grad(params, x):
        features, residuals = module.features_fwd(params, x)
        return module.features_bwd(residuals, jnp.cos(features) / len(x))

    return Problem(loss, grad)


def on_the_images_themselves(module: ModuleType) -> Problem:
    """Return the dense layers that the convolutional networks end with, the pixels for features."""

    def features_fwd(params, x):
        return x.reshape(len(x), -1), ()

    def loss(params, x, y):
        return losses.softmax_cross_entropy(module.logits(features_fwd, params, x), y) / len(x)

    def grad(params, x, y):
        return module.metrics_and_grad(features_fwd, lambda residuals, g: {}, params, x, y)[1]

    return Problem(loss, grad)


def neuralnet_of(activation: str, output: str, error: str) -> Callable[[ModuleType], Problem]:
    """Return what takes the error of R's neuralnet and its gradient from a module, two hidden layers."""

    def of(module):
        shape = module.Architecture((3, 4, 2, 2), activation, output, error)

        def loss(weights, x, y):
            return module.error_of(module.output_of(module.forward(weights, x.T, shape)[2], shape), y.T, shape)

        return Problem(loss, lambda weights, x, y: module.objective(shape, ())(weights, x, y)[1])

    return of
