"""Where the boxes and lines of a graph stand: layers from top to bottom, few crossings, no box on another.

The steps of Sugiyama, Tagawa and Toda (1981): layers by the longest path, a point for every layer that a line passes,
the order within a layer by the mean place of the neighbours, places as near to theirs as the room allows.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

GAP = 26.0  # between two boxes of a layer
POINT = 18.0  # the room of a line that passes a layer
SWEEPS = 24

Edge = tuple[str, str]  # parent, child
Node = str | tuple[str, str, int]  # a box, or the point of the line (parent, child) in a layer, a "dummy vertex"
Neighbours = Mapping[Node, Sequence[Node]]


class Layout(NamedTuple):
    """The middle of every node, layer by layer, and for each edge the nodes that its line runs through."""

    x: dict[Node, float]
    layers: list[list[Node]]
    lines: dict[Edge, list[Node]]


def layout(widths: Mapping[str, float], edges: Sequence[Edge]) -> Layout:
    """Return the places of boxes of the given widths; an edge goes from parent to child, without cycles."""
    edges = list(dict.fromkeys(edges))
    level = levels(list(widths), edges)
    layers: list[list[Any]] = [[] for _ in range(max(level.values(), default=0) + 1)]
    for name in widths:
        layers[level[name]].append(name)
    lines: dict[Edge, list[Node]] = {}
    for parent, child in edges:
        points: list[Node] = [(parent, child, k) for k in range(level[parent] + 1, level[child])]
        for point in points:
            layers[level[parent] + 1 + points.index(point)].append(point)
        lines[parent, child] = [parent, *points, child]
    above: dict[Node, list[Node]] = {node: [] for layer in layers for node in layer}
    below: dict[Node, list[Node]] = {node: [] for layer in layers for node in layer}
    for line in lines.values():
        for a, b in zip(line, line[1:], strict=False):
            below[a].append(b)
            above[b].append(a)
    layers = ordered(layers, above, below)
    room = {node: widths[node] + GAP if isinstance(node, str) else POINT for node in above}
    return Layout(_places(layers, above, below, room), layers, lines)


def levels(nodes: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Return the layer of each node: below all of its parents; one without parents stands just above a child."""
    parents = {node: [a for a, b in edges if b == node] for node in nodes}
    children = {node: [b for a, b in edges if a == node] for node in nodes}
    found: dict[str, int] = {}

    def level(node):
        if node not in found:
            found[node] = 1 + max((level(parent) for parent in parents[node]), default=-1)
        return found[node]

    for node in nodes:
        level(node)
    for node in nodes:
        if not parents[node] and children[node]:
            found[node] = min(found[child] for child in children[node]) - 1
    return found


def ordered(layers: Sequence[Sequence[Node]], above: Neighbours, below: Neighbours) -> list[list[Node]]:
    """Return the layers with each node near the mean place of its neighbours, swept down and up in turn."""
    layers = [list(layer) for layer in layers]
    best, fewest = layers, crossings(layers, below)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for k in range(1, len(layers)) if down else range(len(layers) - 2, -1, -1):
            other = {node: i for i, node in enumerate(layers[k - 1 if down else k + 1])}
            near = above if down else below
            here = {node: i for i, node in enumerate(layers[k])}
            layers[k] = sorted(layers[k], key=lambda n: _mean([other[m] for m in near[n]], here[n]))  # noqa: B023
        count = crossings(layers, below)  # which a sweep may make more
        if count < fewest:
            best, fewest = [list(layer) for layer in layers], count
    return best


def crossings(layers: Sequence[Sequence[Node]], below: Neighbours) -> int:
    """Return how many pairs of lines cross."""
    total = 0
    for upper, lower in zip(layers, layers[1:], strict=False):
        place = {node: i for i, node in enumerate(lower)}
        ends = [sorted(place[b] for b in below[a]) for a in upper]
        for i, first in enumerate(ends):
            total += sum(x > y for second in ends[i + 1 :] for x in first for y in second)
    return total


def _places(layers, above, below, room) -> dict[Node, float]:
    """Return the middle of every node, from 0: each as near to its neighbours' mean as its layer's room allows.

    A node without parents, an argument, gives way to the others.
    """
    x = {node: 0.0 for layer in layers for node in layer}
    weight = {node: 1.0 if above[node] else 0.01 for node in x}
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            near = {node: (*above[node], *below[node]) for node in layer}
            wanted = [_mean([x[m] for m in near[n]], x[n], [weight[m] for m in near[n]]) for n in layer]
            spaced = _spaced(wanted, [room[node] for node in layer], [weight[node] for node in layer])
            x |= zip(layer, spaced, strict=True)
    left = min((x[node] - room[node] / 2 for node in x), default=0.0)
    return {node: place - left for node, place in x.items()}


def _mean(values, default, weights=None):
    weights = weights or [1.0] * len(values)
    return sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights) if values else default


def _spaced(wanted: Sequence[float], room: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the places nearest to the wanted ones (weighted least squares) in the same order, each with its room.

    Isotonic regression by pooling adjacent violators.
    """
    offsets = [0.0]
    for a, b in zip(room, room[1:], strict=False):
        offsets.append(offsets[-1] + (a + b) / 2)
    pools: list[tuple[float, float, int]] = []
    for want, offset, weight in zip(wanted, offsets, weights, strict=True):
        mean, mass, count = want - offset, weight, 1
        while pools and pools[-1][0] > mean:
            other, more, n = pools.pop()
            mean, mass, count = (mean * mass + other * more) / (mass + more), mass + more, count + n
        pools.append((mean, mass, count))
    level = [mean for mean, _, count in pools for _ in range(count)]
    return [base + offset for base, offset in zip(level, offsets, strict=True)]
