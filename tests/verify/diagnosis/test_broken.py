"""Tests for `diagnosis/broken.py`: the line of a gradient that breaks where the loss does not."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify import survey
from jaxnn.verify.diagnosis.broken import place

RNG = np.random.default_rng(4)
POINT = RNG.normal(size=(2, 3)), RNG.normal(size=(2, 3))


def loss(w, x):
    return jnp.sum(jnp.tanh(w.T) * x.T)


def laid_out_otherwise(w, x):
    a = jnp.tanh(w)
    s = (1 - a**2).reshape(w.shape[1], w.shape[0])
    dw = x * s
    return dw


def of_another_form(w, x):
    s = 1 - jnp.tanh(w) ** 2
    dw = x[:1] * s[:1]
    return dw[:1]


def without_a_remedy(w, x):
    return x * jnp.tanh(w.reshape(-1))


def test_the_wrong_line_is_named_not_the_one_that_raises():
    line, why = place(loss, laid_out_otherwise, POINT, 0)
    assert line.text.startswith("s = ") and "`reshape` is too much" in why


def test_without_a_remedy_it_is_the_line_that_raises():
    line, why = place(loss, without_a_remedy, POINT, 0)
    assert line.text.startswith("return x *") and why == ""


@pytest.mark.slow
def test_what_never_raises_but_has_another_form_has_no_line_without_a_remedy():
    assert place(loss, of_another_form, POINT, 0) == (None, "")


def test_a_loss_without_a_gradient_leaves_the_line_that_raises():
    line, why = place(lambda w, x: float(np.sum(w)), laid_out_otherwise, POINT, 0)
    assert line.text.startswith("dw = ") and why == ""


@pytest.mark.slow
def test_a_survey_that_is_wrong_before_it_breaks_fails():
    verdict = survey(loss, laid_out_otherwise, {"square": (POINT[0][:, :2], POINT[1][:, :2]), "wide": POINT})
    assert verdict.kind == "FAIL"


@pytest.mark.slow
def test_a_survey_says_so():
    wide = survey(loss, laid_out_otherwise, {"a row": (np.ones((1, 1)), np.ones((1, 1))), "wide": POINT})
    assert wide.case == "wide" and "cannot be computed" in wide.cause and "s = " in wide.line
