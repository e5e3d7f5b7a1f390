"""Tests for `benchmarks/timing.py`: with sides that only say how long they took, so that nothing depends on a clock."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from benchmarks import timing
from benchmarks.timing import Block, alternate, fit_side, peer_side, summary

REST = timing.rest  # as it is, before the tests do without


@pytest.fixture(autouse=True)
def no_rest(monkeypatch):
    monkeypatch.setattr(timing, "rest", lambda: None)


def pretend(calls, who, seconds_a_unit, steps_a_unit=10, lead=7.0):
    def side(units):
        calls.append((who, units))
        return Block(lead, units * seconds_a_unit, units * steps_a_unit)

    return side


def test_sides_take_turns_after_the_warm_up():
    calls = []
    timings = alternate({"a": pretend(calls, "a", 1.0), "b": pretend(calls, "b", 2.0)}, samples=3, shortest=0.5)
    assert calls == 7 * [("a", 1)] + [("b", 1)] + 3 * [("a", 1), ("b", 1)]  # two medians of three, but of long blocks
    assert timings["a"].samples == [0.1] * 3 and timings["b"].samples == [0.2] * 3


def test_blocks_are_made_long_enough():
    calls = []
    found = alternate({"a": pretend(calls, "a", 0.25)}, samples=1, shortest=1.0)["a"]
    assert calls == [("a", 1)] + 8 * [("a", 5)]  # 1.2 times as many as one unit of 0.25 s promises
    assert found.steps == 50 and found.block == 1.25


def test_the_first_call_is_apart():
    leads = iter([9.0, *[1.0] * 8])
    found = alternate({"a": lambda units: Block(next(leads), 1.0, 1)}, samples=2, shortest=0.1)["a"]
    assert found.first_call == 9.0 and found.samples == [1.0, 1.0]


def test_a_sample_is_seconds_over_steps():
    assert summary(Block(0.0, 1.0, 1), [Block(9, 6.0, 3), Block(9, 3.0, 3)]) == timing.Timing(0.0, 3, 3.0, [2.0, 1.0])
    dispatched = [Block(9, 6.0, 3, dispatch=0.6), Block(9, 3.0, 3, dispatch=0.3), Block(9, 3.0, 3, dispatch=0.3)]
    assert summary(Block(0.0, 1.0, 1), dispatched).dispatch == pytest.approx(0.1)


def test_a_peers_block_is_a_start_an_untimed_unit_and_the_timed_ones():
    done = []

    def begin():
        done.append("begin")
        return lambda: done.append("work")

    block = peer_side(begin, 5)(3)
    assert done == ["begin", "work", "work", "work", "work"] and block.steps == 15


def squares(params, x, y):
    return jnp.mean((x @ params - y) ** 2), 2 * x.T @ (x @ params - y) / len(x)


def test_fit_is_timed_between_its_progress_calls():
    data = np.ones((4, 2), np.float32), np.ones(4, np.float32)
    side = fit_side(squares, jnp.zeros(2, jnp.float32), optax.sgd(0.1), data, epochs=500, updates=1)
    block = side(2)
    assert block.steps == 1000 and block.lead > 0 and block.seconds > 0


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fit_runs_in_the_precision_of_the_data_whatever_the_setting(dtype, double):
    seen = set()

    def gradient(params, x, y):
        seen.add(str(x.dtype))
        return squares(params, x, y)

    data = np.ones((4, 2), dtype), np.ones(4, dtype)
    with jax.enable_x64(double):
        fit_side(gradient, np.zeros(2, dtype), optax.sgd(0.1), data, epochs=500, updates=1)(1)
    assert seen == {dtype}


def test_fit_that_says_nothing_between_cannot_be_timed():
    data = np.ones((4, 2), np.float32), np.ones(4, np.float32)
    side = fit_side(squares, jnp.zeros(2, jnp.float32), optax.sgd(0.1), data, epochs=3, updates=1)
    with pytest.raises(RuntimeError, match="all 6 epochs as one program"):
        side(1)


@pytest.mark.parametrize(("spinning", "naps"), [([0, 0.02, 0.02, 0.03, 0.03, 0.03], 3), (range(200), timing.NAPS)])
def test_rest_lasts_until_no_thread_spins_but_not_for_ever(monkeypatch, spinning, naps):
    used, slept = iter(spinning), []
    monkeypatch.setattr(timing, "time", SimpleNamespace(process_time=lambda: next(used), sleep=slept.append))
    REST()
    assert slept == [timing.NAP] * naps


def test_the_first_call_says_what_compiling_took():
    with timing.compiling() as phases:
        jax.jit(lambda x: jax.jit(jax.numpy.sin)(x) @ x)(jax.numpy.ones((3, 3))).block_until_ready()
    assert set(phases) == {"trace", "lower", "compile"} and min(phases.values()) > 0


def test_the_warm_up_goes_on_until_two_medians_agree():
    times = iter([1.0, *[0.5, 0.9, 0.5], *[0.4, 0.4, 0.1], *[0.41, 0.39, 0.9], 0.3])

    def side(units):
        return Block(0.0, next(times), units)

    assert timing.warm_up(side, 0.3)[1] == 1 and next(times) == 0.3


def test_the_parts_of_the_first_call_are_the_sides_own_and_what_compiling_took_and_the_rest():
    def side(units):
        jax.jit(lambda x: x + units)(jnp.ones(3))
        return Block(100.0, 3.0, 1, {"data to device": 0.25})

    phases = timing.warm_up(side, 1.0)[0].phases
    assert list(phases) == ["data to device", "trace", "lower", "compile", "first run"]
    assert sum(phases.values()) == pytest.approx(100.25)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_data_are_placed_in_their_own_precision(dtype, monkeypatch):
    placed = []
    monkeypatch.setattr(jax, "block_until_ready", lambda arrays: placed.append([a.dtype for a in arrays]) or arrays)
    assert timing.seconds_to_place((np.ones((4, 2), dtype), np.arange(4))) >= 0
    assert placed == 2 * [[dtype, "int64"]]
