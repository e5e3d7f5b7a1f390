"""The dense layer and flattening by hand, and dropout's laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.ops import dense, dense_bwd, dropout, dropout_bwd, dropout_fwd, flatten, flatten_bwd, flatten_fwd


def test_dense_by_hand():
    x, w, b = jnp.array([[1.0, 2], [3, 4]]), jnp.array([[1.0, 0, 2], [0, 1, 3]]), jnp.array([10.0, 20, 30])
    np.testing.assert_array_equal(dense(x, w, b), [[11, 22, 38], [13, 24, 48]])


@pytest.mark.parametrize(
    ("x", "w", "b", "named"),
    [
        ((2, 3), (2, 3), (3,), "x"),
        ((3,), (3, 2), (2,), "x"),
        ((1, 2, 3), (3, 2), (2,), "x"),
        ((0, 3), (3, 2), (2,), "x"),
        ((2, 3), (3, 2), (3,), "b"),
        ((2, 3), (3, 2), (1,), "b"),
        ((2, 3), (3, 2), (1, 2), "b"),
    ],
)
def test_dense_refuses_shapes_that_do_not_fit(x, w, b, named):
    with pytest.raises(InvalidArgument, match=rf"^{named}: got shape"):
        jax.jit(dense)(jnp.ones(x), jnp.ones(w), jnp.ones(b))


def test_flatten_by_hand_is_row_by_row_with_the_channels_last():
    image = [[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]]  # rows, columns, channels
    y, residuals = flatten_fwd(jnp.array([image, image]))
    np.testing.assert_array_equal(y, [[1, 2, 3, 4, 5, 6, 7, 8]] * 2)
    np.testing.assert_array_equal(flatten_bwd(residuals, y)[0], [image, image])


@pytest.mark.parametrize("shape", [(), (0, 2, 2, 1)])
def test_flatten_refuses_what_has_no_examples(shape):
    with pytest.raises(InvalidArgument, match="^x: got shape"):
        flatten(jnp.ones(shape))


def test_dropout_keeps_its_share_scaled_up_and_the_mean(key):
    y = dropout(jnp.ones(100_000), key, rate=0.2)
    np.testing.assert_allclose(np.unique(y), [0, 1.25], rtol=1e-4)
    assert abs(jnp.mean(y == 0) - 0.2) < 0.005  # four standard deviations
    assert abs(jnp.mean(y) - 1) < 0.007


def test_dropout_draws_for_each_entry_and_from_its_key_alone(key):
    y = dropout(jnp.ones((50, 60)), key, rate=0.5)
    assert (y.std(axis=0) > 0).all() and (y.std(axis=1) > 0).all()
    np.testing.assert_array_equal(y, jax.jit(dropout, static_argnames="rate")(jnp.ones((50, 60)), key, rate=0.5))
    assert (y != dropout(jnp.ones((50, 60)), jax.random.key(1), rate=0.5)).any()


def test_dropout_backward_goes_through_the_same_mask(key):
    y, residuals = dropout_fwd(jnp.full(1000, 3.0), key, rate=0.3)
    dx, of_key = dropout_bwd(residuals, jnp.full(1000, 3.0), rate=0.3)
    np.testing.assert_array_equal(dx, y)
    assert of_key is None


def test_dropout_of_nothing_is_the_identity(key):
    np.testing.assert_array_equal(dropout(jnp.arange(5.0), key, rate=0.0), jnp.arange(5.0))


@pytest.mark.parametrize("rate", [0.3, 0.999])
def test_what_is_kept_is_scaled_by_the_share_that_is_kept(rate, key):
    # The docstring: the rate is rounded to a 65,536th, so the share kept is a whole number of them.
    shares = 65_536 / dropout(jnp.ones(20_000), key, rate=rate).max()
    np.testing.assert_allclose(shares, round(float(shares)), rtol=1e-9)


@pytest.mark.parametrize("rate", [1, 1.0, -0.1, float("nan"), True])
def test_dropout_refuses_rates_outside_0_1(rate, key):
    with pytest.raises(InvalidArgument, match="^rate: got"):
        dropout(jnp.ones(3), key, rate=rate)


def test_dropout_keeps_the_dtype(key):
    with jax.enable_x64(False):
        assert dropout(jnp.ones(3, jnp.float32), key, rate=0.5).dtype == jnp.float32
    assert dropout(jnp.ones(3, jnp.float32), key, rate=0.5).dtype == jnp.float32


@pytest.mark.parametrize("columns", [1, 10, 32, 33, 100])
def test_the_weights_cotangent_is_the_sum_of_outer_products_whatever_the_number_of_outputs(columns):
    rng = np.random.default_rng(columns)
    x, w, g = rng.normal(size=(7, 5)), rng.normal(size=(5, columns)), rng.normal(size=(7, columns))
    with jax.enable_x64():
        _, dw, _ = dense_bwd((x, w), g)
    np.testing.assert_allclose(dw, sum(np.outer(a, b) for a, b in zip(x, g, strict=True)), rtol=1e-12)
