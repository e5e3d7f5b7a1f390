"""The convolutional network of lecture section 8.5 by plain loops, and its two ways to the features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from jaxnn.errors import InvalidArgument
from jaxnn.networks import blocks, cnn


def params_of(image, filters, h=4, k=3):
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda p: p + 0.2 * rng.normal(size=p.shape), cnn.init(jax.random.key(0), image, filters, h, k, dtype=float)
    )


def images(n, image, seed=0):
    return np.random.default_rng(seed).normal(size=(n, *image))


def logits_in_numpy(p, x):
    """Return the logits in the lecture's order: softplus before the pool, one output pixel after the other."""
    p = {name: np.asarray(value) for name, value in p.items()}
    a1 = np.maximum(convolve(np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), p["W1"], p["b1"]), 0)
    a2 = np.logaddexp(0, convolve(np.pad(a1, ((0, 0), (0, 1), (0, 1), (0, 0))), p["W2"], p["b2"]))
    n, h, w, _ = a2.shape
    pooled = [
        [a2[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max(axis=(1, 2)) for j in range(w // 2)] for i in range(h // 2)
    ]
    features = np.transpose(pooled, (2, 0, 1, 3)).reshape(n, -1)
    return np.maximum(features @ p["W3"] + p["b3"], 0) @ p["W4"] + p["b4"]


def convolve(x, w, b):
    (n, h, width, _), (kh, kw, _, k) = x.shape, w.shape
    y = np.zeros((n, h - kh + 1, width - kw + 1, k))
    for i, j in np.ndindex(y.shape[1:3]):
        y[:, i, j] = np.tensordot(x[:, i : i + kh, j : j + kw], w, 3) + b
    return y


@pytest.mark.parametrize(
    ("n", "image", "filters"), [(3, (5, 6, 2), (3, 2)), pytest.param(9, (4, 7, 1), (2, 4), marks=pytest.mark.slow)]
)
def test_logits_loss_and_accuracy_by_loops(n, image, filters):
    params, x, y = params_of(image, filters), images(n, image), np.arange(n) % 3
    z4 = logits_in_numpy(params, x)
    loss, accuracy = -log_softmax(z4, axis=1)[np.arange(n), y].mean(), np.mean(z4.argmax(axis=1) == y)

    @jax.jit
    def ours(params):
        (value, others), _ = cnn.metrics_and_grad(params, x, y)
        by_metrics = cnn.metrics(params, x, y)
        values = (value, others["accuracy"]), (by_metrics["loss"], by_metrics["accuracy"])
        return (cnn.logits(params, x), cnn.apply(params, x)), values

    expected = (z4, np.exp(log_softmax(z4, axis=1))), ((loss, accuracy), (loss, accuracy))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13), ours(params), expected)


SIZES = [
    pytest.param(1, (2, 3, 1), (1, 2), marks=pytest.mark.slow),
    pytest.param(16, (4, 6, 1), (3, 2), marks=pytest.mark.slow),
    (35, (5, 7, 3), (2, 5)),
]


@pytest.mark.parametrize(("n", "image", "filters"), SIZES)
def test_block_by_block_is_the_plain_form(n, image, filters):
    @jax.jit
    def both(params, x):
        features, residuals = cnn.features_fwd(params, x)
        g = jnp.asarray(np.random.default_rng(1).normal(size=features.shape))
        blockwise, kept = blocks.features_fwd(params, x)
        return (blockwise, blocks.features_bwd(kept, g)), (features, cnn.features_bwd(residuals, g))

    params, x = params_of(image, filters), images(n, image)
    # Whole numbers make equal pixels in a window; on a blank image all of them are, at both kinks.
    whole = {name: 0 * p if name in ("b1", "b2") else jnp.round(2 * p) for name, p in params.items()}
    for some_params, some_images in [(params, x), (whole, np.round(x)), (whole, 0 * x)]:
        ours, plain = both(some_params, some_images)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), ours, plain)


@pytest.mark.slow
def test_by_hand_is_autodiff_on_digits_with_blank_margins():
    # At the start every bias is 0, so blank pixels put the activations exactly where softplus and relu turn.
    params = cnn.init(jax.random.key(0), (4, 4, 1), (2, 2), 3, 2, dtype=float)
    x, y = np.zeros((3, 4, 4, 1)), np.array([0, 1, 0])
    x[:, 1, 0] = 1
    ours, expected = jax.jit(lambda p: (cnn.value_and_grad(p, x, y), jax.value_and_grad(cnn.loss)(p, x, y)))(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13), ours, expected)


@pytest.mark.parametrize("features_fwd", [cnn.features_fwd, blocks.features_fwd])
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_nan_reaches_the_features_from_any_pixel(features_fwd, place):
    x = images(1, (2, 2, 1))
    x[0, *place] = np.nan
    assert jnp.isnan(features_fwd(params_of((2, 2, 1), (1, 1)), jnp.asarray(x))[0]).all()


def test_by_hand_with_metrics_is_autodiff_with_aux(key):
    params, x, y = params_of((5, 4, 1), (2, 3)), images(9, (5, 4, 1)), np.arange(9) % 3
    autodiff = jax.value_and_grad(cnn.loss_and_metrics, has_aux=True)
    ours, expected = jax.jit(lambda p: (cnn.metrics_and_grad(p, x, y, key), autodiff(p, x, y, key)))(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13), ours, expected)
    # The lecture's rate is a half.
    loss = jax.jit(lambda *key, **rate: cnn.loss(params, x, y, *key, **rate), static_argnames="rate")
    assert loss(key) == loss(key, rate=0.5) != loss()


def test_the_lectures_network_has_3149394_numbers():
    shapes = {name: p.shape for name, p in jax.eval_shape(cnn.init, jax.random.key(0)).items()}
    assert shapes == {
        **{"W1": (3, 3, 1, 32), "b1": (32,), "W2": (2, 2, 32, 16), "b2": (16,)},
        **{"W3": (14 * 14 * 16, 1000), "b3": (1000,), "W4": (1000, 10), "b4": (10,)},
    }
    assert sum(np.prod(s) for s in shapes.values()) == 3_149_394  # lecture section 8.5, Keras' summary


def test_init_is_glorots_with_the_kernels_area_in_both_fans(key):
    params = cnn.init(key, (8, 8, 16), (48, 64), 30, 20)
    fans = {"W1": 9 * (16 + 48), "W2": 4 * (48 + 64), "W3": 16 * 64 + 30, "W4": 30 + 20}
    for name, fan in fans.items():
        limit, w = np.sqrt(6 / fan), params[name]
        assert 0.98 * limit < jnp.abs(w).max() <= limit * (1 + 1e-6) and abs(w.mean()) < 0.06 * limit
        assert w.dtype == jnp.float32 and not params["b" + name[1]].any()


@pytest.mark.parametrize(
    "image", [(28, 28), 28, (1, 5, 1), (5, 1, 1), (4, 4, 0), (4.0, 4, 1), (True, 4, 1), (4, 4, 1, 1)]
)
def test_images_that_cannot_be_right_are_refused(image, key):
    with pytest.raises(InvalidArgument, match="^image: got"):
        cnn.init(key, image, (2, 2), 3, 3)


@pytest.mark.parametrize("filters", [32, (32,), (3, 2, 1), (0, 1), (1, -1), (1.0, 1)])
def test_filters_that_cannot_be_right_are_refused(filters, key):
    with pytest.raises(InvalidArgument, match="^filters: got"):
        cnn.init(key, (4, 4, 1), filters, 3, 3)


def logits_by_lax(p, x, stride, dilation):
    """Return the logits from JAX's own convolution and reduce_window, in the lecture's order."""
    numbers = ("NHWC", "HWIO", "NHWC")
    a = x
    for w, b, f in (p["W1"], p["b1"], jax.nn.relu), (p["W2"], p["b2"], jax.nn.softplus):
        z = jax.lax.conv_general_dilated(a, w, stride, "SAME", rhs_dilation=dilation, dimension_numbers=numbers)
        a = f(z + b[None, None, None])
    a = jax.lax.reduce_window(a, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID").reshape(len(x), -1)
    return jax.nn.relu(a @ p["W3"] + p["b3"][None]) @ p["W4"] + p["b4"][None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stride", "dilation"),
    [
        pytest.param((2, 2), (1, 1), marks=pytest.mark.slow),
        pytest.param((1, 1), (2, 2), marks=pytest.mark.slow),
        pytest.param((1, 2), (3, 1), marks=pytest.mark.slow),
        ((2, 1), (2, 2)),
    ],
)
def test_stride_and_dilation_are_those_of_lax(stride, dilation):
    image = (9, 11, 2)
    params = jax.tree.map(
        lambda p: p + 0.2, cnn.init(jax.random.key(0), image, (2, 3), 4, 3, stride=stride, dtype=float)
    )
    x, options = images(3, image), {"stride": stride, "dilation": dilation}
    expected = jax.jit(lambda p: logits_by_lax(p, x, stride, dilation))(params)
    np.testing.assert_allclose(cnn.logits(params, x, **options), expected, rtol=1e-11)
    np.testing.assert_allclose(cnn.apply(params, x, **options), jax.nn.softmax(expected), rtol=1e-11)
    y = np.array([0, 2, 1])
    loss = -log_softmax(expected, axis=1)[np.arange(3), y].mean()
    np.testing.assert_allclose(cnn.loss(params, x, y, **options), loss, rtol=1e-11)
    np.testing.assert_allclose(cnn.metrics(params, x, y, **options)["loss"], loss, rtol=1e-11)


@pytest.mark.slow
def test_one_number_is_both_sides_and_1_is_the_lectures():
    params, x = params_of((6, 6, 1), (2, 2)), images(2, (6, 6, 1))
    for dilation in (2, (2, 2), [2, 2]):
        np.testing.assert_array_equal(cnn.logits(params, x, dilation=dilation), cnn.logits(params, x, dilation=2))
    np.testing.assert_array_equal(cnn.logits(params, x, stride=(1, 1), dilation=(1, 1)), cnn.logits(params, x))


@pytest.mark.parametrize("name", ["stride", "dilation"])
@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, None, "2", (1, 2, 3), (1, 0)])
def test_strides_and_dilations_that_cannot_be_right_are_refused(name, wrong, key):
    params, x, y = params_of((4, 4, 1), (2, 2)), images(2, (4, 4, 1)), np.array([0, 1])
    for function in (cnn.value_and_grad, cnn.loss):
        with pytest.raises(InvalidArgument, match=f"^{name}: got"):
            function(params, x, y, **{name: wrong})
    if name == "stride":
        with pytest.raises(InvalidArgument, match="^stride: got"):
            cnn.init(key, (4, 4, 1), (2, 2), 3, 3, stride=wrong)


def test_a_stride_that_init_was_not_told_is_refused(key):
    params = cnn.init(key, (8, 8, 1), (2, 2), 3, 3, stride=2)
    assert params["W3"].shape == (1 * 1 * 2, 3)
    with pytest.raises(InvalidArgument, match="^x: got images of 8 x 8"):
        cnn.logits(params, jnp.ones((2, 8, 8, 1)))
    with pytest.raises(InvalidArgument, match="^image: got"):
        cnn.init(key, (4, 4, 1), (2, 2), 3, 3, stride=2)


@pytest.mark.parametrize("size", [(3, 2), (3,), ()])
def test_one_dense_hidden_layer_it_is(size, key):
    with pytest.raises(InvalidArgument, match="^n_hidden: got"):
        cnn.init(key, (4, 4, 1), (2, 2), size, 3)


@pytest.mark.parametrize("shape", [(2, 6, 4, 1), (2, 4, 4, 3), (2, 4, 4), (2, 16)])
def test_images_unlike_those_of_init_are_refused(shape):
    with pytest.raises(InvalidArgument, match="^x: got"):
        cnn.logits(params_of((4, 4, 1), (2, 2)), jnp.ones(shape))


@pytest.mark.parametrize(("platform", "convolutions"), [("cpu", False), ("cuda", True), ("tpu", True)])
def test_accelerators_get_convolutions_and_cpus_matrix_products(platform, convolutions):
    # lowered, not run: the choice is made once, for the platform that the program is made for
    params, x, y = params_of((4, 4, 1), (2, 3)), images(3, (4, 4, 1)), np.arange(3) % 3
    lowered = jax.jit(cnn.value_and_grad).trace(params, x, y).lower(lowering_platforms=(platform,))
    assert ("stablehlo.convolution" in lowered.as_text()) == convolutions
