r"""Section 3: the derivative of $f(x) = \sqrt{x^2 + e^{x^2}} + \cos(x^2 + e^{x^2})$ at 2, node by node.

Forward through the graph x, a, b, c, d, e, f for the values, backward for the adjoints. Figure 2 and every number of
the section: by hand, by the closed form and by `jax.grad`, in float64.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array
from matplotlib.figure import Figure

from experiments.record import Number, Options, Result, Table
from jaxnn import draw

SECTION = "3"
TITLE = "Computing derivatives in networks"
X = 2.0

Values = dict[str, float]
Slopes = dict[tuple[str, str], float]  # by (parent, child): the derivative of the child with respect to the parent

OPERATIONS = {"a": "x²", "b": "eᵃ", "c": "a + b", "d": "√c", "e": "cos c", "f": "d + e"}


def values(x: float) -> Values:
    """Return the value of every node: the forward pass."""
    a = x**2
    b = math.exp(a)
    c = a + b
    d = math.sqrt(c)
    e = math.cos(c)
    return {"x": x, "a": a, "b": b, "c": c, "d": d, "e": e, "f": d + e}


def local_derivatives(v: Values) -> Slopes:
    """Return the derivative of every node with respect to each of its parents, at the values of the forward pass."""
    return {
        ("x", "a"): 2 * v["x"],
        ("a", "b"): v["b"],  # the derivative of e^a is e^a itself
        ("a", "c"): 1.0,
        ("b", "c"): 1.0,
        ("c", "d"): 1 / (2 * v["d"]),
        ("c", "e"): -math.sin(v["c"]),
        ("d", "f"): 1.0,
        ("e", "f"): 1.0,
    }


def adjoints(slopes: Slopes) -> Values:
    r"""Return $\partial f / \partial p$ of every node $p$: the backward pass, each node after all of its children.

    $\partial f / \partial p = \sum_{q \in \mathrm{children}(p)} (\partial f / \partial q)(\partial q / \partial p)$,
    and $\partial f / \partial f = 1$.
    """
    adjoint = {"f": 1.0}
    for node in "edcbax":
        adjoint[node] = sum(adjoint[child] * slope for (parent, child), slope in slopes.items() if parent == node)
    return adjoint


def closed_form(x: float) -> float:
    """Return f'(x) by the rules of calculus, as the lecture writes it out."""
    c, slope = x**2 + math.exp(x**2), 2 * x + 2 * x * math.exp(x**2)
    return slope / (2 * math.sqrt(c)) - math.sin(c) * slope


STEPS = {  # every node as a function of its parents, for autodiff to take apart
    "a": lambda x: x**2,
    "b": jnp.exp,
    "c": lambda a, b: a + b,
    "d": jnp.sqrt,
    "e": jnp.cos,
    "f": lambda d, e: d + e,
}
PARENTS = {"a": "x", "b": "a", "c": "ab", "d": "c", "e": "c", "f": "de"}


def shifted(shifts: dict[str, Array], x: float) -> Array:
    """Return f(x) with `shifts` added to its nodes: the derivative by a node's shift at 0 is the node's adjoint."""
    v = {"x": x + shifts["x"]}
    for node, step in STEPS.items():
        v[node] = step(*(v[parent] for parent in PARENTS[node])) + shifts[node]
    return v["f"]


def autodiff_adjoints(x: float) -> dict[str, Array]:
    """Return the derivative of f(x) with respect to every node, by `jax.grad`."""
    return jax.grad(shifted)(dict.fromkeys("xabcdef", jnp.zeros(())), x)


def autodiff_local_derivatives(v: Values) -> dict[tuple[str, str], Array]:
    """Return the derivative of every node with respect to each of its parents, by `jax.grad`."""
    return {
        (parent, child): jax.grad(step, argnums=i)(*(v[p] for p in PARENTS[child]))
        for child, step in STEPS.items()
        for i, parent in enumerate(PARENTS[child])
    }


def numbers(x: float) -> dict[str, Number]:
    """Return every number of the section at `x`: by hand and, for derivatives, by `jax.grad` too."""
    v = values(x)
    slopes, auto_slopes = local_derivatives(v), autodiff_local_derivatives(v)
    adjoint, auto_adjoint = adjoints(slopes), autodiff_adjoints(x)
    rows = {f"chain.value.{node}": Number(v[node]) for node in "abcdef"}
    rows |= {f"chain.local.{q}.{p}": Number(slopes[p, q], auto_slopes[p, q]) for p, q in slopes}
    rows |= {f"chain.adjoint.{node}": Number(adjoint[node], auto_adjoint[node]) for node in "cbax"}
    return rows | {"chain.calculus": Number(closed_form(x), auto_adjoint["x"])}


def pass_tables(x: float) -> list[Table]:
    """Return the forward and the backward pass as the lecture's tables."""
    v = values(x)
    slopes, auto_slopes = local_derivatives(v), autodiff_local_derivatives(v)
    adjoint, auto = adjoints(slopes), autodiff_adjoints(x)
    forward = [
        [f"{q} = {OPERATIONS[q]}", f"{v[q]:.7g}", f"∂{q}/∂{p}", f"{slopes[p, q]:.7g}", f"{auto_slopes[p, q]:.7g}"]
        for p, q in slopes
    ]
    backward = [[f"∂f/∂{p}", rule(p, slopes), f"{adjoint[p]:.7g}", f"{auto[p]:.7g}"] for p in "edcbax"]
    return [
        Table("Forward pass", ["node", "value", "local derivative", "by hand", "jax.grad"], forward),
        Table("Backward pass", ["adjoint", "sum over the children", "by hand", "jax.grad"], backward),
    ]


def rule(node: str, slopes: Slopes) -> str:
    """Return the sum over the children of `node`, in words: "∂f/∂d ∂d/∂c + ∂f/∂e ∂e/∂c"."""
    return " + ".join(f"∂f/∂{q} ∂{q}/∂{p}" for p, q in slopes if p == node)


def graph(x: float) -> Figure:
    """Return figure 2: the graph of f with the values and the adjoints at `x`."""
    nodes = {
        "x": ("$x$", 0.0, 0.0),
        "a": ("$a = x^2$", 1.0, 0.0),
        "b": ("$b = e^a$", 1.75, 1.0),
        "c": ("$c = a + b$", 2.5, 0.0),
        "d": (r"$d = \sqrt{c}$", 3.35, 1.0),
        "e": (r"$e = \cos\,c$", 3.35, -1.0),
        "f": ("$f = d + e$", 4.2, 0.0),
    }
    v = values(x)
    slopes = local_derivatives(v)
    return draw.computation_graph(nodes, list(slopes), v, adjoints(slopes), slopes)


def run(options: Options) -> Result:
    """Return figure 2, the tables of both passes and every number of the section, at x = 2."""
    options.say("the chain rule through the graph of f, forward and backward")
    caption = "Evaluating a function structured as a network: values forward, derivatives backward, at x = 2"
    with jax.enable_x64(True):
        return Result(numbers(X), {2: (graph(X), caption)}, pass_tables(X))
