"""What the page is told, and the requests that strangers may think of."""

import json

import pytest

from jaxnn.backprop import answers
from jaxnn.backprop.levels.table import LEVELS
from jaxnn.playground.requests import LESSONS, answer

HIDDEN = LEVELS["hidden"]


def asked(**request):
    return answer(answers, json.dumps(request), LESSONS)


def test_the_requests_are_these_with_texts_as_their_arguments():
    assert {name: list(arguments) for name, arguments in LESSONS.items()} == {
        "levels": [],
        "level": ["name"],
        "judge": ["level", "text"],
        "verify": ["level", "text"],
        "train": ["level", "text"],
        "export": ["level", "text", "form"],
    }


def test_all_that_the_issue_asks_for_is_a_level():
    told = asked(do="levels")["levels"]
    lessons = [one["name"] for one in told if not one["bug"]]
    assert lessons[:4] == ["chain", "linear", "activations", "hidden"] and len(lessons) == 14
    assert len(told) - len(lessons) == 15 and len({one["title"] for one in told}) == len(told)


def test_a_level_is_told_with_its_values_shapes_graph_and_hints():
    level = asked(do="level", name="hidden")
    assert json.loads(json.dumps(level, allow_nan=False)) == level
    assert [line["text"] for line in level["code"]][:2] == ["Z1 = X @ W1 + b1", "A1 = 1 / (1 + exp(-Z1))"]
    assert level["code"][0]["shape"] == [5, 4] and level["values"]["m"] == 5
    assert level["graph"]["layers"][-1] == ["J"] and {"from": "Z1", "to": "A1", "by": []} in level["graph"]["lines"]
    (dW1,) = [one for one in level["asked"] if one["name"] == "dW1"]
    where, what, line = dW1["hints"]
    assert where == "W1 is used once forward, in Z1 = X @ W1 + b1, so it comes back from dZ1"
    assert "transposed" in what and line == "dW1 = X.T @ dZ1 / m"
    assert level["start"].splitlines()[0] == "dZ2 = "


def test_the_third_hint_has_all_the_lines_that_a_name_needs():
    (dX,) = [one for one in asked(do="level", name="pooling")["asked"] if one["name"] == "dX"]
    lines = dX["hints"][2].splitlines()
    assert lines[0] == "R00 = X[0::2, 0::2] == M" and lines[-1] == "dX[1::2, 1::2] = dM * R11 / N" and len(lines) == 10


def test_a_judgement_is_json_with_a_verdict_for_each_line():
    told = asked(do="judge", level="hidden", text=HIDDEN.solution)
    assert told["solved"] and [line["name"] for line in told["lines"]] == list(HIDDEN.missing)
    wild = asked(do="judge", level="hidden", text="dZ2 = log(y - 9)\ndW2 = A1.T @ dZ2")
    assert json.dumps(wild, allow_nan=False) and wild["lines"][0]["words"] == "dZ2: NaN"


@pytest.mark.slow
def test_the_whole_gradient_is_put_before_jaxnn_verify():
    told = asked(do="verify", level="hidden", text=HIDDEN.solution)
    assert told["kind"] == "PASS" and "central differences" in told["witnesses"]
    assert asked(do="verify", level="activations", text=LEVELS["activations"].solution)["kind"] == "KINK"
    wrong = asked(do="verify", level="hidden", text=HIDDEN.solution.replace("X.T @ dZ1 / m", "X.T @ dZ1"))
    assert not wrong["right"] and wrong["kind"] == "FAIL"


def test_files_have_a_name():
    assert asked(do="export", level="linear", text=LEVELS["linear"].solution, form="r")["file"] == "linear.R"


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"do": "check"}, "one of levels, level, judge"),
        ({"do": "level", "name": "__class__"}, "expected one of chain"),
        ({"do": "judge", "level": "hidden"}, "judge.text"),
        ({"do": "judge", "level": "hidden", "text": 1}, "a text"),
        ({"do": "judge", "level": "hidden", "text": "\n" * 100}, "at most 60"),
        ({"do": "export", "level": "linear", "text": "", "form": "c"}, "expected one of python, r"),
        ({"do": "train", "level": "linear", "text": ""}, "dbeta: got no line"),
        ({"do": "verify", "level": "linear", "text": "dbeta = é"}, "the character"),
        ({"do": "level", "name": "hidden", "more": 1}, "only name"),
    ],
)
def test_what_is_no_request_is_refused_in_words(request_, says):
    assert says in asked(**request_)["error"]
