"""Every hand-written rule against `jax.vjp` of the same function, entry by entry; planted mistakes must be seen."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import losses, ops

NAMES = ["sigmoid", "tanh", "relu", "softplus", "heaviside", "dense", "dropout", "conv2d", "max_pool", "flatten"]
NAMES += ["sum_squared_error", "bernoulli", "softmax_cross_entropy"]


def rule(name):
    module = losses if hasattr(losses, f"{name}_fwd") else ops
    return tuple(getattr(module, name + part) for part in ("", "_fwd", "_bwd"))


def normal(*shapes):
    rng = np.random.default_rng(0)
    return tuple(jnp.asarray(rng.normal(size=shape)) for shape in shapes)


def conv(x, w, **options):
    return "conv2d", normal(x, w, w[-1:]), options


def pool(shape, size=(2, 2), ties=False):
    (x,) = normal(shape)
    return "max_pool", (jnp.round(x) if ties else x,), {"size": size}


DENSE = [(3, 3, 3), (1, 1, 1), (4, 3, 2), (1, 3, 5), (5, 1, 3), (2, 3, 1)]
CASES = [(name, normal(shape), {}) for name in NAMES[:5] for shape in [(), (1, 4), (4, 5)]]
CASES += [("dense", normal((n, d), (d, k), (k,)), {}) for n, d, k in DENSE]
CASES += [
    ("dropout", (*normal(shape), jax.random.key(1)), {"rate": r})
    for shape, r in [((4, 5), 0.2), ((7,), 0.7), ((1, 3), 0.0)]
]
CASES += [("flatten", normal(shape), {}) for shape in [(3, 2, 4, 2), (1, 3, 3, 1), (2, 5), (4,)]]
CASES += [
    conv((2, 5, 4, 3), (3, 3, 3, 2)),
    conv((1, 4, 6, 1), (2, 2, 1, 3), padding="same"),
    conv((2, 7, 6, 2), (1, 2, 2, 1), stride=3, padding="same"),
    conv((1, 5, 6, 2), (3, 2, 2, 2), stride=(2, 3), padding=((1, 0), (2, 3)), dilation=(1, 2)),
]
CASES += [
    pool((1, 2, 2, 1)),
    pool((2, 4, 6, 3)),
    pool((2, 5, 3, 2)),
    pool((1, 7, 8, 2), (3, 2)),
    pool((2, 3, 5, 1), (1, 3)),
    pool((3, 4, 4, 2), ties=True),
    pool((2, 7, 6, 2), (3, 2), ties=True),
]
CASES += [(name, normal((n, k), (n, k)), {}) for name in NAMES[10:] for n, k in [(1, 1), (4, 3), (5, 1)]]


def close(actual, expected):
    assert actual.shape == expected.shape and actual.dtype == expected.dtype == np.float64
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@cache
def reference(number):
    """Return what `jax.vjp` says of a case of the table: the output, and two `g` with the arguments' cotangents."""
    name, args, options = CASES[number]
    f, floats = bound(name, options)[0], floating(args)

    def of_floats(*chosen):
        given = dict(zip(floats, chosen, strict=True))
        return f(*(given.get(i, arg) for i, arg in enumerate(args)))

    @jax.jit
    def vjp(*chosen):
        out, pull = jax.vjp(of_floats, *chosen)
        gs = [jnp.asarray(np.random.default_rng(seed).normal(size=out.shape)) for seed in (1, 2)]
        return out, [(g, pull(g)) for g in gs]

    return vjp(*(args[i] for i in floats))


def floating(args):
    return [i for i, arg in enumerate(args) if jnp.issubdtype(arg.dtype, jnp.floating)]


def check(number, f_fwd, f_bwd):
    """Raise AssertionError unless the rule gives every entry that `jax.vjp` gives, and None for what is no number."""
    _, args, _ = CASES[number]
    expected_out, pulled = reference(number)
    out, residuals = f_fwd(*args)
    close(out, expected_out)
    for g, expected in pulled:
        cotangents = f_bwd(residuals, g)
        assert [i for i, cotangent in enumerate(cotangents) if cotangent is not None] == floating(args)
        jax.tree.map(close, [c for c in cotangents if c is not None], list(expected))


def bound(name, options):
    return tuple(partial(f, **options) for f in rule(name))


def test_every_rule_of_ops_and_losses_is_in_the_table():
    offered = [name[:-4] for module in (ops, losses) for name in dir(module) if name.endswith("_bwd")]
    assert set(offered) == set(NAMES) == {name for name, *_ in CASES}


@pytest.mark.parametrize("number", range(len(CASES)), ids=[name for name, *_ in CASES])
def test_every_cotangent_entry_is_that_of_autodiff(number):
    name, _, options = CASES[number]
    check(number, *bound(name, options)[1:])


@pytest.mark.parametrize("name", NAMES)
def test_custom_vjp_takes_the_rule_as_it_stands(name):
    args, options = next((args, options) for n, args, options in CASES[::-1] if n == name)
    f, f_fwd, f_bwd = bound(name, options)
    with_rule = jax.custom_vjp(f)
    with_rule.defvjp(f_fwd, f_bwd)
    by_hand, by_autodiff = (
        jax.jit(jax.vmap(jax.grad(lambda x, h=h: jnp.sum(jnp.sin(h(x, *args[1:]))))))(jnp.stack([args[0], 2 * args[0]]))
        for h in (with_rule, f)
    )
    close(by_hand, by_autodiff)


def even_split(residuals, g, *, size):
    x, y = residuals
    equal = x == jnp.repeat(jnp.repeat(y, 2, axis=1), 2, axis=2)
    count = equal.reshape(3, 2, 2, 2, 2, 2).sum(axis=(2, 4))
    return (jnp.where(equal, jnp.repeat(jnp.repeat(g / count, 2, axis=1), 2, axis=2), 0),)


def last_tie(residuals, g, *, size):
    x, y = residuals
    (dx,) = ops.max_pool_bwd((x[:, ::-1, ::-1], y[:, ::-1, ::-1]), g[:, ::-1, ::-1], size=size)
    return (dx[:, ::-1, ::-1],)


def change_conv(change):
    def wrong(residuals, g, **options):
        return change(residuals, g, *ops.conv2d_bwd(residuals, g, **options))

    return wrong


# The operation, a wrong backward, and which of the operation's cases in the table shows it.
PLANTED = {
    "sigmoid: 1 - A missing": ("sigmoid", lambda r, g: (g * r[0],), 2),
    "sigmoid: tanh's derivative": ("sigmoid", lambda r, g: (g * (1 - r[0] ** 2),), 2),
    "sigmoid: applied to A again": ("sigmoid", lambda r, g: ops.sigmoid_bwd((ops.sigmoid(r[0]),), g), 2),
    "tanh: not squared": ("tanh", lambda r, g: (g * (1 - r[0]),), 2),
    "relu: guided": ("relu", lambda r, g: (g * r[0] * (g > 0),), 2),
    "relu: leaks": ("relu", lambda r, g: (g * jnp.where(r[0], 1, 1e-9),), 2),
    "relu: g ignored": ("relu", lambda r, g: (jnp.where(r[0], 1.0, 0.0),), 2),
    "relu: g clipped": ("relu", lambda r, g: (jnp.clip(g, -1, 1) * r[0],), 2),
    "softplus: relu's derivative": ("softplus", lambda r, g: (g * (r[0] > 0),), 2),
    "softplus: a float32 step": (
        "softplus",
        lambda r, g: ((g * ops.sigmoid(r[0].astype(jnp.float32))).astype(g.dtype),),
        2,
    ),
    "heaviside: passes g": ("heaviside", lambda r, g: (g,), 2),
    "dense: W not transposed": ("dense", lambda r, g: (g @ r[1], r[0].T @ g, g.sum(0)), 0),
    "dense: dW transposed": ("dense", lambda r, g: (g @ r[1].T, g.T @ r[0], g.sum(0)), 0),
    "dense: sum over outputs": ("dense", lambda r, g: (g @ r[1].T, r[0].T @ g, g.sum(1)), 0),
    "dense: mean over examples": ("dense", lambda r, g: (g @ r[1].T, r[0].T @ g, g.mean(0)), 0),
    "dense: one bias for all": ("dense", lambda r, g: (g @ r[1].T, r[0].T @ g, jnp.full(3, g.sum())), 0),
    "dense: 1e-10 off": ("dense", lambda r, g: (g @ r[1].T, r[0].T @ g * (1 + 1e-10), g.sum(0)), 0),
    "dropout: mask left out": ("dropout", lambda r, g, rate: (g, None), 0),
    "dropout: not scaled up": ("dropout", lambda r, g, rate: (g * (r[0] > 0), None), 0),
    "flatten: columns first": ("flatten", lambda r, g: (g.reshape(3, 4, 2, 2).swapaxes(1, 2),), 0),
    "flatten: channels first": ("flatten", lambda r, g: (jnp.moveaxis(g.reshape(3, 2, 2, 4), 1, 3),), 0),
    "flatten: as it comes": ("flatten", lambda r, g: (g,), 0),
    "conv2d: kernel not turned": (
        "conv2d",
        lambda r, g, **o: (ops.conv2d_bwd((r[0], r[1][::-1, ::-1]), g)[0], *ops.conv2d_bwd(r, g)[1:]),
        0,
    ),
    "conv2d: dw turned": (
        "conv2d",
        change_conv(lambda r, g, dx, dw, db: (dx, dw[::-1, ::-1], db)),
        0,
    ),
    "conv2d: first example's bias": (
        "conv2d",
        change_conv(lambda r, g, dx, dw, db: (dx, dw, g[0].sum((0, 1)))),
        0,
    ),
    "conv2d: one entry left out": (
        "conv2d",
        change_conv(lambda r, g, dx, dw, db: (dx, dw.at[1, 1].set(0), db)),
        0,
    ),
    "conv2d: border lost": (
        "conv2d",
        change_conv(lambda r, g, dx, dw, db: (dx.at[:, -1].set(0), dw, db)),
        0,
    ),
    "conv2d: odd zero at the top": (
        "conv2d",
        lambda r, g, **o: ops.conv2d_bwd(r, g, padding=((1, 0), (1, 0))),
        1,
    ),
    "max_pool: ties shared out": ("max_pool", even_split, 5),
    "max_pool: last of the ties": ("max_pool", last_tie, 5),
    "max_pool: all of the ties": (
        "max_pool",
        lambda r, g, size: (jnp.where(r[0] == r[1].repeat(2, 1).repeat(2, 2), g.repeat(2, 1).repeat(2, 2), 0),),
        5,
    ),
    "sum_squared_error: sign": ("sum_squared_error", lambda r, g: (2 * g * r[0], -2 * g * r[0]), 1),
    "sum_squared_error: no 2": ("sum_squared_error", lambda r, g: (-g * r[0], g * r[0]), 1),
    "bernoulli: sigmoid' too many": (
        "bernoulli",
        lambda r, g: (g * (ops.sigmoid(r[0]) - r[1]) * ops.sigmoid(r[0]) * ops.sigmoid(-r[0]), -g * r[0]),
        1,
    ),
    "softmax_cross_entropy: rows of 1 taken for granted": (
        "softmax_cross_entropy",
        lambda r, g: (g * (jnp.exp(r[0]) - r[1]), -g * r[0]),
        1,
    ),
    "softmax_cross_entropy: diagonal only": (
        "softmax_cross_entropy",
        lambda r, g: (-g * r[1] * (1 - jnp.exp(r[0])), -g * r[0]),
        1,
    ),
}


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_planted_mistake_is_seen(mistake):
    name, wrong, which = PLANTED[mistake]
    number = [i for i, (other, *_) in enumerate(CASES) if other == name][which]
    options = CASES[number][2]
    with pytest.raises(AssertionError):
        check(number, bound(name, options)[1], partial(wrong, **options))
