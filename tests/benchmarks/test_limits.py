"""The machine's limits and the roofline, on small sizes: what is counted, not how fast."""

import matplotlib.image
import pytest

from benchmarks import limits, results, roofline

LIMITS = {"float64": 50e9, "float32": 100e9, "float32 exact": 100e9, "bfloat16": 20e9, "copy": 10e9}
ROW = {"case": "mlp", "variant": "float32", "who": "jaxnn", "median": 0.002, "flops": 1e8, "bytes": 1e6}


def test_rates_are_flops_and_bytes_over_seconds(monkeypatch):
    monkeypatch.setitem(limits.SIZE, "cpu", 8)
    monkeypatch.setitem(limits.COPIED, "cpu", 64)
    monkeypatch.setattr(limits, "fastest", lambda run, last: 2.0 if run(last).shape else 0.0)
    assert limits.measured() == dict.fromkeys(limits.PRODUCTS, 512.0) | {"copy": 64.0}


def test_a_product_runs_in_the_dtype_it_is_said_to(monkeypatch):
    seen = []
    monkeypatch.setattr(limits, "fastest", lambda run, last: seen.append(run(last).dtype) or 1.0)
    for dtype, precision in limits.PRODUCTS.values():
        limits.seconds_of_product(4, dtype, precision)
    assert seen == ["float64", "float32", "float32", "bfloat16"]


def test_what_was_reached_in_words():
    assert results.reached(ROW, LIMITS) == "50 GFLOP/s, 50 % of a float32 product's 100; 100 flops a byte"
    counted = results.reached(ROW | {"xla_flops": 1.2e8}, LIMITS)
    assert counted.endswith("100 flops a byte; XLA counts 1.20 of these flops")
    assert "float64 product's 50" in results.reached(ROW | {"variant": "float64"}, LIMITS)


@pytest.mark.parametrize("name", ["roof.png", "roof.svg"])
def test_the_roofline_is_drawn(name, tmp_path):
    roofline.draw([ROW, {"case": "rprop", "who": "jaxnn"}, ROW | {"who": "torch"}], LIMITS, tmp_path / name)
    if name.endswith("svg"):
        text = (tmp_path / name).read_text()
        assert text.count("mlp float32") == 1 and "float32 exact product, 100 GFLOP/s" in text
    else:
        assert matplotlib.image.imread(tmp_path / name).std() > 0
