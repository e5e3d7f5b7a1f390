"""The playground's stream against seedrandom 3.0.5 itself (playground_sets.json, "streams"), and by its laws."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxnn.data.seedrandom import SeedRandom
from jaxnn.errors import InvalidArgument

REFERENCE = json.loads((Path(__file__).parent / "playground_sets.json").read_text())
SEEDS = st.text(min_size=1, max_size=400)
quick = settings(max_examples=20, deadline=None)


def drawn(random, n=9):
    return [random() for _ in range(n)]


@pytest.mark.parametrize("r", REFERENCE["streams"], ids=lambda r: ascii(r["seed"][:20]))
def test_the_stream_is_the_originals_to_the_bit(r):
    assert drawn(SeedRandom(r["seed"]), len(r["values"])) == r["values"]


@quick
@example("\ud83c")  # half of a pair, as JavaScript's texts may hold
@given(SEEDS)
def test_one_seed_is_one_stream_of_numbers_from_0_to_below_1(seed):
    values = drawn(SeedRandom(seed))
    assert values == drawn(SeedRandom(seed))
    assert all(0 <= value < 1 for value in values) and len(set(values)) == len(values)


@quick
@given(st.text(min_size=256, max_size=300), st.data())
def test_every_character_of_a_long_seed_counts(seed, data):
    place = data.draw(st.integers(0, len(seed) - 1))
    other = seed[:place] + chr(ord(seed[place]) ^ 1) + seed[place + 1 :]
    assert drawn(SeedRandom(seed)) != drawn(SeedRandom(other))


@quick
@given(SEEDS, st.integers(0, 20))
def test_a_copy_goes_on_alike_and_on_its_own(seed, before):
    random = SeedRandom(seed)
    drawn(random, before)
    copy = random.copy()
    ahead = drawn(copy)
    assert drawn(random) == ahead
    assert drawn(copy) == drawn(random)


@quick
@given(SEEDS, st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_uniform_is_affine_in_the_stream(seed, low, width):
    high = low + width
    u = SeedRandom(seed)()
    assert SeedRandom(seed).uniform(low, high) == u * (high - low) + low


@pytest.mark.parametrize("seed", ["", 1, 0.5, None, b"a", ["a"]])
def test_a_seed_that_is_no_text_is_refused(seed):
    with pytest.raises(InvalidArgument, match="^seed: got .*expected a text"):
        SeedRandom(seed)
