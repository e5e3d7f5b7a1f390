"""Tests for `python -m benchmarks gradbugs`: what is right and wrong by differences and by `jax.grad`, sums by hand."""

import ast
import difflib
import json
import subprocess
import types

import jax
import numpy as np
import pytest

from benchmarks import __main__ as program
from benchmarks.gradbugs import gradients, runner, summary, trial
from benchmarks.gradbugs.trial import CHECK_GRADS, JAXNN, Trial
from benchmarks.gradbugs.variants import JAX, NUMPY, RIGHT, RULE, WRONG, is_small, paths, replaced, variants
from benchmarks.mutants import runner as mutants
from benchmarks.mutants.mutant import loaded
from benchmarks.peers import cannot_import

GIVEN, RULES, HELD_OUT = (list(paths([folder])) for folder in ("cases", "rules", "held_out"))
CASES = [*GIVEN, *HELD_OUT]


@pytest.fixture(autouse=True)
def any_rank():
    """Let arrays be stretched, as in a process of its own: other people's code relies on it."""
    with jax.numpy_rank_promotion("allow"):
        yield


def variant(name, form, tag):
    (found,) = [v for v in variants(paths()[name]) if (v.form, v.tag) == (form, tag)]
    return found


def module_of(folder, name, form=NUMPY, tag=WRONG):
    path = folder / f"{name}_{tag}.py"
    path.write_text(variant(name, form, tag).text)
    return loaded(path, path.stem)


def says(folder, name, form, tag, checker):
    return trial.row(Trial(name, form, tag, checker), folder)


def test_every_file_has_a_source_and_is_python_in_all_its_variants():
    assert len(GIVEN) >= 82 and len(RULES) >= 46 and len(HELD_OUT) >= 30
    for name in (*CASES, *RULES):
        found = variants(paths()[name])
        parsed = [ast.parse(v.text) for v in found]
        says_what_it_is = ast.get_docstring(parsed[0]) or ""
        assert says_what_it_is.startswith("Source: ") if name in CASES else says_what_it_is, name
        assert len({(v.form, v.tag) for v in found}) == len(found) == len({v.text for v in found}), name
        for wrong in (v for v in found if v.tag != RIGHT):
            assert wrong.causes and (wrong.form == JAX or wrong.names_line(wrong.text)), name


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_wrong_and_its_mend_is_right_by_differences(name, tmp_path):
    wrong = variant(name, NUMPY, WRONG)
    if wrong.is_rule:
        pytest.skip("a rule has no loss")
    module = module_of(tmp_path, name)
    argnums = getattr(module, "ARGNUMS", 0)
    assert not gradients.is_gradient(module, argnums)
    assert gradients.is_gradient(module_of(tmp_path, name, tag=RIGHT), argnums)


def test_what_is_not_there_cannot_be_replaced():
    assert replaced("a b a", [("a", "c"), ("b", "d")]) == "c d c"
    with pytest.raises(ValueError, match="got a file without 'b'"):
        replaced("a", [("b", "c")])


def test_a_small_mend():
    assert is_small([("np.ones(n) @ one / n", "np.ones(n) @ mone / n")])
    assert not is_small([("a", "b"), ("c", "d")]) and not is_small([("a", "b\nc")])
    assert not is_small([("a", "f(b, c, d, e)")]) and is_small([("(a", "(b")])


def test_a_patch_is_tried(tmp_path):
    wrong, right = (variant("b49_wgan_sign", JAX, tag) for tag in (WRONG, RIGHT))
    file = tmp_path / "JAX_case.py"

    def mended(text):
        file.write_text(wrong.text)
        lines = [part.splitlines(keepends=True) for part in (wrong.text, text)]
        return gradients.is_mended("".join(difflib.unified_diff(*lines, file.name, file.name)), file, wrong.back, 0)

    assert mended(right.text)
    assert not mended(wrong.text) and not mended(wrong.text.replace("@ one / n", "@ (2 * mone) / n"))
    assert not mended(wrong.text.replace("@ one / n", "@ nobody / n"))
    assert not gradients.is_mended("no diff", file, wrong.back, 0)


@pytest.mark.parametrize("tag", [WRONG, RIGHT])
def test_check_grads_says_what_autodiff_says(tag, tmp_path):
    module = module_of(tmp_path, "b49_wgan_sign", JAX, tag)
    with jax.enable_x64(True):
        args = jax.tree.map(jax.numpy.asarray, module.make_args())
        pairs = jax.tree.map(np.allclose, module.grad(*args), jax.grad(module.loss)(*args))
    expected = "PASS" if all(jax.tree.leaves(pairs)) else "FAIL"
    assert (
        says(tmp_path, "b49_wgan_sign", JAX, tag, CHECK_GRADS)["kind"] == expected == {RIGHT: "PASS"}.get(tag, "FAIL")
    )


@pytest.mark.parametrize("peer", ["scipy check_grad", "torch gradcheck", "torch gradcheck, fast"])
@pytest.mark.parametrize("tag", [WRONG, RIGHT])
@pytest.mark.parametrize("name", ["b49_wgan_sign", "c_15"])
def test_the_peers_of_numpy_say_what_differences_say(name, tag, peer, tmp_path):
    if cannot_import(peer.split()[0]):
        pytest.skip("an optional peer")
    module = module_of(tmp_path, name, tag=tag)
    expected = "PASS" if gradients.is_gradient(module, getattr(module, "ARGNUMS", 0)) else "FAIL"
    assert says(tmp_path, name, NUMPY, tag, peer)["kind"] == expected


def test_check_grads_on_a_rule(tmp_path):
    kinds = [says(tmp_path, "39_softplus", RULE, tag, CHECK_GRADS)["kind"] for tag in ("mistake 1", RIGHT)]
    assert kinds == ["FAIL", "PASS"]


def test_no_peer_takes_whole_numbers_and_what_one_raises_is_kept():
    with pytest.raises(TypeError, match="got parameters of int64, expected floating-point ones"):
        trial.real(3)
    module = types.SimpleNamespace(loss=sum, grad=sum)
    found = trial.objection("scipy check_grad", module, variant("b49_wgan_sign", NUMPY, WRONG), ([1],), 0)
    assert found.kind == "RAISED" and found.message.startswith("TypeError: got parameters")


@pytest.mark.slow
def test_jaxnn_on_a_case_end_to_end(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(mutants, "PEERS", {CHECK_GRADS: None})
    monkeypatch.setattr(mutants, "NEEDS", {CHECK_GRADS: "jax"})
    files = {option: tmp_path / option for option in ("--json", "--totals")}
    options = [str(part) for pair in files.items() for part in pair]
    status = program.main(["gradbugs", "--only", "c_15,39_softplus", *options])
    kept, totals = (json.loads(path.read_text()) for path in files.values())
    rows = {(row["checker"], row["form"], row["tag"]): row for row in kept["rows"]}
    assert status == 0 and kept["schema"] == 1 and len(rows) == 4 + 2 + 3 + 3
    assert rows[JAXNN, NUMPY, WRONG]["line_ok"] and rows[JAXNN, RULE, "mistake 1"]["kind"] == "FAIL"
    assert rows[CHECK_GRADS, JAX, WRONG]["kind"] == "FAIL" and rows[JAXNN, JAX, RIGHT]["seconds"] > 0
    assert [row["found"] for row in totals["totals"]] == ["1 of 1", "1 of 1", "2 of 2", "1 of 1", "2 of 2"]
    assert "1 of 1" in capsys.readouterr().out


def row(tag, kind, checker=JAXNN, name="a", seconds=1.0, **more):
    said = {"id": name, "form": NUMPY, "tag": tag, "checker": checker, "kind": kind, "message": "because"}
    return {**said, "seconds": seconds, "line_ok": False, "cause_ok": False, "patch_ok": False, "small": False, **more}


SCIPY = "scipy check_grad"
ROWS = [
    row(WRONG, "FAIL", line_ok=True, cause_ok=True, patch_ok=True, small=True),
    row(RIGHT, "PASS"),
    row(WRONG, "NONFINITE", name="b", seconds=4.0, small=True),
    row(RIGHT, "CRASH", name="b"),
    row(WRONG, "RAISED", name="c", seconds=2.0),
    row(RIGHT, "KINK", name="c"),
    row(WRONG, "RAISED", SCIPY),
    row(RIGHT, "PASS", SCIPY),
    row(WRONG, "FAIL", SCIPY, "b"),
    row(RIGHT, "LIMIT", SCIPY, "b"),
    row(WRONG, "PASS", SCIPY, "c"),
    row(RIGHT, "FAIL", SCIPY, "c"),
]


def test_totals():
    ours, theirs = summary.totals(ROWS)
    assert ours == {
        "checker": "jaxnn",
        "form": "NumPy",
        "found": "2 of 3",
        "line named": "1 of 3",
        "cause right": "1 of 3",
        "patch, small": "1 of 2",
        "patch, all": "1 of 3",
        "false alarms": "1 of 3",
        "cannot": "",
        "median s": "2.0",
        "most s": "4.0",
    }
    assert list(theirs.values())[2:9] == ["1 of 3", "", "", "", "", "1 of 3", "1 of 3"]
    assert summary.totals([]) == []


def test_what_jaxnn_missed_is_said():
    assert summary.failed(ROWS) and summary.failed(ROWS[3:4]) and not summary.failed(ROWS[:3])
    assert summary.remarks(ROWS) == [
        "missed: NumPy c wrong: RAISED because",
        "false alarm: NumPy b right: CRASH because",
        "line not right, NumPy: b",
        "cause not right, NumPy: b",
        "patch not right, NumPy: b",
    ]


@pytest.mark.parametrize(("status", "kind"), [(-24, "LIMIT"), (-9, "LIMIT"), (-11, "CRASH"), (1, "CRASH")])
def test_a_try_that_is_ended(status, kind, monkeypatch):
    ended = subprocess.CompletedProcess([], status, "", "why")
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: ended)
    found = runner.run(Trial("a", NUMPY, WRONG, JAXNN, True))
    assert found["kind"] == kind and found["message"] == "why" and found["small"] and found["seconds"] == trial.LIMIT


def test_a_try_that_sleeps_is_ended(monkeypatch):
    def sleeps(*args, timeout, **options):
        raise subprocess.TimeoutExpired(args, timeout)

    monkeypatch.setattr(subprocess, "run", sleeps)
    assert runner.run(Trial("a", NUMPY, WRONG, JAXNN))["kind"] == "LIMIT"


def test_an_unknown_name_is_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        program.main(["gradbugs", "--only", "c_15,nobody"])
    assert caught.value.code == 2 and "--only: got nobody, expected any of a02" in capsys.readouterr().err


def test_the_list_that_is_held_out_is_asked_for(capsys):
    with pytest.raises(SystemExit):
        program.main(["gradbugs", "--held-out", "--only", GIVEN[0]])
    assert f"got {GIVEN[0]}, expected any of {HELD_OUT[0]} to {HELD_OUT[-1]}" in capsys.readouterr().err
