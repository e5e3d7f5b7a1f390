"""Tests for `python -m benchmarks mutants --by-tests`: pytest is a stand-in but for one slow test."""

import json
import subprocess

import pytest

from benchmarks import __main__ as program
from benchmarks.mutants import by_tests
from benchmarks.mutants.mutant import read

MISTAKES = {mutant.id: mutant for mutant in read("project")}


@pytest.fixture
def copied(monkeypatch):
    """Copy what the mistakes are put into, and none of the rest."""

    def copy_some(root, copy):
        (copy / "jaxnn" / "ops").mkdir(parents=True)
        (copy / "jaxnn" / "ops" / "activations.py").write_text((root / "jaxnn/ops/activations.py").read_text())

    monkeypatch.setattr(by_tests, "copy_repository", copy_some)
    monkeypatch.setattr(by_tests, "check", lambda copy, mutants, marker: None)


@pytest.fixture
def tests_that_see(monkeypatch):
    """Let a test of a kind fail where the copy has one of these mistakes; keep what each run found in the copy."""
    runs = []

    def put(**by_marker):
        def first_failure(copy, files, marker):
            text = (copy / "jaxnn/ops/activations.py").read_text()
            there = [name for name in ("r01", "r02", "r06") if MISTAKES[name].edits[0].new in text]
            runs.append((*there, marker))
            seen = by_marker.get("fast" if marker == by_tests.FAST else "slow", ())
            return "tests/ops/test_a.py::test_b" if set(there) & set(seen) else ""

        monkeypatch.setattr(by_tests, "first_failure", first_failure)
        return runs

    return put


def run(tmp_path, *arguments):
    path = tmp_path / "new" / "run.json"
    status = program.main(["mutants", "--by-tests", "--only", "r01,r02,r06", "--json", str(path), *arguments])
    return status, {row["id"]: row for row in json.loads(path.read_text())["rows"]}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_each_mistake_is_alone_in_the_copy_and_the_slow_tests_are_asked_last(
    copied, tests_that_see, tmp_path, capsys, workers
):
    runs = tests_that_see(fast=["r01", "r06"], slow=["r02"])
    status, rows = run(tmp_path, "--workers", workers)
    assert status == 0 and list(rows) == ["r01", "r02", "r06"]
    assert sorted(runs[:3]) == [("r01", "not slow"), ("r02", "not slow"), ("r06", "not slow")]
    assert runs[3:] == [("r02", "slow")]
    assert [row["seen_by"] for row in rows.values()] == ["fast", "slow", "fast"]
    assert rows["r06"]["module"] == "jaxnn.ops.activations" and rows["r06"]["test"] == "tests/ops/test_a.py::test_b"
    assert "the fast tests see 2 of 3 mistakes, all tests 3" in (out := capsys.readouterr().out)
    assert "seen by slow tests alone: r02" in out and "leaky slope" in out


def test_a_mistake_that_nothing_sees_is_status_1(copied, tests_that_see, tmp_path, capsys):
    tests_that_see(fast=["r01", "r06"])
    status, rows = run(tmp_path)
    assert status == 1 and rows["r02"]["seen_by"] is None and rows["r02"]["test"] == ""
    assert "seen by nothing: r02" in capsys.readouterr().out


def test_the_fast_tests_may_leave_some_to_the_slow_ones_but_not_many():
    left = [{"seen_by": "slow"}] * by_tests.LEFT_TO_SLOW
    assert not by_tests.failed([{"seen_by": "fast"}, *left]) and by_tests.failed([{"seen_by": "slow"}, *left])
    assert len(MISTAKES) - by_tests.LEFT_TO_SLOW == 60


def test_tests_that_fail_without_a_mistake_end_it(copied, tests_that_see, monkeypatch, tmp_path, capsys):
    def check(copy, mutants, marker):
        raise by_tests.NotTested("without any mistake a test fails already: tests/ops/test_a.py::test_c")

    runs = tests_that_see(fast=["r01", "r02", "r06"])
    monkeypatch.setattr(by_tests, "check", check)
    assert run(tmp_path) == (1, {}) and runs == []
    assert "without any mistake a test fails already: tests/ops/test_a.py::test_c" in capsys.readouterr().out


def test_what_is_finished_is_kept_where_it_is_interrupted(copied, monkeypatch, tmp_path, capsys):
    def with_mistake(copy, mutant, marker):
        if mutant.id == "r02":
            raise KeyboardInterrupt
        return "tests/ops/test_a.py::test_b"

    monkeypatch.setattr(by_tests, "with_mistake", with_mistake)
    status, rows = run(tmp_path, "--workers", "1")
    assert status == 130 and list(rows) == ["r01"] and "interrupted" in capsys.readouterr().out


def test_the_copy_is_as_before_afterwards(copied, tests_that_see, tmp_path):
    tests_that_see()
    by_tests.copy_repository(by_tests.ROOT, tmp_path / "copy")
    assert by_tests.with_mistake(tmp_path / "copy", MISTAKES["r01"], by_tests.FAST) == ""
    before, after = (root / "jaxnn/ops/activations.py" for root in (by_tests.ROOT, tmp_path / "copy"))
    assert before.read_text() == after.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "r01,a01"], "--only: got a01, expected any of r01 to"),
        (["--workers", "0"], "--workers: got 0"),
        (["--json", "/"], "--json: got /"),
        (["--totals", "file"], "unrecognized arguments"),
    ],
)
def test_wrong_arguments(arguments, message, copied, capsys):
    with pytest.raises(SystemExit) as caught:
        program.main(["mutants", "--by-tests", *arguments])
    assert caught.value.code == 2 and message in capsys.readouterr().err


def test_the_tests_of_a_module_are_its_mirror_those_of_all_gradients_and_its_folder(tmp_path):
    for name, text in {
        "ops/test_dense.py": "",
        "ops/test_all.py": "",
        "ops/helper.py": "",
        "networks/test_cnn.py": "from jaxnn.ops import dense",
        "test_gradients.py": "",
        "test_losses.py": "import os",
        "test_train.py": "import jaxnn.losses as named",
        "trace/test_a.py": "from jaxnn.losses import bernoulli",
    }.items():
        (tmp_path / "tests" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tests" / name).write_text(text)
    ops = ["tests/ops/test_dense.py", "tests/test_gradients.py", "tests/ops/test_all.py"]
    assert by_tests.tests_of("jaxnn.ops.dense", tmp_path) == ops
    losses = ["tests/test_losses.py", "tests/test_gradients.py", "tests/test_train.py", "tests/trace/test_a.py"]
    assert by_tests.tests_of("jaxnn.losses", tmp_path) == losses


def test_every_module_has_tests():
    modules = {by_tests.TARGETS[mutant.target].module for mutant in MISTAKES.values()}
    assert len(modules) > 5 and all(by_tests.tests_of(module, by_tests.ROOT) for module in modules)


def test_the_first_test_that_fails_is_named():
    output = (
        "..F\n=== short test summary info ===\nFAILED tests/a.py::test_b[x - y] - assert 1 == 2\n1 failed, 2 passed"
    )
    assert by_tests.failed_test(output) == "tests/a.py::test_b[x - y]"
    assert by_tests.failed_test("ERROR tests/a.py\n") == "tests/a.py"


def test_what_git_ignores_is_not_copied_and_what_is_new_is(tmp_path):
    root, copy = tmp_path / "root", tmp_path / "copy"
    (root / "sub").mkdir(parents=True)
    for name in ("kept", "deleted", "ignored", "sub/changed"):
        (root / name).write_text("old")
    (root / ".gitignore").write_text("ignored\n")
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *command], cwd=root, check=True)
    (root / "deleted").unlink()
    (root / "sub" / "changed").write_text("now")
    (root / "new").write_text("now")
    by_tests.copy_repository(root, copy)
    found = {str(path.relative_to(copy)): path.read_text() for path in copy.rglob("*") if path.is_file()}
    assert found == {".gitignore": "ignored\n", "kept": "old", "sub/changed": "now", "new": "now"}
    with pytest.raises(by_tests.NotTested, match="git says: .*not a git repository"):
        by_tests.copy_repository(copy, tmp_path / "other")


@pytest.mark.slow
@pytest.mark.skipif(not (by_tests.ROOT / ".git").exists(), reason="git says which files to copy")
def test_the_projects_own_tests_see_a_mistake(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(by_tests, "tests_of", lambda module, root: ["tests/ops/test_activations.py"])  # enough, and few
    path = tmp_path / "run.json"
    assert program.main(["mutants", "--by-tests", "--only", "r01", "--json", str(path)]) == 0
    (row,) = json.loads(path.read_text())["rows"]
    assert row["seen_by"] == "fast" and row["test"].endswith("[sigmoid]")
    assert "the fast tests see 1 of 1 mistakes" in capsys.readouterr().out
