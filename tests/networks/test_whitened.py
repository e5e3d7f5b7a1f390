"""The whitened network by JAX's own convolution and pool, its two ways to the features, and what whitening is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnn.errors import InvalidArgument
from jaxnn.networks import phases, whitened


def images(n, image, seed=0):
    return np.random.default_rng(seed).normal(size=(n, *image))


def params_of(image, filters=(2, 3), h=4, k=3):
    rng = np.random.default_rng(0)
    start = whitened.init(jax.random.key(0), images(20, image), filters, h, k, dtype=float)
    return jax.tree.map(lambda p: p + 0.1 * rng.normal(size=p.shape), start)


def logits_by_lax(p, x):
    """Return the logits from JAX's own convolution and reduce_window, relu before the pool, the signs one by one."""

    def layer(a, w, b):
        z = lax.conv_general_dilated(a, w, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")) + b
        return lax.reduce_window(jax.nn.relu(z), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    p = {name: jnp.asarray(value)[(None,) * (name[0] == "b") * 3] for name, value in p.items()}
    a1 = jnp.concatenate([layer(x, sign * p["W1"], sign * p["b1"]) for sign in (1, -1)], axis=3)
    features = layer(a1, p["W2"], p["b2"]).transpose(0, 3, 1, 2).reshape(len(x), -1)
    return jax.nn.relu(features @ p["W3"] + p["b3"][0, 0]) @ p["W4"] + p["b4"][0, 0]


def test_logits_and_gradient_are_those_of_jaxs_convolution_and_pool():
    params, x, y = params_of((13, 12, 2)), jnp.asarray(images(3, (13, 12, 2), 1)), np.arange(3)

    def loss(params):
        z = logits_by_lax(params, x)
        return -jnp.mean(jax.nn.log_softmax(z)[np.arange(3), y]), z

    @jax.jit
    def both(params):
        (value, z), grads = jax.value_and_grad(loss, has_aux=True)(params)
        (ours, others), by_hand = whitened.metrics_and_grad(params, x, y)
        found = ours, whitened.logits(params, x), by_hand, others["accuracy"]
        return found, (value, z, grads, jnp.mean(z.argmax(axis=1) == y, dtype=float))

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12), *both(params))


@pytest.mark.parametrize(("n", "image"), [(2, (13, 15, 2)), pytest.param(1, (12, 12, 1), marks=pytest.mark.slow)])
def test_pooled_in_the_product_is_the_plain_form(n, image):
    @jax.jit
    def both(params, x):
        features, residuals = whitened.features_fwd(params, x)
        g = jnp.asarray(np.random.default_rng(1).normal(size=features.shape))
        pooled, kept = phases.features_fwd(params, x)
        return (pooled, phases.features_bwd(kept, g)), (features, whitened.features_bwd(residuals, g))

    params, x = params_of(image), images(n, image, 1)
    # Whole numbers make equal pixels in a window; on a blank image all of them are, at both kinks.
    whole = {name: 0 * p if name in ("b1", "b2") else jnp.round(3 * p) for name, p in params.items()}
    for some_params, some_images in [(params, x), (whole, np.round(x)), (whole, 0 * x)]:
        ours, plain = both(some_params, some_images)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), ours, plain)


def test_the_first_layer_makes_patches_white():
    rng = np.random.default_rng(2)
    x = 40 + 30 * rng.normal(size=(60, 16, 16, 1)).cumsum(axis=1)  # neighbours alike, far from mean 0
    filters, bias = whitened.whitening(x, 4)
    y = lax.conv_general_dilated(x, filters, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    y = np.asarray(y).reshape(-1, 4) + bias
    # No two outputs vary together, and each has the mean square 1 but for the floor of a hundredth.
    np.testing.assert_allclose(y.T @ y / len(y), np.diag(np.diag(y.T @ y / len(y))), atol=1e-9)
    assert (np.diag(y.T @ y / len(y)) > 0.9).all() and (np.diag(y.T @ y / len(y)) < 1).all()


@pytest.mark.parametrize("features_fwd", [whitened.features_fwd, phases.features_fwd])
def test_nan_reaches_the_features_from_any_pixel_that_a_pool_sees(features_fwd):
    x = images(1, (12, 12, 1))
    x[0, 11, 0] = np.nan
    assert jnp.isnan(features_fwd(params_of((12, 12, 1)), jnp.asarray(x))[0]).all()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"images": np.ones((2, 11, 12, 1))}, "images: got images of 11 x 12"),
        ({"images": np.ones((2, 12, 12))}, "images: got shape"),
        ({"images": np.ones((2, 12, 12, 1))}, "images: got one value alone"),
        ({"images": np.full((2, 12, 12, 1), np.nan)}, "images: got nan"),
        ({"filters": (26, 3)}, r"filters: got \(26, 3\)"),
        ({"filters": 6}, "filters: got 6"),
        ({"n_hidden": 0}, "n_hidden: got 0"),
    ],
)
def test_a_start_that_cannot_be_right_is_refused(sizes, message, key):
    with pytest.raises(InvalidArgument, match=f"^{message}"):
        whitened.init(**{"key": key, "images": images(2, (12, 12, 1)), "filters": (2, 3), **sizes})


def test_images_of_another_size_are_refused():
    with pytest.raises(InvalidArgument, match="^x: got images of 20 x 20"):
        whitened.loss(params_of((12, 12, 1)), images(2, (20, 20, 1)), np.arange(2))
