"""Tests for `jaxnn/trace/layout.py`."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.trace.layout import GAP, crossings, layout, levels

LECTURE = [("x", "a"), ("a", "b"), ("a", "c"), ("b", "c"), ("c", "d"), ("c", "e"), ("d", "f"), ("e", "f")]


def test_layers_of_the_lectures_graph():
    assert levels("xabcdef", LECTURE) == {"x": 0, "a": 1, "b": 2, "c": 3, "d": 4, "e": 4, "f": 5}


def test_an_argument_stands_just_above_its_use():
    assert levels("xabw", [("x", "a"), ("a", "b"), ("w", "b")])["w"] == 1


def test_a_long_line_passes_a_point_in_every_layer():
    placed = layout(dict.fromkeys("xabcdef", 50.0), LECTURE)
    assert placed.lines["a", "c"] == ["a", ("a", "c", 2), "c"]
    assert abs(placed.x["b"] - placed.x["a", "c", 2]) >= (50 + GAP) / 2


def test_crossings_are_counted_and_taken_out():
    edges = [("a", "y"), ("b", "x")]
    below = {"a": ["y"], "b": ["x"], "x": [], "y": []}
    assert crossings([["a", "b"], ["x", "y"]], below) == 1
    assert crossings([["a", "b"], ["y", "x"]], below) == 0
    placed = layout(dict.fromkeys("abxy", 50.0), edges)
    below = {node: [line[1] for line in placed.lines.values() if line[0] == node] for node in "abxy"}
    assert crossings(placed.layers, below) == 0


@given(
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30), st.lists(st.floats(20, 200), min_size=12)
)
@settings(max_examples=60, deadline=None)
def test_no_box_stands_on_another(pairs, widths):
    names = "abcdefghijkl"
    edges = [(names[min(p)], names[max(p)]) for p in pairs if p[0] != p[1]]
    sizes = dict(zip(names, widths, strict=False))
    placed = layout(sizes, edges)
    assert sorted(n for layer in placed.layers for n in layer if isinstance(n, str)) == list(names)
    for layer in placed.layers:
        for a, b in itertools.pairwise(n for n in layer if isinstance(n, str)):
            assert placed.x[b] - placed.x[a] >= (sizes[a] + sizes[b]) / 2 + GAP - 1e-6
    level = {n: k for k, layer in enumerate(placed.layers) for n in layer}
    assert all(level[a] < level[b] for a, b in edges)
    assert min(placed.x[n] - sizes[n] / 2 for n in names) >= 0
