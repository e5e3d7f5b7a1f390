"""Several networks side by side: their turns, their starts, the maps they share; and what costs no compiling."""

import numpy as np
import pytest

from jaxnn.data.seedrandom import SeedRandom
from jaxnn.playground import engine, session
from jaxnn.playground.program import advance
from jaxnn.playground.session import Session, start_weights
from tests.playground.reader import assert_shades, outputs, trained, unpacked, weights


@pytest.fixture
def no_time(monkeypatch):
    """A frame stops after the second network that it trained."""
    monkeypatch.setattr(session, "BUDGET", 0)


def test_networks_take_turns_and_a_round_trains_each_as_long(no_time):
    play = Session("#seed=0.5&networks=5")
    epochs = []
    for _ in range(8):
        play.frame(1)
        epochs.append([int(network.epoch) for network in play.networks])
    assert epochs[0] == [1, 1, 0, 0, 0] and epochs[3] == [1] * 5 and epochs[7] == [2] * 5
    assert all(max(row) - min(row) <= 1 for row in epochs) and play.turn == 0


def test_the_first_of_several_networks_trains_as_one_alone(no_time):
    play, alone = Session("#seed=0.5&networks=3&dropout=0.2"), Session("#seed=0.5&dropout=0.2")
    assert trained(play, 6) == trained(alone, 3)  # two frames a round
    assert weights(unpacked(play.frame(0))) == weights(unpacked(alone.frame(0)))


def test_at_the_epoch_asked_for_the_round_is_ended_and_no_other_begun(no_time):
    play = Session("#seed=0.5&networks=5&stopEpoch=2")
    turns = [unpacked(play.frame(1))["turn"] for _ in range(10)]
    assert turns == [2, 3, 4, 0, 2, 3, 4, 0, 0, 0]
    assert [int(network.epoch) for network in play.networks] == [2] * 5


def test_several_networks_share_the_large_map(no_time):
    play = Session("#seed=0.5&networks=3&learningRate=0.3")
    for _ in range(6):
        frame = unpacked(play.frame(1))
    found = [engine.weights_of(network.params, 2, [4, 2]) for network in play.networks]
    starts = [start_weights(SeedRandom(f"0.5+{i}"), [2, 4, 2, 1], False) for i in (1, 2)]
    assert play.start == Session("#seed=0.5").start and not any(start == play.start for start in starts)
    maps = np.stack([outputs(one) for one in found])
    assert len({str(one) for one in found}) == 3 and int(play.networks[2].epoch) == 3
    assert_shades(frame["large"], maps.mean(0))
    for i in range(3):
        assert_shades(frame["small"][i], maps[i, ::2, ::2])
    sure = (np.abs(maps) > 1e-5).all(0)
    np.testing.assert_array_equal(frame["shares"][sure], np.rint(255 * (maps >= 0).mean(0))[sure])
    assert sure.mean() > 0.99 and len(set(frame["shares"].ravel())) > 2
    assert len(frame["networks"]["scores"]) == 3 and frame["networks"]["diverged"] == 0
    assert frame["now"] == frame["networks"]["scores"][0]
    assert_shades(unpacked(play.frame(0, layer=0))["large"][0], np.linspace(-6, 6, 100))  # of the first alone


def test_other_networks_have_starts_of_their_own_seeds():
    play = Session("#seed=0.5&networks=3")
    for i in (1, 2):
        start = start_weights(SeedRandom(f"0.5+{i}"), [2, 4, 2, 1], False)
        np.testing.assert_array_equal(play.networks[i].params.W[0, :2, :4].T, np.array(start["W"][0], np.float32))


def test_no_set_that_the_page_can_have_compiles_anew():
    Session("#seed=0.5").frame(1)
    compiled = advance._cache_size()
    for link in (
        "problem=regression&percTrainData=90",
        "percTrainData=1",
        "points=" + "1,1,1;" * 2000 + "&dataset=own",
    ):
        play = Session(f"#seed=0.5&networks=2&{link}")
        play.frame(64, layer=0)
        play.frame(64)
    assert advance._cache_size() == compiled
