"""Tests for `diagnosis/patches.py`: what `patch` makes of a file with a diff is the file with the change.

The program `patch` itself applies them, and Python's own parser says what the file means then.
"""

import ast
import linecache
import subprocess

import pytest

from jaxnn.verify.diagnosis.patches import unified

FILE = """import numpy as np


def f(x, é="é"):  # what counts characters, not bytes
    '''Say what it does.'''
    a = x * (1 - x)   # a comment stays
    b, c = ("ü", 2 - a,
            3)
    for k in range(
        len(x)
    ):
        a += k
    return lambda y: y - a - c
"""


def patched(folder, monkeypatch, old, new, text=FILE):
    """Return the file after `patch -p0` in its folder, and the diff."""
    monkeypatch.chdir(folder)
    path = folder / "code.py"
    path.write_text(text)
    linecache.clearcache()
    diff = unified([(str(path), old(ast.parse(text)), ast.parse(new, mode="eval").body)])
    subprocess.run(["patch", "-p0"], input=diff, text=True, check=True, cwd=folder, capture_output=True)
    return path.read_text(), diff


def value(name):
    def old(tree):
        return next(n.value for n in ast.walk(tree) if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == name)

    return old


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (value("a"), "x * (1 - x**2)", "    a = x * (1 - x ** 2)   # a comment stays"),
        (value("a"), "(x + 1) * (1 - x)", "    a = (x + 1) * (1 - x)   # a comment stays"),
        (value("(b, c)"), "('ü', 2 + a, 3)", '    b, c = ("ü", 2 + a,'),
        (lambda tree: next(n for n in ast.walk(tree) if isinstance(n, ast.For)).iter, "len(x)", "    for k in len(x):"),
        (lambda tree: next(n for n in ast.walk(tree) if isinstance(n, ast.Lambda)).body, "y - (a - c)", "y - (a - c)"),
    ],
)
def test_as_little_as_can_be_is_written_anew(tmp_path, monkeypatch, old, new, line):
    text, diff = patched(tmp_path, monkeypatch, old, new)
    assert line in text and diff.startswith("--- code.py\n+++ code.py\n")
    wanted = ast.parse(FILE)
    wanted = ast.dump(wanted).replace(ast.dump(old(wanted)), ast.dump(ast.parse(new, mode="eval").body))
    assert ast.dump(ast.parse(text)) == wanted


def test_of_two_equal_parts_the_one_that_is_meant_is_written_anew_with_its_parentheses(tmp_path, monkeypatch):
    text = "def f(x):\n    a = 2 * (x + 1)\n    b = 2 * (x + 1)\n    return a - b\n"
    new = "2 * (x - 1)"
    changed, _ = patched(tmp_path, monkeypatch, value("b"), new, text)
    assert changed == text.replace("b = 2 * (x + 1)", "b = 2 * (x - 1)")
    changed, _ = patched(tmp_path, monkeypatch, lambda tree: value("b")(tree).left, "y - -1", text)
    assert "    a = 2 * (x + 1)\n    b = (y - -1) * (x + 1)\n" in changed


def test_changes_in_one_another_have_none(tmp_path):
    path = tmp_path / "code.py"
    path.write_text("a = b * c\n")
    outer = ast.parse("a = b * c\n").body[0].value
    one, two = (ast.parse(text, mode="eval").body for text in ("b / c", "2 * b"))
    assert unified([(str(path), outer, one), (str(path), outer.left, two)]) == ""


def test_a_file_may_end_without_a_newline(tmp_path, monkeypatch):
    text, _ = patched(tmp_path, monkeypatch, value("a"), "2 * x", "def f(x):\n    a = 3 * x\n    return a")
    assert text == "def f(x):\n    a = 2 * x\n    return a"


def test_what_is_in_no_file_has_none():
    expression = ast.parse("1 + x", mode="eval").body
    assert unified([("<string>", expression, expression)]) == ""
