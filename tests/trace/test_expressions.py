"""Tests for `jaxnn/trace/expressions.py`: formulas as a textbook writes them."""

import pytest

from jaxnn.trace.expressions import derivative, escape, formula, number, symbol

OPERANDS = {"x": "c", "y": "W1", "g": derivative("f", "h"), "n": "-2"}


@pytest.mark.parametrize(
    "expression, text, latex",
    [
        ("x + y", "c + W1", "c + W_{1}"),
        ("1 / (2 * sqrt(x))", "1/(2 sqrt c)", r"\frac{1}{2 \, \sqrt{c}}"),
        ("-sin(x)", "-sin(c)", r"-\sin\left(c\right)"),
        ("exp(x)", "e^c", "e^{c}"),
        ("exp(x + y)", "exp(c + W1)", "e^{c + W_{1}}"),
        ("x - (y - x)", "c - (W1 - c)", r"c - \left(W_{1} - c\right)"),
        ("-x / y**2", "-c/W1^2", r"\frac{-c}{W_{1}^{2}}"),
        ("x * n", "c * (-2)", r"c \, \left(-2\right)"),
        ("(x + y)**2", "(c + W1)^2", r"\left(c + W_{1}\right)^{2}"),
        ("g @ y.T", "df/dh @ W1^T", r"\frac{\partial f}{\partial h} \, W_{1}^\top"),
        ("abs(x)", "|c|", r"\left|c\right|"),
        ("x >= y", "c >= W1", r"c \ge W_{1}"),
        ("'1 where {x} is the larger'", "1 where c is the larger", r"\text{1 where c is the larger}"),
    ],
)
def test_formulas(expression, text, latex):
    written = formula(expression, OPERANDS)
    assert (written.text, written.latex) == (text, latex)


def test_signs_for_a_page():
    assert formula("x**2 * sqrt(y)", OPERANDS).pretty == "c² · √W1"


def test_names_in_latex():
    assert [symbol(n) for n in ("x", "W1", "alpha", "h_2", "a_b%")] == [
        "x",
        "W_{1}",
        r"\alpha",
        r"\mathrm{h\_2}",
        r"\mathrm{a\_b\%}",
    ]
    assert escape(r"50% of {a_b} \ ^ ~") == r"50\% of \{a\_b\} \textbackslash{} \^{} \~{}"


def test_numbers_have_seven_digits():
    assert number(58.598150033144236).text == "58.59815"
    assert number(1e-9).latex == r"1 \cdot 10^{-9}"
    assert number(float("-inf")).latex == r"-\infty"
