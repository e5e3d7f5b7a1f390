"""The convolution as users call it: forward and backward together, in one compiled program, at many geometries."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from benchmarks.agreement import agree
from benchmarks.results import inverse
from benchmarks.timing import Side, peer_side
from benchmarks.work import FLOAT, Work
from jaxnn.ops import conv2d_bwd, conv2d_fwd

WHAT = "y, dx, dw and db by conv2d_fwd and conv2d_bwd, float32; images n x h x w x channels-filters-kernel-stride"
VARIANTS = (
    "128x28x28x1-32-3-1",  # the lecture's two
    "128x28x28x32-16-2-1",
    "32x32x32x3-64-3-1",
    "32x32x32x64-64-3-1",
    "16x56x56x64-64-3-1",
    "16x28x28x128-128-3-1",
    "16x14x14x256-256-3-1",
    "8x56x56x64-128-3-2",
    "16x28x28x256-64-1-1",
    "8x32x32x16-32-5-1",
    "8x112x112x3-64-7-2",
    "64x8x8x128-128-3-1",
)
PEERS = ("torch",)
SAMPLES = 20
ONLY_NAMED = True
TOLERANCE = 5e-5


class Geometry(NamedTuple):
    """The shapes of a convolution whose zeros keep the size, but for the stride."""

    images: tuple[int, int, int, int]
    filters: int
    kernel: int
    stride: int

    @property
    def padding(self) -> tuple[int, int]:
        """Return the rows of zeros at the top and at the bottom, as many as the columns at either side."""
        return (self.kernel - 1) // 2, self.kernel // 2

    @property
    def outputs(self) -> tuple[int, int, int, int]:
        """Return the shape of the result."""
        n, h, w, _ = self.images
        rows, columns = ((size - 1) // self.stride + 1 for size in (h, w))
        return n, rows, columns, self.filters

    @property
    def weights(self) -> tuple[int, int, int, int]:
        """Return the shape of the kernels."""
        return self.kernel, self.kernel, self.images[3], self.filters


def geometry(variant: str) -> Geometry:
    """Return what a variant's name says."""
    images, filters, kernel, stride = variant.split("-")
    n, h, w, c = map(int, images.split("x"))
    return Geometry((n, h, w, c), int(filters), int(kernel), int(stride))


def work(variant: str) -> Work:
    """Return three products, and the arrays once each: x, w, g read, y, dx, dw written; zeros count as pixels."""
    shapes = geometry(variant)
    images, outputs, weights = map(np.prod, (shapes.images, shapes.outputs, shapes.weights))
    flops = 3 * 2 * outputs * weights / shapes.filters
    return Work(float(flops), float(FLOAT * 2 * (images + outputs + weights)))


def start(shapes: Geometry) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return images, kernels, bias and the cotangent of the result, normal numbers; results are of size 1."""
    rng = np.random.default_rng(0)
    fan_in = np.prod(shapes.weights[:3])
    x, w, b, g = (
        rng.normal(size=size, scale=scale).astype(np.float32)
        for size, scale in (
            (shapes.images, 1),
            (shapes.weights, fan_in**-0.5),
            (shapes.filters, 1),
            (shapes.outputs, 1),
        )
    )
    return x, w, b, g


@partial(jax.jit, static_argnames=("stride", "padding"))
def forward_backward(x: jax.Array, w: jax.Array, b: jax.Array, g: jax.Array, stride: int, padding: tuple) -> tuple:
    """Return the result and all cotangents."""
    y, residuals = conv2d_fwd(x, w, b, stride=stride, padding=padding)
    return y, *conv2d_bwd(residuals, g, stride=stride, padding=padding)


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what runs a block of calls, by name: jaxnn's own and PyTorch's, once they are known to agree."""
    shapes = geometry(variant)
    arrays = start(shapes)
    ours = partial(forward_backward, *map(jax.device_put, arrays), shapes.stride, (shapes.padding,) * 2)
    found = {"jaxnn": peer_side(lambda: lambda: jax.block_until_ready(ours()), 1)}
    if "torch" in peers:
        from benchmarks.peers import torch_conv

        theirs = torch_conv.forward_backward(*arrays, shapes.stride, shapes.padding)
        for name, our_array, their_array in zip(
            ("y", "dx", "dw", "db"), ours(), torch_conv.arrays(theirs()), strict=True
        ):
            agree(f"PyTorch's {name}", our_array, their_array, TOLERANCE)
        found["torch"] = peer_side(lambda: theirs, 1)
    return found


def conclusions(rows: Sequence[dict]) -> list[str]:
    """Return how many times PyTorch's time jaxnn takes: in the middle of the geometries and at the worst of them."""
    ratios = {row["variant"]: inverse(row["ratio"])["value"] for row in rows if row["case"] == "conv" and row["ratio"]}
    if not ratios:
        return []
    worst = max(ratios, key=lambda variant: ratios[variant])
    middle = float(np.median(list(ratios.values())))
    return [f"conv: jaxnn's time over PyTorch's, median {middle:.2f}, worst {ratios[worst]:.2f} ({worst})"]
