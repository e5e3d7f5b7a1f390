"""Exponential, binomial, Poisson and gamma numbers as R draws them, from its stream of uniforms and normals.

Each function draws one number by the published algorithm that R's page of help names, written here from the paper's
steps: Ahrens and Dieter 1972, "Computer methods for sampling from the exponential and normal distributions" (SA);
Kachitvichyanukul and Schmeiser 1988, "Binomial random variate generation" (BTPE); Ahrens and Dieter 1982, "Computer
generation of Poisson deviates from modified normal distributions" (PD); Ahrens and Dieter 1974, "Computer methods for
sampling from gamma, beta, Poisson and binomial distributions" (GS) and 1982, "Generating gamma variates by a modified
rejection technique" (GD). The numbers with few digits are those that these papers print; what follows from a formula is
computed. What the papers leave open and a last digit hangs on was settled by R's results, with R's own sources (nmath)
beside them: the order of roundings, that inversion begins anew beyond 110, and two numbers cut short, 1/6 after 13
digits and the root of 32 after 7.

`uniform()` and `normal()` draw the next of each from the stream. Logarithms, exponentials and powers are the C
library's, as R's are.
"""

import math
from collections.abc import Callable
from functools import cache
from itertools import accumulate

import numpy as np
from jaxtyping import Float64

Draw = Callable[[], float]
_LOG_2 = math.log(2)
_INV_ROOT_2PI = 1 / math.sqrt(2 * math.pi)
# The sums of (log 2)^j / j! for j = 1 to k: how likely it is that a number below log 2 needs at most k + 1 uniforms.
_SUMS_OF_LOG_2 = tuple(accumulate(_LOG_2**j / math.factorial(j) for j in range(1, 17)))


def exponential(uniform: Draw) -> float:
    """Return a standard exponential number: algorithm SA of Ahrens and Dieter 1972.

    The doublings of a uniform until it passes 1 are the whole multiples of log 2; what is left is below log 2, or else
    log 2 times the least of as many uniforms as a Poisson number of them has.
    """
    sums, whole, u = _SUMS_OF_LOG_2, 0.0, uniform()
    while (u := u + u) <= 1:
        whole += _LOG_2
    u -= 1
    if u <= sums[0]:
        return whole + u
    least = min(uniform(), uniform())
    place = 1
    while u > sums[place]:
        least, place = min(least, uniform()), place + 1
    return whole + least * _LOG_2


def binomial(uniform: Draw, size: int, prob: float) -> int:
    """Return how many of `size` trials succeed: by inversion where the mean is below 30, else BTPE of Kachitvichyanukul
    and Schmeiser 1988.
    """
    if size == 0 or prob == 0:
        return 0
    if prob == 1:
        return size
    p = min(prob, 1 - prob)
    q, mean = 1 - p, size * p
    ratio = p / q
    found = _by_inversion(uniform, size, q, ratio) if mean < 30 else _by_rejection(uniform, size, p, q, mean, ratio)
    return size - found if prob > 0.5 else found


def _by_inversion(uniform: Draw, size: int, q: float, ratio: float) -> int:
    none, growth = _power(q, size), ratio * (size + 1)
    while True:
        share, u = none, uniform()
        for k in range(111):
            if u < share:
                return k
            u -= share
            share *= growth / (k + 1) - ratio
        if u < share:
            return 111


def _power(base: float, exponent: int) -> float:
    """Return the power by squaring, in which order R multiplies."""
    found = 1.0
    while True:
        if exponent & 1:
            found *= base
        exponent >>= 1
        if not exponent:
            return found
        base *= base


def _by_rejection(uniform: Draw, size: int, p: float, q: float, mean: float, ratio: float) -> int:
    """BTPE: under a triangle, two parallelograms beside it and an exponential tail on each side."""
    growth, top, variance = ratio * (size + 1), mean + p, mean * q
    mode = int(top)
    half = int(2.195 * math.sqrt(variance) - 4.6 * q) + 0.5
    middle = mode + 0.5
    left, right = middle - half, middle + half
    height = 0.134 + 20.5 / (15.3 + mode)
    slope = (top - left) / (top - left * p)
    of_left = slope * (1 + 0.5 * slope)
    slope = (right - top) / (right * q)
    of_right = slope * (1 + 0.5 * slope)
    to_parallelograms = half * (1 + height + height)
    to_left = to_parallelograms + height / of_left
    whole = to_left + height / of_right
    while True:
        u, v = uniform() * whole, uniform()
        if u <= half:
            return int(middle - half * v + u)
        if u <= to_parallelograms:
            x = left + (u - half) / height
            v = v * height + 1 - abs(middle - x) / half
            if v > 1 or v <= 0:
                continue
            k = int(x)
        elif u > to_left:
            k = int(right - math.log(v) / of_right)
            if k > size:
                continue
            v = v * (u - to_left) * of_right
        else:
            k = int(left + math.log(v) / of_left)
            if k < 0:
                continue
            v = v * (u - to_parallelograms) * of_left
        if _is_below(k, v, mode, size, p, q, variance, growth, ratio, middle):
            return k


def _is_below(
    k: int,
    v: float,
    mode: int,
    size: int,
    p: float,
    q: float,
    variance: float,
    growth: float,
    ratio: float,
    middle: float,
) -> bool:
    """Return whether v is below the probability of k over that of the mode."""
    away = abs(k - mode)
    if away <= 20 or away >= variance / 2 - 1:
        share = 1.0
        for i in range(mode + 1, k + 1):
            share *= growth / i - ratio
        for i in range(k + 1, mode + 1):
            share /= growth / i - ratio
        return v <= share
    room = (away / variance) * ((away * (away / 3.0 + 0.625) + 0.1666666666666) / variance + 0.5)
    # R's square is a C int: beyond 46,340 from the mode, which takes sizes of 1e8, it overflows as two's complement.
    square = (away * away + 2**31) % 2**32 - 2**31
    normal, logarithm = -square / (2 * variance), math.log(v)
    if logarithm < normal - room:
        return True
    if logarithm > normal + room:
        return False
    a, b, c, d = k + 1.0, mode + 1.0, size + 1.0 - mode, size - k + 1.0
    exact = middle * math.log(b / a) + (size - mode + 0.5) * math.log(c / d) + (k - mode) * math.log(d * p / (a * q))
    for x in (b, c, a, d):  # Stirling's series
        square = x * x
        series = 13860.0 - (462.0 - (132.0 - (99.0 - 140.0 / square) / square) / square) / square
        exact += series / x / 166320.0
    return logarithm <= exact


@cache
def small_poisson_sums(mean: float) -> Float64[np.ndarray, " 36"]:
    """Return the cumulative probabilities of 0 to 35 of a Poisson number with a mean below 10, added one by one."""
    p = math.exp(-mean)
    sums = [p]
    for k in range(1, 36):
        p *= mean / k
        sums.append(sums[-1] + p)
    return np.array(sums)


_FACTORIALS = [float(math.factorial(k)) for k in range(10)]
_LOG_SERIES = (0.1250060, -0.1384794, 0.1421878, -0.1661269, 0.2000118, -0.2500068, 0.3333333, -0.5)


def large_poisson(uniform: Draw, normal: Draw, mean: float) -> int:
    """Return a Poisson number with a mean of 10 or more: algorithm PD of Ahrens and Dieter 1982."""
    root, reach = math.sqrt(mean), 6 * mean * mean
    first = mean + root * normal()
    k, u = -1.0, 0.0
    if first >= 0:
        k = float(math.floor(first))
        if k >= math.floor(mean - 1.1484):
            return int(k)
        apart, u = mean - k, uniform()
        if reach * u >= apart * apart * apart:
            return int(k)
    b1 = 1 / 24 / mean
    b2 = 0.3 * b1 * b1
    c3 = 1 / 7 * b1 * b2
    hermite = c3, b2 - 15 * c3, b1 - 6 * b2 + 45 * c3, 1 - b1 + 3 * b2 - 15 * c3
    if first >= 0:
        px, py, fx, fy = _poisson_and_normal(k, mean, root, hermite)
        if fy - u * fy <= py * math.exp(px - fx):
            return int(k)
    while True:
        e = exponential(uniform)
        u = 2 * uniform() - 1
        t = 1.8 + math.copysign(e, u)
        if t > -0.6744:
            k = float(math.floor(mean + root * t))
            px, py, fx, fy = _poisson_and_normal(k, mean, root, hermite)
            if 0.1069 / mean * abs(u) <= py * math.exp(px + e) - fy * math.exp(fx + e):
                return int(k)


def _poisson_and_normal(k: float, mean: float, root: float, hermite: tuple) -> tuple[float, float, float, float]:
    """Return the probability of k and that of the normal's near it, each as a factor and what it is a power of e of."""
    apart = mean - k
    if k < 10:
        px, py = -mean, math.pow(mean, k) / _FACTORIALS[int(k)]
    else:
        rest = 1 / 12 / k
        rest = rest * (1 - 4.8 * rest * rest)
        v = apart / k
        if abs(v) <= 0.25:
            series = _LOG_SERIES[0]
            for a in _LOG_SERIES[1:]:
                series = series * v + a
            px = k * v * v * series - rest
        else:
            px = k * math.log(1 + v) - apart - rest
        py = _INV_ROOT_2PI / math.sqrt(k)
    x = (0.5 - apart) / root
    x *= x
    c3, c2, c1, c0 = hermite
    return px, py, -0.5 * x, _INV_ROOT_2PI / root * (((c3 * x + c2) * x + c1) * x + c0)


_GAMMA_Q0 = (2.424e-4, 2.4511e-4, -7.388e-5, 0.00144121, 0.00801191, 0.02083148, 0.04166669)
_GAMMA_LOG = (0.1233795, -0.1367177, 0.1423657, -0.1662921, 0.2000062, -0.250003, 0.3333333)


def gamma(uniform: Draw, normal: Draw, shape: float, scale: float) -> float:
    """Return a gamma number: GS of Ahrens and Dieter 1974 where the shape is below 1, else their GD of 1982."""
    if shape == 0 or scale == 0:
        return 0.0
    if shape < 1:
        return scale * _small_gamma(uniform, shape)
    middle = shape - 0.5
    root = math.sqrt(middle)
    t = normal()
    x = root + 0.5 * t
    if t >= 0:
        return scale * (x * x)
    u = uniform()
    if (5.656854 - root * 12) * u <= t * t * t:
        return scale * (x * x)
    r, q0 = 1 / shape, 0.0
    for a in _GAMMA_Q0:
        q0 = (q0 + a) * r if q0 else a * r
    if shape <= 3.686:
        b, spread, c = 0.463 + root + 0.178 * middle, 1.235, 0.195 / root - 0.079 + 0.16 * root
    elif shape <= 13.022:
        b, spread, c = 1.654 + 0.0076 * middle, 1.68 / root + 0.275, 0.062 / root + 0.024
    else:
        b, spread, c = 1.77, 0.75, 0.1515 / root

    def quotient(t: float) -> float:
        v = t / (root + root)
        if abs(v) > 0.25:
            return q0 - root * t + 0.25 * t * t + (middle + middle) * math.log(1 + v)
        series = _GAMMA_LOG[0]
        for a in _GAMMA_LOG[1:]:
            series = series * v + a
        return q0 + 0.5 * t * t * series * v

    if x > 0 and math.log(1 - u) <= quotient(t):
        return scale * (x * x)
    while True:
        e = exponential(uniform)
        u = uniform()
        u = u + u - 1
        t = b - spread * e if u < 0 else b + spread * e
        if t >= -0.71874483771719:
            q = quotient(t)
            if q > 0 and c * abs(u) <= math.expm1(q) * math.exp(e - 0.5 * t * t):
                x = root + 0.5 * t
                return scale * x * x


def _small_gamma(uniform: Draw, shape: float) -> float:
    e = 1 + math.exp(-1) * shape
    while True:
        p = e * uniform()
        if p >= 1:
            x = -math.log((e - p) / shape)
            if exponential(uniform) >= (1 - shape) * math.log(x):
                return x
        else:
            x = math.exp(math.log(p) / shape)
            if exponential(uniform) >= x:
                return x
