"""Tests for `jaxnn/trace/explain.py`."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.networks import cnn
from jaxnn.trace import explain
from tests.trace.networks import PARAMS, RNG, X, network


def f(x):
    a = x**2
    b = jnp.exp(a)
    c = a + b
    d = jnp.sqrt(c)
    e = jnp.cos(c)
    return d + e


# The lecture's section 3 at x = 2, every digit that it prints.
VALUES = {"x": "2", "a": "4", "b": "54.59815", "c": "58.59815", "d": "7.654943", "e": "-0.4606132", "f": "7.19433"}
SLOPES = {
    ("a", "x"): ("2 x", "4"),
    ("b", "a"): ("e^a", "54.59815"),
    ("c", "a"): ("1", "1"),
    ("c", "b"): ("1", "1"),
    ("d", "c"): ("1/(2 sqrt c)", "0.06531727"),
    ("e", "c"): ("-sin(c)", "-0.887601"),
    ("f", "d"): ("1", "1"),
    ("f", "e"): ("1", "1"),
}
ADJOINTS = {"f": "1", "e": "1", "d": "1", "c": "-0.8222837", "b": "-0.8222837", "a": "-45.71745", "x": "-182.8698"}


@pytest.mark.parametrize("f", [f, jax.jit(f), lambda x: jnp.sqrt(x**2 + jnp.exp(x**2)) + jnp.cos(x**2 + jnp.exp(x**2))])
def test_the_lectures_tables_to_the_digit(f):
    rows = {row.name: row for row in explain(f, 2.0).rows}
    assert {name: f"{float(row.value):.7g}" for name, row in rows.items()} == VALUES
    assert {name: f"{float(row.adjoint):.7g}" for name, row in rows.items()} == ADJOINTS
    slopes = {(row.name, s.parent): (s.formula.text, f"{s.value:.7g}") for row in rows.values() for s in row.slopes}
    assert slopes == SLOPES
    assert [(t.child, f"{t.factors[0]:.7g}", f"{t.factors[1]:.7g}") for t in rows["c"].terms] == [
        ("d", "1", "0.06531727"),
        ("e", "1", "-0.887601"),
    ]


def test_pythons_numbers_are_double_and_arrays_keep_their_precision():
    with jax.enable_x64(False):
        assert f"{float(explain(f, 2.0).row('x').adjoint):.7g}" == "-182.8698"
        assert explain(f, jnp.float32(2)).row("x").adjoint.dtype == np.float32


def test_a_value_used_twice_by_one_operation_has_two_slopes():
    rows = explain(lambda x: x * x, 3.0).rows
    assert [s.value for s in rows[1].slopes] == [3, 3]
    assert [t.value for t in rows[0].terms] == [3, 3]
    assert rows[0].adjoint == 6


VECTOR = np.array([1.5, 0.3, 2.0, -0.7])
MATRIX = RNG.normal(size=(3, 3))

FUNCTIONS = {
    "network": (network, (PARAMS, X, jax.random.key(0))),
    "sums": (lambda x: jnp.sum(jnp.cumsum(x) * jnp.concatenate([x[1:], x[:1]])) + jnp.prod(x), (VECTOR,)),
    "norms": (lambda x: jnp.linalg.norm(x) + jax.scipy.special.logsumexp(x) + jnp.clip(x, 0.0, 1.0).sum(), (VECTOR,)),
    "order": (lambda x: jnp.sort(x)[-1] * jnp.max(x) - jnp.min(x), (VECTOR,)),
    "places": (
        lambda x: x[jnp.array([0, 2])].sum() + jax.lax.dynamic_slice(x, (1,), (2,))[0] + x.at[0].add(2.0)[0],
        (VECTOR,),
    ),
    "solve": (lambda a, b: jnp.linalg.solve(a, b)[0] + jnp.linalg.det(a), (MATRIX, VECTOR[:3])),
    "vmap": (lambda x: jax.vmap(lambda a: jnp.sin(a) ** 2)(x).mean(), (VECTOR,)),
    "second": (lambda x: jax.grad(lambda y: jnp.sin(y) * y**3)(x), (1.2,)),
    "stop": (lambda x: x * jax.lax.stop_gradient(x), (2.0,)),
    "itself": (lambda x: x, (2.0,)),
    "empty": (lambda x: jnp.sum(x) + jnp.sum(x[:0]), (VECTOR,)),
    "half": (lambda x: jnp.sum(jnp.exp(x) / 3), (jnp.arange(4, dtype=jnp.bfloat16),)),
    "attention": (lambda q: jnp.sum(jnp.einsum("ij,kj->ik", jax.nn.softmax(q @ q.T), q) ** 3), (MATRIX,)),
}


SLOW = {"solve", "attention", "norms", "sums"}  # what they hold is in the network and in a test of test_opened.py too


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in FUNCTIONS]
)
def test_adjoints_equal_autodiff_and_check_themselves(name):
    f, args = FUNCTIONS[name]
    expected = jax.tree.leaves(jax.jit(jax.grad(f))(*args))
    for fold in (True, False):
        explanation = explain(f, *args, fold=fold)
        arguments = [row for row in explanation.rows if row.formula is None]
        for row, true in zip(arguments, expected, strict=False):
            np.testing.assert_allclose(np.asarray(row.adjoint, float), np.asarray(true, float), rtol=1e-9, atol=1e-14)
        assert {row.check.kind for row in explanation.rows if row.check} == {"ok"}, f"folded: {fold}"


def test_terms_add_up_to_the_adjoint(explained_network):
    for row in explained_network.rows:
        if row.terms:
            assert math.isclose(sum(t.value for t in row.terms), row.adjoint[row.entry], rel_tol=1e-12, abs_tol=1e-15)


def test_names_come_from_the_source(explained_network):
    names = [row.name for row in explained_network.rows]
    assert names[:5] == ["params.0.0", "params.0.1", "params.1.0", "params.1.1", "x"]
    assert {"h", "h_2", "h_3", "network"} <= set(names)


def dense(p, x):
    return jnp.sum(jnp.tanh(x @ p["W"] + p["b"][None]) ** 2)


def test_the_entry_asked_for_is_shown_and_followed():
    params = {"W": RNG.normal(size=(3, 2)), "b": RNG.normal(size=2)}
    explanation = explain(dense, params, X, entry={"W": (2, 1)})
    assert explanation.row("W").entry == (2, 1)
    product = explanation.row("a")
    assert product.entry[1] == 1
    (slope,) = (s for s in product.slopes if s.parent == "W")
    assert slope.value == X[product.entry[0], 2]
    with pytest.raises(InvalidArgument, match=r"entry: got W\[3, 0\], expected an index into shape \(3, 2\)"):
        explain(dense, params, X, entry={"W": (3, 0)})
    with pytest.raises(InvalidArgument, match="entry: got 'V', expected the name of a row: W, b, x"):
        explain(dense, params, X, entry={"V": (3, 0)})


def test_one_number_of_several_can_be_explained():
    assert explain(lambda x: (x**2, x**3), 2.0, output=1).rows[0].adjoint == 12
    np.testing.assert_array_equal(explain(lambda x: x**2, VECTOR, output=(2,)).rows[0].adjoint, [0, 0, 4, 0])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: explain(3, 2.0), "f: got 3, expected a function"),
        (lambda: explain(f), "args: got no arguments"),
        (lambda: explain(f, 2), "args: got x = 2, expected a floating-point number"),
        (lambda: explain(f, "2"), "x: got str '2', expected an array or a real number"),
        (lambda: explain(f, 2j), "x: got complex 2j"),
        (lambda: explain(f, 2.0, 3.0), "args: got 2 of them, but"),
        (lambda: explain(f, VECTOR), r"output: got a result of shape \(4,\), expected the index of one number"),
        (lambda: explain(f, VECTOR, output=(4,)), r"output: got \(4,\)"),
        (lambda: explain(lambda x: (x, x), 2.0), "output: got 2 results of f"),
        (lambda: explain(lambda x: (x, x), 2.0, output=2), "output: got 2, expected the number of one of 2 results"),
        (lambda: explain(lambda x: 3.0, 2.0), "output: got a result that is always 3.0"),
        (lambda: explain(lambda x: x > 1, 2.0), "output: got a result of dtype bool"),
        (lambda: explain(jnp.fft.fft, VECTOR, output=0), "output: got a result of dtype complex128"),
    ],
)
def test_bad_input_says_what_to_do(call, message):
    with pytest.raises(InvalidArgument, match=message):
        call()


def test_the_first_nan_is_named_both_ways():
    def g(x):
        a = jnp.log(x)
        b = a - 1.0
        c = jnp.sqrt(b)
        return c * 2.0

    explanation = explain(g, 0.5)  # log 0.5 - 1 < 0
    assert (explanation.first_bad_value, explanation.first_bad_adjoint) == ("c", "b")
    assert explanation.row("c").line.startswith("c = jnp.sqrt(b)  (test_explain.py:")
    explanation = explain(jnp.sqrt, 0.0)  # infinite slope, finite value
    assert (explanation.first_bad_value, explanation.first_bad_adjoint) == ("", "x")


@pytest.mark.slow
def test_the_whole_cnn_stays_readable(explained_cnn):
    params, x, y, explanation = explained_cnn
    operations = [row for row in explanation.rows if row.formula]
    assert len(operations) <= 22
    assert {"a = conv(x, W1)", "pooled = max_pool(z2)"} <= {f"{r.name} = {r.formula.text}" for r in operations}
    for name, gradient in jax.jit(jax.grad(cnn.loss))(params, x, y).items():
        np.testing.assert_allclose(explanation.row(name).adjoint, gradient, rtol=1e-9, atol=1e-14)
    assert not {row.check.kind for row in explanation.rows if row.check} & {"differs", "unsure"}


def test_a_long_function_is_cut_in_the_middle():
    def g(x):
        for _ in range(50):
            x = jnp.sin(x)
        return x

    explanation = explain(g, 1.0, limit=10, check=False)
    assert (len(explanation.rows), explanation.hidden) == (20, 31)
    assert explanation.rows[0].adjoint == pytest.approx(jax.grad(g)(1.0))


def test_a_random_key_may_come_before_the_first_number():
    def f(key, x):
        return jnp.sum(x * jax.random.normal(key, x.shape))

    assert {row.check.kind for row in explain(f, jax.random.key(0), jnp.ones(3)).rows if row.check} == {"ok"}


def test_adjoints_of_what_is_rounded_to_bfloat16_on_the_way_are_right_in_its_digits():
    def f(x, w):
        return jnp.sum((x.astype(jnp.bfloat16) @ w.astype(jnp.bfloat16)).astype(jnp.float32) ** 2)

    x, w = (jax.random.normal(jax.random.key(k), s, jnp.float32) for k, s in enumerate([(4, 8), (8, 3)]))
    assert {row.check.kind for row in explain(f, x, w).rows if row.check} == {"ok"}


def test_what_is_done_in_complex_numbers_is_one_row():
    def energy(x):
        y = jnp.exp(x)
        a = jnp.fft.fft(x)
        power = jnp.abs(a) ** 2
        again = jnp.real(jnp.fft.ifft(a * jnp.sqrt(power)))  # complex once more, and real on the way
        return jnp.sum(power) + 0 * jnp.sum(again * y)

    x = np.array([0.3, -1.2, 0.7, 2.0, 0.1])
    explanation = explain(energy, x)
    np.testing.assert_allclose(explanation.row("x").adjoint, 2 * len(x) * x)  # by Parseval
    assert not any(jnp.iscomplexobj(row.value) for row in explanation.rows)
    assert {row.check.kind for row in explanation.rows if row.check} == {"ok"}
    power = explain(lambda x: jnp.sum(jnp.abs(jnp.fft.fft(x)) ** 2), x)
    assert "fft_abs(x)" in str(power)


def test_adjoints_that_cancel_are_right_but_for_their_rounding():
    x = jax.random.normal(jax.random.key(0), (4,), jnp.float32)  # the shift of a softmax, whose adjoint is 0
    rows = {row.name: row for row in explain(lambda x: jax.nn.log_softmax(x)[1], x, depth=2).rows}
    shift = next(row for row in rows.values() if "stop_gradient" in str(row.formula and row.formula.text))
    assert 0 < abs(np.max(shift.adjoint)) < 1e-6  # of terms that are up to 1
    assert {row.check.kind for row in rows.values() if row.check} == {"ok"}


def test_an_infinity_that_harms_nothing_is_not_pointed_at():
    def attention(scores):
        masked = jnp.where(jnp.tril(jnp.ones((3, 3), bool)), scores, -jnp.inf)
        return jnp.sum(jax.nn.softmax(masked) ** 2)

    explanation = explain(attention, MATRIX[:3, :3])
    assert (explanation.first_bad_value, explanation.first_bad_adjoint) == ("", "")
    harmed = explain(lambda x: jnp.where(x > 1, x, -jnp.inf).sum(), jnp.array([0.5, 2.0]))
    assert harmed.first_bad_value


def test_functions_among_the_arguments_are_no_numbers():
    module = {"w": VECTOR, "activation": jnp.tanh}  # as a module of equinox has them
    explanation = explain(lambda m, x: jnp.sum(m["activation"](m["w"] * x)), module, 0.5)
    expected = 0.5 / np.cosh(VECTOR * 0.5) ** 2
    np.testing.assert_allclose(explanation.row("w").adjoint, expected)


def test_a_backward_pass_with_a_loop_is_no_error():
    @jax.custom_vjp
    def cube(x):
        return x**3

    def backward(x, g):  # 3 x^2 g, in a loop that JAX cannot differentiate in reverse
        return (jax.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] + g * x**2), (0, 0 * x))[1],)

    cube.defvjp(lambda x: (x**3, x), backward)
    assert explain(lambda x: jnp.sin(cube(x)), 1.5).row("x").adjoint == pytest.approx(np.cos(1.5**3) * 3 * 1.5**2)
