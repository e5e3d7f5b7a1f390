"""Diagrams of networks and computation graphs: one data unit is one inch, so that the room a text takes is known."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.textpath import TextPath
from numpy.typing import ArrayLike

from jaxnn.draw.style import BLUE, DARK_BLUE, DARK_ORANGE, DPI, GREY, INK, ORANGE
from jaxnn.errors import check_finite, check_positive, check_positive_int, check_shape, require

_ARROW = 0.75  # the length of the arrows into and out of the network
CROWDED = 48  # edges between two layers above which only the strongest carry their weight
LABEL_PLACES = (
    0.32,
    0.66,
    0.5,
    *np.linspace(0.16, 0.84, 35),
)  # where along its edge a weight may stand, the best first


def _canvas(low, high):
    figure = Figure(figsize=np.subtract(high, low), dpi=DPI)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.axis("off")
    return figure, ax


def network(
    sizes: Sequence[int],
    weights: Sequence[ArrayLike] | None = None,
    *,
    labels: Sequence[Sequence[Sequence[str]]] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    hidden_names: Sequence[Sequence[str]] | None = None,
    intercept_name: str = "",
    caption: str = "",
    show_weights: bool = True,
    intercept: bool = True,
    colors: Sequence[str] = (BLUE, BLUE, BLUE, "white"),
    fontsize: float = 13,
) -> Figure:
    """Return the network as nodes and edges, layers from left to right, above each layer a 1 for the intercept.

    `sizes` counts the nodes of each layer. `weights` holds one matrix (fan_in + 1, fan_out) for each step between
    layers, row 0 the intercept's: an edge is as wide as its weight is large within that step, blue above 0 and orange
    below; the weights are printed along the edges, the largest first and as many as find room. `labels`, in the same
    layout, prints text of the caller's instead. Without `intercept` the nodes with a 1 and their edges are left out.
    `colors` are those of input, hidden, output and intercept nodes; `fontsize` is the names', the others go with it.
    The page is as wide as the names need. Lecture: figures 1, 3, 17.
    """
    check_positive("fontsize", fontsize)
    require(len(colors) == 4, "colors", colors, "four: of input, hidden, output and intercept nodes")
    shapes = _check_network(sizes, weights, labels)
    inputs = _names("input_names", input_names, _numbered("x", sizes[0]), sizes[0])
    outputs = _names("output_names", output_names, _numbered(r"\hat{y}", sizes[-1]), sizes[-1])
    inside: list[Sequence[str]] = [[""] * n for n in sizes]
    inside[1:-1] = _names("hidden_names", hidden_names, inside[1:-1], len(sizes) - 2)
    layers, height = _layers(sizes)
    radius, width = min(0.22, 0.36 * height / max(sizes)), layers[-1][0, 0]
    size = min(fontsize, 45 * min(_gap(layers[0]), _gap(layers[-1])))
    left, right = (max(1.3, _ARROW + 0.2 + max(_width(name, size) for name in names)) for names in (inputs, outputs))
    low, high = (-left, -height / 2 - (0.5 if caption else 0.1)), (width + right, height / 2 + 0.75)
    if caption:  # in the middle of the network, and whole
        room = max(0, _width(caption, 0.85 * fontsize) / 2 + 0.1 - min(left, right) - width / 2)
        low, high = (low[0] - room, low[1]), (high[0] + room, high[1])
    figure, ax = _canvas(low, high)
    taken = np.concatenate(layers)
    kept = slice(None) if intercept else slice(1, None)
    for i, shape in enumerate(shapes):
        w = (np.zeros(shape) if weights is None else np.asarray(weights[i], float))[kept].ravel()
        edges = _edges(layers[i][kept], layers[i + 1][1:], radius)
        _draw_edges(ax, edges, w, radius)
        if labels is not None:
            _label_edges(ax, edges, np.ravel(np.asarray(labels[i])[kept]), w, taken, fontsize)
        elif weights is not None and show_weights:
            taken = _label_edges(ax, edges, [_number(v, 4) for v in w], w, taken, fontsize)
    of_layers = [colors[0], *[colors[1]] * (len(layers) - 2), colors[2]]
    for layer, names, color in zip(layers, inside, of_layers, strict=True):
        one = None if layer is layers[-1] or not intercept else colors[3]
        _draw_nodes(ax, layer, _names("hidden_names", names, (), len(layer) - 1), radius, color, one)
    _draw_terminals(ax, layers[0], [intercept_name if intercept else "", *inputs], radius, -1, size)
    _draw_terminals(ax, layers[-1], ["", *outputs], radius, 1, size)
    ax.text(width / 2, -height / 2 - 0.25, caption, ha="center", va="center", color=INK, fontsize=0.85 * fontsize)
    return figure


def _check_network(sizes, weights, labels):
    require(len(sizes) >= 2, "sizes", f"{len(sizes)} layers", "an input and an output layer at least")
    for size in sizes:
        check_positive_int("sizes", size)
    shapes = [(n + 1, k) for n, k in zip(sizes[:-1], sizes[1:], strict=True)]
    for name, given in (("weights", weights), ("labels", labels)):
        require(given is None or len(given) == len(shapes), name, given, f"{len(shapes)} matrices, one for each step")
        for matrix, shape in zip(given or [], shapes, strict=False):
            check_shape(name, matrix, shape)
    for matrix in weights or []:
        check_finite("weights", matrix)
    return shapes


def _names(argument, given, default, n):
    names = default if given is None else given
    require(len(names) == n, argument, f"{len(names)} names", f"{n}, one for each node")
    return names


def _numbered(symbol, n):
    return [f"${symbol}$" if n == 1 else f"${symbol}_{{{j}}}$" for j in range(1, n + 1)]


def _layers(sizes):
    """Return for each layer the places (1 + n, 2) of its nodes, the intercept's first, and the height of them all."""
    height = float(np.clip(0.85 * max(sizes), 1.8, 9))
    step = max(2.4, 0.45 * height)
    columns = [[height / 2 + 0.35, *(((n - 1) / 2 - np.arange(n)) * height / n)] for n in sizes]
    return [np.stack([np.full(len(y), i * step), y], axis=1) for i, y in enumerate(columns)], height


def _edges(starts, ends, radius):
    """Return the edges (m * k, 2, 2) from each of m nodes to each of k, in row order, from rim to rim."""
    a, b = np.repeat(starts, len(ends), axis=0), np.tile(ends, (len(starts), 1))
    rim = radius * _direction(a, b)
    return np.stack([a + rim, b - rim], axis=1)


def _direction(a, b):
    return (b - a) / np.linalg.norm(b - a, axis=-1, keepdims=True)


def _draw_edges(ax, edges, w, radius):
    share = np.abs(w) / (np.abs(w).max() or 1)
    order = np.argsort(share, kind="stable")  # the strongest on top
    colors = np.array([to_rgba(GREY if v == 0 else BLUE if v > 0 else ORANGE) for v in w])
    colors[:, 3] = np.clip(0.1 + share**1.5, 0, 1) if len(w) > CROWDED else 1
    widths = 4 * radius + (17 if w.any() else 0) * radius * share
    along, tips = _direction(edges[:, 0], edges[:, 1]), edges[:, 1]
    across, back = along[:, ::-1] * (0.2 * radius, -0.2 * radius), tips - 0.6 * radius * along
    heads = np.stack([tips, back + across, back - across], axis=1)
    shafts = np.stack([edges[:, 0], back], axis=1)
    ax.add_collection(LineCollection(list(shafts[order]), colors=colors[order], linewidths=widths[order]))
    ax.add_collection(PolyCollection(list(heads[order]), color=colors[order], linewidths=widths[order]))


def _label_edges(ax, edges, texts, w, taken, fontsize):
    """Print each text along its edge, the largest weight first, where no other text is and the other edges are far.

    Returns the places now taken.
    """
    upright, crowded = not w.any(), len(w) > CROWDED
    size = fontsize * (1 if upright else 7.5 / 13 if crowded else 8.5 / 13)
    for i in np.argsort(-np.abs(w), kind="stable")[: 24 if crowded else None]:
        (a, b), along = edges[i], _direction(*edges[i])
        half = 0.15 if upright else 0.32 * size / 72 * len(texts[i])
        spines = [a + t * (b - a) + np.linspace(-half, half, 9)[:, None] * along for t in LABEL_PLACES]
        free = [s for s in spines if np.linalg.norm(s[:, None] - taken, axis=-1).min() > 1.2 * size / 72]
        if not free:
            continue
        # Beyond the height of the text an edge further away is no better: then the first place is.
        others = np.delete(edges, i, axis=0)
        spine = free[0] if upright else max(free, key=lambda s: min(_clearance(s, others), size / 72))
        color = INK if upright else DARK_BLUE if w[i] > 0 else DARK_ORANGE
        _text_along(ax, spine[4], (1, 0) if upright else along, texts[i], size, color)
        taken = np.concatenate([taken, spine])
    return taken


def _clearance(places, edges):
    """Return how near the nearest of the edges (m, 2, 2) comes to one of the places (n, 2)."""
    if not len(edges):
        return np.inf
    start, way = edges[:, 0], edges[:, 1] - edges[:, 0]
    away = places[:, None] - start
    share = np.clip((away * way).sum(-1) / (way**2).sum(-1), 0, 1)
    return np.linalg.norm(away - share[..., None] * way, axis=-1).min()


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}g}".replace("-", "−")


def _text_along(ax, place, along, text, size, color):
    angle = np.degrees(np.arctan2(along[1], along[0]))
    paper = dict(facecolor="white", edgecolor="none", pad=0.6)
    ax.text(*place, text, rotation=angle, ha="center", va="center", fontsize=size, color=color, bbox=paper)


def _gap(layer):
    """Return how far apart the nodes of a layer are."""
    return 1.0 if len(layer) == 2 else layer[1, 1] - layer[2, 1]


def _width(text, size):
    """Return the width of a text in inches, with the little that a rendered one is wider than its outlines."""
    return 1.05 * TextPath((0, 0), text, size=size).get_extents().width / 72 if text.strip() else 0.0


def _draw_nodes(ax, layer, names, radius, color, one):
    for place, name in zip(layer[1:], names, strict=True):
        ax.add_patch(Circle(place, radius, facecolor=color, edgecolor="white", linewidth=0.8, zorder=3))
        ax.text(*place, name, color="white", ha="center", va="center", fontsize=55 * radius, zorder=4)
    if one is not None:
        ax.add_patch(Circle(layer[0], max(0.75 * radius, 0.11), facecolor=one, edgecolor=GREY, zorder=3))
        ax.text(*layer[0], "1", color=INK, ha="center", va="center", fontsize=max(45 * radius, 7), zorder=4)


def _draw_terminals(ax, layer, names, radius, side, size):
    """The arrows into the first layer (side -1) or out of the last (side 1), each with its name."""
    for (x, y), name in zip(layer, names, strict=True):
        if name:
            near, far = (x + side * radius, y), (x + side * _ARROW, y)
            _arrow(ax, *((near, far) if side > 0 else (far, near)), ORANGE)
            where = dict(ha="left" if side > 0 else "right", va="center", fontsize=size)
            ax.text(far[0] + side * 0.08, y, name, color=INK, **where)


def _arrow(ax, start, end, color, **kwargs):
    style = dict(color=color, arrowstyle="-|>", mutation_scale=9, shrinkA=0, shrinkB=0)
    ax.add_patch(FancyArrowPatch(start, end, **style, **kwargs))


def computation_graph(
    nodes: Mapping[str, tuple[str, float, float]],
    edges: Sequence[tuple[str, str]],
    values: Mapping[str, float],
    adjoints: Mapping[str, float],
    slopes: Mapping[tuple[str, str], float],
) -> Figure:
    r"""Return the graph of a calculation with its forward and its backward pass written on it.

    `nodes` gives for each name its operation and its place; a node shows its operation, its value (blue) and its
    adjoint, the derivative of the result with respect to it (orange). An edge (parent, child) shows the local
    derivative $\partial$ child / $\partial$ parent from `slopes`. Lecture: figure 2.
    """
    for name, given, wanted in (("values", values, nodes), ("adjoints", adjoints, nodes), ("slopes", slopes, edges)):
        require(set(given) == set(wanted), name, sorted(given), f"one entry for each of {sorted(wanted)}")
    strange = {name for edge in edges for name in edge} - set(nodes)
    require(not strange, "edges", sorted(strange), f"names of nodes: {sorted(nodes)}")
    xy = {name: np.array([2.35 * x, 1.6 * y]) for name, (_, x, y) in nodes.items()}
    places = np.stack(list(xy.values()))
    figure, ax = _canvas(places.min(axis=0) - (0.8, 0.6), places.max(axis=0) + (0.8, 0.6))
    boxes = {name: _draw_box(ax, nodes[name][0], xy[name], values[name], adjoints[name]) for name in nodes}
    for parent, child in edges:
        a, b = xy[parent], xy[child]
        _arrow(ax, a, b, GREY, patchA=boxes[parent], patchB=boxes[child], zorder=1)
        text = rf"$\partial {child}/\partial {parent}$" + "\n" + _number(slopes[parent, child], 7)
        _text_along(ax, (a + b) / 2, (1, 0), text, 9.5, INK)
    for line, (text, color) in enumerate((("value, forward", DARK_BLUE), ("adjoint, backward", DARK_ORANGE))):
        ax.text(0.01, 0.97 - 0.065 * line, text, color=color, va="top", fontsize=11, transform=ax.transAxes)
    return figure


def _draw_box(ax, operation, place, value, adjoint):
    box = FancyBboxPatch(place - (0.52, 0.36), 1.04, 0.72, boxstyle="round,pad=0.08", facecolor="white", edgecolor=INK)
    ax.add_patch(box)
    texts = (operation, INK), (_number(value, 7), DARK_BLUE), (_number(adjoint, 7), DARK_ORANGE)
    for dy, (text, color) in zip((0.26, 0, -0.26), texts, strict=True):
        ax.text(*(place + (0, dy)), text, color=color, ha="center", va="center", fontsize=11.5)
    return box
