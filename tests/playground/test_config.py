"""Links: those of the original as its `state.ts` writes and reads them (tensorflow/playground 28d5306), and ours."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.data.playground_sets import CLASSIFICATION, LECTURE, REGRESSION
from jaxnn.errors import InvalidArgument
from jaxnn.playground import config as configs
from jaxnn.playground.config import FIELDS, HIDEABLE, changed, default, for_engine, from_hash, parsed, to_hash
from jaxnn.playground.engine import FEATURES
from jaxnn.playground.optimizers import OPTIMIZERS
from jaxnn.playground.program import ACTIVATIONS, PENALTIES

# As the original's `serialize` writes its start, in the order of its PROPS; of "none" it writes no regularization.
IGNORED = ("cosX", "cosY", "collectStats", "tutorial")  # in the original's links, and without effect
START = (
    "#activation=tanh&batchSize=10&dataset=circle&regDataset=reg-plane&learningRate=0.03&regularizationRate=0&noise=0"
    "&networkShape=4,2&seed=0.22934&showTestData=false&discretize=false&percTrainData=50&x=true&y=true&xTimesY=false"
    "&xSquared=false&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false&collectStats=false"
    "&problem=classification&initZero=false&hideText=false"
)
ORIGINALS = {
    "its start": (START, {"seed": "0.22934"}),
    "the spiral of many": (
        "#activation=relu&regularization=L2&batchSize=30&dataset=spiral&regDataset=reg-gauss&learningRate=0.1"
        "&regularizationRate=0.003&noise=15&networkShape=8,8,6&seed=0.50131&showTestData=true&discretize=true"
        "&percTrainData=80&x=true&y=true&xTimesY=true&xSquared=true&ySquared=true&cosX=false&sinX=true&cosY=false"
        "&sinY=true&collectStats=false&problem=classification&initZero=false&hideText=true",
        {"activation": "relu", "regularization": "L2", "batchSize": 30, "dataset": "spiral", "regDataset": "reg-gauss"}
        | {"learningRate": 0.1, "regularizationRate": 0.003, "noise": 15, "networkShape": [8, 8, 6], "seed": "0.50131"}
        | {"showTestData": True, "discretize": True, "percTrainData": 80, "hideText": True}
        | dict.fromkeys(FEATURES, True),
    ),
    "no hidden layer, regression": (
        "#activation=linear&batchSize=1&regDataset=reg-gauss&networkShape=&seed=0.1&x=false&y=true&cosX=true"
        "&problem=regression&initZero=true",
        {"activation": "linear", "batchSize": 1, "regDataset": "reg-gauss", "networkShape": [], "seed": "0.1"}
        | {"x": False, "problem": "regression", "initZero": True},
    ),
    "a course's, with parts hidden": (
        "#dataset=xor&seed=0.7&tutorial=intro&collectStats=true&showTestData_hide=true&learningRate_hide=false"
        "&sinX_hide=true&numHiddenLayers_hide=true&nothing_hide=true&sinX=true&y=",
        {"dataset": "xor", "seed": "0.7", "sinX": True, "hide": ["numHiddenLayers", "showTestData", "sinX"]},
    ),
    "what is no truth value is true, of two the last": (
        "discretize=yes&showTestData=0&noise=5&noise=25&noise_hide=true&noise_hide=false",
        {"discretize": True, "showTestData": True, "noise": 25},
    ),
}


@pytest.mark.parametrize("link, change", ORIGINALS.values(), ids=ORIGINALS)
def test_a_link_of_the_original_is_the_same_setup_here(link, change):
    config, messages = from_hash(link)
    assert messages == []
    assert config == default() | change


def test_the_defaults_are_the_originals():
    config, messages = from_hash("")
    written, _ = from_hash(START)
    assert config == default() == written | {"seed": ""} and messages == []


def test_a_link_of_ours_begins_with_what_the_original_reads():
    config, _ = from_hash(START)
    names = [part.split("=")[0] for part in to_hash(config)[1:].split("&")]
    theirs = {part.split("=")[0] for part in START[1:].split("&")} - set(IGNORED)
    assert set(names) == theirs | {"regularization"}


def test_a_hidden_feature_is_not_fed_in():
    config, _ = from_hash("#x=true&y=true&sinX=true&y_hide=true")
    assert configs.features(config) == ["x", "sinX"]


def visible(config):
    return any(config[name] and name not in config["hide"] for name in FEATURES)


def decimals(low, high):
    return st.floats(low, high).map(lambda value: float(f"{value:.10g}"))


@st.composite
def setups(draw):
    shape = draw(st.lists(st.integers(1, 16), max_size=10))
    names = st.lists(st.sampled_from(list(ACTIVATIONS)), min_size=len(shape), max_size=len(shape))
    spot = decimals(-6, 6)
    config = {
        "activation": draw(st.sampled_from(list(ACTIVATIONS))),
        "regularization": draw(st.sampled_from(list(PENALTIES))),
        "batchSize": draw(st.integers(1, 2000)),
        "dataset": draw(st.sampled_from([*CLASSIFICATION, *LECTURE, "own"])),
        "regDataset": draw(st.sampled_from([*REGRESSION, "own"])),
        "learningRate": draw(decimals(0, 1000)),
        "regularizationRate": draw(decimals(-1000, 1000)),
        "noise": draw(decimals(0, 80)),
        "networkShape": shape,
        "seed": draw(st.from_regex(r"[A-Za-z0-9_.+-]{1,40}", fullmatch=True)),
        "percTrainData": draw(decimals(0, 100)),
        "problem": draw(st.sampled_from(["classification", "regression"])),
        "optimizer": draw(st.sampled_from(list(OPTIMIZERS))),
        "dropout": draw(decimals(0, 0.9)),
        "activations": draw(names | st.just([])),
        "networks": draw(st.integers(1, 16)),
        "stopEpoch": draw(st.integers(0, 1_000_000)),
        "speed": draw(st.integers(1, 64)),
        "points": draw(st.lists(st.tuples(spot, spot, spot).map(list), max_size=5)),
        "drawn": draw(st.integers(0, 2000)),
        "start": draw(st.from_regex(r"[A-Za-z0-9_.+-]{1,40}", fullmatch=True) | st.just("")),
        "precision": draw(st.sampled_from(["float32", "float64"])),
        "hide": sorted(draw(st.sets(st.sampled_from(HIDEABLE)))),
    }
    return config | {name: draw(st.booleans()) for name in FIELDS if name not in config}


@settings(max_examples=75, deadline=None)
@given(setups().filter(visible))
def test_a_link_gives_its_setup_back(config):
    assert set(config) == set(default())
    assert from_hash(to_hash(config)) == (config, [])


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=300)
    | st.lists(st.tuples(st.sampled_from([*FIELDS, *IGNORED, *(f"{name}_hide" for name in HIDEABLE)]), st.text())).map(
        lambda parts: "#" + "&".join(f"{name}={value}" for name, value in parts)
    )
    | st.lists(st.sampled_from([f"{name}{end}" for name in FEATURES for end in ("=false", "_hide=true")])).map("&".join)
)
def test_no_text_of_a_link_raises_and_what_comes_is_a_setup(text):
    config, messages = from_hash(text)
    assert visible(config) and set(config) == set(default())
    assert from_hash(to_hash(config))[1] == []
    assert all(message.split(":")[0] in [*FIELDS, "features"] for message in messages)


BAD = {
    "activation": ["swish", "Tanh"],
    "regularization": ["L3"],
    "batchSize": ["ten", "nan", "inf"],
    "dataset": ["reg-plane", "moons"],
    "regDataset": ["circle"],
    "learningRate": ["nan", "fast", "1e999"],
    "regularizationRate": ["none", "nan"],
    "noise": ["loud", "nan"],
    "networkShape": ["0", "-1", "x", ",,", "nan"],
    "seed": ["a b", "ä", "x" * 41, "%3Cscript%3E"],
    "percTrainData": ["half", "nan"],
    "problem": ["ranking"],
    "optimizer": ["newton"],
    "dropout": ["0.95", "-0.1", "nan"],
    "activations": ["swish", "tanh,"],
    "networks": ["0", "17", "1.5"],
    "stopEpoch": ["-1", "1000001", "x"],
    "speed": ["0", "65"],
    "drawn": ["-1", "2001", "x"],
    "start": ["a b"],
    "precision": ["float16"],
    "points": ["1,2", "1,2,3,4", "7,0,1", "a,b,c", "1,2,nan", ";".join(["1,1,1"] * 2001)],
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_is_named_and_the_default_stays(name):
    for text in BAD[name]:
        config, messages = from_hash(f"#{name}={text}")
        assert config == default() and len(messages) == 1, text
        assert messages[0].startswith(f"{name}: got ") and ", expected " in messages[0], text
        assert messages[0].endswith(f"; {configs.shown(FIELDS[name].default) or 'none'} is used"), text


# What the original makes of them, or of a network, what is left of it within our bounds (tensorflow/playground,
# `playground.ts`: noise above 80 becomes 50, below 0 none; a batch of -3 is one of 3, as each third remainder is 0).
FITTED = [
    *[("noise", text, value) for text, value in (("2000", 50), ("80.5", 50), ("101", 50), ("-10", 0), ("-0.5", 0))],
    *[("percTrainData", text, value) for text, value in (("150", 100), ("-1", 0))],
    *[("batchSize", text, value) for text, value in (("-3", 3), ("0", 1), ("2.5", 3), ("9999", 2000))],
    *[("learningRate", text, value) for text, value in (("-0.1", 0), ("1001", 1000))],
    *[("regularizationRate", text, value) for text, value in (("1e9", 1000), ("-2000", -1000))],
    *[("networkShape", "25,3", [16, 3]), ("networkShape", "4,,3", [4, 3]), ("networkShape", "17", [16])],
    *[("networkShape", ",".join(["3"] * 12), [3] * 10), ("networkShape", "5,x,0,2.5", [5, 3])],
]


@pytest.mark.parametrize("name, text, value", FITTED)
def test_what_a_link_has_too_much_of_is_cut_to_what_fits(name, text, value):
    config, messages = from_hash(f"#{name}={text}")
    assert config == default() | {name: value}
    assert messages[0].startswith(f"{name}: got ") and messages[0].endswith(f"; {configs.shown(value)} is used")
    assert len(messages) == 1


@pytest.mark.parametrize("link, change", [
    ("noise=80", {"noise": 80}),
    ("noise=33", {"noise": 33}),
    ("percTrainData=0", {"percTrainData": 0}),
    ("regularizationRate=-0.003", {"regularizationRate": -0.003}),
    ("learningRate=0.5", {"learningRate": 0.5}),
    ("numNodes2_hide=true", {"hide": ["numNodes2"]}),
])  # fmt: skip
def test_what_the_original_takes_is_taken_without_a_word(link, change):
    assert from_hash(f"#{link}") == (default() | change, [])


def test_activations_of_layers_that_are_cut_off_go_with_them():
    config, messages = from_hash("#networkShape=" + ",".join("1" * 12) + "&activations=" + ",".join(["relu"] * 12))
    assert config["activations"] == ["relu"] * 10 and config["networkShape"] == [1] * 10 and len(messages) == 2


def test_every_setting_with_bounds_has_its_bad_values_here():
    flags = {name for name, field in FIELDS.items() if isinstance(field.default, bool)}
    assert set(BAD) == set(FIELDS) - flags


@pytest.mark.parametrize(
    "name, least, most",
    [
        ("batchSize", "1", "2000"),
        ("learningRate", "0", "1000"),
        ("regularizationRate", "-1000", "1000"),
        ("noise", "0", "80"),
        ("percTrainData", "0", "100"),
        ("dropout", "0", "0.9"),
        ("networks", "1", "16"),
        ("stopEpoch", "0", "1000000"),
        ("speed", "1", "64"),
    ],
)
def test_bounds_are_allowed(name, least, most):
    assert [parsed(name, text) for text in (least, most)] == [float(least), float(most)]
    assert parsed("networkShape", ",".join(["16"] * 10)) == [16] * 10


def test_activations_that_do_not_fit_the_layers_are_left_out():
    config, messages = from_hash("#networkShape=3,3&activations=relu")
    assert config["activations"] == []
    assert messages == ["activations: got 1, expected one for each of 2 layers"]


@pytest.mark.parametrize("link, left", [("#x=false&y=false", ["x", "y"]), ("#x_hide=true&y=false", ["y", "xSquared"])])
def test_without_a_feature_the_first_two_that_are_shown_are_used(link, left):
    config, messages = from_hash(link)
    assert configs.features(config) == left
    assert messages == ["features: got none, expected at least one"]


def test_when_all_features_are_hidden_none_is():
    config, messages = from_hash("#noise_hide=true&" + "&".join(f"{name}_hide=true" for name in FEATURES))
    assert config["hide"] == ["noise"] and configs.features(config) == ["x", "y"]
    assert messages == ["features: all are hidden, expected at least one to be there; all are shown"]


@pytest.mark.parametrize(
    "name, text, value",
    [
        ("learningRate", "0.1", 0.1),
        ("batchSize", "30", 30),
        ("discretize", "true", True),
        ("x", "false", False),
        ("networkShape", "3,2,1", [3, 2, 1]),
        ("networkShape", "", []),
        ("points", "1,2,-1", [[1.0, 2.0, -1.0]]),
    ],
)
def test_one_setting_changes_and_no_other(name, text, value):
    assert changed(default(), name, text) == default() | {name: value}


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("hide", "x", "setting: got 'hide'"),
        ("nothing", "1", "setting: got 'nothing'"),
        ("noise", "true", "noise: got 'true', expected a number from 0 to 80"),
        ("batchSize", "0.5", "batchSize: got '0.5', expected a whole number from 1 to 2000"),
        ("points", "1,1,1;" * 20_000, "points: got 120000 characters, expected at most 100000"),
    ],
)
def test_a_bad_change_is_refused(name, text, message):
    with pytest.raises(InvalidArgument, match=f"^{message}"):
        changed(default(), name, text)


def test_the_last_feature_stays():
    config = changed(default(), "y", "false")
    with pytest.raises(InvalidArgument, match="^features: got none"):
        changed(config, "x", "false")


def test_a_layer_more_has_the_general_activation_and_one_less_takes_its_own_away():
    config, _ = from_hash("#networkShape=3,3&activations=relu,linear&activation=sigmoid")
    assert changed(config, "networkShape", "3,3,2")["activations"] == ["relu", "linear", "sigmoid"]
    assert changed(config, "networkShape", "3")["activations"] == ["relu"]
    assert changed(config, "networkShape", "")["activations"] == []


def test_a_link_that_is_too_long_is_refused():
    with pytest.raises(InvalidArgument, match="^link: got 100001 characters, expected at most 100000"):
        from_hash("x" * 100_001)


def test_the_engine_takes_every_setup_by_its_own_names():
    config, _ = from_hash("#networkShape=3&optimizer=adam&activations=relu&dropout=0.5&x=false&sinX=true&noise=20")
    assert for_engine(config) == {
        "problem": "classification",
        "activation": "tanh",
        "regularization": "none",
        "regularizationRate": 0,
        "learningRate": 0.03,
        "batchSize": 10,
        "features": ["y", "sinX"],
        "hidden": [3],
        "optimizer": "adam",
        "dropout": 0.5,
        "activations": ["relu"],
    }
