"""The sweeps on few digits: sides that ought to agree do, and what is concluded from rows with known times."""

import jax
import numpy as np
import pytest

from benchmarks import curves, scaling
from benchmarks.agreement import Different


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(scaling, "UPDATES", 8)
    monkeypatch.setattr(scaling, "SIZES", {"batch": (32, 1024), "width": (3, 5), "networks": (1, 2)})


@pytest.mark.slow
@pytest.mark.parametrize("variant", scaling.VARIANTS)
def test_every_point_of_a_sweep_runs(variant, small):
    sides = scaling.sides(variant, [])
    points = {"devices": ["1"], "precision": list(scaling.WAYS["precision"]), "loop": list(scaling.WAYS["loop"])}
    expected = points.get(variant) or [str(size) for size in scaling.SIZES[variant]]
    assert list(sides) == expected
    first, last = (sides[point](1) for point in (expected[0], expected[-1]))
    updates = {"batch": (32, 1), "networks": (500, 500), "devices": (1, 1)}.get(variant, (8, 8))
    assert (first.steps, last.steps) == updates
    assert 0 < last.dispatch < last.seconds if variant == "loop" else last.dispatch == 0


@pytest.mark.slow
def test_a_loop_that_learns_otherwise_is_seen(monkeypatch):
    x, y = np.random.default_rng(0).random((128, 784), np.float32), np.arange(128) % 10
    monkeypatch.setattr(scaling, "first_loss", lambda *_: 2.0)
    with pytest.raises(Different, match="the loss of a call a step"):
        scaling.check_loops(x, y)


def row(variant, *samples):
    return {"case": "scaling", "variant": variant, "who": "jaxnn", "samples": samples, "median": np.median(samples)}


ROWS = [row(f"batch {n}", *[1e-6 * n**2] * 3) for n in (16, 32, 64, 128)]
ROWS += [row("loop one program", 1e-3), row("loop a call a step", 3e-3) | {"dispatch": 2e-5}, row("devices 1", 1.0)]
ROWS += [{"case": "mlp", "variant": "float32", "who": "jaxnn", "samples": [1.0]}]


def test_conclusions_are_the_exponent_and_the_ratios():
    square, larger, ratio, devices = scaling.conclusions(ROWS)
    assert square == "scaling batch: time grows as batch^2.00 (2.00 to 2.00)"
    assert larger == f"{square}, the larger half"
    beside, called = ratio.split("; ")
    assert beside == "scaling loop: a call a step takes 3.00 (3.00 to 3.00) of the time of one program"
    assert called == "its call returns after 20.0 us"
    assert devices.startswith("scaling devices: there is one;")
    assert scaling.conclusions([]) == []


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_picture_has_a_panel_for_each_sweep(suffix, tmp_path):
    curves.draw(scaling.sweeps(ROWS), tmp_path / f"sweeps{suffix}")
    seen = (tmp_path / f"sweeps{suffix}").read_bytes()
    assert (
        seen[:4] == b"\x89PNG"
        if suffix == ".png"
        else all(text in seen.decode() for text in ("batch", "a call a step", "3.00 ms", "devices"))
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0"), (2e-5, "20 us"), (1e-3, "1 ms"), (0.5, "500 ms"), (2.0, "2 s")]
)
def test_a_tick_has_its_unit(seconds, text):
    assert curves.short(seconds) == text


def test_devices_are_powers_of_two():
    assert scaling.counts_of_devices()[0] == 1 and scaling.counts_of_devices()[-1] <= jax.device_count()
