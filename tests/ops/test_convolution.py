"""The convolution against four nested loops, forwards and backwards, in both of its formulations."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from jaxnn.errors import InvalidArgument
from jaxnn.ops import conv2d, conv2d_bwd, conv2d_fwd, convolution


def loops(x, w, b, g, stride, padding, dilation):
    """Return the convolution and its three cotangents, straight from the definition."""
    (s, t), (d, e) = stride, dilation
    (top, bottom), (left, right) = padding
    n, h, width, _ = x.shape
    kh, kw, _, _ = w.shape
    padded = np.pad(x, ((0, 0), *padding, (0, 0)))
    h2 = (h + top + bottom - (kh - 1) * d - 1) // s + 1
    w2 = (width + left + right - (kw - 1) * e - 1) // t + 1
    y = np.tile(b, (n, h2, w2, 1)).astype(float)
    g = g(y.shape)
    dx, dw = np.zeros_like(padded), np.zeros_like(w)
    for i in range(h2):
        for j in range(w2):
            for u in range(kh):
                for v in range(kw):
                    pixel = padded[:, i * s + u * d, j * t + v * e]
                    y[:, i, j] += pixel @ w[u, v]
                    dx[:, i * s + u * d, j * t + v * e] += g[:, i, j] @ w[u, v].T
                    dw[u, v] += pixel.T @ g[:, i, j]
    return y, g, (dx[:, top : top + h, left : left + width], dw, g.sum(axis=(0, 1, 2)))


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
edges = st.tuples(st.integers(0, 2), st.integers(0, 2))


@settings(max_examples=8, deadline=None, phases=[Phase.generate])  # each example is compiled: shrinking takes minutes
@given(pairs, pairs, pairs, st.tuples(edges, edges), st.sampled_from([(1, 1), (1, 2), (2, 1)]), pairs, pairs)
def test_both_formulations_are_the_loops(kernel, channels, stride, padding, dilation, batch, beyond):
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    image = [max(1, r - sum(p)) + more - 1 for r, p, more in zip(reach, padding, beyond, strict=True)]
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(batch[0], *image, channels[0])), rng.normal(size=(*kernel, *channels))
    b = rng.normal(size=channels[1])
    y, g, (dx, dw, _) = loops(x, w, b, lambda shape: rng.normal(size=shape), stride, padding, dilation)
    geometry = convolution._geometry(x.shape, w.shape, stride, padding, dilation)

    @jax.jit
    def both(x, w, g):
        forwards = [f(geometry, x, w) for f in (convolution._by_product, convolution._by_lax)]
        as_on_a_cpu = partial(convolution._by_lax_bwd, of_kernel=convolution._correlation_on_cpu)
        backwards = (convolution._by_product_bwd, convolution._by_lax_bwd, as_on_a_cpu)
        return forwards, [f(geometry, x, w, g) for f in backwards]

    forwards, backwards = both(x, w, g)
    for ours in forwards:
        close(ours, y - b)
    for ours in backwards:
        jax.tree.map(close, ours, (dx, dw))


OPTIONS = {"stride": (2, 1), "padding": ((1, 0), (0, 2)), "dilation": (1, 2)}


def test_the_operation_is_the_loops():
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(2, 6, 5, 3)), rng.normal(size=(2, 3, 3, 2)), rng.normal(size=2)
    y, g, cotangents = loops(x, w, b, lambda shape: rng.normal(size=shape), **OPTIONS)
    out, residuals = conv2d_fwd(x, w, b, **OPTIONS)
    jax.tree.map(close, (out, conv2d_bwd(residuals, g, **OPTIONS)), (y, cotangents))


@pytest.mark.parametrize("kernel", [(2, 3), (1, 1)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_operation_in_lower_precision_is_the_loops(kernel, dtype):
    rng = np.random.default_rng(0)
    # Small whole numbers: their products and sums are exact in either precision.
    x, w, b = (rng.integers(-2, 3, size).astype(float) for size in ((2, 6, 5, 3), (*kernel, 3, 2), (2,)))
    y, g, cotangents = loops(x, w, b, lambda shape: rng.integers(-1, 2, shape).astype(float), **OPTIONS)
    x, w, b, g = (jnp.asarray(array, dtype) for array in (x, w, b, g))
    out, residuals = conv2d_fwd(x, w, b, **OPTIONS)
    found = (out, conv2d_bwd(residuals, g, **OPTIONS))
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype(dtype)}
    jax.tree.map(np.testing.assert_array_equal, jax.tree.map(lambda a: np.asarray(a, float), found), (y, cotangents))


def convolutions(f, *arguments):
    """Return the axes of the convolutions that a CPU would run, as XLA writes them."""
    text = jax.jit(f).lower(*arguments).as_text()
    return re.findall(r"dim_numbers = (\[.*?\]x\[.*?\]->\[.*?\])", text)


def test_on_a_cpu_a_convolution_is_of_images_and_kernels_in_their_own_order_or_none():
    x, w, b, g = (jnp.ones(size, "float32") for size in ((2, 6, 5, 3), (2, 3, 3, 2), (2,), (2, 5, 3, 2)))
    fast = "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]"
    assert convolutions(conv2d_fwd, x, w, b) == [fast]
    assert convolutions(conv2d_bwd, (x, w), g) == [fast, fast]
    assert convolutions(conv2d, x, w, b) == [], "which JAX may differentiate, inside of a loop too"
    assert convolutions(conv2d_bwd, (x, w[:1, :1]), jnp.ones((2, 6, 5, 2), "float32")) == []
    assert convolutions(conv2d_bwd, (x.astype(float), w), g) == []


@pytest.mark.parametrize("n", [7, 8, 9, 16, 19])
def test_many_images_are_taken_some_at_a_time_on_a_cpu(n):
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(n, 5, 4, 2)), rng.normal(size=(n, 4, 3, 3))
    window = {"window_strides": (1, 1), "padding": [(0, 0), (0, 0)], "rhs_dilation": (1, 1)}
    expected = np.array([[np.einsum("nijc,nijk->ck", x[:, u : u + 4, v : v + 3], g) for v in (0, 1)] for u in (0, 1)])
    close(convolution._correlation_on_cpu(x, g, **window), expected)
    close(convolution._correlation(x, g, **window), expected)


def test_by_hand():
    x, w = jnp.arange(9.0).reshape(1, 3, 3, 1), jnp.array([[1.0, 2], [3, 4]]).reshape(2, 2, 1, 1)
    # 0*1 + 1*2 + 3*3 + 4*4 = 27, and 10 more for each step to the right, 30 for each step down; then the bias.
    expected = np.array([[27.0, 37], [57, 67]]) + 0.5
    np.testing.assert_array_equal(conv2d(x, w, jnp.array([0.5]))[0, :, :, 0], expected)


@pytest.mark.parametrize("name", ["same", "SAME", "valid", "VALID"])
@pytest.mark.parametrize(
    ("image", "kernel", "stride", "dilation"),
    [((5, 4), (3, 2), (1, 1), 1), ((6, 7), (2, 4), (2, 3), 1), ((7, 5), (2, 3), (1, 2), 2)],
)
def test_padding_by_name_is_that_of_lax(name, image, kernel, stride, dilation):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, *image, 3)), rng.normal(size=(*kernel, 3, 2))
    expected = jax.lax.conv_general_dilated(
        x, w, stride, name.upper(), rhs_dilation=(dilation, dilation), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    y = conv2d(x, w, np.zeros(2), stride=stride, padding=name, dilation=dilation)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


def test_same_puts_the_odd_zero_at_the_bottom_and_right():
    x, w = jnp.arange(1.0, 5).reshape(1, 2, 2, 1), jnp.array([[0.0, 0], [0, 1]]).reshape(2, 2, 1, 1)
    np.testing.assert_array_equal(conv2d(x, w, jnp.zeros(1), padding="same")[0, :, :, 0], [[4, 0], [0, 0]])


def test_whole_number_images_in_both_formulations():
    x, w = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3, 1), np.random.default_rng(0).normal(size=(2, 2, 1, 3))
    geometry = convolution._geometry(x.shape, w.shape, 1, "valid", 1)
    expected = convolution._by_product(geometry, x.astype(float), w)
    for forward in (convolution._by_product, convolution._by_lax):
        np.testing.assert_allclose(forward(geometry, x, w), expected, rtol=1e-12)


def call(x=(1, 5, 6, 2), w=(2, 3, 2, 4), b=(4,), **options):
    return conv2d(jnp.ones(x), jnp.ones(w), jnp.ones(b), **options)


@pytest.mark.parametrize(
    ("named", "wrong"),
    [
        ("x", {"x": (5, 6, 2)}),
        ("x", {"x": (0, 5, 6, 2)}),
        ("w", {"w": (2, 3, 1, 4)}),
        ("w", {"w": (2, 3, 2)}),
        ("w", {"w": (0, 3, 2, 4)}),
        ("w", {"w": (6, 3, 2, 4)}),
        ("w", {"dilation": (1, 3)}),
        ("b", {"b": (3,)}),
        ("b", {"b": (1,)}),
        ("stride", {"stride": 0}),
        ("stride", {"stride": (1, -1)}),
        ("stride", {"stride": (1, 1, 1)}),
        ("stride", {"stride": True}),
        ("stride", {"stride": 1.5}),
        ("stride", {"stride": (1.5, 1)}),
        ("stride", {"stride": None}),
        ("dilation", {"dilation": 0}),
        ("padding", {"padding": "full"}),
        ("padding", {"padding": ((0, 0), (0, -1))}),
        ("padding", {"padding": ((0, 0),)}),
        ("padding", {"padding": (1, 1)}),
        ("padding", {"padding": 1}),
        ("padding", {"padding": ((0.5, 0), (0, 0))}),
    ],
)
def test_what_cannot_be_right_is_refused_by_name(named, wrong):
    with pytest.raises(InvalidArgument, match=f"^{named}: got"):
        call(**wrong)


@pytest.mark.parametrize("stride", [np.int64(2), [2, 2], (np.int32(2), 2)])
def test_whole_numbers_of_any_make_are_taken(stride):
    assert call(stride=stride).shape == (1, 2, 2, 4)
