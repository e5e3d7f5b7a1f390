r"""The data sets of TensorFlow Playground, point for point: the same seed gives the original's own points.

`CLASSIFICATION`, `REGRESSION` and `LECTURE` have all sets that `jaxnn.playground` offers, by their names in a link.
Each function here draws `n` points of the plane from a `SeedRandom` and returns them with labels, 1 or -1 or, for the
two regression sets, a number between. `noise` is the original's slider over 100. (tensorflow/playground, `dataset.ts`.)
"""

import math
from collections.abc import Callable

import numpy as np

from jaxnn.data import synthetic
from jaxnn.data.rrandom import RRandom
from jaxnn.data.seedrandom import SeedRandom
from jaxnn.data.synthetic import Points
from jaxnn.errors import check_positive_int, require


def circle(random: SeedRandom, n: int = 500, noise: float = 0.0) -> Points:
    """Return a disc of radius 2.5 inside a ring from 3.5 to 5, half of the points each.

    The label is 1 where the point, moved by up to `5 noise` along each axis, is within 2.5 of the centre.
    """

    def point(low, high):
        radius, angle = random.uniform(low, high), random.uniform(0, 2 * math.pi)
        x, y = radius * math.sin(angle), radius * math.cos(angle)
        moved = math.hypot(*_moved(random, x, y, 5, noise))
        return x, y, 1 if moved < 2.5 else -1

    return _points([point(*bounds) for bounds in ((0, 2.5), (3.5, 5)) for _ in _halves(n, noise)])


def xor(random: SeedRandom, n: int = 500, noise: float = 0.0) -> Points:
    """Return points of a square, 0.3 away from both axes: label 1 where both coordinates, moved, have one sign."""

    def coordinate():
        t = random.uniform(-5, 5)
        return t + 0.3 if t > 0 else t - 0.3

    def point():
        x, y = coordinate(), coordinate()
        moved_x, moved_y = _moved(random, x, y, 5, noise)
        return x, y, 1 if moved_x * moved_y >= 0 else -1

    return _points([point() for _ in _each(n, noise)])


def gauss(random: SeedRandom, n: int = 500, noise: float = 0.0) -> Points:
    """Return two normal clouds around (2, 2), label 1, and (-2, -2), of variance `0.5 + 7 noise`."""
    _each(n, noise)
    deviation = math.sqrt(_between(0.5, 4, noise / 0.5))
    return _points(
        [
            (centre + deviation * _normal(random), centre + deviation * _normal(random), label)
            for centre, label in ((2, 1), (-2, -1))
            for _ in _halves(n, noise)
        ]
    )


def spiral(random: SeedRandom, n: int = 500, noise: float = 0.0) -> Points:
    """Return two spiral arms of 1.75 turns out to radius 5, each coordinate moved by up to `noise`."""

    def point(i, turn, label):
        radius, t = i / (n / 2) * 5, 1.75 * i / (n / 2) * 2 * math.pi + turn
        x = radius * math.sin(t) + random.uniform(-1, 1) * noise
        return x, radius * math.cos(t) + random.uniform(-1, 1) * noise, label

    return _points([point(i, turn, label) for turn, label in ((0, 1), (math.pi, -1)) for i in _halves(n, noise)])


def plane(random: SeedRandom, n: int = 1200, noise: float = 0.0) -> Points:
    """Return points of a square, labelled by their height on a plane, `(x1 + x2) / 10` of the moved point."""
    return _square(random, n, noise, lambda x, y: _between(-1, 1, (x + y + 10) / 20))


def hills(random: SeedRandom, n: int = 1200, noise: float = 0.0) -> Points:
    """Return points of a square, labelled by three cones up and three down: the highest there, or the deepest."""
    return _square(random, n, noise, _cones)


CONES = ((-4, 2.5, 1), (0, 2.5, -1), (4, 2.5, 1), (-4, -2.5, -1), (0, -2.5, 1), (4, -2.5, -1))


def _cones(x, y):
    heights = [sign * max(0.0, 1 - min(math.hypot(x - cx, y - cy) / 2, 1)) for cx, cy, sign in CONES]
    return max(heights, key=abs)


CLASSIFICATION: dict[str, Callable[..., Points]] = {"circle": circle, "xor": xor, "gauss": gauss, "spiral": spiral}
REGRESSION: dict[str, Callable[..., Points]] = {"reg-plane": plane, "reg-gauss": hills}
# The lecture's sets, which the original has not: drawn from R's stream, without noise, and labelled 0 or 1.
LECTURE: dict[str, Callable[[RRandom, int], Points]] = {
    "lecture-sigmoid": synthetic.sigmoid_boundary,
    "lecture-circle": synthetic.circle,
    "lecture-flower": synthetic.flower,
}


def shuffled(random: SeedRandom, points: Points) -> Points:
    """Return the points in the order of a Fisher-Yates shuffle, from the last place to the first."""
    order = list(range(len(points.y)))
    for last in range(len(order) - 1, -1, -1):
        other = math.floor(random() * (last + 1))
        order[last], order[other] = order[other], order[last]
    return Points(points.x[order], points.y[order])


def _square(random, n, noise, label):
    def point():
        x, y = random.uniform(-6, 6), random.uniform(-6, 6)
        return x, y, label(*_moved(random, x, y, 6, noise))

    return _points([point() for _ in _each(n, noise)])


def _moved(random, x, y, reach, noise):
    moved_x = x + random.uniform(-reach, reach) * noise
    return moved_x, y + random.uniform(-reach, reach) * noise


def _normal(random):
    """Return a standard normal number by Marsaglia's polar method; the second that it gives is thrown away."""
    while True:
        u, v = 2 * random() - 1, 2 * random() - 1
        s = u * u + v * v
        if s <= 1:
            return math.sqrt(-2 * math.log(s) / s) * u


def _between(low, high, share):
    return low * (1 - share) + high * share


def _each(n, noise):
    check_positive_int("n", n)
    number = isinstance(noise, int | float | np.number) and not isinstance(noise, bool)
    require(number and 0 <= noise < math.inf, "noise", repr(noise), "a finite number of at least 0")
    return range(n)


def _halves(n, noise):
    """Return the indices i < n / 2: an odd number of points becomes the next even one, as in the original."""
    return range(math.ceil(len(_each(n, noise)) / 2))


def _points(rows) -> Points:
    table = np.array(rows, dtype=np.float64)
    return Points(table[:, :2], table[:, 2])
