"""The signs of life: R's lines on standard error, or a function of the caller's."""

import warnings

import numpy as np
import pytest

from jaxnn import neuralnet

CIRCLE = {"hidden": 4, "threshold": 0.1, "linear_output": False}


def test_lifesign_prints_as_r_does(drawn, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        neuralnet("y ~ x1 + x2", drawn, rep=2, stepmax=100, seed=5, lifesign="full", lifesign_step=40,
                  **(CIRCLE | {"threshold": 0.3}))  # fmt: skip
        neuralnet("y ~ x1", drawn, hidden=0, stepmax=50, seed=5, lifesign="minimal", likelihood=True, err_fct="ce",
                  linear_output=False, threshold=10)  # fmt: skip
    out, said = capsys.readouterr()
    lines = said.splitlines()
    assert not out
    assert lines[0].startswith("hidden: 4    thresh: 0.3    rep: 0/2    steps:      40\tmin thresh: ")
    assert any("error: " in line or "stepmax\tmin thresh: " in line for line in lines)
    assert "\taic: " in said and "\tbic: " in said and "time: " in lines[-1]


def test_lifesign_calls_a_function(drawn):
    told = []
    with pytest.warns(UserWarning, match="did not converge"):
        neuralnet("y ~ x1 + x2", drawn, stepmax=100, seed=5, lifesign=lambda *seen: told.append(seen),
                  lifesign_step=40, **CIRCLE)  # fmt: skip
    assert [steps.tolist() for steps, _ in told] == [[40], [80], [100]]
    assert (np.diff([smallest[0] for _, smallest in told]) <= 0).all()
