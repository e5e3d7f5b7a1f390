"""The points of a tab: its own, those that a hand draws, and the lecture's, by R's stream and the lecture's rules."""

import numpy as np
import pytest

from jaxnn.data.rrandom import RRandom
from jaxnn.errors import InvalidArgument
from jaxnn.playground.session import Session, setup_of
from tests.playground.reader import trained, unpacked, weights


def test_a_table_is_played_with_until_it_is_thrown_away():
    play = Session("#seed=0.5")
    setup = play.own("a;b;class\n20;1;no\n-20;2;yes\n0;3;yes\n10;4;no")
    assert setup["notes"] == ["label no is -1, yes is 1", "X1 = 5 (x1 - 0) / 20"]
    assert (setup["setup"]["dataset"], setup["own"], setup["reset"]) == ("own", 4, True)
    shown = sorted(setup["points"]["train"] + setup["points"]["test"])
    assert shown == [[-5, 2, 1], [0, 3, 1], [2.5, 4, -1], [5, 1, -1]] and len(setup["points"]["train"]) == 2
    assert setup_of(Session(setup["hash"]), points=True)["points"] == setup["points"]
    setup = play.clear()
    assert (setup["own"], setup["points"]) == (0, {"train": [], "test": []})


def test_points_drawn_by_hand_are_rounded_and_stay_on_the_plane():
    play = Session("#seed=0.5&problem=regression&percTrainData=10")
    setup = play.draw([[1.23456, -7, 0.5], [9, 0, -3]])
    assert setup["points"] == {"train": [[1.235, -6, 0.5], [6, 0, -1]], "test": []}
    assert setup["setup"]["regDataset"] == "own" and setup["setup"]["dataset"] == "circle"


def test_drawing_neither_shuffles_nor_splits_nor_resets_until_that_is_asked_for():
    play = Session("#seed=0.5&dataset=own&percTrainData=50&points=1,1,1;2,2,-1;3,3,1;4,4,-1")
    old = setup_of(play, points=True)["points"]
    trained(play, 3)
    before = unpacked(play.frame(0))
    for x in (0.1, 0.2):
        setup = play.draw([[x, 0, 1], [x, 1, -1]])
    assert not setup["reset"] and setup["points"]["test"] == old["test"]
    assert setup["points"]["train"] == [*old["train"], [0.1, 0, 1], [0.1, 1, -1], [0.2, 0, 1], [0.2, 1, -1]]
    assert setup_of(Session(setup["hash"]), points=True) == setup_of(play, points=True)
    after = unpacked(play.frame(0))
    assert weights(after) == weights(before) and after["epoch"] == 3
    assert unpacked(play.frame(1))["epoch"] == 4
    setup = play.shuffle()
    assert not setup["reset"] and [len(part) for part in setup["points"].values()] == [4, 4]
    assert play.epoch == 4 and "drawn" not in setup["hash"]


def test_no_more_points_are_taken_than_a_link_holds():
    play = Session("#seed=0.5&points=" + "1,1,1;" * 2000)
    with pytest.raises(InvalidArgument, match="^points: got 2001, expected at most 2000"):
        play.draw([[0, 0, 1]])


@pytest.mark.parametrize("link", ["dataset=own", "dataset=own&points=1,1,1", "dataset=own&networks=2"])
def test_without_training_points_nothing_is_trained_and_nothing_fails(link):
    play = Session(f"#seed=0.5&{link}")
    frame = unpacked(play.frame(5))
    assert frame["epoch"] == frame["updates"] == 0 and frame["now"][0] is frame["now"][2] is None
    assert frame["rows"] == [[0, *frame["now"]]] and frame["diverged"] == -1


def test_a_set_of_the_lecture_comes_with_the_lectures_seed_and_takes_it_along():
    play = Session("#seed=0.5", lambda: "0.6")
    for name in ("lecture-circle", "lecture-flower"):
        setup = play.set("dataset", name)
        assert setup["setup"]["seed"] == "20240402" and len(setup["points"]["train"]) == 500
    play.regenerate()
    assert play.config["seed"] == "0.6"
    assert play.set("dataset", "lecture-sigmoid")["setup"]["seed"] == "20240402"
    assert play.set("dataset", "spiral")["setup"]["seed"] == "0.6"
    assert Session("#dataset=lecture-circle").config["seed"] == "20240402"


@pytest.mark.parametrize(
    "leave",
    [
        lambda play: play.set("problem", "regression"),
        lambda play: play.draw([[0, 0, 1]]),
        lambda play: play.own("1,1,1"),
        lambda play: play.clear(),
    ],
)
def test_whatever_leaves_a_set_of_the_lecture_leaves_its_seed(leave):
    play = Session("#dataset=lecture-circle", lambda: "0.6")
    assert leave(play)["setup"]["seed"] == "0.6"


@pytest.mark.parametrize("name, inside", [("lecture-sigmoid", lambda x: x[:, 1] <= np.tanh(2 * x[:, 0])),
                                          ("lecture-circle", lambda x: (x**2).sum(1) <= 1)])  # fmt: skip
def test_a_set_of_the_lecture_is_its_1000_points_in_its_figures_colours(name, inside):
    train, test, _ = Session(f"#dataset={name}").split
    rows = np.concatenate([train, test])
    x = RRandom(20240402).rnorm(2000).reshape(2, 1000).T  # lecture, section 5.1: x1 = rnorm(1000), x2 = rnorm(1000)
    np.testing.assert_array_equal(rows[np.lexsort(rows[:, :2].T), :2], x[np.lexsort(x.T)])
    np.testing.assert_array_equal(rows[:, 2], np.where(inside(rows[:, :2]), 1, -1))  # class 0 is blue, 1 orange
