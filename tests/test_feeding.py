"""Training on data that come in blocks beside training on the same data whole; what is read when."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import feeding, fit, rmsprop
from jaxnn.errors import InvalidArgument
from jaxnn.networks import mlp

rng = np.random.default_rng(0)
X = rng.normal(size=(103, 4))
Y = rng.integers(0, 3, 103)
KEY = jax.random.key(3)
HELD_OUT = {"validation_split": 0.2}
START = mlp.init(KEY, 4, 6, 3, dtype=np.float64)


@pytest.fixture
def mapped(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    return tuple(np.load(tmp_path / name, mmap_mode="r") for name in ("x.npy", "y.npy"))


def train(data=(X, Y), **settings):
    return fit(
        mlp.metrics_and_grad,
        START,
        rmsprop(0.01),
        data,
        **{"epochs": 3, "batch_size": 5, "metrics": mlp.metrics} | settings,
    )


def same(one, other):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14), one, other)


@pytest.mark.parametrize("block_size", [*(pytest.param(n, marks=pytest.mark.slow) for n in (5, 20, 105, 1000)), 100])
@pytest.mark.parametrize("validation_split", [pytest.param(0.0, marks=pytest.mark.slow), 0.3])
def test_in_the_order_of_the_file_blocks_change_nothing(block_size, validation_split, mapped):
    whole = train(validation_split=validation_split)
    same(train(mapped, validation_split=validation_split, block_size=block_size), whole)
    assert ("val_accuracy" in whole.history) == (validation_split > 0)


def test_every_example_comes_once_an_epoch_in_another_order():
    def visit(params, x, y):
        """Keep the examples' order in a number: w becomes (31 w + x) modulo a prime."""
        w = params["w"]
        return ((w, {"x": x.sum(), "square": (x**2).sum()}), {"w": w - (31 * w + x[0, 0]) % 9973})

    x, orders = np.arange(40.0)[:, None], set()
    for epochs in range(1, 5):
        data, settings = (x, np.zeros(40)), {"batch_size": 1, "block_size": 10, "key": KEY}
        done = fit(visit, {"w": jnp.array(0.0)}, optax.sgd(1.0), data, epochs=epochs, **settings)
        orders.add(float(done.params["w"]))
        np.testing.assert_allclose(done.history["x"], 39 / 2)
        np.testing.assert_allclose(done.history["square"], np.mean(x**2))
    assert len(orders) == 4


def test_noise_differs_from_block_to_block():
    def noise(params, x, y, key):
        return jax.random.uniform(key), params

    drawn = []
    for examples in (5, 10):
        data, settings = (X[:examples], Y[:examples]), {"batch_size": 5, "block_size": 5, "key": KEY, "with_key": True}
        drawn.append(fit(noise, {"w": jnp.zeros(1)}, optax.sgd(0.0), data, epochs=1, **settings).history["loss"][0])
    assert drawn[0] != drawn[1]


def test_no_more_than_one_block_is_read_ahead():
    class Slow:
        """An array that remembers which rows were read."""

        read = []

        def __getitem__(self, rows):
            self.read.append(rows.start)
            return X[rows]

    source = Slow()
    for number, (x, y) in enumerate(feeding.read_ahead(source, Y, np.arange(0, 103, 10), 10)):
        np.testing.assert_array_equal(x, X[10 * number : 10 * number + 10])
        np.testing.assert_array_equal(y, Y[10 * number : 10 * number + 10])
        assert len(source.read) <= number + 2
    assert source.read == list(range(0, 103, 10))


def test_what_was_changed_in_a_map_of_a_file_stays(tmp_path):
    np.save(tmp_path / "x.npy", X)
    for mode in ("c", "r+"):
        x = np.load(tmp_path / "x.npy", mmap_mode=mode)
        x[0, 0] = 7.0
        np.testing.assert_array_equal(feeding.read(x, Y, 0, 2)[0][0], [7.0, *X[0, 1:]])
        assert x[0, 0] == 7.0


@pytest.mark.slow
def test_a_run_of_blocks_goes_on_from_its_checkpoint(tmp_path, mapped):
    settings = {"block_size": 20, "key": KEY, "validation_split": 0.2}
    train(mapped, **settings, epochs=2, checkpoint=tmp_path)
    resumed, undisturbed = train(mapped, **settings, epochs=4, checkpoint=tmp_path), train(mapped, **settings, epochs=4)
    jax.tree.map(np.testing.assert_array_equal, resumed, undisturbed)


@pytest.mark.slow
def test_a_mesh_is_fed_too(mapped):
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("batch",))
    settings = {"block_size": 20, "key": KEY, "validation_split": 0.2}
    same(train(mapped, **settings, mesh=mesh), train(mapped, **settings))


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        ("block_size: got 12, expected a multiple of the batch size 5", {"block_size": 12}),
        ("block_size: got 0,", {"block_size": 0}),
        ("block_size: got 20.0,", {"block_size": 20.0}),
        ("batch_size: got 0,", {"batch_size": 0}),
        ("batch_size: got 5.0,", {"batch_size": 5.0}),
        (
            "y: got 3 at index .12,.*counted from row 80",
            {"data": (X, np.where(np.arange(103) == 92, 3, Y)), **HELD_OUT},
        ),
        ("batch_size: got None, expected a number, since block_size asks for it", {"batch_size": None}),
        ("y: got 102 rows|y: got shape", {"data": (X, Y[:-1])}),
        ("y: got 3 at index .7,.*counted from row 40", {"data": (X, np.where(np.arange(103) == 47, 3, Y))}),
        (
            "x: got nan at index .1, 2., .*counted from row 100",
            {"data": (np.where(np.arange(103)[:, None] * 4 + np.arange(4) == 406, np.nan, X), Y)},
        ),
    ],
)
def test_what_cannot_be_right_is_refused(message, wrong):
    with pytest.raises(InvalidArgument, match=f"^({message})"):
        train(**{"block_size": 20} | wrong)
