"""R's stream against real R 4.2.2 (r_random.json), against slow plain-Python loops as R's own, and by its laws."""

import json
import math
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.data.rrandom import RRandom, _qnorm
from jaxnn.errors import InvalidArgument

REFERENCE = json.loads((Path(__file__).parent / "r_random.json").read_text())
SEEDS = st.integers(-(2**31), 2**31 - 1)
quick = settings(max_examples=25, deadline=None)


def slow_words(seed):
    """The Mersenne Twister's words one by one, as Matsumoto and Nishimura's program and R's RNG.c have them."""
    for _ in range(50):
        seed = (69069 * seed + 1) % 2**32
    state = []
    for _ in range(625):
        seed = (69069 * seed + 1) % 2**32
        state.append(seed)
    state = state[1:]
    while True:
        for k in range(624):
            y = (state[k] & 0x80000000) | (state[(k + 1) % 624] & 0x7FFFFFFF)
            state[k] = state[(k + 397) % 624] ^ (y >> 1) ^ (0x9908B0DF if y & 1 else 0)
        for y in state:
            y ^= y >> 11
            y ^= (y << 7) & 0x9D2C5680
            y ^= (y << 15) & 0xEFC60000
            yield y ^ (y >> 18)


def slow_index(words, n):
    """R_unif_index of RNG.c."""
    n_bits = math.ceil(math.log2(n))
    while True:
        value = 0
        for _ in range(0, n_bits + 1, 16):
            value = 65536 * value + math.floor(next(words) * 2.3283064365386963e-10 * 65536)
        value %= 2**n_bits
        if value < n:
            return value


def slow_sample(words, n, size):
    """do_sample of random.c."""
    left, drawn = list(range(1, n + 1)), []
    for _ in range(size):
        j = slow_index(words, len(left))
        drawn.append(left[j])
        left[j] = left[-1]
        left.pop()
    return drawn


def assert_within_one_ulp(actual, expected):
    np.testing.assert_array_max_ulp(actual, np.array(expected), maxulp=1)


@pytest.mark.parametrize("r", REFERENCE["streams"], ids=lambda r: f"seed {r['seed']}")
def test_one_running_stream_is_that_of_r(r):
    rng = RRandom(r["seed"])
    np.testing.assert_array_equal(rng.runif(5), r["runif5"])
    assert_within_one_ulp(rng.rnorm(6), r["then_rnorm6"])
    np.testing.assert_array_equal(rng.sample(1000, 12), r["then_sample_1000_12"])
    np.testing.assert_array_equal(rng.runif(2, -1, 1), r["then_runif2_m1_1"])
    np.testing.assert_array_equal(rng.sample(7), r["then_sample_7"])
    assert_within_one_ulp(rng.rnorm(2, mean=3, sd=0.2), r["then_rnorm2_mean3_sd0.2"])
    np.testing.assert_array_equal(rng.sample([10, 20, 30], size=2), r["then_sample_10_20_30_size2"])


@pytest.mark.parametrize("r", REFERENCE["long"], ids=lambda r: f"seed {r['seed']}")
def test_a_long_stream_is_that_of_r(r):
    rng = RRandom(r["seed"])
    u, z = rng.runif(2000), rng.rnorm(3000)
    np.testing.assert_array_equal(u[-3:], r["runif2000_last3"])
    assert_within_one_ulp(z[-3:], r["then_rnorm3000_last3"])
    assert_within_one_ulp([z.min(), z.max()], [r["min"], r["max"]])
    np.testing.assert_allclose([u.sum(), z.sum()], [r["runif2000_sum"], r["then_rnorm3000_sum"]], rtol=1e-13)


@pytest.mark.parametrize("r", REFERENCE["distributions"], ids=lambda r: f"{r['draw']}{tuple(r['arguments'])}")
def test_other_distributions_are_rs_bit_for_bit(r):
    """R: set.seed(seed); x <- draw(400, ...); head(x, 4), tail(x, 4), and the uniform behind them."""
    rng = RRandom(r["seed"])
    arguments = [int(r["arguments"][0]), *r["arguments"][1:]] if r["draw"] == "rbinom" else r["arguments"]
    found = getattr(rng, r["draw"])(400, *arguments)
    np.testing.assert_array_equal(found[[0, 1, 2, 3, -4, -3, -2, -1]], r["first4"] + r["last4"])
    np.testing.assert_array_equal(rng.runif(1), r["then_runif1"])


def test_a_gamma_numbers_scale_is_one_by_its_rate():
    np.testing.assert_array_equal(RRandom(4).rgamma(9, 2.5, scale=0.25), RRandom(4).rgamma(9, 2.5, 4))


@quick
@given(SEEDS)
def test_uniforms_are_the_twisters_words(seed):
    words = slow_words(seed)
    expected = [next(words) * 2.3283064365386963e-10 for _ in range(1300)]
    np.testing.assert_array_equal(RRandom(seed).runif(1300), expected)


@quick
@given(SEEDS, st.integers(1, 300) | st.sampled_from([65535, 65536, 65537, 131072]), st.data())
def test_sample_follows_rs_loop(seed, n, data):
    size = data.draw(st.integers(0, min(n, 300)))
    np.testing.assert_array_equal(RRandom(seed).sample(n, size), slow_sample(slow_words(seed), n, size))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((5, 8, True), [2, 3, 4, 2, 2, 3, 3, 2]),
        ((4, 6, True, [0.1, 0.4, 0.3, 0.2]), [1, 2, 2, 2, 2, 4]),
        ((2, 10, True, [0.7, 0.3]), [2, 1, 1, 1, 1, 2, 1, 2, 1, 1]),
        ((6, None, False, [1, 2, 2, 1, 2, 1]), [1, 5, 3, 2, 6, 4]),  # of equal shares in the order of R's heap sort
        ((6, 8, True, [1, 2, 2, 1, 2, 1]), [1, 5, 3, 3, 5, 4, 5, 1]),
        ((300, 8, True, range(1, 301)), [238, 250, 211, 118, 168, 271, 268, 236]),  # Walker's table of aliases
        ((300, 1, False, range(1, 301)), [32]),
    ],
)
def test_samples_with_replacement_and_shares_are_rs(given, expected):
    """R 4.2.2: set.seed(7); sample(x, size, replace, prob)."""
    assert RRandom(7).sample(*given).tolist() == expected


def test_aliases_of_many_shares_that_round_are_rs():
    """R 4.2.2: set.seed(4); sum(sample(284, 852, TRUE, (1:284 %% 11) / 10 + 0.1) * 1:852), and a uniform behind it."""
    rng, shares = RRandom(4), (np.arange(1, 285) % 11) / 10 + 0.1
    assert rng.sample(284, 852, True, shares) @ np.arange(1, 853) == 50947473
    np.testing.assert_array_equal(rng.runif(1), [0.30739807384088635])


def test_sample_of_few_from_very_many_draws_again_what_it_drew_before():
    # R's sample.int turns to do_sample2 above 1e7 elements and up to half of them: an index drawn before is dropped.
    n, words, expected = 10**7 + 1, slow_words(3), {}
    while len(expected) < 3000:
        expected[slow_index(words, n) + 1] = None
    np.testing.assert_array_equal(RRandom(3).sample(n, 3000), list(expected))


def test_a_sample_of_two_to_the_31_less_one_stays_in_range():
    drawn = RRandom(1).sample(2**31 - 1, 50)
    assert drawn.dtype == np.int64 and drawn.min() >= 1 and drawn.max() < 2**31 and len(set(drawn.tolist())) == 50


@quick
@given(SEEDS, st.integers(0, 700), st.integers(0, 700), st.sampled_from(["runif", "rnorm"]))
def test_two_calls_go_on_where_one_would(seed, n, m, draw):
    whole, split = getattr(RRandom(seed), draw), getattr(RRandom(seed), draw)
    np.testing.assert_array_equal(whole(n + m), np.concatenate([split(n), split(m)]))


@quick
@given(SEEDS, st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_the_two_scales_are_affine(seed, a, b):
    u, z = RRandom(seed).runif(9), RRandom(seed).rnorm(9)
    np.testing.assert_array_equal(RRandom(seed).runif(9, a, a + b), a + ((a + b) - a) * u)
    np.testing.assert_array_equal(RRandom(seed).rnorm(9, a, b), a + b * z)


@quick
@given(SEEDS, st.lists(st.integers(), max_size=40, unique=True), st.data())
def test_a_sample_is_a_subset_and_the_whole_a_permutation(seed, x, data):
    size = data.draw(st.none() | st.integers(0, len(x)))
    drawn = RRandom(seed).sample(np.array(x, dtype=object), size).tolist()
    assert len(drawn) == len(set(drawn)) == (len(x) if size is None else size)
    assert set(drawn) <= set(x)


def test_uniforms_are_never_0_or_1():
    u = RRandom(0).runif(200_000)
    assert u.min() > 0 and u.max() < 1


def test_a_zero_word_becomes_rs_smallest_uniform():
    rng = RRandom(0)
    rng._bits = type("Zeros", (), {"random_raw": staticmethod(lambda n: np.zeros(n, dtype=np.uint64))})
    np.testing.assert_array_equal(rng.runif(1), [0.5 * 2.328306437080797e-10])  # fixup of RNG.c


@pytest.mark.parametrize("scale", [1e-17, 1e-11, 1.3887e-11, 1.3888e-11, 1e-9, 1e-6, 0.0749, 0.0751, 0.3, 1.0])
def test_normal_quantiles_in_every_branch(scale):
    # NormalDist.inv_cdf is Python's own AS 241.
    p = scale * np.array([0.3, 0.5, 0.7, 0.9, 0.99999])
    assert_within_one_ulp(_qnorm(p), [NormalDist().inv_cdf(v) for v in p])
    assert_within_one_ulp(_qnorm(1 - p[1 - p < 1]), [NormalDist().inv_cdf(v) for v in 1 - p[1 - p < 1]])


def test_dtypes_and_lengths():
    rng = RRandom(1)
    assert [rng.runif(0).shape, rng.rnorm(0).shape, rng.sample(5, 0).shape, rng.sample([]).shape] == [(0,)] * 4
    assert [rng.runif(2).dtype, rng.rnorm(2).dtype, rng.sample(2).dtype] == [np.float64, np.float64, np.int64]
    assert rng.sample(np.array([1, 2], dtype=np.int16)).dtype == np.int16
    assert sorted(rng.sample(["a", "b", "c"])) == ["a", "b", "c"]


def test_nothing_is_drawn_where_there_is_nothing_to_choose():
    rng = RRandom(1)
    np.testing.assert_array_equal(rng.runif(3, 2, 2), [2, 2, 2])
    np.testing.assert_array_equal(rng.rnorm(3, 2, 0), [2, 2, 2])
    rng.sample(5, 0)
    np.testing.assert_array_equal(rng.runif(4), RRandom(1).runif(4))


def test_sampling_one_of_one_draws_a_word_as_in_r():
    rng = RRandom(1)
    np.testing.assert_array_equal(rng.sample(1), [1])
    np.testing.assert_array_equal(rng.runif(1), RRandom(1).runif(2)[1:])


def test_a_sequence_of_one_number_is_drawn_from_as_given():
    np.testing.assert_array_equal(RRandom(1).sample([12]), [12])


@pytest.mark.parametrize("seed", [2**31, -(2**31) - 1, 10**30, 1.0, True, None, "1"])
def test_a_bad_seed_is_refused(seed):
    with pytest.raises(InvalidArgument, match="seed: got .*, expected a whole number"):
        RRandom(seed)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda rng: rng.runif(-1), "n"),
        (lambda rng: rng.rnorm(2.0), "n"),
        (lambda rng: rng.rnorm(True), "n"),
        (lambda rng: rng.runif(1, math.nan), "min"),
        (lambda rng: rng.runif(1, 0, math.inf), "max"),
        (lambda rng: rng.runif(1, 1, 0), "max"),
        (lambda rng: rng.runif(1, -1e308, 1e308), "max"),
        (lambda rng: rng.rnorm(1, math.inf), "mean"),
        (lambda rng: rng.rnorm(1, [0.0]), "mean"),
        (lambda rng: rng.rnorm(1, 0, -1), "sd"),
        (lambda rng: rng.rnorm(1, 0, math.nan), "sd"),
        (lambda rng: rng.rexp(1, 0), "rate"),
        (lambda rng: rng.rexp(-1), "n"),
        (lambda rng: rng.rbinom(1, 2.5, 0.5), "size"),
        (lambda rng: rng.rbinom(1, 2**31 - 1, 0.5), "size"),
        (lambda rng: rng.rbinom(1, 2, 1.5), "prob"),
        (lambda rng: rng.rpois(1, -1), "lam"),
        (lambda rng: rng.rpois(1, math.inf), "lam"),
        (lambda rng: rng.rgamma(1, -1), "shape"),
        (lambda rng: rng.rgamma(1, 1, 0), "rate"),
        (lambda rng: rng.rgamma(1, 1, scale=0), "scale"),
        (lambda rng: rng.rgamma(1, 1, 2, scale=2), "scale"),
        (lambda rng: rng.sample(0), "x"),
        (lambda rng: rng.sample(3, 4), "size"),
        (lambda rng: rng.sample(3, replace=1), "replace"),
        (lambda rng: rng.sample(3, prob=[1, 2]), "prob"),
        (lambda rng: rng.sample(3, prob=[1, 2, -1]), "prob"),
        (lambda rng: rng.sample(3, prob=[1, 2, 0]), "prob"),
        (lambda rng: rng.sample(3, 1, True, [0, 0, 0]), "prob"),
        (lambda rng: rng.sample([], 1, True), "x"),
        (lambda rng: rng.sample(-3), "x"),
        (lambda rng: rng.sample(2**31), "x"),
        (lambda rng: rng.sample(5.0), "x"),
        (lambda rng: rng.sample(True), "x"),
        (lambda rng: rng.sample("abc"), "x"),
        (lambda rng: rng.sample(np.zeros((2, 2))), "x"),
        (lambda rng: rng.sample([[1], [2, 3]]), "x"),
        (lambda rng: rng.sample(3, 4), "size"),
        (lambda rng: rng.sample([], 1), "size"),
        (lambda rng: rng.sample(3, -1), "size"),
        (lambda rng: rng.sample(3, 1.0), "size"),
    ],
)
def test_bad_arguments_are_named_and_nothing_is_drawn(call, name):
    rng = RRandom(1)
    with pytest.raises(InvalidArgument, match=f"^{name}: got .*, expected "):
        call(rng)
    np.testing.assert_array_equal(rng.runif(3), RRandom(1).runif(3))
