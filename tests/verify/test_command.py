"""Tests for `jaxnn/verify/command.py`: what is asked for, what is said, and the exit status.

The checks themselves are stand-ins here, but for the runs in a shell at the end.
"""

import json
import os
import subprocess
import sys

import jax
import pytest

from jaxnn.cli import main
from jaxnn.errors import InvalidArgument
from jaxnn.gradients import Gradient
from jaxnn.verify import Verdict, project
from jaxnn.verify.reports import Row

SOURCE = """
import functools
import numpy as np
import jax

def loss(w, x):
    return (w * x).sum()

def grad(w, x):
    return x

def raises(w, x):
    scale = 1 / (x.size - x.size)
    return scale * x

@jax.jit
def raises_in_jit(w, x):
    return undefined_name * x

calls_raises = functools.partial(raises)
one = np.arange(3.0), np.ones(3)
several = [one, (np.zeros(2), np.ones(2))]
single = (one[0],)
named = {"ordinary": one, "zero": several[1]}
number = 3
lists = [[1.0], [2.0]]

def made():
    return several

def broken():
    return number.nothing
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working directory with a module of the user's; what is imported from it is forgotten."""
    (tmp_path / "mine_to_verify.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if "mine_to_verify" in name:
            del sys.modules[name]


@pytest.fixture
def checks(monkeypatch):
    """Put stand-ins in the place of the functions that check, and give the calls they get."""
    calls = []

    def check(loss, grad, *args, argnums=0):
        loss(*args)
        grad(*args)
        calls.append(("check", args, argnums))
        return Verdict("PASS" if args[0].size == 3 else "FAIL", "w")

    def check_rule(f, f_fwd, f_bwd, *args):
        calls.append(("check_rule", args, None))
        return Verdict("PASS")

    def survey(loss, grad, cases, argnums=0):
        calls.append(("survey", cases, argnums))
        return Verdict("KINK", "w", case="zero")

    def survey_rule(f, f_fwd, f_bwd, cases):
        calls.append(("survey_rule", cases, None))
        return Verdict("PASS")

    for function in (check, check_rule, survey):
        monkeypatch.setattr(f"jaxnn.verify.{function.__name__}", function, raising=False)
    monkeypatch.setattr("jaxnn.verify.rules.check.survey_rule", survey_rule)
    return calls


def verify(*arguments):
    return main(["verify", *arguments])


MINE = ("mine_to_verify:loss", "mine_to_verify:grad", "--args")


@pytest.mark.parametrize("where", ["mine_to_verify", "mine_to_verify.py"])
def test_a_right_gradient_is_0(checks, capsys, where):
    assert verify(f"{where}:loss", f"{where}:grad", "--args", f"{where}:one") == 0
    ((kind, args, argnums),) = checks
    assert (kind, len(args), argnums) == ("check", 2, 0)
    shown = capsys.readouterr().out
    assert f"{where}:grad" in shown and "1 check: 1 PASS" in shown


def test_a_wrong_gradient_is_1_and_the_message_is_shown(checks, capsys, monkeypatch):
    wrong = Verdict("FAIL", "w", (1,), 1.0, 2.0, "autodiff, reverse", cause="too large by 2", line="dw = 2 * x")
    monkeypatch.setattr("jaxnn.verify.check", lambda *args, argnums: wrong)
    assert verify(*MINE, "mine_to_verify:one") == 1
    assert str(wrong) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cases", "expected"), [("several", "survey"), ("made", "survey"), ("named", "survey"), ("one", "check")]
)
def test_the_arguments_may_be_one_several_named_or_made(checks, cases, expected):
    assert verify(*MINE, f"mine_to_verify:{cases}") == 0
    assert [kind for kind, *_ in checks] == [expected]


def test_argnums_are_handed_on(checks):
    for given, expected in (("0", 0), ("0,1", (0, 1)), ("1,", (1,))):
        assert verify(*MINE, "mine_to_verify:one", "--argnums", given) == 0
        assert checks.pop()[2] == expected


def test_cases_have_the_names_they_are_given(checks):
    for cases, names in (("several", ["case 0", "case 1"]), ("named", ["ordinary", "zero"])):
        assert verify(*MINE, f"mine_to_verify:{cases}", "--argnums", "1,0") == 0
        _, given, argnums = checks.pop()
        assert (list(given), argnums) == (names, (1, 0))


def test_a_rule_has_three_names(checks):
    rule = [f"mine_to_verify:{name}" for name in ("loss", "grad", "grad")]
    assert verify("--rule", *rule, "--args", "mine_to_verify:one") == 0
    assert verify("--rule", *rule, "--args", "mine_to_verify:named") == 0
    assert [(kind, len(args)) for kind, args, _ in checks] == [("check_rule", 2), ("survey_rule", 2)]


BAD = {
    "no such module": (["nine:loss", MINE[1], "--args", "nine:x"], "no module named 'nine'"),
    "no such name": (["mine_to_verify:los", MINE[1], "--args", "mine_to_verify:one"], "did you mean loss?"),
    "not callable": (["mine_to_verify:number", MINE[1], "--args", "mine_to_verify:one"], "got a int, expected a func"),
    "no arguments": ([*MINE[:2]], "--args: got nothing, expected"),
    "one name": ([MINE[0], "--args", "mine_to_verify:one"], "got 1 names, expected 2: a loss and its gradient"),
    "two names of a rule": (["--rule", *MINE, "mine_to_verify:one"], "got 2 names, expected 3: f, f_fwd and f_bwd"),
    "no colon": (["conv2d", "--args", "mine_to_verify:one"], "jaxnn's own gradients are chosen with --only"),
    "--args alone": (["--args", "mine_to_verify:one"], "NAME: got none beside --args"),
    "--rule alone": (["--rule"], "NAME: got none beside --rule"),
    "--only beside names": ([*MINE, "mine_to_verify:one", "--only", "mlp"], "--only: got it beside names"),
    "--argnums of a rule": (
        ["--rule", MINE[0], *MINE, "mine_to_verify:one", "--argnums", "1"],
        "--argnums: got it beside --rule",
    ),
    "--argnums in words": ([*MINE, "mine_to_verify:one", "--argnums", "w"], "expected positions such as 0 or 0,2"),
    "--json takes a name": (["--json", *MINE, "mine_to_verify:one"], "expected --json last, or --json=FILE"),
    "arguments are a number": (
        [*MINE, "mine_to_verify:number"],
        "mine_to_verify:number: got a int 3, expected a tuple",
    ),
    "a case is a list": ([*MINE, "mine_to_verify:lists"], r"mine_to_verify:lists['case 0']: got a list"),
    "no cases": ([*MINE, "mine_to_verify:__doc__"], "expected a tuple of arguments"),
    "the cases take arguments": ([*MINE, "mine_to_verify:loss"], "cannot be called with no arguments"),
    "too few arguments": (
        [*MINE, "mine_to_verify:single"],
        "loss(w, x): cannot be called with the arguments of mine_to_verify:single, 1 of them",
    ),
    "a backward of one argument": (
        ["--rule", *["mine_to_verify:loss"] * 2, "mine_to_verify:made", "--args", "mine_to_verify:one"],
        "made(): cannot be called with the residuals and the cotangent",
    ),
    "the cases raise": ([*MINE, "mine_to_verify:broken"], "in broken: return number.nothing"),
    "no such gradient": (["--only", "conv2,mlp"], "did you mean conv2d?"),
    "--only nothing": (["--only", ","], "--only: got nothing, expected any of"),
    "a folder": (["--only", "dense", "--html", "."], "--html: got ., expected a file that can be written"),
    "one file twice": (["--only", "dense", "--html", "o", "--json", "o"], "expected another file than --json's"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_2_and_said_on_standard_error(checks, capsys, what):
    arguments, message = BAD[what]
    assert verify(*arguments) == 2
    shown = capsys.readouterr()
    assert message in shown.err and shown.out == "" and "Traceback" not in shown.err
    assert checks == []
    with pytest.raises(InvalidArgument):
        verify(*arguments, "--debug")


@pytest.mark.parametrize("name", ["raises", "raises_in_jit", "calls_raises"])
def test_a_function_of_the_users_that_raises_is_named_with_its_line(checks, capsys, name):
    assert verify(MINE[0], f"mine_to_verify:{name}", "--args", "mine_to_verify:one") == 2
    shown = capsys.readouterr().err
    expected = (
        ("NameError", "return undefined_name * x")
        if "jit" in name
        else ("ZeroDivisionError", "scale = 1 / (x.size - x.size)")
    )
    assert f"mine_to_verify:{name} raised {expected[0]}" in shown and shown.rstrip().endswith(expected[1])


@pytest.fixture
def own(monkeypatch):
    """Put three quick verdicts in the place of the project's own, and give which were asked for under which x64."""
    ran = []
    kinds = {"dense": ["PASS"], "mlp.grad": ["KINK", "FAIL"]}

    def rows():
        for name, found in kinds.items():
            yield from (Gradient(name, kind, "", lambda module: None, dict) for kind in found)

    def checked(chosen):
        for row in chosen:
            ran.append((row.name, row.variant, jax.config.jax_enable_x64))
            yield Row(row.name, row.variant, Verdict(row.variant, "W1", (0, 1), 1.0, float("nan")), 0.0)

    monkeypatch.setattr(project, "rows", rows)
    monkeypatch.setattr(project, "checked", checked)
    return ran


def test_the_projects_own_are_checked_in_float64(own, capsys):
    jax.config.update("jax_enable_x64", False)
    try:
        assert verify() == 1
        assert not jax.config.jax_enable_x64
    finally:
        jax.config.update("jax_enable_x64", True)
    assert own == [("dense", "PASS", True), ("mlp.grad", "KINK", True), ("mlp.grad", "FAIL", True)]
    shown = capsys.readouterr().out
    assert "mlp.grad, FAIL\nFAIL: W1[0, 1]" in shown and "3 checks: 1 PASS, 1 KINK, 1 FAIL" in shown
    assert "KINK: W1" not in shown


@pytest.mark.parametrize(("names", "expected"), [("dense", 1), ("mlp", 2), ("mlp.grad,dense", 3), ("dense, mlp", 3)])
def test_only_narrows_by_module_or_name(own, names, expected):
    verify("--only", names)
    assert len(own) == expected


def test_json_goes_to_standard_output_or_a_file(own, capsys, folder):
    assert verify("--only", "dense", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert verify("--only", "dense", "--json", "deep/o.json", "--html", "deep/o.html") == 0
    written = json.loads((folder / "deep" / "o.json").read_text())
    assert "dense" in capsys.readouterr().out
    assert [row["what"] for row in printed["rows"]] == [row["what"] for row in written["rows"]] == ["dense"]
    assert printed["environment"]["jax"] == jax.__version__ and printed["environment"]["x64"]
    assert (folder / "deep" / "o.html").read_text().startswith("<!doctype html>")


def shell(*arguments, **settings):
    """Run the command as in a shell where x64 is off."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    command = [sys.executable, "-m", "jaxnn", "verify", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**known, **settings})


@pytest.mark.slow
def test_in_a_shell_the_projects_own_are_float64():
    done = shell("--only", "flatten", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0 and done.stderr == "" and found["environment"]["x64"]
    assert {row["kind"] for row in found["rows"]} == {"PASS"} and found["rows"][0]["resolution"] < 1e-10


@pytest.mark.slow
def test_in_a_shell_the_users_wrong_gradient_is_found(folder):
    (folder / "shell_to_verify.py").write_text(
        "import jax.numpy as jnp\n"
        "def loss(w): return jnp.sum(jnp.sin(w))\n"
        "def grad(w): return -jnp.cos(w)\n"
        "cases = (jnp.arange(3.0),)\n"
    )
    names = [f"shell_to_verify.py:{name}" for name in ("loss", "grad", "cases")]
    done = shell(*names[:2], "--args", names[2])
    assert done.returncode == 1 and done.stderr == "" and "FAIL: w[" in done.stdout
