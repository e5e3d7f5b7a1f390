"""Every gradient of the table against autodiff, entry by entry, at every point; and the table misses none.

Expected values are those of `jax.vjp` and `jax.grad` of the same function. That they are right in themselves is for the
other witnesses of `jaxnn verify`, before which one network and one rule are brought here, and all in a slow test.
"""

import ast
import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import losses, networks, ops
from jaxnn.gradients import Rule, rows
from jaxnn.verify import check, check_rule
from jaxnn.verify.evaluation import FAST

ROWS = {row.title: row for row in rows()}
RULES = [title for title, row in ROWS.items() if isinstance(row.functions(), Rule)]
# Their options take seconds each to compile.
OPTIONS = ("cnn", "conv2d", "mlp", "r_neuralnet")
EXPENSIVE = [title for title, row in ROWS.items() if row.variant and row.name.startswith(OPTIONS)][:-1]
EXPENSIVE += ["cnn.features_bwd", "blocks.features_bwd"]  # tests/networks/test_cnn.py holds them against each other
EXPENSIVE += ["whitened.features_bwd", "phases.features_bwd"]  # and test_whitened.py these
every_row = pytest.mark.parametrize(
    "title", [pytest.param(title, marks=[pytest.mark.slow] * (title in EXPENSIVE)) for title in ROWS]
)


def floating(args):
    """Return which arguments have cotangents."""
    return [i for i, arg in enumerate(args) if all(jnp.issubdtype(v.dtype, np.floating) for v in jax.tree.leaves(arg))]


def by_hand(functions):
    """Return the output and the cotangents of the floating arguments, or the gradient by the first one."""
    if not isinstance(functions, Rule):
        return lambda args, g: functions.grad(*args)

    def cotangents(args, g):
        out, residuals = functions.f_fwd(*args)
        given = functions.f_bwd(residuals, g)
        assert [i for i, cotangent in enumerate(given) if cotangent is not None] == floating(args)
        return out, [cotangent for cotangent in given if cotangent is not None]

    return cotangents


def by_autodiff(functions):
    """Return the same by autodiff."""
    if not isinstance(functions, Rule):
        return lambda args, g: jax.grad(functions.loss)(*args)

    def cotangents(args, g):
        where = floating(args)

        def f(*chosen):
            given = dict(zip(where, chosen, strict=True))
            return functions.f(*(given.get(i, arg) for i, arg in enumerate(args)))

        out, pull = jax.vjp(f, *(args[i] for i in where))
        return out, list(pull(g))

    return cotangents


def cotangent(functions, args):
    """Return a cotangent of the output of both signs, some entries beyond 1; None where the output is a loss."""
    if not isinstance(functions, Rule):
        return None
    shape = jax.eval_shape(functions.f, *args).shape
    return np.random.default_rng(len(shape)).normal(size=shape) * 3


def assert_same(found, expected, where, rtol=1e-12):
    assert jax.tree.structure(found) == jax.tree.structure(expected), where
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype, where
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(1, np.abs(b).max(initial=0)), err_msg=where)


def compiled(*several):
    """Return the functions as one program, which compiles faster than several, and quickly: it runs once."""
    return jax.jit(lambda *args: tuple(f(*args) for f in several), compiler_options=FAST)


@every_row
def test_every_entry_is_that_of_autodiff(title):
    functions, points = ROWS[title].functions(), ROWS[title].points()
    both = compiled(by_hand(functions), by_autodiff(functions))
    for name, args in points.items():
        assert_same(*both(args, cotangent(functions, args)), f"{title}, at {name}")


def test_the_precision_of_the_arguments_is_kept():
    for title, row in ROWS.items():
        functions, args = row.functions(), row.points()["std"]
        args, g = jax.tree.map(in_float32, (args, cotangent(functions, args)))
        found = jax.eval_shape(by_hand(functions), args, g)
        assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype(np.float32)}, title


def in_float32(leaf):
    return leaf.astype(np.float32) if jnp.issubdtype(leaf.dtype, np.floating) else leaf


@pytest.mark.parametrize("title", [title for title in RULES if not ROWS[title].variant])
def test_custom_vjp_takes_the_rule_as_it_stands(title):
    functions, args = ROWS[title].functions(), ROWS[title].points()["std"]
    rule = jax.custom_vjp(functions.f)
    rule.defvjp(*functions[1:])

    def mapped(f):
        def total(*moving):
            return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(f(*moving, *args[1:])))

        return jax.vmap(jax.grad(total))

    two = jax.tree.map(lambda leaf: np.stack([leaf, 2 * leaf]), args[0])
    assert_same(*compiled(mapped(rule), mapped(functions.f))(two), title)


@pytest.mark.parametrize("title", ["linear.value_and_grad", "softmax_cross_entropy"])
def test_the_witnesses_agree(title):
    functions, point = ROWS[title].functions(), ROWS[title].points()["std"]
    verdict = (check_rule if isinstance(functions, Rule) else check)(*functions, *point)
    assert verdict.kind == "PASS", str(verdict)


@pytest.mark.slow
def test_jaxnn_verify_finds_every_gradient_right():
    done = subprocess.run([sys.executable, "-m", "jaxnn", "verify", "--json"], capture_output=True, text=True)
    rows = json.loads(done.stdout)["rows"]
    assert done.returncode == 0 and len(rows) == len(ROWS)
    assert {row["kind"] for row in rows} <= {"PASS", "KINK"} and all(row["ok"] for row in rows)


# The table is complete.


def gradients_of(module):
    """Return the public functions of a module that give a gradient, read from its source."""
    tree = ast.parse(inspect.getsource(module))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    return {name for name in names if name.endswith(("_and_grad", "_bwd")) or name == "backward"}


def test_every_rule_of_the_operations_and_losses_is_in_the_table():
    rules = {name.removesuffix("_bwd") for module in (ops, losses) for name in dir(module) if name.endswith("_bwd")}
    assert len(rules) > 10 and rules <= {row.name for row in ROWS.values()}


def test_every_gradient_of_the_networks_is_in_the_table():
    modules = [importlib.import_module(f"jaxnn.networks.{m.name}") for m in pkgutil.iter_modules(networks.__path__)]
    found = {f"{m.__name__.split('.')[-1]}.{name}" for m in modules for name in gradients_of(m)}
    # What value_and_grad returns a part of.
    found -= {"mlp.metrics_and_grad", "cnn.metrics_and_grad", "whitened.metrics_and_grad"}
    modules = {"linear", "hidden_layer", "mlp", "cnn", "blocks", "whitened", "phases", "on_features"}
    assert {name.split(".")[0] for name in found} == modules
    assert found <= {row.name for row in ROWS.values()}


def test_titles_tell_the_rows_apart_and_points_are_always_the_same():
    assert len(ROWS) == len(list(rows()))
    for row in ROWS.values():
        assert "std" in row.points()
        jax.tree.map(np.testing.assert_array_equal, *jax.tree.map(as_numbers, (row.points(), row.points())))


def as_numbers(leaf):
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


# A comparison that sees nothing would pass: each of these mistakes has to be seen.


def even_split(residuals, g, *, size=(2, 2)):
    x, y = residuals
    equal = x == y.repeat(2, 1).repeat(2, 2)
    n, h, w, c = y.shape
    count = equal.reshape(n, h, 2, w, 2, c).sum(axis=(2, 4))
    return (jnp.where(equal, (g / count).repeat(2, 1).repeat(2, 2), 0),)


def last_tie(residuals, g, *, size=(2, 2)):
    x, y = residuals
    (dx,) = ops.max_pool_bwd((x[:, ::-1, ::-1], y[:, ::-1, ::-1]), g[:, ::-1, ::-1], size=size)
    return (dx[:, ::-1, ::-1],)


def changed(change):
    """Return the convolution's backward with its three cotangents changed."""
    return lambda residuals, g: change(residuals, g, *ops.conv2d_bwd(residuals, g, padding="same"))


# The row, a wrong backward, and the point that shows it.
PLANTED = {
    "sigmoid: 1 - A missing": ("sigmoid", lambda r, g: (g * r[0],), "std"),
    "sigmoid: tanh's derivative": ("sigmoid", lambda r, g: (g * (1 - r[0] ** 2),), "std"),
    "sigmoid: applied to A again": ("sigmoid", lambda r, g: ops.sigmoid_bwd((ops.sigmoid(r[0]),), g), "std"),
    "tanh: not squared": ("tanh", lambda r, g: (g * (1 - r[0]),), "std"),
    "relu: guided": ("relu", lambda r, g: (g * r[0] * (g > 0),), "std"),
    "relu: leaks": ("relu", lambda r, g: (g * jnp.where(r[0], 1, 1e-9),), "std"),
    "relu: g ignored": ("relu", lambda r, g: (jnp.where(r[0], 1.0, 0.0),), "std"),
    "relu: g clipped": ("relu", lambda r, g: (jnp.clip(g, -1, 1) * r[0],), "std"),
    "softplus: relu's derivative": ("softplus", lambda r, g: (g * (r[0] > 0),), "std"),
    "softplus: a float32 step": (
        "softplus",
        lambda r, g: ((g * ops.sigmoid(r[0].astype(jnp.float32))).astype(g.dtype),),
        "std",
    ),
    "heaviside: passes g": ("heaviside", lambda r, g: (g,), "std"),
    "dense: dW of twice": ("dense", lambda r, g: (g @ r[1].T, 2 * r[0].T @ g, g.sum(0)), "std"),
    "dense: sum over outputs": ("dense", lambda r, g: (g @ r[1].T, r[0].T @ g, g.sum(1)[:3]), "std"),
    "dense: mean over examples": ("dense", lambda r, g: (g @ r[1].T, r[0].T @ g, g.mean(0)), "std"),
    "dense: one bias for all": ("dense", lambda r, g: (g @ r[1].T, r[0].T @ g, jnp.full(3, g.sum())), "std"),
    "dense: 1e-10 off": ("dense", lambda r, g: (g @ r[1].T, r[0].T @ g * (1 + 1e-10), g.sum(0)), "std"),
    "dropout: mask left out": ("dropout", lambda r, g: (g,), "std"),
    "dropout: not scaled up": ("dropout", lambda r, g: (g * (r[0] > 0),), "std"),
    "flatten: columns first": ("flatten", lambda r, g: (g.reshape(2, 6, 4, 2).swapaxes(1, 2),), "std"),
    "flatten: channels first": ("flatten", lambda r, g: (jnp.moveaxis(g.reshape(2, 2, 4, 6), 1, 3),), "std"),
    "flatten: as it comes": ("flatten", lambda r, g: (g,), "std"),
    "conv2d: kernel not turned": (
        "conv2d",
        changed(lambda r, g, dx, dw, db: (ops.conv2d_bwd((r[0], r[1][::-1, ::-1]), g, padding="same")[0], dw, db)),
        "std",
    ),
    "conv2d: dw turned": ("conv2d", changed(lambda r, g, dx, dw, db: (dx, dw[::-1, ::-1], db)), "std"),
    "conv2d: first example's bias": ("conv2d", changed(lambda r, g, dx, dw, db: (dx, dw, g[0].sum((0, 1)))), "std"),
    "conv2d: one entry left out": ("conv2d", changed(lambda r, g, dx, dw, db: (dx, dw.at[1, 1].set(0), db)), "std"),
    "conv2d: border lost": ("conv2d", changed(lambda r, g, dx, dw, db: (dx.at[:, -1].set(0), dw, db)), "std"),
    "conv2d: odd zero at the top": ("conv2d", partial(ops.conv2d_bwd, padding=((1, 0), (1, 0))), "std"),
    "max_pool: ties shared out": ("max_pool", even_split, "tie"),
    "max_pool: last of the ties": ("max_pool", last_tie, "tie"),
    "max_pool: all of the ties": (
        "max_pool",
        lambda r, g: (jnp.where(r[0] == r[1].repeat(2, 1).repeat(2, 2), g.repeat(2, 1).repeat(2, 2), 0),),
        "tie",
    ),
    "sum_squared_error: sign": ("sum_squared_error", lambda r, g: (2 * g * r[0], -2 * g * r[0]), "std"),
    "sum_squared_error: no 2": ("sum_squared_error", lambda r, g: (-g * r[0], g * r[0]), "std"),
    "bernoulli: sigmoid' too many": (
        "bernoulli",
        lambda r, g: (g * (ops.sigmoid(r[0]) - r[1]) * ops.sigmoid(r[0]) * ops.sigmoid(-r[0]), -g * r[0]),
        "std",
    ),
    "softmax_cross_entropy: rows of 1 taken for granted": (
        "softmax_cross_entropy",
        lambda r, g: (g * (jnp.exp(r[0]) - r[1]), -g * r[0]),
        "soft",
    ),
    "softmax_cross_entropy: diagonal only": (
        "softmax_cross_entropy",
        lambda r, g: (-g * r[1] * (1 - jnp.exp(r[0])), -g * r[0]),
        "std",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("mistake", PLANTED)
def test_a_planted_mistake_is_seen(mistake):
    title, f_bwd, point = PLANTED[mistake]
    functions, args = ROWS[title].functions(), ROWS[title].points()[point]
    both = compiled(by_hand(functions._replace(f_bwd=f_bwd)), by_autodiff(functions))
    found, expected = both(args, cotangent(functions, args))
    with pytest.raises(AssertionError):
        assert_same(found, expected, mistake)
