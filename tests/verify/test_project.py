"""Tests for `jaxnn/verify/project.py`: names narrow the table down, and a row is checked at all of its points.

That every gradient is right is for `jaxnn verify` itself, which `tests/test_gradients.py` runs whole.
"""

import os
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.gradients import Rule, rows
from jaxnn.verify import project

LISTED = {row.name for row in rows()}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["dense"], {"dense"}),
        (["mlp", "relu"], {"mlp.value_and_grad", "mlp.backward", "relu"}),
        (["mlp.backward"], {"mlp.backward"}),
        (None, LISTED),
    ],
)
def test_names_narrow_the_list(names, expected):
    assert {row.name for row in project.chosen(names)} == expected


def test_an_unknown_name_lists_near_ones():
    with pytest.raises(InvalidArgument, match=r"--only: got soft_plus, expected any of .*; did you mean softplus\?"):
        project.chosen(["dense", "soft_plus"])


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("linear.value_and_grad", {"std", "ny", "float32"}),  # of those in other shapes the first
        ("relu", {"std", "kink", "slab", "saturated", "huge", "float32"}),
        ("dense, 40 outputs", {"std"}),
    ],
)
def test_a_row_is_looked_at_in_float32_too_and_in_one_other_shape(title, expected):
    (row,) = [row for row in rows() if row.title == title]
    points = project.cases(row)
    assert set(points) == expected and points.get("float32", points["std"])[0] is not None


def test_where_the_table_has_one_shape_a_grid_gives_another():
    (row,) = [row for row in rows() if row.title == "cnn.value_and_grad"]
    points = project.cases(row)
    assert {leaf.dtype for leaf in jax.tree.leaves(points["float32"])} == {jnp.dtype(jnp.float32)}
    names = [name for name in points if name not in ("std", "float32")]
    assert len(names) == 2 and {points[name][1].shape for name in names} != {points["std"][1].shape}


def test_a_wrong_rule_is_named_with_the_point_that_shows_it():
    rule = Rule(jnp.abs, lambda x: (jnp.abs(x), x), lambda x, g: (jnp.where(x < -10, g, jnp.sign(x) * g),))
    points = {"near": (jnp.array([1.0, -2.0]),), "far": (jnp.array([1.0, -20.0]),)}
    verdict = project.verdict(rule, points)
    assert verdict.kind == "FAIL" and verdict.case == "far" and verdict.index == (1,)
    assert project.verdict(rule, {"near": points["near"]}).kind == "PASS"


@pytest.mark.slow
def test_few_are_checked_one_after_the_other_and_many_by_several_processes(monkeypatch):
    chosen = project.chosen(["sigmoid", "flatten"])[:3]
    one = [(row.what, row.case, row.verdict.kind) for row in project.checked(chosen)]
    monkeypatch.setattr(project, "FEW", 2)
    monkeypatch.setattr(project, "cores", lambda: 2)
    assert [(row.what, row.case, row.verdict.kind) for row in project.checked(chosen)] == one
    assert one[0] == ("sigmoid", "6 points", "PASS") and one[1] == ("sigmoid", "a scalar, one point", "PASS")


KILLED = """
import os, signal
from jaxnn.verify import project
if __name__ == "__main__":
    pool = project.ProcessPoolExecutor(1, project.get_context("spawn"), project._start)
    print(pool.submit(os.getpid).result(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_the_others_end_where_the_first_process_is_killed():
    # Without it they wait for work for good, with some 800 MB each.
    first = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    other = int(first.stdout.readline())
    try:
        first.communicate(timeout=60)  # until nobody can write any more
    except subprocess.TimeoutExpired:
        os.kill(other, signal.SIGKILL)
        first.communicate()
        pytest.fail("the other process is still there")
