"""Formulas, by R's rules; what R would take and then not find, or leave out in silence, is an error here."""

import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.r_neuralnet.formulas.formula import Formula, Variable, parse, term_name


def names(formula):
    return [r.name for r in formula.responses], [*map(term_name, formula.covariates)], formula.dot, formula.dropped


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
        ("y ~ x:z", (["y"], ["x:z"], False, ())),
        ("y ~ a:b + x*z", (["y"], ["x", "z", "a:b", "x:z"], False, ())),
        ("y ~ (a + b):c", (["y"], ["a:c", "b:c"], False, ())),
        ("y ~ (a + b + c)^2", (["y"], ["a", "b", "c", "a:b", "a:c", "b:c"], False, ())),
        ("y ~ a*b*c - a:b:c", (["y"], ["a", "b", "c", "a:b", "a:c", "b:c"], False, ())),
        ("y ~ a:b + b:a", (["y"], ["a:b"], False, ())),
        ("y ~ log(x) + I(x ^ 2)", (["y"], ["log(x)", "I(x^2)"], False, ())),
        ("y ~ . + log(x) - x", (["y"], ["log(x)"], True, ("x",))),
        ("y ~ poly(x, degree = 2)", (["y"], ["poly(x, degree = 2)"], False, ())),
    ],
)
def test_names(text, expected):
    assert names(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Species == "setosa"', Variable('Species == "setosa"', of=("Species",))),
        ("Species != 'setosa'", Variable('Species != "setosa"', of=("Species",))),
        ("(x > -1.5e2)", Variable("x > -150", of=("x",))),
        ("x <= 3", Variable("x <= 3", of=("x",))),
        ("x >= .5", Variable("x >= 0.5", of=("x",))),
        ("b == True", Variable("b == TRUE", of=("b",))),
        ("log(y)", Variable("log(y)", of=("y",))),
        ("I(y/2)", Variable("I(y/2)", of=("y",))),
        ("as.numeric( s=='a' )", Variable('as.numeric(s == "a")', of=("s",))),
        ("!(a > b&c)", Variable("!(a > b & c)", of=("a", "b", "c"))),
        ("`a b`/2", Variable("`a b`/2", of=("a b",))),
        ("(a > 1) & (b < 2)", Variable("(a > 1) & (b < 2)", of=("a", "b"))),
        ("y == z", Variable("y == z", of=("y", "z"))),
        ("factor(k)", Variable("k", factor=True)),
        ("as.factor(k)", Variable("k", factor=True)),
    ],
)
def test_responses(text, expected):
    assert parse(f"{text} ~ x").responses == (expected,)


def test_several_comparisons_of_one_column():
    formula = parse('(s == "a") + (s == "b") ~ factor(g) + x')
    assert [r.name for r in formula.responses] == ['s == "a"', 's == "b"']
    assert formula == Formula(formula.responses, ((Variable("g", True),), (Variable("x"),)))


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("y x", 2, "'~', got 'x'"),
        ("y ~ ", 4, "the covariates"),
        ("y ~ x +", 7, "a name, got 'the end'"),
        ("~ x", 0, "a name, got '~'"),
        ("", 0, "a name"),
        ("y ~ x ~ z", 6, "a formula has one ~"),
        ("y ~ x^2", 5, "the power of a column is I(x^2)"),
        ("y ~ x / z", 6, "calculations stand in I(), I(x/z)"),
        ("y ~ x > 2", 6, "calculations stand in I(), I(x > 2)"),
        ("y ~ .:z", 4, "an interaction of the dot"),
        ("y ~ log(.)", 8, "a name, got '.'"),
        ("y ~ log(2)", 4, "an expression of columns, got 'log(2)'"),
        ("log(y ~ x", 6, "',', got '~'"),
        ("y ~ x - 1", 8, "always has its intercepts"),
        ("y ~ 0 + x", 4, "always has its intercepts"),
        ("y = 1 ~ x", 2, "a comparison is =="),
        ("y == ~ x", 5, "a number or a text in quotes"),
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
