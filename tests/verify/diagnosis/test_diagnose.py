"""Tests for `diagnosis/diagnose.py`: where and why; and where that cannot be found the verdict stands without."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.core import Tracer

from jaxnn.errors import InvalidArgument
from jaxnn.references import load
from jaxnn.verify import check, check_rule

W = np.array([0.4, -1.1, 2.0])


def test_without_source_the_verdict_and_the_cause_stand_alone():
    names = {}
    exec("def grad(w):\n    return -np.cos(np.asarray(w))", {"np": np}, names)
    found = check(lambda w: jnp.sum(jnp.sin(w)), names["grad"], W)
    assert found.kind == "FAIL" and "sign" in found.cause and "no repair was found" in found.cause


def test_a_function_that_cannot_be_watched_still_gets_its_verdict():
    def moody(w):
        if sys.gettrace() is not None:
            raise RuntimeError("not while I am watched")
        return -jnp.cos(w)

    found = check(lambda w: jnp.sum(jnp.sin(w)), moody, W)
    assert found.kind == "FAIL" and found.expected == -found.actual


def test_numbers_drawn_while_tracing_make_a_gradient_random():
    rng = np.random.default_rng(0)

    def noisy(w):
        if isinstance(w, Tracer):
            return jnp.cos(w) + 1e-3 * rng.normal(size=w.shape)
        return jnp.cos(w)

    found = check(lambda w: jnp.sum(jnp.sin(w)), noisy, W)
    assert found.kind == "RANDOM" and found.leaf == "w"


def test_a_rule_of_its_own_in_the_loss_is_named_where_differences_contradict_autodiff():
    @jax.custom_jvp
    def step(w):
        return jnp.sin(w)

    step.defjvp(lambda primals, tangents: (step(*primals), 3 * tangents[0]))

    def loss(w):
        return jnp.sum(step(w))

    def by_hand(w):
        return 3 * jnp.ones_like(w)

    found = check(loss, by_hand, W)
    assert found.kind == "FAIL" and found.witness == "central differences"
    assert "custom_jvp" in found.cause and "test_diagnose.py" in found.cause


def test_the_first_infinity_is_named_even_where_the_end_is_nan():
    def shifted(z):
        big = jnp.exp(800 + z)
        small = big / (1 + big)
        return small

    found = check(lambda z: jnp.sum(jax.nn.softplus(800 + z)), shifted, W)
    assert found.kind == "NONFINITE" and found.line.startswith("big = jnp.exp(800 + z)")
    assert "infinity" in found.cause and found.index == (0,)


def test_a_gradient_of_another_dtype_is_refused_with_the_line_it_comes_from():
    def cast(w):
        cosine = jnp.cos(w).astype(jnp.float16)
        return cosine

    with pytest.raises(InvalidArgument, match=r"w: got dtype float16, .*float16 first appears in cosine = jnp.cos"):
        check(lambda w: jnp.sum(jnp.sin(w)), cast, W)


HEAD = """
import numpy as np

def loss(p, x, y):
    out = np.zeros_like(y)
    for i in range(len(x)):
        out[i] = np.tanh(x[i] @ p["w"] + p["b"])
    return np.mean((out - y) ** 2) + 0.3 * np.sum(p["w"] ** 2) / 2
"""
LOOP = """
def grad(p, x, y):
    dw, db = 0.3 * p["w"], np.zeros_like(p["b"])
    for i in range(len(x)):
        h = np.tanh(x[i] @ p["w"] + p["b"])
        dz = 2 * (h - y[i]) / y.size * (1 - h**2)
        dw += np.outer(x[i], dz)
        db += dz
    return {"w": dw, "b": db}
"""
AT_ONCE = """
def backward(dh, h):
    return dh * (1 - h**2)

def grad(p, x, y):
    h = np.tanh(x @ p["w"] + p["b"])
    dz = backward(2 * (h - y) / y.size, h)
    return {"w": x.T @ dz + 0.3 * p["w"], "b": dz.sum(axis=0)}
"""
IN_JAX = (
    HEAD.replace("numpy", "jax.numpy")
    .replace("out = np.zeros_like(y)", "out = y")
    .replace('out[i] = np.tanh(x[i] @ p["w"] + p["b"])', 'out = np.tanh(x @ p["w"] + p["b"])')
)


@pytest.mark.parametrize(
    ("head", "grad", "right", "wrong"),
    [
        (HEAD, LOOP, "db += dz", "db = dz"),
        pytest.param(HEAD, LOOP, "/ y.size", "/ len(y)", marks=pytest.mark.slow),
        pytest.param(HEAD, AT_ONCE, 'x.T @ dz + 0.3 * p["w"]', "x.T @ dz", marks=pytest.mark.slow),
        pytest.param(HEAD, AT_ONCE, "dh * (1 - h**2)", "dh * (1 - h)", marks=pytest.mark.slow),
        pytest.param(IN_JAX, AT_ONCE, "dh * (1 - h**2)", "dh * (1 - dh**2)", marks=pytest.mark.slow),
    ],
)
def test_the_file_is_right_with_the_patch(tmp_path, monkeypatch, head, grad, right, wrong):
    assert grad.count(right) == 1
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.py").write_text(head + grad.replace(right, wrong))
    rng = np.random.default_rng(0)
    args = {"w": rng.normal(size=(3, 2)), "b": rng.normal(size=2)}, rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    found = check(load("wrong.py:loss"), load("wrong.py:grad"), *args)
    assert found.kind == "FAIL" and "wrong.py" in found.line
    subprocess.run(["patch", "-p0"], input=found.patch, text=True, check=True, cwd=tmp_path, capture_output=True)
    (tmp_path / "wrong.py").rename("mended.py")
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    assert check(load("mended.py:loss"), load("mended.py:grad"), *args).kind == "PASS"


BOTH = """
import numpy as np

def both(p, x, y):
    h = np.tanh(x @ p)
    n = len(y)
    d = 2 * np.where(h > 0, h - y, 0.5 * (h - y)) * (1 - h**2) / n
    return np.mean(np.where(h > 0, (h - y) ** 2, 0.5 * (h - y) ** 2)), x.T @ d

def loss(p, x, y):
    return both(p, x, y)[0]

def grad(p, x, y):
    return both(p, x, y)[1]
"""


def test_a_line_that_the_loss_runs_and_does_not_depend_on_is_mended(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "both.py").write_text(BOTH.replace("(1 - h**2)", "(1 - h)"))
    rng = np.random.default_rng(0)
    verdict = check(
        load("both.py:loss"), load("both.py:grad"), rng.normal(size=3), rng.normal(size=(5, 3)), rng.normal(size=5)
    )
    assert verdict.line.startswith("d = 2 * np.where") and "(1 - h ** 2)" in verdict.patch


COUNTS = """
import numpy as np

def loss(p, x, y):
    return np.sum(np.exp(x @ p) - y * (x @ p))

def grad(p, x, y):
    rest = np.zeros_like(y)
    for i in range(len(y)):
        rest[i] = np.exp(x[i] @ p) - y[i]
    return np.sum(x.T * rest, axis=1)

def whole(p, x, y):
    return grad(p, x, y).astype(int)
"""


def test_a_buffer_of_whole_numbers_and_a_gradient_in_them_are_mended(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "counts.py").write_text(COUNTS)
    (tmp_path / "cast.py").write_text(COUNTS.replace("np.zeros_like(y)", "np.zeros(len(y))"))
    rng = np.random.default_rng(0)
    args = rng.normal(size=3), rng.normal(size=(5, 3)), np.array([0, 2, 1, 4, 1])
    buffer = check(load("counts.py:loss"), load("counts.py:grad"), *args)
    assert buffer.line.startswith("rest = np.zeros_like(y)") and "dtype=float" in buffer.patch
    cast = check(load("cast.py:loss"), load("cast.py:whole"), *args)
    assert cast.line.startswith("return grad(p, x, y).astype(int)") and "-    return grad(p, x, y).astype" in cast.patch


@pytest.mark.slow
def test_two_leaves_wrong_in_two_lines_have_one_patch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = HEAD + LOOP.replace('dw, db = 0.3 * p["w"],', 'dw, db = np.zeros_like(p["w"]),')
    text = text.replace('return {"w": dw, "b": db}', 'g = {}\n    g["w"] = dw\n    g["b"] = 2 * db\n    return g')
    (tmp_path / "two.py").write_text(text)
    rng = np.random.default_rng(0)
    args = {"w": rng.normal(size=(3, 2)), "b": rng.normal(size=2)}, rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    found = check(load("two.py:loss"), load("two.py:grad"), *args)
    assert [line[1:].strip() for line in found.patch.splitlines() if line[0] == "+"][1:] == [
        "g[\"w\"] = dw + 0.3 * p['w']",
        'g["b"] = db',
    ]


def test_an_epsilon_that_a_formula_leaves_out_has_no_repair_but_a_tolerance():
    def loss(p):
        return -jnp.sum(jnp.log(p + 1e-12))

    def grad(p):
        dp = -1 / p
        return dp

    p = np.array([0.3, 1.1, 2.7])
    verdict = check(loss, grad, p)
    assert verdict.kind == "FAIL" and not verdict.patch and "tolerance=" in verdict.cause
    assert check(loss, grad, p, tolerance=1e-10)


def test_in_few_digits_no_repair_is_shown():
    def f(x):
        return jnp.sin(x)

    def backward(x, g):
        dx = g * jnp.sin(x)
        return (dx,)

    x = jnp.array([0.3, -1.2, 2.0, 0.7])
    rule = f, lambda x: (f(x), x), backward
    in_full = check_rule(*rule, x)
    assert in_full.patch and "no repair" not in in_full.note

    def in_few(x):
        return f(x.astype(jnp.bfloat16))

    def rounded(x, g):
        dx = (g * jnp.sin(x).astype(jnp.bfloat16)).astype(x.dtype)
        return (dx,)

    few = check_rule(in_few, lambda x: (in_few(x), x), rounded, x)
    assert few.kind == "FAIL" and not few.patch and "no repair is shown" in few.note


def test_what_is_right_in_float64_is_not_run_there_round_by_round_to_find_a_mistake():
    run_one_by_one = []

    def total(w, x):
        return jnp.broadcast_to(w, x.shape)

    def stalls(shape, g):
        def add(so_far, v):
            run_one_by_one.append(not isinstance(v, Tracer))
            return so_far + v, None

        return jax.lax.scan(add, jnp.zeros((), g.dtype), g)[0], jnp.zeros(shape, g.dtype)

    x = jnp.ones(1200, jnp.bfloat16)  # of whose sum bfloat16, with 8 digits, cannot hold more than 512 of one sign
    verdict = check_rule(total, lambda w, x: (total(w, x), x.shape), stalls, jnp.ones((), jnp.bfloat16), x)
    assert verdict.kind == "FAIL" and verdict.witness == "float64" and "digits in bfloat16" in verdict.cause
    assert not any(run_one_by_one)


def test_a_loop_that_holds_float32_alone_has_its_wrong_line():
    def f(x):
        def add(total, row):
            return total + row**2, None

        return jax.lax.scan(add, jnp.zeros(2, jnp.float32), x)[0]

    def backward(x, g):
        dx = -2 * x * g[None]
        return (dx,)

    found = check_rule(f, lambda x: (f(x), x), backward, jnp.array([[0.3, -1.2], [2.0, 0.7]], jnp.float32))
    assert found.kind == "FAIL" and found.line.startswith("dx = -2 * x * g[None]") and "sign" in found.cause


TABLE = [(0.5, 1.0), (1.5, 2.0), (2.5, 3.0)]


def in_a_list(p, x):
    parts = [0.0] * len(TABLE)
    for k, (scale, shift) in enumerate(TABLE):
        parts[k] = -scale * (scale * p * x + shift)
    return np.sum(parts, axis=0)


def test_nothing_is_written_into_what_the_user_has_at_the_top_of_a_module():
    def loss(p, x):
        return sum(np.sum((scale * p * x + shift) ** 2 / 2) for scale, shift in TABLE)

    before = list(TABLE)
    verdict = check(loss, in_a_list, np.array([0.3, -0.7]), np.array([1.1, 0.4]))
    assert verdict.kind == "FAIL" and TABLE == before
