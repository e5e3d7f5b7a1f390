"""How often 95 % intervals of predictions, slopes and weights cover what a known network has, and where they do not.

From each known network data sets are drawn and refitted, side by side, from its own weights: so nodes keep their
places, and what is measured is the intervals alone, not whether a restart finds the minimum. The kind of interval and
the limits of refusal were chosen on networks of their own, `OTHERS`, which are measured too. Runs when it is named:
`python -m experiments coverage`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure

from experiments.record import Options, Result, Table
from jaxnn import draw
from jaxnn.r_neuralnet import bootstrap, inference, intervals
from jaxnn.r_neuralnet.network import Architecture

SECTION = "7.1"
TITLE = "How often intervals cover"

SETS, QUICK_SETS = 1000, 100
REFITS, QUICK_REFITS = 200, 20  # of each data set, for the bootstrap
LEVEL, LOW, HIGH = 0.95, 0.93, 0.97
LINEAR = Architecture((1, 2, 1), "tanh", "linear", "sse")
CURVE = [1.0, 2.0, -1.5, 1.5, 0.2, 1.0, -1.2]  # 0.2 + tanh(1 + 2 x) - 1.2 tanh(-1.5 + 1.5 x)
KINDS = {  # of reasons that name numbers or nodes
    "fewer than": "too few rows a weight",
    "standard errors from": "not at the minimum",
    "superfluous": "hidden nodes that may be superfluous",
    "flat": "a direction along which the error is flat",
}
METHODS = {"sandwich": draw.BLUE, "likelihood": draw.ORANGE, "bootstrap": draw.INK}


class Case(NamedTuple):
    """A network whose weights are known, and how data are drawn from it."""

    architecture: Architecture
    weights: list[float]
    rows: int
    noise: Callable[[np.ndarray], np.ndarray]  # the standard deviation of a numeric response at x (n, p)
    why: str = ""  # what to say where its intervals do not hold
    bootstrap: bool = False
    draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray] = lambda rng, shape: rng.normal(size=shape)


def same(x: np.ndarray) -> np.ndarray:
    """Return a standard deviation of 0.2 in every row."""
    return np.full((len(x), 1), 0.2)


CASES = {
    "identified: 7 weights, 500 rows": Case(
        LINEAR,
        CURVE,
        500,
        same,
        "weights of a node that saturates are skewed",
        bootstrap=True,
    ),
    "two classes: 9 weights, 1,500 rows": Case(
        Architecture((2, 2, 1), "logistic", "logistic", "ce"),
        [0.0, 3.0, 0.0, 0.0, 0.0, 3.0, -3.0, 3.0, 3.0],
        1500,
        same,
        "the rarer class has about 50 rows a weight, and weights of 0 beside large ones are skewed",
    ),
    "noise that grows with |x|: 7 weights, 500 rows": Case(
        LINEAR,
        CURVE,
        500,
        lambda x: 0.2 * (0.3 + np.abs(x)),
        "likelihood takes the noise to be the same in every row, and is refused where that shows; the weights of the "
        "right-hand node hang on few quiet rows",
    ),
    "few rows: 7 weights, 40 rows": Case(
        LINEAR, CURVE, 40, same, "6 rows a weight: the error is not quadratic as far as the intervals reach"
    ),
    "a superfluous node: 10 weights, 500 rows": Case(
        Architecture((1, 3, 1), "tanh", "linear", "sse"),
        [1.0, 2.0, -1.5, 1.5, 0.5, 0.3, 0.2, 1.0, -1.2, 0.0],
        500,
        same,
        "the third node has an output weight of 0, so nothing identifies its other weights",
    ),
}
TANH = {nodes: Architecture((1, nodes, 1), "tanh", "linear", "sse") for nodes in (1, 2, 3)}
OTHERS = {  # what the limits of refusal and the kind of interval were chosen on: not those above
    "one node, noise that grows with x²: 4 weights, 300 rows": Case(
        TANH[1],
        [-0.5, 1.5, 0.5, 1.5],
        300,
        lambda x: 0.15 + 0.075 * x**2,
    ),
    "quiet on the right: 7 weights, 500 rows": Case(
        TANH[2],
        [0.5, -2.0, 1.5, 2.0, -0.5, 1.2, 1.0],
        500,
        lambda x: 0.1 * (1.3 - x / 2),
        "the first node's weight hangs on few rows, and its standard error grows faster than at an even rate",
    ),
    "a node that hardly bends: 7 weights, 700 rows": Case(
        TANH[2],
        [0.3, 0.9, -2.0, 2.5, 0.0, 1.0, 0.6],
        700,
        lambda x: np.full((len(x), 1), 0.15),
        "two nodes that hardly bend do nearly the same, and standard errors do not grow at an even rate",
    ),
    "a node of doubtful need: 7 weights, 600 rows": Case(
        TANH[2],
        [-1.0, 1.5, 2.0, 1.0, 0.0, 1.5, 0.8],
        600,
        lambda x: 0.12 * np.exp(x / 2),
        "most data sets do not show that both nodes are needed and are refused; those that do have them by chance at "
        "weights that are off",
    ),
    "two inputs: 9 weights, 900 rows": Case(
        Architecture((2, 2, 1), "logistic", "linear", "sse"),
        [0.0, 3.0, -2.0, 1.0, 2.0, 3.0, 0.5, 2.0, -2.0],
        900,
        lambda x: 0.1 * (0.4 + np.abs(x[:, :1])),
    ),
    "softplus: 4 weights, 400 rows": Case(
        Architecture((1, 1, 1), "softplus", "linear", "sse"),
        [0.0, 2.0, 0.3, 1.0],
        400,
        same,
    ),
    "skewed noise: 7 weights, 800 rows": Case(
        TANH[2],
        [1.0, 1.5, -1.5, 2.0, 0.2, 1.0, -1.2],
        800,
        lambda x: 0.15 * (0.3 + np.abs(x)),
        "the growth of a standard error says nothing of residuals that are skewed, and with them the test that refuses "
        "likelihood's intervals misses some data sets, of which few intervals cover",
        draw=lambda rng, shape: rng.exponential(size=shape) - 1,
    ),
    "noise with heavy tails: 7 weights, 800 rows": Case(
        TANH[2],
        [-1.0, 1.5, 1.5, 2.0, 0.0, 1.0, -1.2],
        800,
        same,
        draw=lambda rng, shape: rng.standard_t(5, size=shape) * 0.6**0.5,
    ),
    "three nodes: 10 weights, 1,500 rows": Case(
        TANH[3],
        [2.0, 2.0, -2.0, 2.0, 0.0, 2.5, 0.0, 1.0, -1.0, 1.5],
        1500,
        lambda x: 0.1 * (0.5 + np.abs(x)),
    ),
    "two classes, one input: 4 weights, 800 rows": Case(
        Architecture((1, 1, 1), "logistic", "logistic", "ce"),
        [-0.5, 3.0, -2.0, 4.0],
        800,
        same,
    ),
    "two classes, rarer: 9 weights, 3,000 rows": Case(
        Architecture((2, 2, 1), "tanh", "logistic", "ce"),
        [0.0, 1.5, 1.0, 0.5, -1.0, 2.0, -1.0, 2.0, 1.5],
        3000,
        same,
        "the residuals of a rarer class are skewed, which the growth of a standard error says nothing of",
    ),
}


class Coverage(NamedTuple):
    """What became of a case: `hits[method] (sets, quantities)`, NaN where no interval was given."""

    names: list[str]
    truth: Float[np.ndarray, " q"]
    refused: Bool[np.ndarray, " sets"]  # as a whole, with all intervals
    unheeded: dict[str, Float[np.ndarray, "sets q"]]  # the same, had nothing been refused
    hits: dict[str, Float[np.ndarray, "sets q"]]
    reasons: dict[str, int]
    unbounded: Float[np.ndarray, " q"]  # the share of the sandwich's intervals with an end that the data do not set


def covered(case: Case, sets: int, boot: int, seed: int = 0) -> Coverage:
    """Return how often the intervals of a case hold the truth, over so many data sets and refits of each.

    An interval may be open at one end, where the data set no bound; how many are is told beside.
    """
    rng = np.random.default_rng(seed)
    architecture, truth = case.architecture, np.array(case.weights)
    x = rng.uniform(-2, 2, (case.rows, architecture.sizes[0]))
    at = np.repeat(np.linspace(-1.8, 1.8, 7)[:, None], architecture.sizes[0], axis=1)
    with jax.enable_x64(True):
        mean = np.asarray(inference.outputs(truth, x, architecture=architecture))
    if architecture.error == "ce":
        y = (rng.uniform(size=(sets, *mean.shape)) < mean).astype(float)
    else:
        y = mean + case.noise(x) * case.draw(rng, (sets, *mean.shape))
    ones = np.ones((sets, case.rows))
    weights, converged = bootstrap.refits(architecture, (), truth, x, y, ones, 1e-6)
    known = intervals.estimates(truth, x, mean, at, architecture).values
    hits = {name: np.full((sets, known.size), np.nan) for name in ("sandwich", "likelihood")}
    unbounded = np.full((sets, known.size), np.nan)
    refused, reasons = ~converged, {"did not converge": int((~converged).sum())}
    for i in np.flatnonzero(converged):
        found = intervals.estimates(weights[i], x, y[i], at, architecture)
        table = intervals.bounds(found, 1 - LEVEL)
        for name, of_one in hits.items():
            of_one[i] = within(known, table[f"{name}_lower"], table[f"{name}_upper"])
        unbounded[i] = np.isinf(table["sandwich_upper"] - table["sandwich_lower"])
        for reason in found.hindrances:
            kind = next((short for part, short in KINDS.items() if part in reason), reason)
            reasons[kind] = reasons.get(kind, 0) + 1
        refused[i] = bool(found.hindrances)
    if boot:
        hits["bootstrap"] = by_bootstrap(case, weights, converged, x, y, at, known, boot, rng)
    given = {name: np.where(refused[:, None], np.nan, of_all) for name, of_all in hits.items()}
    p, k = architecture.sizes[0], architecture.sizes[-1]
    names = [f"weight {j}" for j in range(1, truth.size + 1)] + [f"mean slope {j}" for j in range(1, p * k + 1)]
    names += [f"prediction at {v:.1f}" for v in at[:, 0]]
    counted = {name: count for name, count in reasons.items() if count}
    return Coverage(names, known, refused, hits, given, counted, share(np.where(refused[:, None], np.nan, unbounded)))


def within(truth: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Return 1 where the truth lies between, 0 where not, NaN where there are no bounds."""
    return np.where(np.isnan(lower + upper), np.nan, (lower <= truth) & (truth <= upper))


def by_bootstrap(
    case: Case,
    weights: np.ndarray,
    converged: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    at: np.ndarray,
    known: np.ndarray,
    boot: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "sets q"]:
    """Return the same of bootstrap's bounds, as `NeuralNet.bootstrap` has them."""
    hits = np.full((len(y), known.size), np.nan)
    for i in np.flatnonzero(converged):
        counts = rng.multinomial(case.rows, np.full(case.rows, 1 / case.rows), size=boot).astype(float)
        of_set = np.broadcast_to(y[i], (boot, *y[i].shape))
        refits, done = bootstrap.refits(case.architecture, (), weights[i], x, of_set, counts, 1e-6)
        if done.mean() >= 0.9:
            low, high = bootstrap.quantiles(refits[done], x, at, case.architecture, 1 - LEVEL)
            hits[i] = within(known, low, high)
    return hits


def share(hits: Float[np.ndarray, "sets q"]) -> Float[np.ndarray, " q"]:
    """Return how often each quantity's intervals cover, of those that were given; NaN where hardly any was."""
    given = np.isfinite(hits).sum(axis=0)
    return np.where(given >= 0.05 * len(hits), np.nansum(hits, axis=0) / np.maximum(given, 1), np.nan)


def table_of(name: str, found: Coverage) -> Table:
    """Return a row for each quantity: the truth, and of each method the coverage and how often none was given."""
    header, rows = ["quantity", "truth"], [[n, f"{t:.4g}"] for n, t in zip(found.names, found.truth, strict=True)]
    for method, hits in found.hits.items():
        header += [f"{method} covers", "given", "had all been given"]
        for row, cover, given, all_given in zip(
            rows, share(hits), np.isfinite(hits).mean(axis=0), share(found.unheeded[method]), strict=True
        ):
            mark = "" if np.isnan(cover) or LOW <= cover <= HIGH else " (outside)"
            row += [percent(cover) + mark, percent(given), percent(all_given)]
    header.append("one end open (sandwich)")
    for row, open_ended in zip(rows, found.unbounded, strict=True):
        row.append(percent(open_ended))
    return Table(f"95 % intervals, {len(found.refused):,} data sets; {name}", header, rows)


def percent(value: float) -> str:
    """Return a share as it is read: "95.2 %", and "–" where there is none."""
    return "–" if np.isnan(value) else f"{100 * value:.1f} %"


def remark_on(name: str, case: Case, found: Coverage, chosen_on: bool = False) -> str:
    """Return how many quantities cover as they should, which do not and why, and what was refused."""
    parts = []
    for method, hits in found.hits.items():
        cover = share(hits)
        known = np.isfinite(cover)
        wrong = known & ~((cover >= LOW) & (cover <= HIGH))
        if not known.any():
            parts.append(f"{method}: no interval is given")
            continue
        outside = ", ".join(f"{found.names[i]} {percent(cover[i])}" for i in np.flatnonzero(wrong))
        inside = f"{method}: {int((known & ~wrong).sum())} of {int(known.sum())} quantities within 93 to 97 %"
        parts.append(inside + f" (outside: {outside})" * bool(outside))
    refused = ", ".join(f"{reason} ({count})" for reason, count in found.reasons.items())
    whole = f"Of {len(found.refused):,} data sets {int(found.refused.sum()):,} are refused" + f": {refused}" * bool(
        refused
    )
    outside_any = any("outside" in part or "no interval" in part for part in parts)
    why = f" Why: {case.why}." if outside_any and case.why else ""
    head = f"Chosen on: {name}" if chosen_on else f"{name[0].upper()}{name[1:]}"
    return f"{head}. {whole}. {'; '.join(parts)}.{why}"


def drawn(found: dict[str, Coverage]) -> Figure:
    """Return a panel for each case: the coverage of every quantity by each method, the band from 93 to 97 % in grey."""
    figure = Figure(figsize=(8.4, 1.0 + 2.3 * len(found)), dpi=150, layout="constrained")
    for ax, (name, of) in zip(np.atleast_1d(figure.subplots(len(found))), found.items(), strict=True):
        ax.axhspan(LOW, HIGH, color="#E3E3E3", zorder=0)
        ax.axhline(LEVEL, color=draw.GREY, linewidth=0.8)
        for shift, (method, hits) in enumerate(of.hits.items()):
            places, color = np.arange(len(of.names)) + 0.2 * (shift - 1), METHODS[method]
            ax.plot(places, share(of.unheeded[method]), "o", color=color, markerfacecolor="none", markersize=4)
            ax.plot(places, share(hits), "o", color=color, markersize=4)
        ax.set(ylim=(0.5, 1.02))
        ax.set_xticks(np.arange(len(of.names)), of.names, rotation=90, fontsize=7)
        ax.set_title(name, loc="left", fontsize=10)
        ax.spines[["top", "right"]].set_visible(False)
    handles = [ax.plot([], [], "o", color=color, label=method)[0] for method, color in METHODS.items()]
    handles.append(ax.plot([], [], "o", color=draw.INK, markerfacecolor="none", label="had all been given")[0])
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False)
    return figure


def run(options: Options) -> Result:
    """Draw the data sets of every case, refit them, and count what their intervals cover."""
    sets = options.seeds or (QUICK_SETS if options.quick else SETS)
    refits = QUICK_REFITS if options.quick else REFITS
    found = {}
    for name, case in (OTHERS | CASES).items():
        found[name] = covered(case, sets, refits if case.bootstrap else 0)
        options.say(remark_on(name, case, found[name], name in OTHERS))
    cut = f"This is a quick run: {sets} data sets and {refits} refits of each, too few to tell 93 from 95 %."
    remarks = [cut] * options.quick + [
        remark_on(name, (OTHERS | CASES)[name], of, name in OTHERS) for name, of in found.items()
    ]
    shown = {name: of for name, of in found.items() if name in CASES}
    caption = "Coverage of 95 % intervals of the weights, mean slopes and predictions of known networks, by method."
    tables = [table_of(name, of) for name, of in shown.items()]
    tables += [table_of(f"chosen on: {name}", of) for name, of in found.items() if name in OTHERS]
    return Result({}, {}, tables, remarks, {"coverage": (drawn(shown), caption)})
