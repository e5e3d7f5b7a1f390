"""Tests for `diagnosis/targets.py`: names of adjoints, and which right values are tried for a step."""

import numpy as np
import pytest

from jaxnn.verify.adjoints import Node
from jaxnn.verify.diagnosis.steps import record
from jaxnn.verify.diagnosis.targets import Targets, candidates, close, is_adjoint, scales_of, stem_of

Z, DZ = np.array([[1.0, 2.0, 3.0]]), np.array([[0.5, -1.0, 2.0]])
TARGETS = Targets([Node("Z1", Z, DZ, None, "", False)], {"W": np.ones((2, 2))}, ())


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        *(("dZ1", "z1"), ("grad_z1", "z1"), ("z1_bar", "z1"), ("delta_h", "h"), ("dL_dW", "w"), ("d_W1", "w1")),
        *(("grads['W1']", "w1"), ("self.dW", "w"), ("g['b']", "b"), ("layers[0].dW", "w"), ("dWs[0]", "ws")),
    ],
)
def test_the_name_of_an_adjoint_speaks_of_a_variable(name, stem):
    assert is_adjoint(name) and stem_of(name) == stem


@pytest.mark.parametrize("name", ["Z1", "cache['A1']", "self.x", "h[0]", "params['W1']"])
def test_other_names_are_no_adjoints(name):
    assert not is_adjoint(name)


def assigned(value, name):
    def f(value):
        exec_names[name] = value

    exec_names = {}
    f(value)
    (step,) = record(lambda v: [v], value)[-1:]
    return step._replace(name=name)


def test_the_adjoint_of_the_variable_in_the_name_comes_first():
    meaning, value = next(iter(candidates(assigned(2 * DZ, "dZ1"), TARGETS, {"z1"}, [])))
    assert meaning == "the adjoint of Z1" and value is not DZ and np.array_equal(value, DZ)


def test_nothing_is_tried_for_what_is_right():
    assert list(candidates(assigned(DZ.copy(), "dZ1"), TARGETS, {"z1"}, [])) == []


def test_the_constant_of_a_late_mean_is_found():
    assert scales_of([assigned(5 * DZ, "dZ1")], TARGETS) == [5.0]


def test_what_is_known_has_any_name_and_zeros_tell_nothing():
    assert TARGETS.hold(Z) and TARGETS.hold(DZ) and not TARGETS.hold(Z + 0.1) and not TARGETS.hold(0 * Z)


def test_activations_of_what_is_known_are_tried_and_not_taken_for_right():
    assert any(close(target.value, np.tanh(Z)) for target in TARGETS.derived(Z.shape)) and not TARGETS.hold(np.tanh(Z))


def test_close_takes_infinities_for_equal_and_nan_for_nothing():
    a = np.array([1.0, np.inf])
    assert close(a, a * (1 + 1e-12)) and not close(a, np.array([1.0, -np.inf]))
    assert not close(np.array([np.nan]), np.array([np.nan])) and not close(np.ones(2), np.ones(3))
