"""What is written to keep: run by Python as its reader would, and by R where there is one."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jaxnn.backprop.export_python import as_python
from jaxnn.backprop.export_r import as_r
from jaxnn.backprop.levels.table import LEVELS
from jaxnn.errors import InvalidArgument
from tests.backprop.solutions import others

ROOT = Path(__file__).parents[2]


def by_python(code, tmp_path, *command):
    path = tmp_path / "level.py"
    path.write_text(code)
    run = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(ROOT)}, "capture_output": True, "text": True}
    return subprocess.run([sys.executable, *command, str(path)], **run)


def gap_by_r(code, tmp_path):
    """Return what a script says first: the largest gap between its gradient and differences."""
    path = tmp_path / "level.R"
    path.write_text(code)
    done = subprocess.run(["Rscript", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.splitlines()[0].split()[-1])


def test_the_python_file_stands_as_it_is_expected():
    code = as_python(LEVELS["pooling"], others(LEVELS["pooling"])[0])
    assert ast.parse(code) and "first = 1.0 * (X[0::2, 0::2] == M)" in code  # truth values do not add up as numbers
    assert "M = jnp.maximum(" in code and "M = np.maximum(" in code and 'return {"X": dX}' in code


def test_a_part_that_is_written_into_is_a_copy():
    text = LEVELS["strided"].solution + "\ndX[0, 0] += 0"
    assert "dX = np.array(dP[1:5, 1:5])" in as_python(LEVELS["strided"], text)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hidden", "convolution", "pooling", "recurrent"])
def test_the_python_file_judges_itself_and_trains(name, tmp_path):
    level = LEVELS[name]
    done = by_python(as_python(level, others(level)[0]), tmp_path)
    first, *_, last = done.stdout.splitlines()
    assert (
        done.returncode == 0 and first.startswith(("PASS", "KINK")) and last.startswith(f"step {level.training.steps}")
    ), done


@pytest.mark.slow
def test_its_test_passes_and_fails(tmp_path):
    level = LEVELS["hidden"]
    quiet = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert by_python(as_python(level, level.solution), tmp_path, *quiet).returncode == 0
    failed = by_python(as_python(level, level.solution.replace("X.T @ dZ1 / m", "X.T @ dZ1")), tmp_path, *quiet)
    assert failed.returncode == 1 and "dW1: too large by exactly m" in failed.stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="no R here")
@pytest.mark.parametrize("name", LEVELS)
def test_r_finds_the_gradient_right(name, tmp_path):
    level = LEVELS[name]
    assert gap_by_r(as_r(level, level.solution), tmp_path) < 1e-5


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="no R here")
def test_where_the_cost_bends_r_takes_any_slope_between_both_sides(tmp_path):
    level = LEVELS["pooling"]
    right, wrong = others(level)[0], level.solution.replace("R01 / N", "R01 / N * 1.5")
    assert gap_by_r(as_r(level, right), tmp_path) < 1e-5 and gap_by_r(as_r(level, wrong), tmp_path) > 0.01


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("q = sum(A1 * Z1, axis=0, keepdims=True)", "q <- t(colSums(A1 * Z1))"),
        ("q = A1 * max(Z1, axis=1, keepdims=True)", "q <- A1 * columns(matrix(apply(Z1, 1, max)), 4)"),
        ("q = X[0:2, -1:] - X[0, 1]", "q <- X[1:2, 2:2, drop = FALSE] - X[1, 2]"),
        ("q = X[::2] @ W1", "q <- X[seq(1, 5, by = 2), , drop = FALSE] %*% W1"),
        ("q = where(Z1 > 0, A1, 0) ** 2", "q <- ifelse(((Z1 > 0) * 1) != 0, A1, matrix(0, 5, 4)) ^ 2"),
        ("q = maximum(0, Z1) / X.shape[0]", "q <- pmax(Z1, 0) / nrow(X)"),
        ("q = reshape(W1, (4, 2))", "q <- matrix(t(W1), nrow = 4, byrow = TRUE)"),
        ("q = zeros((2, 2))\nq[0, 1] += m", "q[1, 2] <- q[1, 2] + m"),
    ],
)
def test_a_line_in_r(line, said):
    text = f"{LEVELS['hidden'].solution}\n{line}"
    assert said in as_r(LEVELS["hidden"], text)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("q = sum(X, axis=0)", "keepdims=True keeps an axis"),
        ("q = X[0]", "keepdims=True keeps an axis"),
        ("NULL = X", "one that R leaves free"),
        ("q = ", "nothing behind the ="),
        ("q = é", "the character"),
    ],
)
def test_what_r_cannot_say_is_told(line, says):
    with pytest.raises(InvalidArgument, match=says):
        as_r(LEVELS["hidden"], f"{LEVELS['hidden'].solution}\n{line}")


def test_a_gradient_that_is_missing_is_told():
    with pytest.raises(InvalidArgument, match="dW1: got no line"):
        as_python(LEVELS["hidden"], "dZ2 = A2 - y")
