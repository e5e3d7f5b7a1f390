"""The playground's data sets against the original's generators under Node (playground_sets.json), and by their laws.

The whole way from a seed to shuffled points and start weights: the cases of tests/playground/reference.json.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.data.playground_sets import CLASSIFICATION, REGRESSION, circle, gauss, hills, plane, shuffled, spiral, xor
from jaxnn.data.seedrandom import SeedRandom
from jaxnn.data.synthetic import Points
from jaxnn.errors import InvalidArgument

HERE = Path(__file__).parent
SETS = json.loads((HERE / "playground_sets.json").read_text())["sets"]
CASES = json.loads((HERE.parent / "playground" / "reference.json").read_text())["cases"]
GENERATORS = CLASSIFICATION | REGRESSION
HALVED = {"circle", "gauss", "spiral"}  # two halves of ceil(n / 2) points
quick = settings(max_examples=15, deadline=None)
seeds, counts, noises = st.text(min_size=1, max_size=9), st.integers(1, 60), st.floats(0, 0.5)


def rows(points):
    return np.column_stack([points.x, points.y])


def assert_the_same(points, expected):
    np.testing.assert_allclose(rows(points), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("r", SETS, ids=lambda r: r["seed"])
def test_points_are_the_originals(r):
    random = SeedRandom(r["seed"])
    assert_the_same(GENERATORS[r["dataset"]](random, r["n"], r["noise"]), r["points"])
    assert random() == r["next"]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_a_seed_gives_the_originals_shuffled_points_and_start_weights(case):
    config = case["config"]
    random = SeedRandom(config["seed"])
    points = GENERATORS[config["dataset"]](random, config["n"], config["noise"])
    assert_the_same(shuffled(random, points), case["train"] + case["test"])
    weights = [w for layer in case["init"]["W"] for node in layer for w in node]
    if not config.get("initZero"):
        assert [random() - 0.5 for _ in weights] == weights


@pytest.mark.parametrize("name", GENERATORS)
@quick
@given(seeds, counts, noises)
def test_a_seed_gives_one_set_of_the_size_asked_for(name, seed, n, noise):
    points, again = (GENERATORS[name](SeedRandom(seed), n, noise) for _ in range(2))
    np.testing.assert_array_equal(rows(points), rows(again))
    size = n + n % 2 if name in HALVED else n
    assert points.x.shape == (size, 2) and points.y.shape == (size,) and points.x.dtype == points.y.dtype == np.float64
    assert np.isfinite(rows(points)).all() and np.abs(points.y).max() <= 1 + (name == "reg-plane")
    assert name in REGRESSION or set(points.y) <= {-1, 1}


@quick
@given(seeds, counts, noises)
def test_circle_is_a_disc_in_a_ring(seed, n, noise):
    for moved in (0, noise):
        x, y = circle(SeedRandom(seed), n, moved)
        radius, half = np.linalg.norm(x, axis=1), len(y) // 2
        assert radius[:half].max() <= 2.5 + 1e-9
        assert radius[half:].min() >= 3.5 - 1e-9 and radius[half:].max() <= 5 + 1e-9
        sure = np.abs(radius - 2.5) > 5 * np.sqrt(2) * moved
        np.testing.assert_array_equal(y[sure], np.where(radius < 2.5, 1, -1)[sure])


@quick
@given(seeds, counts, noises)
def test_xor_keeps_away_from_the_axes(seed, n, noise):
    for moved in (0, noise):
        x, y = xor(SeedRandom(seed), n, moved)
        assert np.abs(x).min() >= 0.3 and np.abs(x).max() <= 5.3
        sure = np.abs(x).min(1) > 5 * moved
        np.testing.assert_array_equal(y[sure], np.sign(x[:, 0] * x[:, 1])[sure])


@pytest.mark.parametrize("noise", [0, 0.3])
def test_gauss_has_its_centres_and_variance(noise):
    x, y = gauss(SeedRandom("clouds"), 8000, noise)
    variance = 0.5 + 7 * noise
    for half, centre in ((slice(4000), 2), (slice(4000, 8000), -2)):
        np.testing.assert_array_equal(y[half], np.sign(centre))
        np.testing.assert_allclose(x[half].mean(0), centre, atol=5 * np.sqrt(variance / 4000))
        np.testing.assert_allclose(np.cov(x[half].T), variance * np.eye(2), atol=5 * variance * np.sqrt(2 / 4000))


@quick
@given(seeds, counts, noises)
def test_spiral_has_two_opposite_arms(seed, n, noise):
    x, y = spiral(SeedRandom(seed), n)
    half = len(y) // 2
    radius = 5 * np.arange(half) / (n / 2)
    turned = 2 * np.pi * 1.75 * radius / 5
    arm = np.stack([radius * np.sin(turned), radius * np.cos(turned)], axis=1)
    np.testing.assert_allclose(x[:half], arm, atol=1e-12)
    np.testing.assert_allclose(x[half:], -x[:half], atol=1e-12)
    np.testing.assert_array_equal(y, np.repeat([1, -1], half))
    assert np.abs(spiral(SeedRandom(seed), n, noise).x - x).max() <= noise + 1e-12


@quick
@given(seeds, counts, noises)
def test_plane_is_a_tenth_of_the_sum(seed, n, noise):
    x, y = plane(SeedRandom(seed), n)
    assert np.abs(x).max() <= 6
    np.testing.assert_allclose(y, x.sum(1) / 10, atol=1e-12)
    assert np.abs(plane(SeedRandom(seed), n, noise).y - y).max() <= 1.2 * noise + 1e-12


@quick
@given(seeds, counts, noises)
def test_hills_are_the_nearest_cone(seed, n, noise):
    x, y = hills(SeedRandom(seed), n)
    centres = np.array([[-4, 2.5], [0, 2.5], [4, 2.5], [-4, -2.5], [0, -2.5], [4, -2.5]])
    signs = np.array([1, -1, 1, -1, 1, -1])
    distance = np.linalg.norm(x[:, None] - centres, axis=2)
    np.testing.assert_allclose(y, signs[distance.argmin(1)] * np.maximum(0, 1 - distance.min(1) / 2), atol=1e-12)
    bound = 6 * np.sqrt(2) * noise / 2  # the slopes are 1/2
    assert np.abs(hills(SeedRandom(seed), n, noise).y - y).max() <= bound + 1e-12


@quick
@given(seeds, counts)
def test_a_shuffle_is_a_permutation_that_keeps_points_whole(seed, n):
    points = Points(np.arange(2.0 * n).reshape(n, 2), np.arange(float(n)))
    mixed = shuffled(SeedRandom(seed), points)
    assert sorted(mixed.y) == points.y.tolist()
    np.testing.assert_array_equal(mixed.x, points.x[mixed.y.astype(int)])


@quick
@given(seeds, counts)
def test_a_shuffle_takes_one_number_a_point(seed, n):
    random, other = SeedRandom(seed), SeedRandom(seed)
    shuffled(random, Points(np.zeros((n, 2)), np.zeros(n)))
    assert random() == [other() for _ in range(n + 1)][-1]


def test_every_order_of_a_shuffle_is_as_likely():
    random, points = SeedRandom("orders"), Points(np.zeros((3, 2)), np.arange(3.0))
    orders = [tuple(shuffled(random, points).y) for _ in range(3000)]
    counted = [orders.count(order) for order in set(orders)]
    assert len(counted) == 6 and max(abs(count - 500) for count in counted) < 5 * np.sqrt(500)


@pytest.mark.parametrize("name", GENERATORS)
def test_no_points_are_refused(name):
    with pytest.raises(InvalidArgument, match="^n: got 0, expected a whole number of at least 1"):
        GENERATORS[name](SeedRandom("a"), 0)
