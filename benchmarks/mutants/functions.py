"""Small functions with correct gradients where checkers raise false alarms: kinks, saturation, structures, sizes."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

Given = tuple[str, Callable, Callable, tuple, int | tuple[int, ...]]


def functions() -> list[Given]:
    """Return a name, a loss, its gradient, the arguments and argnums of each."""
    return [*kinks(), *saturated(), *structures(), *sizes()]


def kinks() -> list[Given]:
    """Return |x|, max(x, 0), max over entries and clip at their kinks, with each of the usual subgradients."""
    x = np.array([0.0, -1.5, 2.0, 0.0])
    found: list[Given] = []
    for name, slope in (("minus 1", -1.0), ("0", 0.0), ("1", 1.0), ("a half", 0.5)):
        found.append((f"abs at 0: {name}", total(jnp.abs), by(lambda x, s=slope: where0(x, s, jnp.sign(x))), (x,), 0))
    for name, slope in (("0", 0.0), ("1", 1.0), ("a half", 0.5)):
        found += [
            (f"relu at 0: {name}", total(jax.nn.relu), by(lambda x, s=slope: where0(x, s, 1.0 * (x > 0))), (x,), 0),
            (f"maximum at 0: {name}", total(nonnegative), by(lambda x, s=slope: where0(x, s, 1.0 * (x > 0))), (x,), 0),
        ]
    for name, slope in (("0", 0.0), ("1", 1.0)):
        found.append((f"clip at its bound: {name}", total(clipped), by(lambda x, s=slope: inside(x, s)), (edge(),), 0))
    tied = np.array([1.0, 3.0, 3.0, -2.0])
    for name, share in (("first", [1.0, 0.0]), ("last", [0.0, 1.0]), ("even", [0.5, 0.5]), ("uneven", [0.3, 0.7])):
        found.append((f"largest of ties: {name}", jnp.max, lambda x, s=share: shared(x, s), (tied,), 0))
    return found


def shared(x, share):
    """Return the gradient of the largest of `x` that gives two tied entries these shares, and a single one all."""
    largest = x == jnp.max(x)
    among_two = jnp.asarray(share, x.dtype)[jnp.clip(jnp.cumsum(largest) - 1, 0, 1)]
    return jnp.where(largest, jnp.where(jnp.sum(largest) == 2, among_two, 1.0), 0.0)


def saturated() -> list[Given]:
    """Return sigmoid, tanh, softplus and logsumexp far out, each derivative in its usual forms."""
    found: list[Given] = []
    for z in (30.0, 37.43, 800.0):
        at = (np.array([z, -z]),)
        found += [
            (f"sigmoid at {z}: y (1 - y)", total(sig), by(lambda x: sig(x) * (1 - sig(x))), at, 0),
            (f"sigmoid at {z}: both sides", total(sig), by(lambda x: sig(x) * sig(-x)), at, 0),
            (f"tanh at {z}: 1 - y^2", total(jnp.tanh), by(lambda x: 1 - jnp.tanh(x) ** 2), at, 0),
            (f"tanh at {z}: product", total(jnp.tanh), by(lambda x: (1 - jnp.tanh(x)) * (1 + jnp.tanh(x))), at, 0),
            (f"softplus at {z}", total(jax.nn.softplus), by(sig), at, 0),
            (f"logsumexp at {z}", jax.nn.logsumexp, jax.nn.softmax, at, 0),
            (f"logsumexp at {z}: shifted", jax.nn.logsumexp, lambda x: jnp.exp(x - jax.nn.logsumexp(x)), at, 0),
        ]
    return found


def structures() -> list[Given]:
    """Return parameters in nested containers, several arguments, whole numbers and flags as data."""
    a, b, x = np.array([0.3, -1.2]), np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([0.7, -0.4])
    nested = {"layers": [{"w": b, "b": a}, (a, 2.0)], "scale": 3.0}

    def nested_loss(p, x):
        first, (shift, factor) = p["layers"]
        return jnp.sum((p["scale"] * (first["w"] @ x + first["b"]) + factor * shift) ** 2)

    def nested_grad(p, x):
        first, (shift, factor) = p["layers"]
        inner = first["w"] @ x + first["b"]
        d = 2 * (p["scale"] * inner + factor * shift)
        layer = {"w": p["scale"] * jnp.outer(d, x), "b": p["scale"] * d}
        return {"layers": [layer, (factor * d, jnp.sum(d * shift))], "scale": jnp.sum(d * inner)}

    def product(a, b, x):
        return jnp.sum((b @ x) * jnp.sin(a))

    def d_a(a, b, x):
        return (b @ x) * jnp.cos(a)

    def d_b(a, b, x):
        return jnp.outer(jnp.sin(a), x)

    def chosen(w, labels, kept):
        return jnp.sum(jnp.where(kept, w[labels] ** 2, 0.0))

    def d_chosen(w, labels, kept):
        return jnp.zeros_like(w).at[labels].add(2 * jnp.where(kept, w[labels], 0.0))

    data = (np.array([0, 2, 2, 1]), np.array([True, True, False, True]))
    return [
        ("nested", nested_loss, nested_grad, (nested, x), 0),
        ("list", lambda p: jnp.sum(p[0] * p[1]), lambda p: [p[1], p[0]], ([a, x],), 0),
        ("scalar", lambda s: jnp.sin(s) * s, lambda s: jnp.cos(s) * s + jnp.sin(s), (0.8,), 0),
        ("first of three", product, d_a, (a, b, x), 0),
        ("second of three", product, d_b, (a, b, x), 1),
        ("first and second", product, lambda *v: (d_a(*v), d_b(*v)), (a, b, x), (0, 1)),
        ("last and first", product, lambda *v: (v[1].T @ jnp.sin(v[0]), d_a(*v)), (a, b, x), (2, 0)),
        ("whole numbers and flags", chosen, d_chosen, (np.array([0.4, -1.0, 2.0]), *data), 0),
        ("intermediates returned", product, lambda *v: (d_a(*v), {"dA": d_a(*v)}), (a, b, x), 0),
        (
            "gradient of nothing",
            lambda w: jnp.sum(w["a"] ** 2),
            lambda w: {"a": 2 * w["a"], "b": 0 * w["b"]},
            ({"a": a, "b": b},),
            0,
        ),
    ]


def sizes() -> list[Given]:
    """Return very large and very small numbers, empty arrays and large arrays."""
    rng = np.random.default_rng(0)
    found: list[Given] = []
    for scale in (1e-8, 1e-3, 1e4, 1e8):
        w = scale * rng.normal(size=(3, 2))
        found.append((f"cubes at {scale:g}", lambda w: jnp.sum(w**3), lambda w: 3 * w**2, (w,), 0))
        found.append(
            (
                f"sines at {scale:g}",
                lambda w: jnp.sum(jnp.sin(w / w.size)),
                lambda w: jnp.cos(w / w.size) / w.size,
                (w,),
                0,
            )
        )
    mixed = {"small": 1e-6 * rng.normal(size=3), "large": 1e6 * rng.normal(size=3)}
    found.append(("leaves of unlike size", mixed_loss, mixed_grad, (mixed,), 0))
    for shape in ((0, 3), (3, 0), (0,)):
        found.append(
            (f"empty {'x'.join(map(str, shape))}", lambda w: jnp.sum(w**2), lambda w: 2 * w, (np.zeros(shape),), 0)
        )
    x, w = rng.normal(size=(20, 60)), rng.normal(size=(60, 40))
    found.append(("2400 entries", lambda w, x: jnp.mean(jnp.tanh(x @ w)), d_mean_tanh, (w, x), 0))
    found.append(("one entry", lambda w: jnp.sum(w**4), lambda w: 4 * w**3, (np.array([[0.7]]),), 0))
    found.append(("constant", lambda w: jnp.sum(0 * w) + 1.0, jnp.zeros_like, (x,), 0))
    found.append(("linear", lambda w: jnp.sum(w), jnp.ones_like, (x,), 0))
    found.append(("at zero", lambda w: jnp.sum(w**2), lambda w: 2 * w, (np.zeros((2, 3)),), 0))
    return found


def mixed_loss(p):
    return jnp.sum(jnp.sin(p["large"] * 1e-6) * jnp.exp(p["small"] * 1e6))


def mixed_grad(p):
    e, z = jnp.exp(p["small"] * 1e6), p["large"] * 1e-6
    return {"small": 1e6 * jnp.sin(z) * e, "large": 1e-6 * jnp.cos(z) * e}


def d_mean_tanh(w, x):
    return x.T @ (1 - jnp.tanh(x @ w) ** 2) / (len(x) * w.shape[1])


def sig(x):
    return jax.nn.sigmoid(x)


def nonnegative(x):
    return jnp.maximum(x, 0.0)


def clipped(x):
    return jnp.clip(x, -1.0, 1.0)


def edge():
    return np.array([1.0, -1.0, 0.2, 3.0])


def inside(x, slope):
    """Return the derivative of `clipped` with the given slope at the bounds."""
    return jnp.where(jnp.abs(x) == 1.0, slope, 1.0 * (jnp.abs(x) < 1.0))


def where0(x, slope, elsewhere):
    return jnp.where(x == 0, slope, elsewhere)


WEIGHTS = np.array([1.0, -2.0, 3.0, 0.5])


def total(f):
    """Return the loss that adds up f's entries, each with its own weight, so that signs and mix-ups show."""
    return lambda x: jnp.sum(f(x) * WEIGHTS[: len(x)].astype(x.dtype))


def by(derivative):
    """Return the gradient of `total(f)` from the derivative of f."""
    return lambda x: derivative(x) * WEIGHTS[: len(x)].astype(x.dtype)
