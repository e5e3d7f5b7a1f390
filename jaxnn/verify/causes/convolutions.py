"""Causes of a wrong cotangent of a convolution (stride 1): the kernel or the images turned, shifted, swapped or cut.

Images are (n, height, width, channels), kernels (height, width, channels, features).
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from jaxnn.verify.causes.gap import EPS, Gap, close
from jaxnn.verify.causes.patterns import axes
from jaxnn.verify.causes.relations import Pool

LARGEST = 10**8  # multiplications per array that is tried

Change = tuple[str, np.ndarray, np.ndarray, tuple[int, int]]


def convolution(gap: Gap, others: Pool) -> str:
    """Return how the cotangent of a convolution's images or of its kernel was formed wrongly."""
    if gap.actual.ndim != 4 or gap.digits < 5:
        return ""
    images = {name: x for name, x in others.items() if x.ndim == 4}
    for (p, x), (q, g) in product(images.items(), images.items()):
        for of in (to_images, to_kernel):
            if p != q and (say := changed(gap, of, (p, x), (q, g), images)):
                return say
    return ""


def to_images(x: np.ndarray, g: np.ndarray, lo: tuple[int, int], shape: tuple[int, ...]) -> np.ndarray:
    """Return the cotangent of images of that shape, x the kernel, g the cotangent of what comes out."""
    height, width = x.shape[:2]
    wide = np.zeros((shape[0], shape[1] + 2 * height + g.shape[1], shape[2] + 2 * width + g.shape[2], g.shape[3]))
    wide[:, height : height + g.shape[1], width : width + g.shape[2]] = g
    total = np.zeros(shape)
    for a, b in product(range(height), range(width)):
        top, left = height - a + lo[0], width - b + lo[1]
        total += wide[:, top : top + shape[1], left : left + shape[2]] @ x[a, b].T
    return total


def to_kernel(x: np.ndarray, g: np.ndarray, lo: tuple[int, int], shape: tuple[int, ...]) -> np.ndarray:
    """Return the cotangent of a kernel of that shape, x the images, g the cotangent of what comes out."""
    height, width = shape[:2]
    wide = np.zeros((len(x), x.shape[1] + 2 * height, x.shape[2] + 2 * width, x.shape[3]))
    wide[:, height : height + x.shape[1], width : width + x.shape[2]] = x
    total = np.empty(shape)
    for a, b in product(range(height), range(width)):
        top, left = height + a - lo[0], width + b - lo[1]
        seen = wide[:, top : top + g.shape[1], left : left + g.shape[2]]
        total[a, b] = seen.reshape(-1, x.shape[3]).T @ g.reshape(-1, g.shape[3])
    return total


def changed(gap: Gap, of: Callable, p: tuple[str, np.ndarray], q: tuple[str, np.ndarray], images: Pool) -> str:
    """Return what was done to x or g, where the true array is `of(x, g)` for some padding."""
    (name, x), (other, g), shape = p, q, gap.actual.shape
    kernel = x.shape if of is to_images else shape
    pictures = shape if of is to_images else x.shape
    fit = kernel[2] == pictures[3] and kernel[3] == g.shape[3] and len(g) == pictures[0]
    out = [(g.shape[i], pictures[i], kernel[i - 1]) for i in (1, 2)]
    if not fit or any(o not in (n, n - k + 1) for o, n, k in out) or g.size * np.prod(kernel[:3]) > LARGEST:
        return ""
    lo = tuple((k - 1) // 2 if o == n else 0 for o, n, k in out)
    noise = 8 * EPS * of(np.abs(x), np.abs(g), lo, shape)
    if not close(gap.expected, of(x, g, lo, shape), gap.tolerance + noise):
        return ""
    for say, y, h, pad in changes(of, p, q, lo, images):
        if gap.fits(of(y, h, pad, shape), gap.tolerance + noise):
            return f"{say} (convolution of {name} and {other})"
    return ""


def changes(
    of: Callable, p: tuple[str, np.ndarray], q: tuple[str, np.ndarray], lo: Any, images: Pool
) -> Iterator[Change]:
    (name, x), (other, g) = p, q
    which = f"the kernel {name}" if of is to_images else name
    for chosen in ((0, 1), (0,), (1,)) if of is to_images else ((1, 2), (1,), (2,)):
        say = f"{which} is flipped along {axes(chosen)} (turned once too often, or not)"
        yield say, np.flip(x, chosen), g, lo
    for chosen in ((1, 2), (1,), (2,), (0,)):
        yield f"{other} is flipped along {axes(chosen)}", x, np.flip(g, chosen), lo
    if of is to_images:
        if x.shape[0] == x.shape[1]:
            yield f"{which} is transposed (axes 0 and 1 swapped)", x.transpose(1, 0, 2, 3), g, lo
        for a, b in product(range(x.shape[0]), range(x.shape[1])):
            one = np.zeros_like(x)
            one[a, b] = x[a, b]
            yield f"only the place [{a}, {b}] of {which} counts: the sum over the others is missing", one, g, lo
            yield f"the place [{a}, {b}] of {which} is missing in the sum", x - one, g, lo
    else:
        yield f"{which} is flipped along axis 0 (the samples)", np.flip(x, 0), g, lo
        yield f"the absolute value of {name} in place of {name}", np.abs(x), g, lo
        for index, say in ((0, "first"), (-1, "last")):
            yield f"only the {say} sample is used", x[[index]], g[[index]], lo
            yield f"the {say} sample is missing", np.delete(x, index, 0), np.delete(g, index, 0), lo
        for cut, say in (((1, 1), "row and column"), ((1, 0), "row"), ((0, 1), "column")):
            kept = np.zeros_like(g)
            inner = slice(g.shape[1] - cut[0]), slice(g.shape[2] - cut[1])
            kept[:, inner[0], inner[1]] = g[:, inner[0], inner[1]]
            yield f"the last {say} of {other} is left out (the border)", x, kept, lo
    for row, column in product((-1, 0, 1), (-1, 0, 1)):
        if row or column:
            say = f"shifted by ({row}, {column}): the padding is on the other side, or of another size (same, border)"
            yield say, x, g, (lo[0] + row, lo[1] + column)
    for called, y in images.items():
        if y.shape == x.shape and called != name:
            yield f"{called} in place of {name}", y, g, lo
        if y.shape == g.shape and called != other:
            yield f"{called} in place of {other}", x, y, lo
