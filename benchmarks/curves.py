"""The pictures of the sweeps: time a step against a size with the fitted power, and one way beside another."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.statistics import exponent, iqr
from jaxnn.formatting import duration


def draw(sweeps: dict[str, dict[str, dict]], path: Path) -> None:
    """Write one picture with a panel for each sweep: rows by point, of which those of a size are numbers."""
    with matplotlib.rc_context({"font.size": 9, "svg.fonttype": "none"}):
        across = min(3, len(sweeps))
        down = -(-len(sweeps) // across)
        figure = Figure(figsize=(4 * across, 3 * down), layout="constrained")
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for axes in panels[len(sweeps) :]:
            axes.remove()
        for axes, (sweep, points) in zip(panels, sweeps.items(), strict=False):
            draw_sizes(axes, sweep, points) if all(map(str.isdigit, points)) else draw_ways(axes, points)
            axes.set_title(sweep, fontsize=10)
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, dpi=150)


def draw_sizes(axes: Axes, sweep: str, points: dict[str, dict]) -> None:
    """Draw medians with their interquartile ranges, on logarithmic axes, and the fitted line."""
    sizes = np.array([int(size) for size in points])
    medians = np.array([row["median"] for row in points.values()])
    axes.errorbar(sizes, medians, [iqr(row["samples"]) / 2 for row in points.values()], fmt="o", color="C0", capsize=2)
    if len(sizes) > 1:
        power = exponent(sizes, [row["samples"] for row in points.values()]).value
        through = np.exp(np.log(medians).mean() + power * (np.log(sizes) - np.log(sizes).mean()))
        axes.plot(sizes, through, color="0.5", linewidth=1, label=f"time ~ {sweep}$^{{{power:.2f}}}$")
        axes.legend(frameon=False, loc="upper left")
    axes.set(xscale="log", yscale="log", xlabel=sweep, ylabel="time a step")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    low, high = np.log10(medians.min()) - 0.15, np.log10(medians.max()) + 0.3
    axes.set_ylim(10**low, 10**high)
    ticks = [a * 10.0**e for e in range(-9, 3) for a in (1, 2, 5) if low < np.log10(a * 10.0**e) < high]
    axes.set_yticks(ticks, [short(tick) for tick in ticks])
    axes.yaxis.set_minor_locator(NullLocator())


def draw_ways(axes: Axes, points: dict[str, dict]) -> None:
    """Draw a bar for each way, with its time."""
    medians = [row["median"] for row in points.values()]
    bars = axes.barh(list(points), medians, color="C0", height=0.6)
    axes.bar_label(bars, [duration(median) for median in medians], padding=3)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.3 * max(medians))
    axes.set_xlabel("time a step")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: short(seconds)))
    axes.locator_params(axis="x", nbins=4)


def short(seconds: float) -> str:
    """Return a tick's label."""
    # A tick is a product of floats: one of a millisecond may lie a rounding below it.
    scale, unit = next(((s, u) for s, u in ((1, "s"), (1e-3, "ms")) if seconds >= s * 0.999), (1e-6, "us"))
    return f"{seconds / scale:g} {unit}" if seconds else "0"
