"""How often 95 % intervals of predictions, slopes and weights cover what a known network has, and where they do not.

From each known network data sets are drawn, a tenth of them at the same covariates, and refitted, side by side, from
its own weights: so nodes keep their places, and what is measured is the intervals alone, not whether a restart finds
the minimum. The kind of interval and the limits of refusal were chosen on networks of their own, `OTHERS`, which are
measured too, as are `TESTED`, which were drawn up when all had been chosen. Runs when it is named:
`python -m experiments coverage`.
"""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure

from experiments.coverage_cases import CASES, OTHERS, TESTED, Case
from experiments.record import Options, Result, Table
from jaxnn import draw
from jaxnn.r_neuralnet import bootstrap, inference, intervals

SECTION = "7.1"
TITLE = "How often intervals cover"

SETS, QUICK_SETS = 1000, 100
REFITS, QUICK_REFITS = 200, 20  # of each data set, for the bootstrap
DRAWS = 10  # of covariates
LEVEL, LOW, HIGH = 0.95, 0.93, 0.97
KINDS = {  # of reasons that name numbers or nodes
    "fewer than": "too few rows a weight",
    "standard errors from": "not at the minimum",
    "superfluous": "hidden nodes that may be superfluous",
    "flat": "a direction along which the error is flat",
    "uncertain": "weights alone, whose standard errors are too uncertain",
}
GROUPS = {"Chosen on: ": OTHERS, "Tested once: ": TESTED, "": CASES}
METHODS = {"sandwich": draw.BLUE, "likelihood": draw.ORANGE, "bootstrap": draw.INK}


class Coverage(NamedTuple):
    """What became of a case: `hits[method] (sets, quantities)`, NaN where no interval was given."""

    names: list[str]
    truth: Float[np.ndarray, " q"]
    refused: Bool[np.ndarray, " sets"]  # as a whole, with all intervals
    unheeded: dict[str, Float[np.ndarray, "sets q"]]  # the same, had nothing been refused
    hits: dict[str, Float[np.ndarray, "sets q"]]
    reasons: dict[str, int]
    unbounded: Float[np.ndarray, "sets q"]  # whether an end of the sandwich's is one that the data do not set


def covered(case: Case, sets: int, boot: int, seed: int = 0) -> Coverage:
    """Return how often the intervals of a case hold the truth, over so many data sets and refits of each.

    An interval may be open at one end, where the data set no bound; how many are is told beside.
    """
    rng = np.random.default_rng(seed)
    parts = [at_covariates(case, len(part), boot, rng) for part in np.array_split(np.arange(sets), DRAWS)]
    unheeded, hits = (
        {name: np.concatenate([getattr(part, which)[name] for part in parts]) for name in parts[0].hits}
        for which in ("unheeded", "hits")
    )
    reasons = {}
    for reason, count in (pair for part in parts for pair in part.reasons.items()):
        reasons[reason] = reasons.get(reason, 0) + count
    truth = np.mean([part.truth for part in parts], axis=0)  # of mean slopes, which hang on the covariates
    refused, unbounded = (np.concatenate([getattr(part, name) for part in parts]) for name in ("refused", "unbounded"))
    return Coverage(parts[0].names, truth, refused, unheeded, hits, reasons, unbounded)


def at_covariates(case: Case, sets: int, boot: int, rng: np.random.Generator) -> Coverage:
    """Return the same at covariates that are drawn once."""
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
    loose = np.zeros(sets, bool)
    refused, reasons = ~converged, {"did not converge": int((~converged).sum())}
    for i in np.flatnonzero(converged):
        found = intervals.estimates(weights[i], x, y[i], at, architecture)
        table = intervals.bounds(found._replace(of_weights=[]), 1 - LEVEL)
        for name, of_one in hits.items():
            of_one[i] = within(known, table[f"{name}_lower"], table[f"{name}_upper"])
        unbounded[i] = np.isinf(table["sandwich_upper"] - table["sandwich_lower"])
        loose[i] = bool(found.of_weights) and not found.hindrances
        for reason in found.hindrances or found.of_weights:
            kind = next((short for part, short in KINDS.items() if part in reason), reason)
            reasons[kind] = reasons.get(kind, 0) + 1
        refused[i] = bool(found.hindrances)
    if boot:
        hits["bootstrap"] = by_bootstrap(case, weights, converged, x, y, at, known, boot, rng)
    none = refused[:, None] | (loose[:, None] & (np.arange(known.size) < truth.size))
    given = {name: np.where(none, np.nan, of_all) for name, of_all in hits.items()}
    p, k = architecture.sizes[0], architecture.sizes[-1]
    names = [f"weight {j}" for j in range(1, truth.size + 1)] + [f"mean slope {j}" for j in range(1, p * k + 1)]
    names += [f"prediction at {v:.1f}" for v in at[:, 0]]
    counted = {name: count for name, count in reasons.items() if count}
    return Coverage(names, known, refused, hits, given, counted, np.where(none, np.nan, unbounded))


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
    for row, open_ended in zip(rows, share(found.unbounded), strict=True):
        row.append(percent(open_ended))
    return Table(f"95 % intervals, {len(found.refused):,} data sets; {name}", header, rows)


def percent(value: float) -> str:
    """Return a share as it is read: "95.2 %", and "–" where there is none."""
    return "–" if np.isnan(value) else f"{100 * value:.1f} %"


def remark_on(group: str, name: str, case: Case, found: Coverage) -> str:
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
    head = f"{group}{name}"
    return f"{head[0].upper()}{head[1:]}. {whole}. {'; '.join(parts)}.{why}"


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
    found, remarks = {}, []
    for group, name, case in ((group, *item) for group, cases in GROUPS.items() for item in cases.items()):
        found[group, name] = covered(case, sets, refits if case.bootstrap else 0)
        remarks.append(remark_on(group, name, case, found[group, name]))
        options.say(remarks[-1])
    cut = f"This is a quick run: {sets} data sets and {refits} refits of each, too few to tell 93 from 95 %."
    shown = {name: of for (group, name), of in found.items() if not group}
    caption = "Coverage of 95 % intervals of the weights, mean slopes and predictions of known networks, by method."
    shown_first = sorted(found.items(), key=lambda item: item[0][0])
    tables = [table_of(f"{group.lower()}{name}", of) for (group, name), of in shown_first]
    return Result({}, {}, tables, [cut] * options.quick + remarks, {"coverage": (drawn(shown), caption)})
