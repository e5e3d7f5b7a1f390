"""Tests for `jaxnn/references.py`: names that exist, and what is said of those that do not."""

import sys

import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.references import load

SOURCE = """
class Model:
    rate = 3

    @staticmethod
    def loss():
        return 1

def grad(): return 2
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a module of the user's; what is imported from it is forgotten."""
    (tmp_path / "mine_to_load.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("where", ["mine_to_load", "mine_to_load.py", "./mine_to_load.py"])
def test_names_are_found_in_the_working_directory(folder, where):
    assert load(f"{where}:grad")() == 2
    assert load(f"{where}:Model.loss")() == 1
    assert load(f"{where}:Model") is load(f"{where}:Model")


def test_a_file_runs_once_and_finds_its_neighbours(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "beside_to_load.py").write_text("value = 5")
    (folder / "deep" / "one.py").write_text("import beside_to_load\nseen = [beside_to_load.value]\nagain = seen")
    assert load("deep/one.py:seen") == [5]
    assert load("deep/one.py:seen") is load(str(folder / "deep" / "one.py") + ":again")


def test_installed_packages_are_found():
    assert load("os.path:join")("a", "b") == "a/b"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("mine_to_load", "expected module:name"),
        (":grad", "expected module:name"),
        ("mine_to_load:", "expected module:name"),
        ("mine_to_load:grat", "mine_to_load has no 'grat'; did you mean grad?"),
        ("mine_to_load:Model.lost", "mine_to_load:Model has no 'lost'; did you mean loss?"),
        ("mine_to_laod:grad", "no module named 'mine_to_laod'.*did you mean mine_to_load?"),
        ("jaxnn.losess:bernoulli", "no module named 'jaxnn.losess' in jaxnn; did you mean losses"),
        ("mine_to_load.deeper:grad", "no module named 'mine_to_load.deeper'"),
        ("mine to load:grad", "expected a name such as package.module"),
        ("mine_to_laod.py:grad", "no such file; did you mean mine_to_load.py?"),
        ("nowhere/mine.py:grad", "no such file"),
    ],
)
def test_what_is_missing_is_said(folder, reference, message):
    with pytest.raises(InvalidArgument, match=message):
        load(reference)


@pytest.mark.parametrize("where", ["broken_to_load", "broken_to_load.py"])
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\ny = x / 0", r"(?s)ZeroDivisionError: division by zero.*broken_to_load.py:2, in <module>: y = x / 0"),
        ("def f(:\n    pass", r"(?s)SyntaxError.*broken_to_load.py:1: def f\(:"),
        ("import nothing_of_this_name", "raised ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("import sys\nsys.exit(3)", "raised SystemExit: 3"),
    ],
)
def test_a_module_that_raises_is_described_by_its_own_line(folder, where, source, message):
    (folder / "broken_to_load.py").write_text(source)
    with pytest.raises(InvalidArgument, match=message):
        load(f"{where}:f")
