"""Tests for `diagnosis/exchange.py`: a module computes with another library for a while, and with its own again."""

import sys

import jax
import numpy as np
import pytest
from numpy import tanh

from jaxnn.verify.diagnosis.exchange import Exchange

HERE = {__file__}


def f(x):
    return tanh(np.sum(x))


def test_numpy_code_is_traced_meanwhile():
    with Exchange([(np, jax.numpy)], HERE):
        slope = jax.grad(f)(2.0)
    assert slope == pytest.approx(1 - np.tanh(2.0) ** 2)
    assert isinstance(f(2.0), np.float64) and sys.modules["numpy"] is np


def test_an_error_ends_it_too_and_other_files_are_left_alone():
    with pytest.raises(ZeroDivisionError), Exchange([(np, jax.numpy)], HERE):
        assert isinstance(f(2.0), jax.Array)
        raise ZeroDivisionError
    with Exchange([(np, jax.numpy)], {"/another.py"}):
        assert isinstance(f(2.0), np.float64)


def test_without_files_not_even_the_program_itself_is_changed(monkeypatch):
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "lib", np, raising=False)
    with Exchange([(np, jax.numpy)], ()):
        assert main.lib is np
