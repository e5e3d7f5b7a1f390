"""Tests for `jaxnn/trace/opened.py`: calls, branches, loops and hand-written rules, closed and looked into."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnn.trace import explain


@jax.custom_vjp
def square(x):
    return x * x


def square_fwd(x):
    return x * x, (x, 2 * x)


def square_bwd(residuals, g):
    _, slope = residuals
    return (slope * g,)


square.defvjp(square_fwd, square_bwd)


@jax.jit
def wave(x):
    return jnp.sin(x) * x


def recurrent(w, xs):
    def step(h, x):
        z = w * h + x
        h = jnp.tanh(z)
        return h, h

    _, hs = lax.scan(step, 0.5, xs)
    return jnp.sum(hs**2)


XS = np.array([-0.5, 0.3, -0.2, 1.5])
CASES = {
    "jit": (lambda x: wave(x) + 1.0, (1.3,), "wave", {"sin(x)"}),
    "remat": (lambda x: jax.checkpoint(lambda y: jnp.sin(y) * y)(x), (1.3,), "remat2", {"sin(x)"}),
    "custom_jvp": (lambda x: jax.nn.relu(x) * x, (1.3,), "relu", set()),
    "custom_vjp": (lambda x: square(x) * x, (1.3,), "square", set()),
    "cond": (lambda x: lax.cond(x > 1, jnp.sin, jnp.cos, x) * x, (1.3,), "cond", {"sin(x)"}),
    "switch": (lambda x: lax.switch(1, [jnp.sin, jnp.cos], x) * x, (1.3,), "cond", {"cos(x)"}),
    "scan": (recurrent, (0.7, XS), "scan", {"tanh(z[0])", "tanh(z[3])", "xs[3]"}),
    "reversed": (lambda x: lax.scan(lambda h, t: (h * t + x, h), x, XS, reverse=True)[0], (0.7,), "scan", set()),
    "fori": (lambda x: lax.fori_loop(0, 3, lambda i, h: h * x, x), (1.3,), "scan", set()),
    "map": (lambda x: jnp.sum(lax.map(lambda a: a**3, x)), (XS,), "scan", set()),
}


SLOW = {"switch", "reversed", "fori", "remat"}  # which are a cond, a scan, a scan and a jit to what opens them


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in CASES])
def test_closed_and_opened_have_the_same_adjoints(name):
    f, args, call, inside = CASES[name]
    expected = jax.grad(f)(*args)
    for explanation in (
        explain(f, *args),
        explain(f, *args, open=[call], limit=50),
        explain(f, *args, depth=3, limit=50),
    ):
        np.testing.assert_allclose(explanation.rows[0].adjoint, expected, rtol=1e-12)
        assert {row.check.kind for row in explanation.rows if row.check} == {"ok"}
    formulas = {row.formula.text for row in explain(f, *args, open=[call], limit=50).rows if row.formula}
    assert inside <= formulas


def doubled(x):
    return lax.while_loop(lambda h: h < 100, lambda h: 2 * h, jnp.exp(x))


@pytest.mark.parametrize("open", [[], ["while"]])
def test_a_while_loop_has_adjoints_by_its_rounds(open):
    # exp(1.3) = 3.67 is doubled five times to pass 100: the derivative is 32 exp(1.3); reverse mode has none of it.
    explanation = explain(doubled, 1.3, open=open)
    assert float(explanation.rows[0].adjoint) == pytest.approx(32 * np.exp(1.3))
    assert {row.check.kind for row in explanation.rows} == {"ok"}
    assert len({row.loop[1] for row in explanation.rows if row.loop}) == (5 if open else 0)


def test_a_closed_branch_is_the_one_taken():
    row = explain(CASES["cond"][0], 1.3).rows[1]
    assert row.formula.text == "branch_1(x)"


def test_an_opened_loop_is_a_table_with_a_column_for_each_round():
    text = str(explain(recurrent, 0.7, XS, open=["scan"], limit=50))
    assert "h[i] = tanh(z[i])" in text
    assert any(line.split() == ["in", "round", "i", "0", "1", "2", "3"] for line in text.splitlines())
    assert "b[i] = w * h[i-1]" in text


def test_a_hand_written_rule_shows_its_own_backward():
    explanation = explain(lambda x: square(x) * x, 3.0, open=["square"])
    (inside,) = explanation.insides
    assert inside.name == "square"
    backward = {row.formula.text: float(row.value) for row in inside.backward if row.formula}
    assert list(backward.values()) == [18.0]  # slope 6 times the cotangent 3
    forward = {row.name: row.formula.text for row in inside.forward if row.formula}
    assert forward["b"] == "2 * x" and list(backward) == ["b * g"]  # the residual goes by its name in the forward


def test_a_wrong_rule_differs_from_the_function():
    @jax.custom_vjp
    def wrong(x):
        return x**3

    wrong.defvjp(lambda x: (x**3, x), lambda x, g: (2 * x**2 * g,))
    explanation = explain(lambda x: wrong(x * 1.0), 2.0)
    assert explanation.rows[0].check.kind == "differs"
    assert explanation.rows[0].check.adjoint == 8
    assert explanation.rows[0].check.difference == pytest.approx(12)
    assert "adjoint 8, by differences 12" in str(explanation)


def test_an_operation_without_a_rule_is_named():
    def called_back(x):
        y = jax.pure_callback(np.sin, jax.ShapeDtypeStruct((), x.dtype), x)
        return y * x

    explanation = explain(called_back, 1.0)
    assert [line.split(":")[0] for line in explanation.missing] == ["pure_callback"]
    assert "No derivative passes through pure_callback" in str(explanation)
    assert explanation.rows[0].check.kind == "differs"


def test_a_print_is_made_once(capfd):
    def printed(x):
        jax.debug.print("x is {}", x)
        return x * x

    explain(printed, 3.0)
    jax.effects_barrier()
    assert capfd.readouterr().out.count("x is 3.0") == 1


def test_platform_dependent_code_is_shown_in_its_default_form():
    def f(x):
        return jax.lax.platform_dependent(x, cpu=lambda x: x * x, default=lambda x: x**2) + 1.0

    assert [row.formula.text for row in explain(f, 3.0).rows[1:]] == ["x^2", "a + 1"]
    assert {row.check.kind for row in explain(jax.jit(f), 3.0).rows} == {"ok"}


@pytest.mark.slow
def test_a_decomposition_is_checked_in_double():
    def f(x):
        return jnp.log(jnp.diag(jnp.linalg.cholesky(x @ x.T + jnp.eye(3)))).sum()

    x = np.random.default_rng(0).normal(size=(3, 3))
    explanation = explain(f, x)
    np.testing.assert_allclose(explanation.rows[0].adjoint, jax.grad(f)(x), rtol=1e-12)
    assert {row.check.kind for row in explanation.rows if row.check} == {"ok"}
