"""What a page may ask: the public methods of a tab's session over the socket, the answers of `backprop` by POST.

A request is JSON, `{"do": METHOD, argument: value, ...}`. It comes from outside, so nothing but what a table has is
ever called: no private name, no property, and no method without all of its arguments, each of the type that the method
annotates. What a value of the right type may be is for the method to say.
"""

import inspect
import json
import logging
from collections.abc import Callable, Mapping
from types import ModuleType, NoneType
from typing import Any, NamedTuple, NoReturn, get_args, get_origin, get_type_hints

from jaxnn.backprop import answers
from jaxnn.errors import InvalidArgument, require
from jaxnn.playground.session import Session

# The types that JSON can bring, and what they are called; a whole number is a number too, a truth value is none.
TYPES = {
    str: ((str,), "a text"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    NoneType: ((NoneType,), "null"),
}


class Argument(NamedTuple):
    """One argument of a method: its annotation, and whether it may be left out."""

    type: Any
    optional: bool


Table = Mapping[str, Mapping[str, Argument]]


def arguments_of(function: Callable) -> dict[str, Argument]:
    """Return the arguments of a function, or of a method, by name."""
    hints, parameters = get_type_hints(function), inspect.signature(function).parameters.values()
    return {
        one.name: Argument(hints[one.name], one.default is not one.empty) for one in parameters if one.name != "self"
    }


def table_of(owner: type | ModuleType) -> Table:
    """Return the public functions that a class or a module defines itself, with their arguments."""
    module = owner.__module__ if isinstance(owner, type) else owner.__name__
    return {
        name: arguments_of(function)
        for name, function in vars(owner).items()
        if inspect.isfunction(function) and not name.startswith("_") and function.__module__ == module
    }


REQUESTS = table_of(Session)
LESSONS = table_of(answers)


def answer(asked: Session | ModuleType, text: str, table: Table = REQUESTS) -> dict | bytes:
    """Return the answer to a request, what the function returns; `{"error": ...}` where that is not to be had."""
    try:
        name, arguments = read(text, table)
        return getattr(asked, name)(**arguments)
    except InvalidArgument as error:
        return {"error": str(error)}
    except RecursionError:
        return {"error": "request: nested too deeply"}
    except Exception:  # a mistake of ours: the tab is told, and goes on
        logging.getLogger(__name__).exception("a request failed")
        return {"error": "this request failed in the server, whose log says why; the playground goes on"}


def read(text: str, table: Table = REQUESTS) -> tuple[str, dict[str, Any]]:
    """Return the name of a request and its arguments, each of its type; `InvalidArgument` says what is wrong."""
    try:
        request = json.loads(text, parse_constant=_refuse, parse_int=_whole)
    except ValueError as error:
        raise InvalidArgument(f"request: got no JSON ({error}), expected an object with 'do'") from None
    require(isinstance(request, dict), "request", type(request).__name__, "an object with 'do'")
    name = request.pop("do", None)
    require(isinstance(name, str) and name in table, "do", f"{name!r:.80}", f"one of {', '.join(table)}")
    check_arguments(name, request, table[name])
    return name, request


def check_arguments(name: str, given: Mapping[str, Any], arguments: Mapping[str, Argument]) -> None:
    """Raise `InvalidArgument` unless all arguments that are needed are given, no other, and each of its type."""
    strange = [argument for argument in given if argument not in arguments]
    require(not strange, name, f"the argument {strange[:1]!r:.80}", f"only {', '.join(arguments) or 'none'}")
    for argument, (annotation, optional) in arguments.items():
        value = given.get(argument)
        ok = is_of(value, annotation) if argument in given else optional
        require(ok, f"{name}.{argument}", f"{value!r:.80}", called(annotation))


def is_of(value: Any, annotation: Any) -> bool:
    """Whether a value out of JSON is what an annotation says: one of `TYPES`, a list of one, or a union of these."""
    if get_origin(annotation) is list:
        return type(value) is list and all(is_of(entry, *get_args(annotation)) for entry in value)
    if get_args(annotation):
        return any(is_of(value, one) for one in get_args(annotation))
    return type(value) in TYPES[annotation][0]


def called(annotation: Any) -> str:
    """Return what an annotation is called in a message."""
    if get_origin(annotation) is list:
        return f"a list, each entry {called(*get_args(annotation))}"
    return " or ".join(map(called, get_args(annotation))) or TYPES[annotation][1]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _whole(digits: str) -> int:
    # A longer one need not fit into a float, and no method expects one.
    return int(digits) if len(digits) < 17 else _refuse("a number of more than 16 digits")
