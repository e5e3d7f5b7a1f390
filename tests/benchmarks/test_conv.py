"""Tests for `benchmarks/conv.py`: the geometries by hand, both sides the same, the summary."""

import pytest

from benchmarks import conv
from benchmarks.agreement import Different

SMALL = ("2x6x5x3-4-3-1", "2x6x5x3-4-2-1", "2x6x7x3-4-3-2", "1x9x8x2-3-5-3", "2x4x4x3-5-1-1", "1x7x7x1-2-1-2")


def test_a_geometry_by_hand():
    shapes = conv.geometry("8x112x56x3-64-7-2")
    assert shapes == ((8, 112, 56, 3), 64, 7, 2) and shapes.padding == (3, 3)
    assert shapes.outputs == (8, 56, 28, 64) and shapes.weights == (7, 7, 3, 64)
    assert conv.geometry("1x7x6x1-2-2-1").padding == (0, 1) and conv.geometry("1x7x6x1-2-2-1").outputs == (1, 7, 6, 2)


def test_work_by_hand():
    # 4 x 4 places with 3 x 3 x 2 weights for each of 5 filters, two flops each, in each of three products.
    assert conv.work("1x4x4x2-5-3-1") == (3 * 2 * 16 * 18 * 5, 4 * 2 * (16 * 2 + 16 * 5 + 18 * 5))


@pytest.mark.parametrize("variant", SMALL)
def test_the_shapes_are_those_of_the_operation(variant):
    shapes = conv.geometry(variant)
    x, w, b, g = conv.start(shapes)
    y, dx, dw, db = conv.forward_backward(x, w, b, g, shapes.stride, (shapes.padding,) * 2)
    assert (y.shape, dx.shape, dw.shape, db.shape) == (shapes.outputs, shapes.images, shapes.weights, (shapes.filters,))
    assert conv.sides(variant, [])["jaxnn"](2).steps == 2


@pytest.mark.parametrize("variant", SMALL)
def test_torch_computes_the_same(variant):
    pytest.importorskip("torch", reason="PyTorch is an optional peer")
    assert conv.sides(variant, ["torch"])["torch"](2).steps == 2  # raises where they differ


def test_another_convolution_in_torch_is_seen(monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is an optional peer")
    from benchmarks.peers import torch_conv

    right = torch_conv.arrays
    monkeypatch.setattr(torch_conv, "arrays", lambda results: [1.001 * a if a.ndim == 1 else a for a in right(results)])
    with pytest.raises(Different, match="PyTorch's db"):
        conv.sides(SMALL[0], ["torch"])


def test_the_summary_is_the_median_and_the_worst():
    def row(variant, ours_over_theirs, who="torch", case="conv"):
        value = 1 / ours_over_theirs
        ratio = {"value": value, "low": value, "high": value}
        return {"case": case, "variant": variant, "who": who, "ratio": ratio if who == "torch" else None}

    rows = [row("a", 0.5), row("b", 1.25), row("c", 0.8), row("a", 1, who="jaxnn"), row("d", 9, case="cnn")]
    assert conv.conclusions(rows) == ["conv: jaxnn's time over PyTorch's, median 0.80, worst 1.25 (b)"]
    assert conv.conclusions(rows[3:]) == []
