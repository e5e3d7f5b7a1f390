"""Tests for `jaxnn/trace/command.py`: `jaxnn explain`."""

import numpy as np
import pytest

from jaxnn import cli
from jaxnn.trace import command

SOURCE = """
import jax, jax.numpy as jnp

def f(x):
    a = x**2
    b = jnp.exp(a)
    c = a + b
    d = jnp.sqrt(c)
    e = jnp.cos(c)
    return d + e

def two(p, labels):
    return jnp.sum(p["w"] ** 3 * labels)

@jax.custom_vjp
def wrong(x):
    return x * x

wrong.defvjp(lambda x: (x * x, x), lambda x, g: (x * g,))

def uses_wrong(x):
    return wrong(2.0 * x)

constant = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "explained_here.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("at", ["2", "2.0", "2e0"])
@pytest.mark.parametrize("name", ["explained_here:f", "explained_here.py:f"])
def test_the_lectures_numbers(module, capsys, name, at):
    assert cli.main(["explain", name, "--at", at]) == 0
    printed = capsys.readouterr().out
    for part in ("7.19433", "dd/dc = 1/(2 sqrt c) = 0.06531727", "-45.71745 * 4", "-182.8698"):
        assert part in printed


@pytest.mark.parametrize(
    "ending, start", [("html", "<!doctype html>"), ("svg", "<svg"), ("tex", "%"), ("txt", "Forward")]
)
def test_files(module, capsys, ending, start):
    assert cli.main(["explain", "explained_here:f", "--at", "2", "--out", f"f.{ending}"]) == 0
    assert (module / f"f.{ending}").read_text(encoding="utf-8").startswith(start)
    assert capsys.readouterr().out == f"f.{ending}: 7 rows\n"


@pytest.mark.parametrize(
    "form, start", [("html", "<!doctype html>"), ("svg", "<svg"), ("latex", "%"), ("text", "Forward")]
)
def test_formats(module, capsys, form, start):
    assert cli.main(["explain", "explained_here:f", "--at", "2", "--format", form]) == 0
    assert capsys.readouterr().out.startswith(start)


def test_arrays_parameters_labels_and_entries(module, capsys):
    at = ["--at", '{"w": [1, 2, 3]}', "--at", "int:[0, 1, 1]"]
    assert cli.main(["explain", "explained_here:two", *at, "--entry", "w[2]"]) == 0
    assert "[2] 27" in capsys.readouterr().out  # 3 w^2 at 3


def test_a_wrong_rule_is_status_1(module, capsys):
    assert cli.main(["explain", "explained_here:uses_wrong", "--at", "3"]) == 1
    assert "differs" in capsys.readouterr().out


@pytest.mark.parametrize(
    "asked, message",
    [
        (["explained_here:g", "--at", "2"], "explained_here has no 'g'"),
        (["explained_here:constant", "--at", "2"], "of type int, expected a function"),
        (["explained_here:f"], "got no arguments"),
        (["explained_here:f", "--at", "2", "--at", "3"], "got 2 of them"),
        (["explained_here:f", "--at", "two"], "--at: got 'two'"),
        (["explained_here:f", "--at", "[[1], [1, 2]]"], "--at: got"),
        (["explained_here:f", "--at", "int:2"], "expected a floating-point number"),
        (["explained_here:f", "--at", "[1, 2]"], "output: got a result of shape (2,)"),
        (["explained_here:f", "--at", "2", "--entry", "x"], "--entry: got 'x'"),
        (["explained_here:f", "--at", "2", "--output", "a"], "--output: got 'a'"),
        (["explained_here:f", "--at", "2", "--out", "."], "--out: got ., expected a file that can be written"),
        (
            ["explained_here:f", "--at", "2", "--out", "explained_here.py/f.html"],
            "a file that can be written (File exists)",
        ),
    ],
)
def test_what_cannot_be_asked_is_status_2(module, capsys, asked, message):
    assert cli.main(["explain", *asked]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.startswith("jaxnn explain: ")
    assert not printed.out


def test_numbers_without_a_point_are_floats():
    assert command.argument("2", np.float64).dtype == np.float64
    assert command.argument("[1, 2]", np.float64).dtype == np.float64
    assert command.argument("int:[1, 2]", np.float64).dtype == np.int32
