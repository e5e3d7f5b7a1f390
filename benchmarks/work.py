"""How much work a step is, counted from the shapes: floating-point operations and bytes that have to move."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxnn.networks import cnn

FLOAT = 4  # bytes
IMAGE = 28 * 28


class Work(NamedTuple):
    """The work of one step."""

    flops: float
    bytes: float


def counted_by_xla(function: Callable, *arguments: Any) -> float | None:
    """Return the FLOPs of one call, compiled, by XLA's own `cost_analysis`, None from a platform that has none.

    The arguments may be shapes alone. XLA counts the sums and comparisons too that a count of products leaves out, and
    the body of a loop only once.
    """
    return (jax.jit(function).lower(*arguments).compile().cost_analysis() or {}).get("flops")


def dense_mlp(batch: int, widths: tuple[int, ...] = (IMAGE, 512, 10)) -> Work:
    """Return an update of an MLP: two flops for each weight and example, three times but in the first layer twice."""
    products = [inputs * outputs for inputs, outputs in zip(widths[:-1], widths[1:], strict=True)]
    parameters = sum(products) + sum(widths[1:])
    return Work(2 * batch * (3 * sum(products) - products[0]), moved(parameters, batch * widths[0]))


def convolutional(batch: int) -> Work:
    """Return an update of the network of lecture section 8.5: likewise, a convolution's weights used at each place."""
    shapes = jax.eval_shape(cnn.init, jax.random.key(0))
    places = {"W1": IMAGE, "W2": IMAGE, "W3": 1, "W4": 1}
    products = {name: count * shapes[name].size for name, count in places.items()}
    parameters = sum(leaf.size for leaf in shapes.values())
    return Work(2 * batch * (3 * sum(products.values()) - products["W1"]), moved(parameters, batch * IMAGE))


def hidden_layer_step(points: int, inputs: int = 2, hidden: int = 4, itemsize: int = FLOAT) -> Work:
    """Return a step of the lecture's loop, products alone: the points' bytes are in the caches after the first step."""
    products = inputs * hidden + hidden
    return Work(2 * points * (3 * products - inputs * hidden), itemsize * points * (inputs + 1))


def moved(parameters: int, inputs: int) -> float:
    """Return the least bytes of an update by RMSprop: weights, gradient, mean square read and written, inputs read."""
    return FLOAT * (6 * parameters + inputs)
