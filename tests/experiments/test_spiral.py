"""Tests for `experiments/spiral.py`: its points and runs against the playground's own session and engine."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments import spiral
from experiments.__main__ import EXTRA, NAMES
from experiments.record import Options
from jaxnn.data.playground_sets import shuffled
from jaxnn.data.playground_sets import spiral as arms
from jaxnn.data.seedrandom import SeedRandom
from jaxnn.playground import config as configs
from jaxnn.playground import engine, program
from jaxnn.playground.session import Session

SEEDS = ["0.00001", "0.00002"]
SMALL = spiral.CONFIG | {"hidden": [3, 2]}


def numbers(points):
    return np.column_stack([points.x[: points.n, :2], points.y[: points.n]])


@pytest.fixture(scope="module")
def result():
    """What a run returns that is cut to very little: one width, so that all trains by one program."""
    little, told = {"QUICK_EPOCHS": 4, "QUICK_CHANGES": 2, "QUICK_DEPTHS": (1, 2), "QUICK_WIDTHS": (3,)}, []
    with pytest.MonkeyPatch.context() as patch:
        for name, value in little.items():
            patch.setattr(spiral, name, value)
        return spiral.run(Options(quick=True, seeds=2, say=told.append)), told


def test_points_are_the_generators_half_of_them_to_train():
    stream = SeedRandom("0.00007")
    expected = shuffled(stream, arms(stream, 500, 0.0))
    _, train, test = spiral.data("0.00007")
    found = np.concatenate([numbers(train), numbers(test)])
    np.testing.assert_allclose(found, np.column_stack([expected.x, expected.y]), rtol=1e-6, atol=1e-7)
    assert int(train.n) == int(test.n) == 250


def test_the_page_set_up_by_the_link_has_the_same_points_start_and_settings():
    session, (network, train, test) = Session(spiral.link("0.00002")), spiral.data("0.00002")
    assert session.config["stopSolved"] and session.config["seed"] == "0.00002"
    assert spiral.CONFIG.items() <= configs.for_engine(session.config).items()
    for ours, theirs in zip((train, test), session.data, strict=True):
        np.testing.assert_array_equal(numbers(ours), numbers(theirs))
    for ours, theirs in zip(network.params, session.networks[0].params, strict=True):
        np.testing.assert_array_equal(ours, theirs[tuple(map(slice, ours.shape))])
        assert np.count_nonzero(ours) == np.count_nonzero(theirs)


@pytest.mark.slow
def test_networks_side_by_side_train_as_the_page_trains_one():
    found = spiral.runs(SEEDS, 4, [SMALL, SMALL | {"hidden": [2, 3]}])
    for place, (seed, hidden) in enumerate((seed, hidden) for hidden in ([3, 2], [2, 3]) for seed in SEEDS):
        session = Session(spiral.link(seed).replace("8,8,8,8,8", ",".join(map(str, hidden))))
        trained, report = program.advance(
            session.networks[0], session.settings, *session.data, session.grid, 4, np.inf, 0, 0
        )
        np.testing.assert_allclose(found.test[place], report.history[1:5, 3], atol=1 / 250)
        ours = engine.weights_of(jax.tree.map(lambda leaf, place=place: leaf[place], found.params), 2, hidden)
        theirs = engine.weights_of(trained.params, 2, hidden)
        for name in ("W", "b"):
            for a, b in zip(ours[name], theirs[name], strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_solved_is_99_percent_of_the_test_points_once():
    test = np.array([[0.5, 0.992, 0.4, 1.0], [0.988, 0.5, 0.5, 0.6]])
    found = spiral.Runs(program.Params(np.zeros(2), np.zeros(2)), test, np.array([1.0, 1.0]), np.array([0.9, 1.0]))
    assert found.solved.tolist() == [True, False]
    assert found.epochs.tolist() == [2, 4]
    assert found.stopped.tolist() == [0.992, 0.6]
    assert [row[1:] for row in spiral.table_of_seeds(SEEDS, found).rows] == [
        ["2", "100.0 %", "99.2 %", "90.0 %", "100.0 %"],
        ["–", "100.0 %", "60.0 %", "100.0 %", "60.0 %"],
    ]
    (row,) = spiral.table_of_changes({"nothing": found}).rows
    assert row == ["nothing", "1 of 2", "79.6 %", "60.0 %"]


@pytest.mark.slow
def test_a_quick_run_says_so_everywhere(result):
    result, told = result
    assert "This is a quick run: 4 epochs in place of 1,000" in result.remarks[0]
    assert "Solved: 0 of 2" in result.remarks[1] and "solved: 0 of 2" in told
    assert all("Quick run, at most 4 epochs" in caption for _, caption in result.pictures.values())
    seeds, changes = result.tables
    assert "at most 4 epochs" in seeds.title and [row[0] for row in seeds.rows] == SEEDS
    assert [row[0] for row in changes.rows] == ["nothing", "no penalty"]


@pytest.mark.slow
def test_nothing_clashes_in_the_report(result):
    result, _ = result
    assert result.numbers == {} and result.figures == {}
    assert not set(result.pictures) & {*NAMES, *EXTRA}  # a section and a picture of one name: one id twice


@pytest.mark.slow
def test_pictures_have_every_shape_and_all_points(result):
    shapes, maps = (figure for figure, _ in result[0].pictures.values())
    cells = [text.get_text().split("\n") for text in shapes.axes[0].texts]
    assert len(cells) == 2 and all(share.endswith(" %") and solved == "0 of 2" for share, solved in cells)
    assert [ax.get_title().split(":")[0] for ax in maps.axes] == ["1 layer of 3", "2 layers of 3"]
    assert all(sum(len(points.get_offsets()) for points in ax.collections) == 500 for ax in maps.axes)


def test_a_map_is_the_right_way_up():
    config = SMALL | {"hidden": [1]}
    network, *_ = spiral.data("0.00001", config)
    W, b = (jnp.zeros_like(leaf) for leaf in network.params)
    W = W.at[0, :2, 0].set(jnp.array([1.0, 2.0])).at[1, 0, 0].set(1.0)  # tanh(relu(x1 + 2 x2))
    ax = Figure().subplots()
    spiral.draw_map(ax, program.Params(W, b), "0.00001", config)
    image = ax.images[0].get_array()
    assert image[0, 0] > 0.9 and image[0, -1] > 0.9 and image[-1, 0] == image[-1, -1] == 0  # its first row is on top
    assert image[50, -1] > 0.9 and image[50, 0] == 0


@pytest.mark.slow
def test_a_run_stops_where_it_is_first_solved(monkeypatch):
    monkeypatch.setattr(spiral, "SOLVED", 0.57)
    seeds = ["0.00005", "0.00006"]
    config = spiral.CONFIG | {"hidden": [8, 8], "optimizer": "nadam"}  # which is quick to start
    found = spiral.runs(seeds, 4, [config])
    assert found.epochs.tolist() == [2, 2] and (found.stopped != found.test[:, -1]).all()
    for place, seed in enumerate(seeds):
        params = jax.tree.map(lambda leaf, place=place: leaf[place], found.params)
        _, *sets = spiral.data(seed, config)
        again = [program.evaluate(params, spiral.settings_of(config), points)[1] for points in sets]
        np.testing.assert_allclose(again, [found.train[place], found.stopped[place]], atol=0.5 / 250)


@pytest.mark.slow
def test_each_width_has_its_own_runs():
    found = spiral.shapes(SEEDS, 4, (2, 3), 1)
    for width, ours in found.items():
        alone = spiral.runs(SEEDS, 4, [spiral.CONFIG | {"hidden": [width]}])
        np.testing.assert_allclose(ours.test, alone.test, atol=1 / 250)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), ours.params, alone.params)
    assert list(found) == [2, 3] and not np.array_equal(found[2].test, found[3].test)


@pytest.mark.slow
def test_nine_of_ten_seeds_solve_it():
    found = spiral.runs(spiral.seeds_of(40), spiral.EPOCHS)  # of ten alone, one more or less is rounding's
    assert found.solved.mean() >= 0.9
    assert np.median(found.arms) >= 0.99
