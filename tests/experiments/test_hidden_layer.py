"""Tests for `experiments/hidden_layer.py`; the expected values are the lecture's printed digits."""

import jax
import numpy as np
import pytest

from experiments import hidden_layer as section
from experiments.record import Number, Options, judge_all
from jaxnn.data import RRandom, circle
from jaxnn.networks import hidden_layer


@pytest.fixture(scope="module")
def stream():
    """The lecture's stream after the first start weights, with these and the points."""
    with jax.enable_x64(True):
        rng = RRandom(section.SEED)
        points = circle(rng)
        start = hidden_layer.init(rng, 2, 4, 1, dtype=float)
        yield rng, points, start


@pytest.mark.slow
def test_one_step_prints_the_lectures_digits(stream):
    _, points, start = stream
    rows = [row for row in judge_all(section.one_step(start, points)) if row["ours"] is not None]
    assert len(rows) == 18 and all(row["ok"] for row in rows)


@pytest.mark.slow
def test_the_five_costs_with_2_nodes_print_the_lectures_digits(stream):
    rng, points, _ = stream
    costs = section.train(rng, points, 2)
    number = Number(costs.costs[section.PRINTED - 1], costs.autodiff[section.PRINTED - 1])
    rows = judge_all({"hidden.cost.circle2": number})
    assert [row["ok"] for row in rows if row["ours"] is not None] == [True]


@pytest.mark.slow
def test_stochastic_gradient_descent_takes_more_and_cheaper_steps(stream, monkeypatch):
    _, points, start = stream
    rows = section.stochastic_beside_full_batch(points, start).rows
    steps = [int(row[1].replace(",", "")) for row in rows]
    costs = [float(row[2]) for row in rows]
    assert steps == [1_000, 10_000, 100_000] and costs == sorted(costs, reverse=True)


@pytest.mark.slow
def test_the_whole_section():
    result = section.run(Options(seeds=2))
    rows = [row for row in judge_all(result.numbers) if row["kind"] == "exact" and row["ours"] is not None]
    assert all(row["ok"] for row in rows) and set(result.figures) == set(range(9, 16))
    assert {"hidden.cost.circle2", "hidden.cost.circle4"} <= {row["id"] for row in rows}
    assert np.isfinite(result.numbers["hidden.cost.flower4"].samples).all()
