"""Formulas, by R's rules; what R would take and then not find, or leave out in silence, is an error here."""

import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.r_neuralnet.formula import Comparison, Formula, Variable, parse


def names(formula):
    return [r.name for r in formula.responses], [v.name for v in formula.covariates], formula.dot, formula.dropped


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y ~ x1 + x2", (["y"], ["x1", "x2"], False, ())),
        ("y~x", (["y"], ["x"], False, ())),
        ("a + b+c ~ x", (["a", "b", "c"], ["x"], False, ())),
        ("(a) + (b + c) ~ (x + z)", (["a", "b", "c"], ["x", "z"], False, ())),
        ("Species ~ Petal.Length + .hidden", (["Species"], ["Petal.Length", ".hidden"], False, ())),
        ("y ~ .", (["y"], [], True, ())),
        ("y ~ . - id - z", (["y"], [], True, ("id", "z"))),
        ("y ~ x1 + x2 - x1", (["y"], ["x2"], False, ("x1",))),
        ("y ~ x + x", (["y"], ["x"], False, ())),
        ("`a b` ~ `c-d` + größe_2", (["a b"], ["c-d", "größe_2"], False, ())),
        (" y\n ~ x ", (["y"], ["x"], False, ())),
    ],
)
def test_names(text, expected):
    assert names(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Species == "setosa"', Comparison("Species", "==", "setosa")),
        ("Species != 'setosa'", Comparison("Species", "!=", "setosa")),
        ("(x > -1.5e2)", Comparison("x", ">", -150.0)),
        ("x <= 3", Comparison("x", "<=", 3.0)),
        ("x >= .5", Comparison("x", ">=", 0.5)),
        ("x < 2", Comparison("x", "<", 2.0)),
        ("b == TRUE", Comparison("b", "==", True)),
        ("factor(k)", Variable("k", factor=True)),
        ("as.factor(k)", Variable("k", factor=True)),
    ],
)
def test_responses(text, expected):
    assert parse(f"{text} ~ x").responses == (expected,)


def test_truth_is_written_as_in_r():
    assert str(parse("b == True ~ x").responses[0]) == "b == TRUE" and str(parse("b == 1 ~ x").responses[0]) == "b == 1"


def test_several_comparisons_of_one_column():
    formula = parse('(s == "a") + (s == "b") ~ factor(g) + x')
    assert [str(r) for r in formula.responses] == ['s == "a"', 's == "b"']
    assert formula == Formula(formula.responses, (Variable("g", True), Variable("x")), False, ())


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("y x", 2, "'~', got 'x'"),
        ("y ~ ", 4, "the covariates"),
        ("y ~ x +", 7, "a name, got 'the end'"),
        ("~ x", 0, "a name, got '~'"),
        ("", 0, "a name"),
        ("y ~ x ~ z", 6, "a formula has one ~"),
        ("y ~ x:z", 5, "an interaction"),
        ("y ~ x*z", 5, "an interaction"),
        ("y ~ x^2", 5, "a power"),
        ("y ~ log(x)", 4, "the function 'log'"),
        ("log(y) ~ x", 0, "the function 'log'"),
        ("y ~ x - 1", 8, "always has its intercepts"),
        ("y ~ 0 + x", 4, "always has its intercepts"),
        ("y = 1 ~ x", 2, "a comparison is =="),
        ("y == ~ x", 5, "a number or a text in quotes"),
        ("y == z ~ x", 5, "a number or a text in quotes"),
        ("(y ~ x", 3, "')', got '~'"),
        ("y ~ (x + z", 10, "')', got 'the end'"),
        ("y ~ x z", 6, "+, - or the end, got 'z'"),
        ("y ~ x - x", 2, "at least one covariate"),
        ("y ~ x $ z", 6, "what a formula is made of, got '$'"),
        ('y == "a ~ x', 5, "what a formula is made of"),
    ],
)
def test_what_is_no_formula_is_marked(text, place, expected):
    with pytest.raises(InvalidArgument) as error:
        parse(text)
    first, shown, mark, *_ = str(error.value).splitlines()
    assert first == "formula: got" and shown == f"  {text}"
    assert mark == " " * (place + 2) + "^"
    assert expected in str(error.value)


@pytest.mark.parametrize("given", [None, 3, ["y ~ x"]])
def test_a_formula_is_text(given):
    with pytest.raises(InvalidArgument, match="^formula: got .* expected text"):
        parse(given)
