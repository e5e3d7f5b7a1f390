"""The roofline: what each loop reached, beside what the machine's bandwidth and products allow at its intensity."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure


def draw(rows: Sequence[dict], limits: dict[str, float], path: Path) -> None:
    """Write the picture: FLOP/s against flops a byte, the roofs and a point for each row of jaxnn's."""
    shown = [row for row in rows if row.get("flops") and row["who"] == "jaxnn"]
    with matplotlib.rc_context({"font.size": 9, "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 4), layout="constrained")
        axes = figure.add_subplot()
        intensities = [row["flops"] / row["bytes"] for row in shown]
        across = np.geomspace(min([0.1, *intensities]) / 2, max([1000, *intensities]) * 2, 200)
        roofs = {name: rate for name, rate in limits.items() if name != "copy"}
        for style, (name, rate) in zip(("-", "--", "-.", ":"), roofs.items(), strict=True):
            label = f"{name} product, {rate / 1e9:,.0f} GFLOP/s"
            axes.plot(across, np.minimum(rate, across * limits["copy"]), style, color="0.5", linewidth=1, label=label)
        for row, intensity in zip(shown, intensities, strict=True):
            axes.plot(intensity, row["flops"] / row["median"], "o", label=f"{row['case']} {row['variant']}")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        axes.set(xscale="log", yscale="log", xlabel="flops a byte", ylabel="FLOP/s")
        axes.set_title(f"Reached, and what this machine allows (copy: {limits['copy'] / 1e9:,.0f} GB/s)", fontsize=10)
        figure.savefig(path, dpi=150)
