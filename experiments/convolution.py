"""Section 8.4: a 2x2 kernel [a b; c d] over a 3x3 image of an X, in symbols and in numbers.

The result is linear in the kernel, so convolving with the kernel that is 1 in one place and 0 elsewhere gives the exact
coefficient of a, b, c or d. Beside it stride, padding, dilation and colour, all in float64 and equal to `lax`'s.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.record import Number, Options, Result, Table
from jaxnn import ops

SECTION = "8.4"
TITLE = "Convolution layers"

IMAGE = np.array([[0.9, 0.0, 0.8], [0.0, 0.7, 0.0], [0.8, 0.0, 0.9]])
KERNEL = np.array([[1.0, -2.0], [3.0, 0.5]])  # numbers for a, b, c, d: any will do
LETTERS = "abcd"
GEOMETRIES = (
    {},
    {"stride": 2},
    {"padding": "same"},
    {"stride": 2, "padding": "same"},
    {"dilation": 2},
    {"padding": ((1, 0), (2, 1))},
)


def batch(image: Float[np.ndarray, "h w"]) -> Float[Array, "1 h w 1"]:
    """Return one grey image as a batch of one, with one channel."""
    return jnp.asarray(image)[None, :, :, None]


def filters(kernel: Float[Array, "kh kw"]) -> Float[Array, "kh kw 1 1"]:
    """Return one kernel as the kernels of one input and one output channel."""
    return jnp.asarray(kernel)[:, :, None, None]


def convolve(image: Float[np.ndarray, "h w"], kernel: Float[Array, "kh kw"]) -> Float[Array, "h2 w2"]:
    """Return the convolution of one grey image with one kernel, by `ops.conv2d`."""
    return ops.conv2d(batch(image), filters(kernel), jnp.zeros(1))[0, :, :, 0]


def convolve_by_trace(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    r"""Return $\mathrm{tr}(K' X_{ij})$ for every submatrix $X_{ij}$ of the image, by a plain loop."""
    (h, w), (kh, kw) = image.shape, kernel.shape
    patches = [[image[i : i + kh, j : j + kw] for j in range(w - kw + 1)] for i in range(h - kh + 1)]
    return np.array([[np.trace(kernel.T @ patch) for patch in row] for row in patches])


def convolve_by_lax(
    x: Float[Array, "n h w c"],
    w: Float[Array, "kh kw c k"],
    *,
    stride: int = 1,
    padding: str | tuple[tuple[int, int], tuple[int, int]] = "valid",
    dilation: int = 1,
) -> Float[Array, "n h2 w2 k"]:
    """Return what JAX's own convolution makes of images `x` (n, h, w, c) and kernels `w` (kh, kw, c, k)."""
    return jax.lax.conv_general_dilated(
        x,
        w,
        window_strides=(stride, stride),
        padding=padding.upper() if isinstance(padding, str) else padding,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def coefficients(image: Float[np.ndarray, "h w"]) -> Float[Array, "m 4"]:
    """Return the coefficients of a, b, c and d in each output, the outputs row by row."""
    units = jnp.eye(4).reshape(4, 2, 2)
    return jnp.stack([convolve(image, unit).ravel() for unit in units], axis=1)


def output_slopes(image: Float[np.ndarray, "h w"]) -> Float[Array, "m 4"]:
    """Return the derivative of each output with respect to a, b, c and d by `jax.jacobian`: the coefficients again."""
    return jax.jacobian(lambda kernel: convolve(image, kernel).ravel())(jnp.asarray(KERNEL)).reshape(-1, 4)


def in_letters(row: Array) -> str:
    """Return a row of coefficients as the lecture prints it: "0.9a + 0.7d"."""
    terms = [f"{c:g}{letter}" for c, letter in zip(np.asarray(row), LETTERS, strict=True) if c != 0]
    return " + ".join(terms) or "0"


def half_square(kernel: Float[Array, "kh kw"]) -> Float[Array, ""]:
    """Return half the sum of the squared outputs: a loss whose derivative with respect to an output is that output."""
    return jnp.sum(convolve(IMAGE, kernel) ** 2) / 2


def kernel_gradient(kernel: Float[Array, "kh kw"]) -> Float[Array, "kh kw"]:
    """Return the gradient of `half_square`, by hand."""
    y, residuals = ops.conv2d_fwd(batch(IMAGE), filters(kernel), jnp.zeros(1))
    return ops.conv2d_bwd(residuals, y)[1][:, :, 0, 0]


def example_table() -> Table:
    """Return the lecture's example, by three ways to compute it."""
    kernel = jnp.asarray(KERNEL)
    outputs = (
        convolve_by_trace(IMAGE, KERNEL),
        convolve(IMAGE, kernel),
        convolve_by_lax(batch(IMAGE), filters(kernel))[0, :, :, 0],
    )
    columns = [map(in_letters, coefficients(IMAGE)), *((f"{v:.7g}" for v in np.ravel(output)) for output in outputs)]
    places = ("top left", "top right", "bottom left", "bottom right")
    a, b, c, d = (f"{v:g}" for v in KERNEL.ravel())
    header = ["submatrix", "in symbols", "tr(K′X), a plain loop", "by hand", "lax"]
    title = f"The kernel over the X image, in symbols and for a = {a}, b = {b}, c = {c}, d = {d}"
    return Table(title, header, [list(row) for row in zip(places, *columns, strict=True)])


def gradient_table() -> Table:
    """Return the gradient of `half_square`, by hand and by `jax.grad`."""
    kernel = jnp.asarray(KERNEL)
    by_hand, autodiff = np.ravel(kernel_gradient(kernel)), np.ravel(jax.grad(half_square)(kernel))
    rows = [[f"∂J/∂{k}", f"{v:.7g}", f"{u:.7g}"] for k, v, u in zip(LETTERS, by_hand, autodiff, strict=True)]
    return Table("The kernel's gradient, J half the sum of the squared outputs", ["", "by hand", "jax.grad"], rows)


def geometry_row(x: Float[Array, "n h w c"], w: Float[Array, "kh kw c k"], options: dict) -> list[str]:
    """Return what one stride, padding and dilation makes of `x`, ours beside `lax`'s: shapes, values and gradients."""
    b = jnp.zeros(w.shape[-1])
    y, residuals = ops.conv2d_fwd(x, w, b, **options)
    theirs, pullback = jax.vjp(lambda x, w: convolve_by_lax(x, w, **options), x, w)
    dx, dw, _ = ops.conv2d_bwd(residuals, y, **options)
    dx_theirs, dw_theirs = pullback(theirs)
    pairs = ((y, theirs), (dx, dx_theirs), (dw, dw_theirs))
    apart = max(float(jnp.abs(ours - other).max()) for ours, other in pairs)
    options = {"stride": 1, "padding": "valid", "dilation": 1} | options
    return [*map(shape, (x, w)), *map(str, options.values()), shape(y), shape(theirs), f"{apart:.1e}"]


def shape(x: Array) -> str:
    """Return a shape as it is read: "1 × 3 × 3 × 1"."""
    return " × ".join(map(str, x.shape))


def geometry_table() -> Table:
    """Return the lecture's example and every geometry beside `lax`."""
    rng = np.random.default_rng(0)
    colour, kernels = jnp.asarray(rng.normal(size=(1, 8, 7, 3))), jnp.asarray(rng.normal(size=(3, 3, 3, 4)))
    rows = [geometry_row(batch(IMAGE), filters(jnp.asarray(KERNEL)), {})]
    rows += [geometry_row(colour, kernels, options) for options in GEOMETRIES]
    header = ["image", "kernel", "stride", "padding", "dilation", "output", "lax's output", "largest difference"]
    return Table("Stride, padding, dilation and three input channels", header, rows)


def run(options: Options) -> Result:
    """Return the lecture's example in symbols and the tables that set ours beside `lax`, in float64."""
    options.say("the 2x2 kernel over the X image, in symbols and in numbers")
    with jax.enable_x64(True):
        note = "; ".join(map(in_letters, coefficients(IMAGE)))
        example = Number(coefficients(IMAGE), output_slopes(IMAGE), note=note)
        tables = [example_table(), gradient_table(), geometry_table()]
    remarks = ["The largest difference covers the outputs and both gradients, of the image and of the kernel."]
    return Result({"conv.example": example}, {}, tables, remarks)
