"""R's random stream: the numbers that R (3.6 and newer, default generators) gives after `set.seed(seed)`.

Each part follows one function of R's C sources, down to the order in which it rounds. Seeding, Mersenne Twister and
uniforms: RNG.c (`RNG_Init`, `MT_genrand`, `fixup`, `R_unif_index`). Normals: snorm.c and qnorm.c (`qnorm5`).
Samples: `do_sample` of random.c with `revsort` of sort.c, and `do_sample2`, which R's `sample.int` calls for few of
very many.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from jaxnn.data import r_distributions
from jaxnn.errors import require

_WORD = 2**-32  # from a 32-bit word to [0, 1)
_SMALLEST = 0.5 * 2.328306437080797e-10  # what R's `fixup` puts in the place of a uniform 0, digit for digit
_BIG = 2**27  # R's name: rnorm joins the upper 27 bits of one uniform and the whole of the next

# Wichura (1988), Algorithm AS 241, PPND16: numerators and denominators, highest power first, as in R's qnorm.c.
_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457)
    + (13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867)
    + (5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)
_TAIL = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258)
    + (3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459)
    + (0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
)
_FAR_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093)
    + (0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4)
    + (0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0),
)


class RRandom:
    """One running stream of random numbers, R's own: Mersenne Twister, normals by inversion, samples by rejection.

    `seed`: any signed 32-bit whole number, as for `set.seed` (R keeps -2**31 for NA; here it is a seed like others).
    `runif`, `sample`, `rexp`, `rbinom`, `rpois` and `rgamma` equal R 4.2 bit for bit, with the C library that R uses,
    `rnorm` to 1 unit in the last place. Each call goes on where the last ended. Raises `InvalidArgument` for any other
    seed.
    Matsumoto and Nishimura (1998), Wichura (1988), and R's RNG.c, snorm.c, qnorm.c and random.c.
    """

    def __init__(self, seed: int):
        require(_is_whole(seed) and -(2**31) <= seed < 2**31, "seed", repr(seed), "a whole number in -2**31..2**31-1")
        self._bits = np.random.MT19937(0)  # NumPy's seeding is another than R's, its twister is the same
        self._bits.state = {"bit_generator": "MT19937", "state": {"key": _initial_state(int(seed)), "pos": 624}}

    def runif(self, n: int, min: int | float = 0.0, max: int | float = 1.0) -> Float64[np.ndarray, " n"]:
        """Return `min + (max - min) * u`, `u` uniform on the open interval (0, 1): R's `runif(n, min, max)`.

        As in R nothing is drawn where `min == max`.
        Raises `InvalidArgument` unless `n >= 0` and `min <= max`, both and their difference finite.
        """
        _check_count("n", n)
        _check_number("min", min)
        _check_number("max", max)
        require(min <= max, "max", f"{max!r} with min = {min!r}", "max of at least min")
        require(math.isfinite(float(max) - float(min)), "max", f"{max!r} with min = {min!r}", "a finite max - min")
        if min == max:
            return np.full(n, float(min))
        return float(min) + (float(max) - float(min)) * self._uniform(n)

    def rnorm(self, n: int, mean: int | float = 0.0, sd: int | float = 1.0) -> Float64[np.ndarray, " n"]:
        """Return `mean + sd * z`, `z` standard normal: R's `rnorm(n, mean, sd)`, two uniforms for each number.

        `z = qnorm((floor(2**27 * u1) + u2) / 2**27)`. As in R nothing is drawn where `sd == 0`.
        Raises `InvalidArgument` unless `n >= 0`, `mean` is finite and `sd` is finite and not negative.
        """
        _check_count("n", n)
        _check_number("mean", mean)
        _check_number("sd", sd)
        require(sd >= 0, "sd", repr(sd), "a number of at least 0")
        if sd == 0:
            return np.full(n, float(mean))
        u = self._uniform(2 * n)
        return float(mean) + float(sd) * _qnorm((np.floor(_BIG * u[0::2]) + u[1::2]) / _BIG)

    def sample(
        self,
        x: int | Sequence | np.ndarray,
        size: int | None = None,
        replace: bool = False,
        prob: Sequence[float] | np.ndarray | None = None,
    ) -> Int64[np.ndarray, " size"] | Shaped[np.ndarray, " size"]:
        """Return `size` elements of `x` in random order: R's `sample(x, size, replace, prob)`.

        A whole number `x` stands for 1..x. A sequence is drawn from as it is given, also when it holds one number only,
        which R would take for 1..x. Without `size` as many are drawn as there are elements. `prob` weighs the elements;
        as in R its sum need not be 1. The dtype is int64 for a whole number, else that of `x`.
        Raises `InvalidArgument` for `x` below 1 or from 2**31 on, for `x` of other than one dimension, for `prob` that
        does not fit, and without `replace` for more than there are elements, or elements with a weight above 0.
        """
        if _is_whole(x):
            require(1 <= x < 2**31, "x", repr(x), "a whole number in 1..2**31-1, or a sequence")
            return self._indices(int(x), size, replace, prob) + 1
        values = _vector(x)
        return values[self._indices(values.size, size, replace, prob)]

    def rexp(self, n: int, rate: int | float = 1.0) -> Float64[np.ndarray, " n"]:
        """Return `n` exponential numbers of mean 1 / `rate`: R's `rexp(n, rate)`.

        Raises `InvalidArgument` unless `n >= 0` and `rate` is finite and above 0.
        """
        _check_count("n", n)
        _check_number("rate", rate)
        require(rate > 0, "rate", repr(rate), "a number above 0")
        scale = 1 / float(rate)
        return np.array([scale * r_distributions.exponential(self._one) for _ in range(n)], np.float64)

    def rbinom(self, n: int, size: int, prob: int | float) -> Int64[np.ndarray, " n"]:
        """Return how many of `size` trials succeed with probability `prob`, `n` times: R's `rbinom(n, size, prob)`.

        Raises `InvalidArgument` unless `n >= 0`, `size` is in 0..2**31-2 and `prob` in [0, 1].
        """
        _check_count("n", n)
        _check_count("size", size)
        require(size < 2**31 - 1, "size", repr(size), "a whole number in 0..2**31-2")
        _check_number("prob", prob)
        require(0 <= prob <= 1, "prob", repr(prob), "a number in [0, 1]")
        draw = r_distributions.binomial
        return np.array([draw(self._one, int(size), float(prob)) for _ in range(n)], np.int64)

    def rpois(self, n: int, lam: int | float) -> Int64[np.ndarray, " n"]:
        """Return `n` Poisson numbers of mean `lam`: R's `rpois(n, lambda)`.

        Raises `InvalidArgument` unless `n >= 0` and `lam` is in [0, 1e8].
        """
        _check_count("n", n)
        _check_number("lam", lam)
        require(0 <= lam <= 1e8, "lam", repr(lam), "a number in [0, 1e8]")
        mean = float(lam)
        if mean == 0:
            return np.zeros(n, np.int64)
        if mean >= 10:
            draw = r_distributions.large_poisson
            return np.array([draw(self._one, self._one_normal, mean) for _ in range(n)], np.int64)
        sums, found = r_distributions.small_poisson_sums(mean), np.zeros(0, np.int64)
        while found.size < n:  # one beyond the table is drawn again
            places = np.searchsorted(sums, self._uniform(n - found.size))
            found = np.concatenate([found, places[places < len(sums)]])
        return found

    def rgamma(
        self, n: int, shape: int | float, rate: int | float = 1.0, *, scale: int | float | None = None
    ) -> Float64[np.ndarray, " n"]:
        """Return `n` gamma numbers of mean `shape * scale`, `scale` being 1 / `rate`: R's `rgamma(n, shape, rate)`.

        Raises `InvalidArgument` unless `n >= 0`, `shape` is finite and not negative, and `rate` and `scale` are finite
        and above 0.
        """
        _check_count("n", n)
        _check_number("shape", shape)
        require(shape >= 0, "shape", repr(shape), "a number of at least 0")
        require(scale is None or rate == 1, "scale", f"{scale!r} with rate = {rate!r}", "one of rate and scale")
        for name, value in (("rate", rate), ("scale", 1.0 if scale is None else scale)):
            _check_number(name, value)
            require(value > 0, name, repr(value), "a number above 0")
        size = 1 / float(rate) if scale is None else float(scale)
        draw = r_distributions.gamma
        return np.array([draw(self._one, self._one_normal, float(shape), size) for _ in range(n)], np.float64)

    def _one(self) -> float:
        return max(self._bits.random_raw() * _WORD, _SMALLEST)

    def _one_normal(self) -> float:
        return float(self.rnorm(1)[0])

    def _uniform(self, n: int) -> np.ndarray:
        return np.maximum(self._bits.random_raw(n) * _WORD, _SMALLEST)

    def _indices(self, n: int, size: int | None, replace: bool, prob: Any) -> np.ndarray:
        """`size` of 0..n-1."""
        size = n if size is None else size
        _check_count("size", size)
        require(isinstance(replace, bool | np.bool), "replace", repr(replace), "True or False")
        enough = replace or size <= n
        require(enough, "size", f"{size!r} of {n} elements", f"at most {n}, as nothing is drawn twice; or replace=True")
        require(n > 0 or size == 0, "x", "no elements", "at least one")
        if prob is not None:
            shares = _shares(prob, n, int(size), replace)
            if not replace:
                return self._by_shares_left(shares, int(size))
            # As R chooses: above 200 shares that count, the table is faster.
            draw = self._by_alias if np.sum(n * shares > 0.1) > 200 else self._by_shares
            return draw(shares, int(size))
        if replace:
            return np.array([self._uniform_index(n) for _ in range(size)], dtype=np.int64)
        draw = self._by_rejecting if n > 10**7 and 2 * size <= n else self._by_swapping  # as sample.int of R chooses
        return np.array(draw(n, int(size)), dtype=np.int64)

    def _by_shares(self, shares: np.ndarray, size: int) -> np.ndarray:
        """R's `ProbSampleReplace`: the largest share first, the first whose sum a uniform number does not exceed."""
        order = _largest_first(shares)
        sums = np.cumsum(shares[order])
        return order[np.minimum(np.searchsorted(sums, self._uniform(size)), len(order) - 1)]

    def _by_shares_left(self, shares: np.ndarray, size: int) -> np.ndarray:
        """R's `ProbSampleNoReplace`: the same, what was drawn being taken out."""
        order = _largest_first(shares).tolist()
        left, whole, drawn = shares[order].tolist(), 1.0, []
        for u in self._uniform(size):
            sums = np.cumsum(left[:-1])  # the last is drawn where none before it is
            j = int(np.searchsorted(sums, whole * u))
            whole -= left.pop(j)
            drawn.append(order.pop(j))
        return np.array(drawn, dtype=np.int64)

    def _by_alias(self, shares: np.ndarray, size: int) -> np.ndarray:
        """R's `walker_ProbSampleReplace`: n columns of height 1, each of one element and the alias above it (1977)."""
        n = len(shares)
        heights = (shares * n).tolist()
        low, high = [i for i in range(n) if heights[i] < 1], [i for i in range(n) if heights[i] >= 1]
        columns, at, alias = low + high[::-1], len(low), [0] * n
        if low and high:
            for k in range(n - 1):
                i, j = columns[k], columns[at]
                alias[i] = j
                heights[j] += heights[i] - 1
                at += heights[j] < 1
                if at >= n:
                    break
        drawn = []
        for _ in range(size):  # a column, and then whether its element or the alias
            k, u = self._uniform_index(n), self._uniform(1)[0]
            drawn.append(k if u < heights[k] else alias[k])
        return np.array(drawn, dtype=np.int64)

    def _by_swapping(self, n: int, size: int) -> list[int]:
        """R's way (`do_sample`): take x[j] of the n that are left, put the last of them in its place."""
        drawn, moved = [], {}  # only what was moved is kept, not R's whole vector: few of many cost little
        for last in range(n - 1, n - 1 - size, -1):
            j = self._uniform_index(last + 1)
            drawn.append(moved.get(j, j))
            moved[j] = moved.get(last, last)
        return drawn

    def _by_rejecting(self, n: int, size: int) -> list[int]:
        """R's other way (`do_sample2`), for few of very many: draw again what was drawn before."""
        drawn = {}
        while len(drawn) < size:
            drawn[self._uniform_index(n)] = None
        return list(drawn)

    def _uniform_index(self, n: int) -> int:
        """One of 0..n-1: as many random bits as n - 1 has, 16 of each word, again until below n (R_unif_index)."""
        n_bits = (n - 1).bit_length()
        mask = (1 << n_bits) - 1
        while True:
            value = 0
            for _ in range(n_bits // 16 + 1):  # R's loop too takes a word more than needed where 16 divides n_bits
                value = value << 16 | self._bits.random_raw() >> 16
            if value & mask < n:
                return value & mask


def _shares(prob: Any, n: int, size: int, replace: bool) -> np.ndarray:
    """The weights, made to add up to 1 as R's `FixupProb` does."""
    weights = np.asarray(prob, float)
    require(weights.shape == (n,), "prob", f"shape {weights.shape}: incorrect number of probabilities", f"{n} numbers")
    right = bool((np.isfinite(weights) & (weights >= 0)).all())
    require(right, "prob", repr(prob), "finite numbers of at least 0")
    positive = int(np.sum(weights > 0))
    few = f"{positive} above 0: too few positive probabilities"
    require(positive > 0 and (replace or size <= positive), "prob", few, f"{1 if replace else size} or more")
    return weights / np.cumsum(weights)[-1]  # one after the other, as R adds; Python's sum and NumPy's add otherwise


def _largest_first(shares: np.ndarray) -> np.ndarray:
    """The order of R's `revsort`, a heap sort: where shares are equal, it is the heap's."""
    a, order, n = [0.0, *shares.tolist()], list(range(-1, len(shares))), len(shares)
    first, last = n // 2 + 1, n
    while n > 1:
        if first > 1:
            first -= 1
            share, place = a[first], order[first]
        else:
            share, place = a[last], order[last]
            a[last], order[last] = a[1], order[1]
            last -= 1
            if last == 1:
                a[1], order[1] = share, place
                break
        i, j = first, 2 * first
        while j <= last:
            j += j < last and a[j] > a[j + 1]
            if share <= a[j]:
                break
            a[i], order[i] = a[j], order[j]
            i, j = j, 2 * j
        a[i], order[i] = share, place
    return np.array(order[1:], dtype=np.int64)


def _initial_state(seed: int) -> np.ndarray:
    """The 624 words of the Mersenne Twister after `set.seed(seed)`: a congruential stream from its 52nd word on.

    (R throws 50 away and overwrites the next. Its check for a state of zeros only can never act.)
    """
    words = []
    for _ in range(50 + 1 + 624):
        seed = (69069 * seed + 1) % 2**32
        words.append(seed)
    return np.array(words[51:], dtype=np.uint32)


def _qnorm(p: np.ndarray) -> np.ndarray:
    """The standard normal quantile of 0 < p < 1."""
    q = p - 0.5
    centre = np.abs(q) <= 0.425
    q_centre, q_tail, p_tail = q[centre], q[~centre], p[~centre]
    z = np.empty_like(p)
    z[centre] = _rational(_CENTRE, 0.180625 - q_centre * q_centre, q_centre)
    z[~centre] = np.copysign(_upper_quantile(np.where(q_tail > 0, 1 - p_tail, p_tail)), q_tail)
    return z


def _upper_quantile(p: np.ndarray) -> np.ndarray:
    """The quantile above which lies the small probability p."""
    # The C library's logarithm, which R uses too: NumPy's vectorised one can differ in the last place.
    r = np.sqrt(-np.fromiter(map(math.log, p.tolist()), np.float64, p.size))
    return np.where(r <= 5, _rational(_TAIL, r - 1.6), _rational(_FAR_TAIL, np.maximum(r, 5) - 5))


def _rational(polynomials: tuple, r: np.ndarray, factor: float | np.ndarray = 1.0) -> np.ndarray:
    """factor * top(r) / bottom(r), rounded in this order, which is R's: the last digit hangs on it."""
    top, bottom = polynomials
    return factor * np.polyval(top, r) / np.polyval(bottom, r)


def _vector(x: object) -> np.ndarray:
    expected = "a whole number or a sequence of one dimension"
    try:
        values = np.asarray(x)
    except ValueError:
        require(False, "x", f"a {type(x).__name__} of which no array can be made", expected)
    require(values.ndim == 1, "x", f"{x!r}" if values.ndim == 0 else f"shape {values.shape}", expected)
    return values


def _is_whole(value: object) -> TypeGuard[int | np.integer]:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _check_count(name: str, value: Any) -> None:
    require(_is_whole(value) and value >= 0, name, repr(value), "a whole number of at least 0")


def _check_number(name: str, value: Any) -> None:
    number = _is_whole(value) or isinstance(value, float | np.floating)
    require(number and math.isfinite(value), name, repr(value), "a finite number")
