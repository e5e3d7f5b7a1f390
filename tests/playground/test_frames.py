"""Frames by the format that `packed` tells of, losses by the rows that they are to keep."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.playground.frames import Losses, packed


def rows(epochs):
    return [[epoch, 1.0, 2.0, 0.5, 0.5] for epoch in epochs]


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9)), st.lists(st.floats(width=32)), st.binary(max_size=20))
def test_a_frame_is_its_header_its_floats_and_its_bytes(header, floats, shades):
    frame = packed(header, np.array(floats), [np.frombuffer(shades, np.uint8), np.array([[1, 0]], bool)])
    (length,) = struct.unpack("<I", frame[:4])
    assert length % 4 == 0 and json.loads(frame[4 : 4 + length]) == header
    end = 4 + length + 4 * len(floats)
    np.testing.assert_array_equal(np.frombuffer(frame[4 + length : end], "<f4"), np.array(floats, np.float32))
    assert frame[end:] == shades + b"\1\0"


def test_the_parts_of_a_frame_come_row_by_row():
    table = np.arange(6, dtype=np.uint8).reshape(2, 3).T  # not in this order in memory
    assert packed({}, np.zeros(0), [table])[8:] == bytes([0, 3, 1, 4, 2, 5])


def test_weights_too_large_for_the_page_are_infinite_and_nobody_is_warned():
    with np.errstate(over="raise"):
        frame = packed({}, np.array([1e300, -1e300, 1.0]), [])
    assert list(np.frombuffer(frame[8:], "<f4")) == [np.inf, -np.inf, 1.0]


def test_no_frame_holds_a_header_that_is_not_json():
    with pytest.raises(ValueError):
        packed({"now": float("nan")}, np.zeros(0), [])


def test_losses_keep_every_row_of_a_short_run():
    losses = Losses()
    assert losses.empty
    losses.add(rows(range(3)))
    losses.add(rows(range(3, 10_000)))
    assert not losses.empty and losses.rows == rows(range(10_000))


@pytest.mark.parametrize("step", [1, 64, 9999])
def test_losses_of_a_long_run_are_every_second_fourth_or_eighth(step):
    losses = Losses()
    for start in range(0, 50_000, step):
        losses.add(rows(range(start, min(start + step, 50_000))))
        assert len(losses.rows) <= Losses.MOST == 10_000
    assert losses.rows == rows(range(0, 50_000, 8))
