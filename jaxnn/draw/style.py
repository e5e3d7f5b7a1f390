"""The colours, the resolution and the axes of every picture."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE = "#377EB8", "#FF7F00"  # class 0 and class 1, as in the lecture
DARK_BLUE, DARK_ORANGE = "#22557F", "#B35900"  # the same two for text
INK, GREY = "#222222", "#8A8A8A"
DPI = 150


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches, made without pyplot, which keeps figures until they are closed."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def style_axes(ax: Axes, xlabel: str = "", ylabel: str = "") -> None:
    """Label the axes, and leave of their frame the left and the lower side, in grey."""
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.tick_params(color=GREY, labelcolor=INK)
