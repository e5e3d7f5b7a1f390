"""Frames as a test sees them: taken apart, and the NumPy network that their maps are to show."""

import itertools
import json
import struct

import numpy as np


def unpacked(frame):
    """Take a frame apart as `Session.frame` and `packed` say it is put together."""
    (length,) = struct.unpack("<I", frame[:4])
    head = json.loads(frame[4 : 4 + length])
    links = list(itertools.pairwise(head["sizes"]))
    rest, parts = frame[4 + length :], {}

    def take(shape, kind):
        nonlocal rest
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        part, rest = np.frombuffer(rest[:size], kind).reshape(shape), rest[size:]
        return part

    parts["W"] = [take((after, before), "<f4") for before, after in links]
    parts["b"] = [take((after,), "<f4") for _, after in links]
    parts["alive"] = [take((after, before), "u1") for before, after in links]
    parts["nodes"] = [take((after, 10, 10), "u1") for _, after in links]
    parts["large"] = take((100, 100), "u1")
    parts["shares"] = take((100, 100), "u1") if head["networks"] else None
    parts["small"] = take((len(head["networks"]["scores"]), 50, 50), "u1") if head["networks"] else None
    assert rest == b""
    return head | parts


def weights(frame):
    return {name: [part.tolist() for part in frame[name]] for name in ("W", "b")}


def outputs(weights):
    """Return a tanh network of X1 and X2, computed at the map's pixels: from the left, and from the top down."""
    x1, x2 = np.meshgrid(np.linspace(-6, 6, 100), np.linspace(6, -6, 100))
    a = np.stack([x1, x2], -1)
    for W, b in zip(weights["W"], weights["b"], strict=True):
        a = np.tanh(a @ np.array(W).T + np.array(b))
    return a[..., 0]


def assert_shades(seen, values):
    np.testing.assert_allclose(seen, (np.clip(values, -1, 1) + 1) * 127.5, atol=0.51)


def trained(play, epochs):
    """Return the rows of so many frames of one epoch."""
    return [row for _ in range(epochs) for row in unpacked(play.frame(1))["rows"]]
