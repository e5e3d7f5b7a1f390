"""A tab's playground: its start against the original's stream, its frames by their own account, its training against
`engine.run` (tested against the original), its maps against a NumPy network.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from jaxnn.data.playground_sets import CLASSIFICATION, REGRESSION, shuffled
from jaxnn.data.seedrandom import SeedRandom
from jaxnn.errors import InvalidArgument
from jaxnn.playground import engine
from jaxnn.playground.config import FIELDS, for_engine
from jaxnn.playground.session import Session, setup_of, start_weights
from tests.playground.reader import assert_shades, outputs, trained, unpacked, weights

CASES = json.loads((Path(__file__).parent / "reference.json").read_text())["cases"]
LAYERS = ["", "1", "4,2", "8,8,8,8,8,8", ",".join(["16"] * 10)]
SLOPE = "#seed=0.5&problem=regression&activation=relu"  # which diverges at a high rate


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_start_weights_are_the_originals(case):
    config, stream = case["config"], SeedRandom(case["config"]["seed"])
    shuffled(stream, (CLASSIFICATION | REGRESSION)[config["dataset"]](stream, config["n"], config["noise"]))
    sizes = [len(config["features"]), *config["hidden"], 1]
    assert start_weights(stream, sizes, config.get("initZero", False)) == case["init"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dataset=spiral", "problem=regression&regDataset=reg-gauss"])
def test_a_seed_gives_points_and_start_weights_of_one_stream(kind):
    play = Session(f"#seed=0.13579&noise=10&percTrainData=70&{kind}&sinX=true")
    stream = SeedRandom("0.13579")
    regression = "regression" in kind
    draw, n = (REGRESSION["reg-gauss"], 1200) if regression else (CLASSIFICATION["spiral"], 500)
    drawn = shuffled(stream, draw(stream, n, 0.1))
    np.testing.assert_array_equal(np.concatenate(play.split[:2]), np.column_stack([drawn.x, drawn.y]))
    start = start_weights(stream, [3, 4, 2, 1], False)
    assert play.start == start
    seen = weights(unpacked(play.frame(0)))
    np.testing.assert_array_equal(seen["W"][0], np.array(start["W"][0], np.float32))


def test_without_a_seed_one_is_drawn_and_the_link_holds_it():
    play = Session("#seed=", lambda: "0.77777")
    assert play.config["seed"] == "0.77777" and "&seed=0.77777&" in setup_of(play)["hash"]
    seeds = {Session().config["seed"] for _ in range(9)}
    assert len(seeds) > 1 and all(len(seed) == 7 and 0 <= float(seed) < 1 for seed in seeds)


@pytest.mark.slow
def test_a_link_of_a_session_opens_the_same_one():
    play = Session("#seed=0.5&dataset=xor&noise=15&networkShape=3&optimizer=adam&networks=2&points=1,2,1&x_hide=true")
    other = Session()
    assert other.open(setup_of(play)["hash"]) == setup_of(play, points=True)
    assert other.frame(1)[4:] == play.frame(1)[4:]


@pytest.mark.parametrize("change", [pytest.param("", marks=pytest.mark.slow), "&dropout=0.5&optimizer=adam"])
def test_a_reset_goes_back_to_the_start_to_the_bit(change):
    play = Session(f"#seed=0.5{change}")
    frames = [play.frame(1) for _ in range(5)]
    play.edit(0, 0, 0, 9.0)
    assert play.reset()["reset"] and play.epoch == 0
    assert [play.frame(1) for _ in range(5)] == frames


def test_regenerate_draws_a_new_seed_new_points_and_for_a_network_at_its_start_a_new_start():
    play = Session("#seed=0.5", lambda: "0.6")
    setup = play.regenerate()
    assert setup == setup_of(Session("#seed=0.6"), points=True) | {"reset": True} and play.epoch == 0
    assert play.start == Session("#seed=0.6").start


@pytest.mark.parametrize("touch", [lambda play: play.frame(1), lambda play: play.edit(0, 0, 0, 0.25)])
def test_new_points_keep_a_network_that_was_trained_or_edited(touch):
    play = Session("#seed=0.5", lambda: "0.6")
    touch(play)
    before = unpacked(play.frame(0))
    setup = play.regenerate()
    after = unpacked(play.frame(0))
    assert not setup["reset"] and setup["points"] == setup_of(Session("#seed=0.6"), points=True)["points"]
    assert weights(after) == weights(before) and after["epoch"] == before["epoch"] and after["now"] != before["now"]
    play.reset()
    assert play.start == Session("#seed=0.6").start


def test_other_start_weights_for_the_same_points_to_which_a_reset_goes_back():
    play = Session("#seed=0.5", lambda: "0.6")
    points, first = setup_of(play, points=True)["points"], play.start
    setup = play.restart()
    assert setup["reset"] and setup["setup"]["start"] == "0.6" and "&start=0.6" in setup["hash"]
    assert setup_of(play, points=True)["points"] == points
    assert play.start == start_weights(SeedRandom("0.6"), [2, 4, 2, 1], False) != first
    second = play.start
    play.frame(1)
    play.reset()
    assert play.start == second == Session(setup["hash"]).start


@pytest.mark.parametrize(
    "name, text, value",
    [
        ("learningRate", "0", 0),
        ("regularization", "L2", "L2"),
        ("regularizationRate", "0.1", 0.1),
        ("dropout", "0.2", 0.2),
        ("discretize", "true", True),
        ("speed", "9", 9),
        ("stopEpoch", "9", 9),
        ("optimizer", "adam", "adam"),
    ],
)
def test_what_does_not_reset_keeps_weights_and_epoch(name, text, value):
    play = Session("#seed=0.5")
    before = unpacked(play.frame(1))
    setup = play.set(name, text)
    assert not setup["reset"] and setup["points"] is None and setup["setup"][name] == value
    after = unpacked(play.frame(0))
    assert weights(after) == weights(before) and after["epoch"] == 1


def test_a_new_learning_rate_is_used_from_the_next_epoch_on():
    play = Session("#seed=0.5")
    before = unpacked(play.frame(1))
    play.set("learningRate", "0")
    after = unpacked(play.frame(1))
    assert weights(after) == weights(before) and after["epoch"] == 2


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.resets in ("data", "network")])
def test_what_resets_starts_anew(name):
    play = Session("#seed=0.5&networkShape=2,2")
    play.frame(1)
    field = FIELDS[name]
    texts = {"networkShape": "3", "seed": "0.6", "activations": "relu,tanh", "points": "1,1,1", "networks": "2"}
    texts |= {"activation": "relu", "regularization": "L1", "dataset": "xor", "regDataset": "reg-gauss"}
    texts |= {"problem": "regression", "batchSize": "7", "regularizationRate": "0.1", "noise": "5"}
    texts |= {"percTrainData": "60", "drawn": "1", "start": "0.7", "precision": "float64"}
    setup = play.set(name, texts.get(name, "false" if field.default else "true"))
    assert setup["reset"] and play.epoch == 0 and play.losses.empty
    assert (setup["points"] is not None) == (field.resets == "data")
    assert unpacked(play.frame(1))["epoch"] == 1


def plainly(play, init, epochs):
    """Return `engine.run`'s losses and weights on the points of a session."""
    return engine.run(for_engine(play.config) | {"epochs": epochs}, *play.split[:2], init)


@pytest.mark.parametrize(
    "link",
    [
        "#seed=0.5",
        "#seed=0.5&dataset=spiral&networkShape=8,3&activation=relu&batchSize=7&regularization=L1"
        "&regularizationRate=0.01&sinX=true",
        "#seed=0.5&problem=regression&regDataset=reg-gauss&networkShape=6&activations=softplus&optimizer=adam"
        "&percTrainData=20",
        "#seed=0.5&dropout=0.3&dataset=xor&batchSize=2000",
    ],
)
def test_frames_train_as_the_engine_does(link):
    play = Session(link)
    rows = trained(play, 6)
    losses, final = plainly(play, play.start, 6)
    assert [row[0] for row in rows] == list(range(7)) and play.losses.rows == rows
    np.testing.assert_allclose([row[1:3] for row in rows], losses, rtol=1e-6)
    for name in ("W", "b"):
        for one, other in zip(unpacked(play.frame(0))[name], final[name], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_another_optimizer_goes_on_from_the_weights_with_a_memory_of_its_own():
    play = Session("#seed=0.5&optimizer=momentum")
    trained(play, 2)
    play.set("optimizer", "adam")
    init = weights(unpacked(play.frame(0)))
    rows = trained(play, 3)
    np.testing.assert_allclose([row[1:3] for row in rows], plainly(play, init, 3)[0][1:], rtol=1e-6)


@pytest.mark.parametrize("shape", LAYERS)
def test_a_frame_has_the_weights_and_maps_of_its_sizes(shape):
    play = Session(f"#seed=0.5&networkShape={shape}&learningRate=0.1")
    frame = unpacked(play.frame(1))
    hidden = [int(size) for size in shape.split(",") if size]
    assert frame["sizes"] == [2, *hidden, 1] and frame["map"] == [len(hidden) + 1, 0]
    assert weights(frame) == engine.weights_of(play.networks[0].params, 2, hidden)
    assert all(part.all() for part in frame["alive"])
    assert (frame["epoch"], frame["updates"], frame["diverged"]) == (1, 25, -1)
    assert frame["networks"] is frame["shares"] is frame["chain"] is None
    assert_shades(frame["large"], outputs(weights(frame)))
    assert_shades(frame["nodes"][-1][0], outputs(weights(frame)).reshape(10, 10, 10, 10).mean((1, 3)))


def test_the_large_map_is_of_any_node():
    play = Session("#seed=0.5&learningRate=0.1")
    frame = unpacked(play.frame(1, layer=1, node=2))
    assert frame["map"] == [1, 2]
    first = {name: [frame[name][0][2:3]] for name in ("W", "b")}
    assert_shades(frame["large"], outputs(first))
    assert_shades(unpacked(play.frame(0, layer=0, node=1))["large"][:, 0], np.linspace(6, -6, 100))


def test_weights_and_biases_are_edited():
    play = Session("#seed=0.5")
    before = unpacked(play.frame(0))
    assert play.edit(1, 1, 3, 0.75) == {"edited": [1, 1, 3, 0.75]}
    assert play.edit(2, 0, None, -2) == {"edited": [2, 0, None, -2.0]}
    after = unpacked(play.frame(0))
    before["W"][1] = before["W"][1].copy()
    before["W"][1][1, 3], before["b"][2] = 0.75, np.array([-2])
    assert weights(after) == weights(before)
    assert_shades(after["large"], outputs(weights(after)))


def test_a_killed_link_that_is_edited_lives_again():
    play = Session("#seed=0.5&regularization=L1&regularizationRate=10&learningRate=0.1&networkShape=2")
    for _ in range(3):
        frame = unpacked(play.frame(1))
    assert not any(part.any() for part in frame["alive"]) and not any(part.any() for part in frame["W"])
    play.edit(0, 1, 0, 3.0)
    frame = unpacked(play.frame(0))
    assert frame["alive"][0].tolist() == [[0, 0], [1, 0]] and frame["W"][0].tolist() == [[0, 0], [3, 0]]
    play.set("learningRate", "0.001")
    moved = unpacked(play.frame(1))["W"][0][1, 0]  # by 25 updates with the penalty: no gradient comes to it
    np.testing.assert_allclose(moved, 3 - 25 * 0.001 * 10, rtol=1e-6)


@pytest.mark.parametrize("speed", [1, 3, 64])
def test_training_stops_at_the_epoch_asked_for(speed):
    play = Session("#seed=0.5&stopEpoch=7")
    frames = [unpacked(play.frame(speed)) for _ in range(9)]
    assert frames[-1]["epoch"] == play.epoch == 7
    assert [row[0] for frame in frames for row in frame["rows"]] == list(range(8))


def test_training_stops_when_solved():
    play = Session("#seed=0.5&dataset=gauss&learningRate=0.003&stopSolved=true")
    frames = [unpacked(play.frame(0))]
    while not frames[-1]["solved"]:
        frames.append(unpacked(play.frame(64)))
        assert play.epoch < 500
    accuracy = [row[4] for frame in frames for row in frame["rows"]]
    assert accuracy[-1] >= 0.99 > max(accuracy[:-1]) and len(accuracy) == play.epoch + 1 > 2


def test_a_regression_is_never_solved():
    play = Session("#seed=0.5&problem=regression&stopSolved=true&learningRate=0.1")
    rows = trained(play, 20)  # the signs of a plane are soon right
    assert rows[-1][4] >= 0.99 and not unpacked(play.frame(1))["solved"] and play.epoch == 21


def test_a_diverged_epoch_is_taken_back_and_the_session_goes_on():
    play = Session(SLOPE)
    before = unpacked(play.frame(1))
    play.set("learningRate", "1000")
    frame = unpacked(play.frame(1))
    assert frame["diverged"] > 0 and frame["epoch"] == 1 and frame["rows"] == []
    assert weights(frame) == weights(before)
    play.set("learningRate", "0.03")
    frame = unpacked(play.frame(1))
    assert frame["diverged"] == -1 and frame["epoch"] == 2 and frame["now"][0] < before["now"][0]


def test_a_penalty_that_makes_weights_infinite_has_diverged():
    # Every update multiplies the weight by 1 - 1e6, while the output of tanh, and the error, stay what they are.
    link = "regularization=L2&regularizationRate=1000&learningRate=1000&batchSize=250&networkShape=&y=false"
    play = Session(f"#seed=0.5&{link}")
    frames = [unpacked(play.frame(1)) for _ in range(9)]
    assert frames[-1]["diverged"] > 0 and np.isfinite(frames[-1]["W"][0]).all()
    assert abs(frames[-1]["W"][0][0, 0]) > 1e30 and json.loads(play.export("json")["export"])["final"]


@pytest.mark.slow
def test_errors_too_large_to_say_are_null_and_leave_as_json():
    play = Session(SLOPE + "&networkShape=1,1,1,1&x=false&activation=linear")
    for layer in range(5):
        play.edit(layer, 0, 0, 1e6)
    frame = unpacked(play.frame(0, chain=[0, 0, 0, 0]))
    assert frame["now"][:2] == [None, None] and frame["chain"]["values"][-1][3] is None
    assert json.loads(play.export("json")["export"])["loss"] == [[None, None]]


@pytest.mark.parametrize(
    "request_, message",
    [
        (lambda play: play.set("noise", "1000"), "noise: got '1000'"),
        (lambda play: play.set("dataset", "lecture-moon"), "dataset: got 'lecture-moon'"),
        (lambda play: play.frame(65), "epochs: got 65, expected 0 to 64"),
        (lambda play: play.frame(-1), "epochs: got -1, expected 0 to 64"),
        (lambda play: play.frame(1, layer=4), "layer: got 4, expected 0 to 3"),
        (lambda play: play.frame(1, layer=1, node=4), "node: got 4, expected 0 to 3"),
        (lambda play: play.frame(1, chain=[1]), r"chain: got \[1\], expected \[layer, node, source, point\]"),
        (lambda play: play.frame(1, chain=[3, 0, 0, 0]), "layer: got 3, expected 0 to 2"),
        (lambda play: play.frame(1, chain=[0, 0, 2, 0]), "source: got 2, expected 0 to 1"),
        (lambda play: play.frame(1, chain=[0, 0, 0, 250]), "point: got 250, expected 0 to 249"),
        (lambda play: play.edit(0, 4, 0, 1.0), "node: got 4, expected 0 to 3"),
        (lambda play: play.edit(0, 0, -1, 1.0), "source: got -1, expected 0 to 1"),
        (lambda play: play.edit(0, 0, 0, float("nan")), "value: got nan, expected a number from -1e6 to 1e6"),
        (lambda play: play.edit(0, 0, None, 2e6), "value: got 2000000.0"),
        (lambda play: play.own("1,2"), "line 1: got 2 values"),
        (lambda play: play.draw([[1, 2]]), "points: got .1, 2., expected .x1, x2, label."),
        (lambda play: play.export("word"), "form: got 'word', expected one of python, json"),
    ],
)
def test_a_request_that_is_refused_changes_nothing(request_, message):
    play = Session("#seed=0.5")
    before = unpacked(play.frame(1)) | {"rows": []}
    with pytest.raises(InvalidArgument, match=f"^{message}"):
        request_(play)
    np.testing.assert_equal(unpacked(play.frame(0)), before)
    assert setup_of(play) == setup_of(Session("#seed=0.5"))
