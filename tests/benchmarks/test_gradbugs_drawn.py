"""Tests for `benchmarks/gradbugs/drawn.py`: what is drawn is one mistake in the gradient's own code, the same again.

That it is wrong is told by central differences, and by the right case beside it.
"""

import ast
import difflib

import pytest

from benchmarks import __main__ as program
from benchmarks.gradbugs import runner, summary, trial
from benchmarks.gradbugs.drawn import drawn, is_wrong, mistakes, own_statements, written
from benchmarks.gradbugs.trial import JAXNN, NOT_DRAWN, Trial
from benchmarks.gradbugs.variants import NUMPY, RIGHT, paths, variants

NAME = "c_09"
SOURCE = """
def shared(x):
    return x * 2

def helper(x):
    return x - 1

def loss(p):
    return shared(p)

def grad(p):
    while p > 3:
        p = p - 1
    return helper(p) + shared(p)
"""


@pytest.mark.parametrize(
    ("right", "wrong", "kind"),
    [
        ("a + b", "a - b", "sign"),
        ("a - b", "a", "term left out"),
        ("a * b", "b", "factor left out"),
        ("a / b", "a", "divisor left out"),
        ("a @ b", "b @ a", "operands"),
        ("a ** 2", "a ** 3", "power"),
        ("-a", "a", "sign"),
        ("a.T", "a", "not transposed"),
        ("3", "4", "number"),
        ("a > b", "a < b", "comparison"),
        ("np.tril(a)", "np.triu(a)", "function"),
        ("a.sum(axis=0)", "a.sum(axis=1)", "axis"),
        ("f(a, b)", "f(b, a)", "arguments"),
        ("{'W': a, 'b': b}", "{'W': b, 'b': a}", "entries swapped"),
        ("(a, b)", "(b, a)", "entries swapped"),
        ("a[::-1]", "a", "not reversed"),
    ],
)
def test_each_kind_is_drawn(right, wrong, kind):
    found = [(k, ast.unparse(new)) for k, new in mistakes(ast.parse(right, mode="eval").body)]
    assert (kind, wrong) in found


@pytest.mark.parametrize(("right", "wrong"), [("a += b", "a = b"), ("a += b", "a -= b"), ("a -= b", "a += b")])
def test_updates_too(right, wrong):
    (statement,) = ast.parse(right).body
    assert wrong in [ast.unparse(ast.fix_missing_locations(new)) for _, new in mistakes(statement)]


def test_only_the_gradients_own_lines_get_one():
    found = {ast.unparse(statement) for statement in own_statements(ast.parse(SOURCE))}
    assert found == {"return x - 1", "return helper(p) + shared(p)"}  # not the loss's, nor what might not end


def test_a_line_that_is_there_already_is_not_written():
    one, other = ast.parse(text := "a = b + c\na = b - c\n").body
    assert isinstance(one, ast.Assign) and isinstance(other, ast.Assign)
    assert written(text, one, one.value, other.value) is None
    mended = ("a = b + c\na = b\n", "a = b", "a = b - c")
    assert written(text, other, other.value, ast.Name("b", ast.Load())) == mended


def test_the_same_seed_draws_the_same_mistake_of_one_line(tmp_path):
    first, again, other = (drawn(paths()[NAME], seed, tmp_path) for seed in (1, 1, 2))
    assert first is not None and first == again != other
    (right,) = [v for v in variants(paths()[NAME]) if (v.form, v.tag) == (NUMPY, RIGHT)]
    changes = [row for row in difflib.ndiff(right.text.splitlines(), first.text.splitlines()) if row[0] in "+-"]
    assert len(changes) == 2 and changes[1][2:].strip() == first.lines[0]
    assert is_wrong(first.text, tmp_path / "first.py") and not is_wrong(right.text, tmp_path / "right.py")


def test_what_raises_is_no_mistake_to_be_found(tmp_path):
    assert not is_wrong("def grad(p):\n    return q\n", tmp_path / "raises.py")


def test_its_row_has_a_line_and_a_patch_but_no_judged_cause(tmp_path):
    (asked,) = runner.trials(NAME, (JAXNN, "scipy check_grad"), 1)
    row = trial.row(asked, tmp_path)
    assert row["kind"] == "FAIL" and row["line_ok"] in (True, False) and row["cause_ok"] is None
    (total,) = summary.totals([row])
    assert total["found"] == "1 of 1" and total["cause right"] == ""


def test_a_rule_gets_none(tmp_path):
    rule = next(name for name, path in paths().items() if path.parent.name == "rules")
    assert trial.row(Trial(rule, NUMPY, "drawn 1", JAXNN, seed=1), tmp_path)["kind"] == NOT_DRAWN


def test_a_seed_is_a_whole_number(capsys):
    with pytest.raises(SystemExit):
        program.main(["gradbugs", "--drawn", "many"])
    assert "--drawn: invalid int value: 'many'" in capsys.readouterr().err
