"""What a page keeps of its networks: they go on to the bit as if nothing had been; no other text is taken."""

import base64
import zlib

import numpy as np
import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.playground.session import Session, setup_of
from tests.playground.reader import trained, unpacked

LINKS = [
    "#seed=0.5",
    "#seed=0.5&optimizer=adam&dropout=0.3&batchSize=7&networkShape=5,3&dataset=spiral",
    "#seed=0.5&networks=3&optimizer=rprop%2B&problem=regression",
    "#seed=0.5&precision=float64&regularization=L1&regularizationRate=0.1&learningRate=0.1",
    "#seed=0.5&dataset=own&points=1,1,1;2,2,-1;3,3,1&drawn=1",
]


def packed(raw):
    return base64.b64encode(zlib.compress(raw)).decode()


@pytest.mark.parametrize("link", LINKS)
def test_a_session_goes_on_elsewhere_where_it_was(link, monkeypatch):
    monkeypatch.setattr("jaxnn.playground.session.BUDGET", 0)  # a turn after another
    play, other = Session(link), Session()
    before = trained(play, 5)
    told = other.resume(setup_of(play)["hash"], play.keep()["kept"])
    assert told["rows"] == [[row[0], *np.float32(row[1:])] for row in before]
    assert trained(other, 4) == trained(play, 4)
    assert other.epoch == play.epoch and unpacked(other.frame(0))["updates"] == unpacked(play.frame(0))["updates"]
    for one, same in zip(play.networks, other.networks, strict=True):
        np.testing.assert_array_equal(one.params.W, same.params.W)
        np.testing.assert_array_equal(one.optimizer, same.optimizer)


def test_a_long_run_is_kept_with_some_of_its_losses():
    play = Session("#seed=0.5")
    play.frame(1)
    play.losses.rows = [[i, 1.0, 1.0, 0.5, 0.5] for i in range(9999)]
    rows = Session().resume("#seed=0.5", play.keep()["kept"])["rows"]
    assert 900 < len(rows) <= 1000 and rows[0][0] == 0 and rows[-1][0] > 9980


@pytest.mark.parametrize(
    "text",
    ["", "x", "ä", "AAAA", packed(b""), packed(b"\0" * 100), packed(b"\0" * (1 << 26)), packed(b"\xff" * 60_000)],
)
def test_what_was_never_kept_is_refused(text):
    with pytest.raises(InvalidArgument, match="^kept: got "):
        Session().resume("#seed=0.5", text)


@pytest.mark.parametrize("link", ["#seed=0.5&networks=2", "#seed=0.5&precision=float64"])
def test_what_was_kept_of_other_networks_is_refused(link):
    with pytest.raises(InvalidArgument, match="^kept: got "):
        Session().resume(link, Session("#seed=0.5").keep()["kept"])


def test_weights_beyond_the_networks_own_stay_0():
    large, small = Session("#seed=0.5&networkShape=9,9"), Session()
    small.resume("#seed=0.5&networkShape=4,2", large.keep()["kept"])
    params = small.networks[0].params
    assert not np.asarray(params.W[0, :, 4:]).any() and not np.asarray(params.b[0, 4:]).any()
    assert np.asarray(params.W[0, :2, :4]).all() and np.asarray(params.b[0, :4]).all()


def test_weights_that_are_not_finite_are_refused():
    play = Session("#seed=0.5")
    network = play.networks[0]
    play.networks[0] = network._replace(params=network.params._replace(b=network.params.b.at[0, 0].set(np.nan)))
    with pytest.raises(InvalidArgument, match="^kept: got weights that are not finite"):
        Session().resume("#seed=0.5", play.keep()["kept"])
