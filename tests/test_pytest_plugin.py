"""Tests for `jaxnn/pytest_plugin.py`: one run of pytest on a file like a user's, with warnings as errors."""

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

SOURCE = """
import jax.numpy as jnp
import pytest

W = jnp.array([0.3, 1.2])

def loss(w):
    return jnp.sum(jnp.sin(w))

def grad(w):
    return jnp.cos(w)

def wrong(w):
    return -jnp.cos(w)

def raises(w):
    return undefined_name * w

def rule_fwd(x):
    return jnp.sin(x), x

def rule_bwd(x, g):
    return (g * jnp.cos(x),)

def test_right(gradcheck):
    assert gradcheck(loss, grad, W).kind == "PASS"

def test_rule(gradcheck):
    assert gradcheck.rule(jnp.sin, rule_fwd, rule_bwd, W).kind == "PASS"

def test_survey(gradcheck):
    assert gradcheck.survey(loss, grad, [(W,), (W[:1],)]).kind == "PASS"

def relu_sum(w):
    return jnp.sum(jnp.maximum(w, 0))

def step(w):
    return (w > 0).astype(w.dtype)

def test_kink(gradcheck):
    assert gradcheck(relu_sum, step, jnp.array([0.0, 1.0])).kind == "KINK"

def test_wrong(gradcheck):
    gradcheck(loss, wrong, W)

def test_wrong_rule(gradcheck):
    gradcheck.rule(jnp.sin, rule_fwd, lambda x, g: (g * jnp.sin(x),), W)

@pytest.mark.xfail(strict=True)
def test_expected(gradcheck):
    gradcheck.survey(loss, wrong, [(W,)])

def test_bad_input(gradcheck):
    gradcheck(lambda w: w, grad, W)

def test_raises(gradcheck):
    gradcheck(loss, raises, W)

def test_without():
    pass
"""
PLUGIN = ("-p", "no:jaxnn", "-p", "jaxnn.pytest_plugin")  # the same whether or not the entry point is installed


def run_pytest(folder, *options):
    shared = [f"ignore:Error {doing} persistent compilation cache" for doing in ("reading", "writing")]
    warnings = [part for message in ("error", *shared) for part in ("-W", message)]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *PLUGIN, *warnings, *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module", params=[0, pytest.param(2, marks=pytest.mark.slow)], ids="{} workers".format)
def run(tmp_path_factory, request):
    """Run the file in one process or shared out to workers; give what is printed, and the outcome of each test."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "test_of_a_user.py").write_text(SOURCE)
    done = run_pytest(folder, "-n", str(request.param), "--junit-xml=o.xml")
    outcomes = {
        case.attrib["name"]: next((child.tag for child in case if child.tag != "properties"), "passed")
        for case in ElementTree.parse(folder / "o.xml").iter("testcase")
    }
    return done.stdout, outcomes


@pytest.mark.slow
def test_what_is_right_passes_and_what_is_wrong_fails(run):
    assert run[1] == {
        **dict.fromkeys(["test_right", "test_rule", "test_survey", "test_kink", "test_without"], "passed"),
        **dict.fromkeys(["test_wrong", "test_wrong_rule", "test_bad_input", "test_raises"], "failure"),
        "test_expected": "skipped",  # as junit calls an expected failure
    }


def failure(printed, name):
    return printed.split(f"_ {name} _")[1].split("\n___")[0].split("\n===")[0]


def test_a_failure_shows_the_users_line_and_the_verdict_and_no_more(run):
    shown = failure(run[0], "test_wrong")
    assert ">       gradcheck(loss, wrong, W)" in shown
    assert "FAIL: w[" in shown and "DISAGREES" in shown
    assert "site-packages" not in shown and "verify/" not in shown and "plugin.py" not in shown
    assert len(shown.splitlines()) < 40


def test_bad_input_is_said_without_the_checkers_own_frames(run):
    shown = failure(run[0], "test_bad_input")
    assert "InvalidArgument: loss: got shape (2,), expected a scalar" in shown
    assert "jaxnn/verify" not in shown and "jaxnn/errors" not in shown


def test_an_error_of_the_users_leads_from_the_test_to_his_line(run):
    shown = failure(run[0], "test_raises")
    assert ">       gradcheck(loss, raises, W)" in shown and ">       return undefined_name * w" in shown
    assert "jaxnn/verify" not in shown


def test_the_summary_counts_all_and_names_what_is_right_only_as_far_as_can_be_seen(run):
    section = run[0].split("= gradients =")[1].splitlines()
    assert section[1] == "7 checked by gradcheck: 3 PASS, 1 KINK, 3 FAIL"
    assert [line for line in section if line.startswith("test_of_a_user.py::test_kink: KINK")]
    assert not [line for line in section if "test_right:" in line]


@pytest.mark.slow
def test_nothing_is_said_where_nothing_is_checked(tmp_path):
    (tmp_path / "test_of_a_user.py").write_text("def test_without(): pass")
    printed = run_pytest(tmp_path).stdout
    assert "1 passed" in printed and "gradient" not in printed


def test_the_fixture_is_listed_with_what_it_does(tmp_path):
    printed = run_pytest(tmp_path, "--fixtures").stdout
    assert "gradcheck" in printed and "Check hand-written gradients" in printed


def test_the_entry_point_is_this_module():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    (name,) = project["entry-points"]["pytest11"].values()
    assert importlib.import_module(name).gradcheck


def test_pytest_starts_without_the_checker_or_a_backend():
    code = (
        "import sys, jaxnn.pytest_plugin; from jax._src import xla_bridge; "
        "print('jaxnn.verify' in sys.modules, xla_bridge.backends_are_initialized())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False False\n"
