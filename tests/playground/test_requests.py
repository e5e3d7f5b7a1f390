"""What a tab may ask for: exactly the session's public methods, with arguments of the types that these annotate."""

import inspect
import json
import re

import pytest

from jaxnn.playground.requests import REQUESTS, answer, arguments_of, called, is_of, read
from jaxnn.playground.session import Session
from tests.playground.reader import unpacked

# Whoever adds a public method to the session opens it to the socket: so that it is meant, it is named here too.
MEANT = ["open", "set", "reset", "restart", "regenerate", "own", "draw", "shuffle", "clear", "keep", "resume", "edit"]
MEANT += ["frame", "export"]


@pytest.fixture(scope="module")
def session():
    return Session("#seed=0.5")


def test_the_sessions_public_methods_and_nothing_else_can_be_asked_for():
    assert list(REQUESTS) == MEANT
    for name, arguments in REQUESTS.items():
        assert ["self", *arguments] == list(inspect.signature(getattr(Session, name)).parameters)


def test_arguments_are_those_of_the_signature():
    def method(self, a: int, b: float | None, c: list[int] | None = None, d: str = "d"): ...

    arguments = arguments_of(method)
    assert arguments == {
        "a": (int, False),
        "b": (float | None, False),
        "c": (list[int] | None, True),
        "d": (str, True),
    }


def test_an_annotation_that_no_json_has_is_a_mistake_of_ours():
    with pytest.raises(KeyError):
        is_of(1, complex)


@pytest.mark.parametrize(
    "annotation, words, right, wrong",
    [
        (str, "a text", ["", "a"], [0, None, ["a"], {}]),
        (int, "a whole number", [0, -7], [True, 0.0, "0", None, [0]]),
        (float, "a number", [0, -0.5, float("inf")], [False, "0", None]),
        (int | None, "a whole number or null", [1, None], [True, 1.5, "", []]),
        (list[int], "a list, each entry a whole number", [[], [1, 2]], [[True], [1.0], [[1]], None, "12", {}]),
        (list[float] | None, "a list, each entry a number or null", [[1, 0.5], None], [[None], [True], 1]),
    ],
)
def test_types_of_arguments(annotation, words, right, wrong):
    assert called(annotation) == words
    assert all(is_of(value, annotation) for value in right)
    assert not any(is_of(value, annotation) for value in wrong)


def test_a_request_is_its_method_and_arguments_and_what_has_a_default_may_be_left_out(session):
    assert read('{"do": "frame", "epochs": 1, "chain": null}') == ("frame", {"epochs": 1, "chain": None})
    assert unpacked(answer(session, '{"epochs": 0, "do": "frame"}'))["map"] == [3, 0]
    assert answer(session, '{"do": "edit", "layer": 2, "node": 0, "source": null, "value": 1}') == {
        "edited": [2, 0, None, 1.0]
    }


DEEP = "[" * 500 + "]" * 500
WRONG = {
    "no JSON": ("open", "request: got no JSON"),
    "nothing": ("", "request: got no JSON"),
    "no object": ("[]", "request: got list, expected an object with 'do'"),
    "NaN": ('{"do": "edit", "value": NaN}', "request: got no JSON .NaN is not JSON"),
    "infinity": ('{"do": "edit", "value": -Infinity}', "request: got no JSON .-Infinity is not JSON"),
    "a long number": ('{"do": "edit", "value": 1' + "0" * 400 + "}", "request: got no JSON .a number of more than 16"),
    "a longer number": ('{"do": "edit", "value": 1' + "0" * 9999 + "}", "request: got no JSON"),
    "a number beyond all": (
        '{"do": "edit", "layer": 0, "node": 0, "source": 0, "value": 1e999}',
        "value: got inf, expected a number from -1e6 to 1e6",
    ),
    "nothing to do": ("{}", "do: got None, expected one of open, set, reset"),
    "nothing that there is": ('{"do": "__init__"}', "do: got '__init__'"),
    "a property": ('{"do": "epoch"}', "do: got 'epoch'"),
    "a private method": ('{"do": "_start"}', "do: got '_start'"),
    "a value of the session": ('{"do": "config"}', "do: got 'config'"),
    "what every object has": ('{"do": "__class__"}', "do: got '__class__'"),
    "a list to do": ('{"do": ["open"]}', "do: got "),
    "no argument": ('{"do": "open"}', "open.link: got None, expected a text"),
    "a strange argument": ('{"do": "reset", "hard": 1}', "reset: got the argument .'hard'., expected only none"),
    "null": ('{"do": "open", "link": null}', "open.link: got None, expected a text"),
    "a truth value as number": (
        '{"do": "frame", "epochs": true, "node": 0}',
        "frame.epochs: got True, expected a whole number",
    ),
    "a fraction": ('{"do": "frame", "epochs": 1.5, "node": 0}', "frame.epochs: got 1.5, expected a whole number"),
    "too many epochs": ('{"do": "frame", "epochs": 65, "node": 0}', "epochs: got 65, expected 0 to 64"),
    "no epochs": ('{"do": "frame"}', "frame.epochs: got None, expected a whole number"),
    "a text to choose a layer": (
        '{"do": "frame", "epochs": 1, "layer": "1"}',
        "frame.layer: got '1', expected a whole number or null",
    ),
    "a short chain": (
        '{"do": "frame", "epochs": 1, "node": 0, "chain": [1]}',
        "chain: got .1., expected .layer, node, source, point.",
    ),
    "truth in a chain": (
        '{"do": "frame", "epochs": 1, "node": 0, "chain": [0, 0, 0, true]}',
        "frame.chain: got .0, 0, 0, True., expected a list, each entry a whole number or null",
    ),
    "a truth value as coordinate": (
        '{"do": "draw", "points": [[true, 0, 1]]}',
        "draw.points: got ..True, 0, 1.., expected a list, each entry a list, each entry a number",
    ),
    "an object as value": ('{"do": "set", "name": "noise", "value": {}}', "set.value: got {}, expected a text"),
    "a number as value": ('{"do": "set", "name": "noise", "value": 5}', "set.value: got 5, expected a text"),
    "a value out of bounds": (
        '{"do": "set", "name": "noise", "value": "-5"}',
        "noise: got '-5', expected a number from",
    ),
    "no setting": ('{"do": "set", "name": "hide", "value": ""}', "setting: got 'hide', expected one of activation"),
    "a long link": (json.dumps({"do": "open", "link": "x" * 100_001}), "link: got 100001 characters"),
    "a deep list": (
        '{"do": "set", "name": "points", "value": ' + DEEP + "}",
        r"set.value: got \[\[\[.*expected a text",
    ),
    "what no parser follows": ("[" * 200_000, "request: nested too deeply"),
}


@pytest.mark.parametrize("text, message", WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_told_what_is_wrong(session, text, message):
    told = answer(session, text)
    assert list(told) == ["error"]
    assert re.match(message, told["error"])
