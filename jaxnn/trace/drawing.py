"""The graph of an explanation as an SVG: a box for each value, its adjoint below it, local derivatives on the lines."""

from html import escape

import numpy as np

from jaxnn.trace.derivation import Derivation, Row
from jaxnn.trace.layout import Edge, Layout, Node, layout
from jaxnn.trace.tables import entry_text, operation, shape_text

INK, GREY, BLUE, ORANGE, RED = "#222222", "#8A8A8A", "#22557F", "#B35900", "#C00000"
LETTER, LINE, PAD = 6.9, 16.0, 9.0  # the width of a letter, the height of a line, the edge of a box
SPACE, MARGIN = 62.0, 24.0  # between two layers, around the drawing
LONGEST = 30  # letters of a label
HEAD = 30.0  # the room of the legend
STYLE = (
    "text{font:12px 'DejaVu Sans',Verdana,sans-serif}"
    f".line{{fill:none;stroke:{GREY};stroke-width:1.2}}"
    f".slope{{font-size:11px;fill:{INK};paint-order:stroke;stroke:white;stroke-width:4px;stroke-linejoin:round}}"
)

Box = tuple[float, float, float, float]


def svg(e: Derivation) -> str:
    """Return the drawing; every text in it is escaped."""
    rows = {row.name: row for row in e.rows if row.adjoint is not None}
    lines = {row.name: _lines(row) for row in rows.values()}
    widths = {name: max(len(line) for line, _ in texts) * LETTER + 2 * PAD for name, texts in lines.items()}
    slopes: dict[Edge, list[float]] = {}
    for row in rows.values():
        for slope in row.slopes:
            if slope.parent in rows:
                slopes.setdefault((slope.parent, row.name), []).append(slope.value)
    placed = layout(widths, list(slopes))
    tops: dict[Node, float] = {}
    bottoms: dict[Node, float] = {}
    y = MARGIN + HEAD
    for layer in placed.layers:
        heights: dict[Node, float] = {
            node: 2 * PAD + LINE * len(lines[node]) for node in layer if isinstance(node, str)
        }
        tallest = max(heights.values(), default=LINE)
        tops |= dict.fromkeys(layer, y)
        bottoms |= {node: y + heights.get(node, tallest) for node in layer}
        y += tallest + SPACE
    boxes = [node for node in tops if isinstance(node, str)]
    right = max((placed.x[n] + (widths[n] / 2 if isinstance(n, str) else 0) for n in placed.x), default=0.0)
    width, height = max(right + 2 * MARGIN, 330.0), y - SPACE + MARGIN
    pieces = {edge: _pieces(placed, edge, tops, bottoms) for edge in slopes}
    # In an SVG the later covers the earlier: a label may not be crossed by a line, nor a box by either.
    parts = [_curve(pieces[edge]) for edge in slopes]
    parts += _labels(slopes, pieces, rows)
    parts += [_box(rows[name], e, placed.x[name] + MARGIN, tops[name], widths[name], lines[name]) for name in boxes]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}" role="img">',
            f"<title>{escape(e.function)}: values, adjoints and local derivatives</title>",
            f"<style>{STYLE}</style>",
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
            f'<text x="{MARGIN}" y="{MARGIN}" fill="{BLUE}">value, forward</text>',
            f'<text x="{MARGIN + 130}" y="{MARGIN}" fill="{ORANGE}">adjoint, backward</text>',
            *parts,
            "</svg>",
        ]
    )


def _lines(row: Row) -> list[tuple[str, str]]:
    """Return the lines of a box with their colours."""
    shape = [(shape_text(row.value), GREY)] if np.ndim(row.value) else []
    texts = [(operation(row).pretty, INK), *shape, (entry_text(row, row.value).pretty, BLUE)]
    texts.append((entry_text(row, row.adjoint).pretty, ORANGE))
    return [(_cut(text), color) for text, color in texts]


def _cut(text):
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _box(row, e, x, y, width, lines) -> str:
    bad = row.name in (e.first_bad_value, e.first_bad_adjoint) or (row.check and row.check.kind == "differs")
    stroke, dash = (RED if bad else INK), ' stroke-dasharray="4 3"' if row.check and row.check.kind == "kink" else ""
    height = 2 * PAD + LINE * len(lines)
    texts = [
        f'<text x="{x:.1f}" y="{y + PAD + LINE * (i + 0.75):.1f}" text-anchor="middle" fill="{color}">'
        f"{escape(text)}</text>"
        for i, (text, color) in enumerate(lines)
    ]
    title = operation(row).text + (f"\n{row.line}" if row.line else "")
    return (
        f'<g><title>{escape(title)}</title><rect x="{x - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="6" fill="white" stroke="{stroke}"{dash}/>' + "".join(texts) + "</g>"
    )


def _pieces(placed: Layout, edge: Edge, tops: dict[Node, float], bottoms: dict[Node, float]) -> list[Box]:
    """Return the curved pieces of a line, each from the bottom of one layer to the top of the next."""
    nodes = placed.lines[edge]
    return [
        (placed.x[a] + MARGIN, bottoms[a], placed.x[b] + MARGIN, tops[b])
        for a, b in zip(nodes, nodes[1:], strict=False)
    ]


def _curve(pieces: list[Box]) -> str:
    path = []
    for x0, y0, x1, y1 in pieces:
        middle = (y0 + y1) / 2
        path.append(
            f"{'L' if path else 'M'}{x0:.1f} {y0:.1f}C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
        )
    _, _, x, y = pieces[-1]
    head = f'<path d="M{x:.1f} {y:.1f}l-3.5 -8h7z" fill="{GREY}"/>'
    return f'<path class="line" d="{"".join(path)}"/>{head}'


def _labels(slopes: dict[Edge, list[float]], pieces: dict[Edge, list[Box]], rows: dict[str, Row]) -> list[str]:
    """Return the local derivatives, each on the last piece of its line where no other one stands."""
    taken: list[Box] = []
    found = []
    for (parent, child), values in slopes.items():
        x0, y0, x1, y1 = pieces[parent, child][-1]
        text = _cut(", ".join(f"{v:.7g}".replace("-", "\N{MINUS SIGN}") for v in values))
        half = len(text) * LETTER / 2
        for t in (0.5, 0.4, 0.6, 0.3, 0.7, 0.22, 0.8):
            x, y = x0 + (x1 - x0) * (3 * t**2 - 2 * t**3), y0 + (y1 - y0) * (1.5 * t * (1 - t) + t**3)
            box = (x - half, y - 7, x + half, y + 7)
            if not any(_overlap(box, other) for other in taken):
                break
        taken.append(box)
        formulas = [s.formula.pretty for s in rows[child].slopes if s.parent == parent and s.formula]
        title = f"∂{child}/∂{parent}" + (f" = {formulas[0]}" if formulas else "")
        found.append(
            f'<text class="slope" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle"><title>{escape(title)}</title>'
            f"{escape(text)}</text>"
        )
    return found


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
