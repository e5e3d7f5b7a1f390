"""Pooling by hand, at ties, at sizes that do not divide, and against `lax.reduce_window`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.errors import InvalidArgument
from jaxnn.ops import max_pool, max_pool_bwd, max_pool_fwd


def image(rows):
    return jnp.asarray(rows, float)[None, :, :, None]


def loops(x, g, size):
    """Return the pooled image and the cotangent, the first of the largest taking all: one window after the other."""
    (s, t), dx = size, np.zeros_like(x)
    n, h, w, c = x.shape
    y = np.zeros((n, h // s, w // t, c))
    for a, i, j, k in np.ndindex(*y.shape):
        window = x[a, i * s : (i + 1) * s, j * t : (j + 1) * t, k]
        row, column = np.unravel_index(window.argmax(), window.shape)  # the first, row by row
        y[a, i, j, k] = window.max()
        dx[a, i * s + row, j * t + column, k] = g[a, i, j, k]
    return y, dx


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
@pytest.mark.parametrize(("shape", "size"), [((2, 5, 7, 3), (2, 2)), ((1, 7, 4, 1), (3, 2)), ((3, 2, 6, 2), (1, 3))])
def test_value_and_cotangent_are_those_of_the_loops(shape, size, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 3, shape).astype(float)  # small numbers: many ties
    g = rng.normal(size=(shape[0], shape[1] // size[0], shape[2] // size[1], shape[3]))
    expected, dx = loops(x, g, size)
    y, residuals = max_pool_fwd(x, size=size)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(max_pool_bwd(residuals, g, size=size)[0], dx)


def test_by_hand_and_what_fills_no_window_is_left_out():
    x = image([[1, 5, 9], [4, 2, 9], [9, 9, 9]])
    y, residuals = max_pool_fwd(x)
    np.testing.assert_array_equal(y, image([[5]]))
    np.testing.assert_array_equal(
        max_pool_bwd(residuals, jnp.full_like(y, 7))[0], image([[0, 7, 0], [0, 0, 0], [0, 0, 0]])
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[3, 3], [3, 3]], [[1, 0], [0, 0]]),
        ([[1, 3], [3, 3]], [[0, 1], [0, 0]]),
        ([[1, 2], [3, 3]], [[0, 0], [1, 0]]),
        ([[-0.0, 0.0], [0.0, -0.0]], [[1, 0], [0, 0]]),
        ([[-np.inf, -np.inf], [-np.inf, -np.inf]], [[1, 0], [0, 0]]),
    ],
)
def test_at_ties_the_first_row_by_row_gets_all(rows, expected):
    x = image(rows)
    y, residuals = max_pool_fwd(x)
    np.testing.assert_array_equal(max_pool_bwd(residuals, jnp.ones_like(y))[0], image(expected))
    np.testing.assert_array_equal(jax.grad(lambda x: max_pool(x).sum())(x), image(expected))


def test_ties_go_where_xla_sends_them():
    x = jnp.asarray(np.random.default_rng(0).integers(0, 2, (3, 6, 8, 2)).astype(float))

    def reduce_window(x):
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    expected, pull = jax.vjp(reduce_window, x)
    y, residuals = max_pool_fwd(x)
    g = jnp.arange(1.0, y.size + 1).reshape(y.shape)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(max_pool_bwd(residuals, g)[0], pull(g)[0])


@pytest.mark.parametrize("place", range(4))
def test_nan_stays_nan_wherever_it_is_in_the_window(place):
    assert jnp.isnan(max_pool(jnp.arange(4.0).at[place].set(jnp.nan).reshape(1, 2, 2, 1))).all()


@pytest.mark.parametrize("size", [(0, 1), (2, -1), (6, 1), (1, 7), (2, 2, 2), (2,), 2, (2.0, 2), (True, 1), None])
def test_windows_that_cannot_be_right_are_refused(size):
    with pytest.raises(InvalidArgument, match="^size: got"):
        max_pool(jnp.ones((1, 5, 6, 1)), size=size)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 1), (0, 4, 4, 1), (1, 4, 4, 0)])
def test_images_that_cannot_be_right_are_refused(shape):
    with pytest.raises(InvalidArgument, match="^x: got shape"):
        max_pool(jnp.ones(shape))
