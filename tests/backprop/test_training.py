"""Training by what is known of it: the first step by hand, the true gradient's run equal to one with `jax.grad`."""

import jax
import numpy as np
import pytest

from jaxnn.backprop.levels.table import LEVELS
from jaxnn.backprop.training import train
from jaxnn.errors import InvalidArgument
from tests.backprop.solutions import others


def test_both_runs_are_gradient_descent_by_jax_grad():
    level = LEVELS["several"]
    params, value_and_grad = dict(level.params), jax.jit(jax.value_and_grad(lambda p: level.loss(**p, **level.data)))
    losses = train(level, others(level)[0])["losses"]
    for step in range(30):
        loss, gradient = value_and_grad(params)
        assert losses[step] == [step, pytest.approx(float(loss), rel=1e-9), pytest.approx(float(loss), rel=1e-9)]
        params = {name: value - level.training.rate * gradient[name] for name, value in params.items()}


def test_the_first_step_of_a_wrong_gradient_by_hand():
    level = LEVELS["linear"]
    text = level.solution.replace("-2 *", "2 *")
    losses = train(level, text)["losses"]
    X, y = level.data["X"], level.data["y"]
    error = X @ level.params["beta"] + level.params["beta0"] - y
    beta = level.params["beta"] + level.training.rate * 2 * X.T @ error
    beta0 = level.params["beta0"] + level.training.rate * 2 * error.sum()
    assert losses[0][1] == losses[0][2] == pytest.approx(float(np.sum(error**2)))
    assert losses[1][1] == pytest.approx(float(np.sum((X @ beta + beta0 - y) ** 2)))
    assert losses[-1][1] is None and losses[-1][2] < 0.1  # uphill without end; the true one comes down


def test_a_network_of_the_plane_comes_with_points_and_maps():
    found = train(LEVELS["bug-twice"], LEVELS["bug-twice"].start)
    assert len(found["points"]) == 120 and {label for *_, label in found["points"]} == {-1.0, 1.0}
    for maps in found["maps"].values():
        assert [len(one) for one in maps] == [900] * len(found["steps"]) and all(0 <= byte <= 255 for byte in maps[-1])
    assert (
        found["maps"]["hand"][0] == found["maps"]["true"][0] and found["maps"]["hand"][-1] != found["maps"]["true"][-1]
    )
    last = found["losses"][-1]
    assert last[1] > 3 * last[2]  # a mean taken twice learns more slowly


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dyhat = ", "nothing behind the ="),
        ("dbeta = X", "got shape \\(5, 2\\), expected \\(2, 1\\)"),
        ("dbeta = beta", "dbeta0: got no line"),
        ("dbeta = é", "the character"),
    ],
)
def test_what_gives_no_gradient_is_told(text, says):
    with pytest.raises(InvalidArgument, match=says):
        train(LEVELS["linear"], text)
