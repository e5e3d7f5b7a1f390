"""The padded program against a network of the very sizes it stands for: a Python loop over layers, and its `jax.grad`.

What that network cannot say (dropout's masks, L1's kills, divergence, shades) is calculated by hand or with NumPy.
"""

import itertools
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.playground import engine, program
from jaxnn.playground.optimizers import OPTIMIZERS
from jaxnn.playground.program import ACTIVATIONS, advance, dropout_masks, evaluate, maps, shades, value_and_grad

FUNCTIONS = {
    "relu": lambda z: jnp.where(z > 0, z, 0),
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "linear": lambda z: z,
    "softplus": jax.nn.softplus,
}
CONFIG = {
    "problem": "classification",
    "activation": "tanh",
    "learningRate": 0.03,
    "batchSize": 10,
    "features": ["x", "y"],
    "hidden": [4, 2],
    "epochs": 0,
}
LINE = CONFIG | {"problem": "regression", "features": ["x"], "hidden": [], "batchSize": 1}  # y = w x + b
ARCHITECTURES = [[], [1], [4, 2], [8] * 6, [16] * 10]
in_one_program = jax.jit(value_and_grad)


def drawn(hidden, seed=2, inputs=2):
    """Return start weights of a size at which no layer saturates."""
    random, sizes = np.random.default_rng(seed), [inputs, *hidden, 1]
    layers = list(itertools.pairwise(sizes))
    W = [random.normal(0, 1 / np.sqrt(before), (after, before)).tolist() for before, after in layers]
    return {"W": W, "b": [random.normal(0, 0.1, after).tolist() for _, after in layers]}


def rows(n, seed=1):
    random = np.random.default_rng(seed)
    return np.column_stack([random.uniform(-2, 2, (n, 2)), random.choice([-1.0, 1.0], n)])


def plain_error(weights, names, x, y, masks):
    a = x
    for W, b, name, mask in zip(weights["W"], weights["b"], names, masks, strict=True):
        a = FUNCTIONS[name]((a * mask) @ W.T + b[None])
    return jnp.sum((a[:, 0] - y) ** 2) / 2


plain_grad = jax.jit(jax.value_and_grad(plain_error), static_argnames="names")
masks_of = jax.jit(dropout_masks)
scores_of = jax.jit(evaluate)


def arrays_of(weights):
    return {name: [jnp.asarray(layer, float) for layer in weights[name]] for name in weights}


def network(config, init=None, train=((0.0, 0.0, 0.0),), test=()):
    """Return what `advance` takes but for `epochs` and what follows it."""
    inputs, hidden = len(config["features"]), config["hidden"]
    settings = engine.settings_of(engine.checked(config))
    net = engine.network_of(init or drawn(hidden, inputs=inputs), inputs, hidden, settings.optimizer)
    width = net.params.b.shape[1]
    data = [engine.points_of("points", np.reshape(part, (-1, 3)), config["features"], width) for part in (train, test)]
    return net, settings, *data, jnp.zeros((program.GRID**2, width))


def run(epochs, *state, enough=np.inf):
    after, report = advance(*state, epochs, enough, 0, 0)
    return after, report, report.history[: int(report.epochs) + 1]


def test_every_activation_and_its_derivative_by_its_value():
    with jax.enable_x64(True):
        z = jnp.linspace(-3, 3, 8)  # without the kink at 0
        for name, (function, slope) in ACTIVATIONS.items():
            a, derivative = jax.vmap(jax.value_and_grad(FUNCTIONS[name]))(z)
            np.testing.assert_allclose(function(z), a, rtol=1e-12, atol=1e-12, err_msg=name)
            np.testing.assert_allclose(slope(a), derivative, rtol=1e-12, atol=1e-12, err_msg=name)


def combinations():
    """All of them; before each change the small ones in float64 with nodes dropped, of which the others are a part."""
    for hidden, dropped, double in itertools.product(ARCHITECTURES, (False, True), (True, False)):
        marks = () if dropped and double and len(hidden) <= 2 else pytest.mark.slow
        yield pytest.param(hidden, dropped, double, marks=marks)


@pytest.mark.parametrize("hidden, dropped, double", list(combinations()))
def test_error_and_gradient_are_those_of_the_plain_network(hidden, dropped, double):
    names = [name for name, _ in zip(itertools.cycle(ACTIVATIONS), hidden, strict=False)]
    init, data = drawn(hidden), rows(30)
    sizes = [2, *hidden]
    keep = np.random.default_rng(2).choice([0.0, 2.0], (len(sizes), 30, 16)) if dropped else np.ones((11, 30, 16))
    with jax.enable_x64(double):
        net, settings, train, _, _ = network(CONFIG | {"hidden": hidden, "activations": names}, init, data)
        masks = jnp.ones((11, len(train.y), 16)).at[: len(sizes), :30].set(keep[: len(sizes)])
        error, grads = in_one_program(net.params, net.alive, settings, train, masks)
        weights = engine.weights_of(net.params, 2, hidden)
        seen = engine.weights_of(grads, 2, hidden)
        assert not np.any(np.where(net.alive, 0, grads.W))
        assert not any(np.any(np.asarray(grads.b)[layer, size:]) for layer, size in enumerate([*hidden, 1]))
    with jax.enable_x64(True):
        kept = [keep[layer, :, :size] for layer, size in enumerate(sizes)]
        value, expected = plain_grad(arrays_of(weights), (*names, "tanh"), data[:, :2], data[:, 2], kept)
    tolerance = 1e-12 if double else 1e-6  # of the means over the points, which are what a loss and an update take
    np.testing.assert_allclose(np.divide(error, 30), np.divide(value, 30), rtol=0, atol=tolerance)
    for one, other in zip([*seen["W"], *seen["b"]], [*expected["W"], *expected["b"]], strict=True):
        assert np.any(other)
        np.testing.assert_allclose(np.divide(one, 30), np.divide(other, 30), rtol=0, atol=tolerance)


@pytest.mark.slow
def test_the_gradient_without_masks_is_that_of_masks_of_ones():
    net, settings, train, _, _ = network(CONFIG, train=rows(30))
    seen = in_one_program(net.params, net.alive, settings, train)
    expected = in_one_program(net.params, net.alive, settings, train, jnp.ones((11, *train.x.shape)))
    jax.tree.map(np.testing.assert_array_equal, seen, expected)


def trained_plainly(init, data, config, epochs, masks=None):
    """Return the weights after `epochs` of plain descent, batch by batch, what is left over carried on."""
    weights, sums, count = arrays_of(init), None, 0
    for epoch, i in itertools.product(range(epochs), range(len(data))):
        ones = [jnp.ones((1, size)) for size in (2, *config["hidden"])]
        kept = ones if masks is None else masks(epoch, i)
        _, grads = plain_grad(weights, ("tanh",) * len(ones), data[i : i + 1, :2], data[i : i + 1, 2], kept)
        sums, count = (grads if sums is None else jax.tree.map(jnp.add, sums, grads)), count + 1
        if (i + 1) % config["batchSize"] == 0:
            step = config["learningRate"] / count
            weights, sums, count = jax.tree.map(lambda w, g, step=step: w - step * g, weights, sums), None, 0
    return weights


def assert_weights(params, hidden, expected, tolerance=1e-5):
    seen = arrays_of(engine.weights_of(params, 2, hidden))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), seen, expected)


@pytest.mark.parametrize("batch", [1, 10, 32, 33, 70, 200])  # one pass takes 32; 75 points leave some over
def test_batches_longer_than_a_pass_and_what_an_epoch_leaves_over(batch):
    config = CONFIG | {"batchSize": batch, "learningRate": 0.3, "hidden": [3]}
    init, data = drawn([3]), rows(75)
    after, _, _ = run(3, *network(config, init, data))
    assert int(after.updates) == 3 * (75 // batch)
    assert_weights(after.params, [3], trained_plainly(init, data, config, 3))


@pytest.mark.slow
def test_nothing_that_a_user_changes_compiles_anew():
    run(1, *network(CONFIG, train=rows(30)))
    compiled = advance._cache_size()
    changes = [{"hidden": hidden} for hidden in ARCHITECTURES]
    changes += [{"optimizer": name} for name in OPTIMIZERS]
    changes += [{"activations": [name, name]} for name in ACTIVATIONS]
    changes += [{"regularization": name, "regularizationRate": 0.1} for name in ("L1", "L2")]
    changes += [{"batchSize": 300}, {"learningRate": 3.0}, {"dropout": 0.5}, {"problem": "regression"}]
    for change in changes:
        state = network(CONFIG | change, train=rows(1000), test=rows(7))
        after, _, _ = run(2, *state)
        advance(after, *state[1:], 3, 0.99, 1, 0)
    assert advance._cache_size() == compiled


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_the_share_of_nodes_and_never_a_feature(rate):
    net, settings, *_ = network(CONFIG | {"dropout": rate})
    masks = np.array(masks_of(net, settings, 0, jnp.zeros((11, 32, 16))))
    np.testing.assert_array_equal(masks[0], 1)
    kept = masks[1:] != 0
    np.testing.assert_allclose(masks[1:][kept], 1 / (1 - rate), rtol=1e-6)
    deviation = np.sqrt(rate * (1 - rate) / kept.size)  # of a share of independent nodes
    assert abs(kept.mean() - (1 - rate)) < 5 * deviation


def test_a_mask_belongs_to_its_network_its_epoch_and_its_pass():
    net, settings, *_ = network(CONFIG | {"dropout": 0.5})
    like = jnp.zeros((11, 32, 16))
    masks = [
        masks_of(net, settings, 0, like),
        masks_of(net, settings, 1, like),
        masks_of(net._replace(epoch=net.epoch + 1), settings, 0, like),
        masks_of(net._replace(key=jax.random.key(1)), settings, 0, like),
    ]
    np.testing.assert_array_equal(masks[0], masks_of(net, settings, 0, like))
    for one, other in itertools.combinations(masks, 2):
        assert np.any(one != other)


def test_a_dropout_of_0_drops_nothing():
    net, settings, *_ = network(CONFIG)
    np.testing.assert_array_equal(masks_of(net, settings, 0, jnp.zeros((11, 32, 16))), 1)


def test_training_drops_the_nodes_of_the_masks():
    config = CONFIG | {"dropout": 0.5, "batchSize": 32, "hidden": [3]}
    init, data = drawn([3]), rows(64)
    state = network(config, init, data)

    @cache
    def drawn_masks(epoch, turn):
        return np.asarray(masks_of(state[0]._replace(epoch=epoch), state[1], turn, jnp.zeros((11, 32, 16))))

    def masks(epoch, i):
        drawn = drawn_masks(epoch, i // 32)
        return [drawn[layer, i % 32, :size][None] for layer, size in enumerate((2, 3))]

    after, _, _ = run(2, *state)
    assert_weights(after.params, [3], trained_plainly(init, data, config, 2, masks))


def test_a_link_that_l1_carries_through_0_stays_at_0():
    config = LINE | {"learningRate": 0.1, "regularization": "L1", "regularizationRate": 1.0}
    state = network(config, {"W": [[[0.05]]], "b": [[0.5]]}, [[0.0, 0.0, 0.5]])  # no gradient; 0.05 - 0.1 < 0
    after, _, _ = run(1, *state)
    assert not after.alive.any() and not np.any(after.params.W)
    assert float(after.params.b[0, 0]) == 0.5  # biases have no penalty
    _, settings, train, *_ = network(config, train=[[1.0, 0.0, 5.0]])
    pulled, _, _ = run(9, after, settings, train, *state[3:])
    assert not pulled.alive.any() and not np.any(pulled.params.W) and float(pulled.params.b[0, 0]) > 2


def test_a_penalty_moves_the_weight_after_the_step_by_its_slope_before():
    change = {"learningRate": 0.1, "regularizationRate": 0.2}
    for name, weight in {"none": 1.4, "L1": 1.4 - 0.1 * 0.2, "L2": 1.4 - 0.1 * 0.2 * 1.5}.items():
        state = network(LINE | change | {"regularization": name}, {"W": [[[1.5]]], "b": [[0.0]]}, [[1.0, 0.0, 0.5]])
        after, _, _ = run(1, *state)  # the gradient is 1
        np.testing.assert_allclose(after.params.W[0, 0, 0], weight, rtol=1e-6)
        np.testing.assert_allclose(after.params.b[0, 0], -0.1, rtol=1e-6)


@pytest.mark.parametrize("with_test", [True, False])
def test_training_ends_with_the_epoch_that_solves_it(with_test):
    data = rows(40)
    data[:, 2] = np.where(data[:, 0] > data[:, 1], 1, -1)
    config = CONFIG | {"learningRate": 0.01, "hidden": []}
    state = network(config, {"W": [[[-1.0, 1.0]]], "b": [[0.0]]}, data, data[:20] if with_test else ())
    column = 3 if with_test else 2
    _, full, history = run(64, *state)
    assert int(full.epochs) == 64 and not full.solved
    enough = float(np.unique(history[1:, column])[1])  # a score that takes more than one epoch
    first = next(i for i in range(1, 65) if history[i, column] >= enough)
    after, report, shorter = run(64, *state, enough=enough)
    assert report.solved and int(report.epochs) == int(after.epoch) == first
    np.testing.assert_array_equal(shorter, history[: first + 1])


# Of the point [1, 0, 1] the error e becomes (1 - 2 rate) e at an update: 4e20 after two, its square too large.
@pytest.mark.parametrize("points, kept, update", [(1, 1, 2), (2, 0, 2)])
def test_an_epoch_that_diverges_is_taken_back(points, kept, update):
    config, init = LINE | {"learningRate": 1e10}, {"W": [[[0.0]]], "b": [[0.0]]}
    state = network(config, init, [[1.0, 0.0, 1.0]] * points)
    after, report, _ = run(5, *state)
    assert (int(report.epochs), int(report.diverged), bool(report.solved)) == (kept, update, False)
    before, _, _ = run(kept, *state)
    jax.tree.map(np.testing.assert_array_equal, after._replace(key=0), before._replace(key=0))
    again, report, _ = run(5, after, *state[1:])
    assert int(report.epochs) == 0 and int(again.epoch) == kept


@pytest.mark.parametrize("n", [0, 1, 255, 256, 257, 1000])  # 256 points are one pass
def test_scores_are_means_over_the_points(n):
    data = rows(n)
    net, settings, points, _, _ = network(CONFIG | {"hidden": [3]}, train=data)
    weights = {k: [np.array(t) for t in v] for k, v in engine.weights_of(net.params, 2, [3]).items()}
    output = np.tanh(np.tanh(data[:, :2] @ weights["W"][0].T + weights["b"][0]) @ weights["W"][1].T + weights["b"][1])
    loss, accuracy = scores_of(net.params, settings, points)
    if n == 0:
        assert np.isnan(loss) and np.isnan(accuracy)
    else:
        np.testing.assert_allclose(loss, np.mean((output[:, 0] - data[:, 2]) ** 2) / 2, rtol=1e-5)
        np.testing.assert_allclose(accuracy, np.mean(np.sign(output[:, 0]) == data[:, 2]), rtol=1e-6)


def shade(value):
    return (np.clip(value, -1, 1) + 1) * 127.5


def test_maps_are_block_means_of_every_node():
    net, settings, *_ = network(CONFIG)
    weights = {k: [np.array(t) for t in v] for k, v in engine.weights_of(net.params, 2, [4, 2]).items()}
    pixels = np.random.default_rng(3).uniform(-6, 6, (100, 100, 2))
    grid = jnp.asarray(np.pad(pixels.reshape(-1, 2), ((0, 0), (0, 14))), float)
    nodes, chosen, output = jax.jit(maps)(net.params, settings, grid, 2, 1)
    a = pixels
    for layer, size in enumerate((2, 4, 2, 1)):
        blocks = [[a[i : i + 10, j : j + 10].mean((0, 1)) for j in range(0, 100, 10)] for i in range(0, 100, 10)]
        np.testing.assert_allclose(nodes[layer, :, :, :size], shade(np.array(blocks)), atol=0.501)
        if layer == 2:
            np.testing.assert_allclose(chosen, shade(a[:, :, 1]), atol=0.501)
        if layer < 3:
            a = np.tanh(a @ weights["W"][layer].T + weights["b"][layer])
    np.testing.assert_allclose(output, a[:, :, 0], atol=1e-6)


def test_shades():
    values = [-1, -7, -np.inf, -0.001, 0, np.nan, 0.5, 1, np.inf]
    np.testing.assert_array_equal(shades(jnp.array(values, jnp.float32)), [0, 0, 0, 127, 128, 128, 191, 255, 255])
