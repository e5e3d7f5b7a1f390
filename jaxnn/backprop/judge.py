"""Judges a backward pass line by line: each derivative against the true one, whatever the formula looks like.

A line is judged by what it makes of right values: where a line above it is wrong or empty, the true value stands in for
that one, so a mistake is named once, where it is. An adjoint may be m times the derivative, as the lecture's
dZ2 = A2 - y is, whose 1/m comes with dW2; a gradient of a parameter may not.
"""

import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from jaxnn.backprop import causes, language
from jaxnn.backprop.forms import alike
from jaxnn.backprop.interpreter import assign, run
from jaxnn.backprop.language import Line, Refused, lines_of, names_in
from jaxnn.backprop.level import Level
from jaxnn.backprop.truth import Point, bends_at, differs, expected, is_subgradient, nearest, points
from jaxnn.errors import InvalidArgument

# right: as in the lecture. otherwise: right, written otherwise. kink: a subgradient. after: right once lines above are.
# own: a variable that the level does not ask for. part: a later line goes on with the variable.
GOOD = ("right", "otherwise", "kink")
LONGEST = 0.05  # seconds of work for one run of a text, fifty times what the levels take: a judgement has many
KINDS = (*GOOD, "after", "own", "part", "empty", "shape", "wrong", "error")


class Verdict(NamedTuple):
    """What is said of one line: its number, the variable, one of `KINDS`, a sentence, the shape of its value.

    `entry` has one number by hand, beside the true one and that of a difference quotient, and where it stands.
    """

    number: int
    name: str
    kind: str
    words: str
    shape: tuple[int, ...] | None = None
    entry: Mapping[str, Any] | None = None


class _Seen(NamedTuple):
    """How a variable compares: its kind, how many times the derivative it is, everywhere values, a sentence."""

    kind: str
    scale: float
    values: tuple[np.ndarray, ...] = ()
    words: str = ""


class Program(NamedTuple):
    """A text as lines, those that are not of the language, and the last line of each variable."""

    lines: list[Line]
    refused: list[Refused]
    last: dict[str, Line]

    def of(self, name: str) -> list[Line]:
        return [line for line in self.lines if line.name == name]


def parsed(level: Level, text: str) -> Program:
    """Return a text as a program of a level, each line that is refused by itself."""
    lines, refused = [], []
    for number, line in enumerate(lines_of(text), 1):
        try:
            read = language.read_line(number, line)
            if read is not None and read.name in level.variables:
                raise Refused(
                    number,
                    f"line {number} assigns to {read.name}, which is given: expected another, such as d{read.name}",
                )
            if read is not None:
                lines.append(read)
        except Refused as error:
            refused.append(error)
    return Program(lines, refused, {line.name: line for line in lines})


def judge(level: Level, text: str) -> list[Verdict]:
    """Return what is said of each line of a text that is no comment, in their order."""
    program = parsed(level, text)
    found = {line.number: verdict for line, verdict in _verdicts(level, program)}
    found |= {
        error.number: Verdict(error.number, "", "error", _without_number(str(error))) for error in program.refused
    }
    return [found[number] for number in sorted(found)]


def solved(level: Level, verdicts: Iterable[Verdict]) -> bool:
    """Return whether all that a level asks for is right, and no line is wrong."""
    verdicts = list(verdicts)
    right = {verdict.name for verdict in verdicts if verdict.kind in GOOD}
    return set(level.missing) <= right and all(v.kind in (*GOOD, "own", "part") for v in verdicts)


def gradient_of(level: Level, program: Program, scope: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the gradient of each parameter that a program computes from the forward values in a scope."""
    names = dict(scope)
    run(program.lines, names)
    found = {}
    for name, value in level.params.items():
        gradient = names.get(level.gradient_name(name))
        if gradient is None:
            raise InvalidArgument(
                f"{level.gradient_name(name)}: got no line, expected the gradient of the parameter {name}"
            )
        if np.size(gradient) != np.size(value):
            seen, wanted = np.shape(gradient), np.shape(value)
            raise InvalidArgument(f"{level.gradient_name(name)}: got shape {seen}, expected {wanted}, that of {name}")
        found[name] = np.reshape(gradient, np.shape(value))
    return found


def _verdicts(level: Level, program: Program):
    everywhere = points(level)
    errors = _errors(program, everywhere[0])  # first: it stops a program that would run for long
    seen = _seen(level, program, everywhere)
    solution = language.read(level.solution)
    for line in program.lines:
        if line.value is None and line is program.last[line.name]:
            yield line, Verdict(line.number, line.name, "empty", _asked(level, line.name, everywhere[0]))
        elif line.name not in seen or line is not program.last[line.name]:
            yield line, _other(level, line, program, errors, everywhere[0])
        else:
            yield line, _verdict(level, line, program, seen, errors, solution, everywhere[0])


def _seen(level: Level, program: Program, everywhere: tuple[Point, ...]) -> dict[str, _Seen]:
    """Return how each derivative of a program compares: those that are no right values give way to the true ones."""
    seen: dict[str, _Seen] = {}
    names = [name for name in program.last if level.meaning(name) and program.last[name].value is not None]
    names.sort(key=lambda name: program.last[name].number)
    for name in names:
        scales = [1.0, *(float(level.data[n]) for n in ("m",) if n in level.data)]
        own = _compared(level, program, name, everywhere, {})
        if own.kind in GOOD:
            seen[name] = own
            continue
        absent = {n: 1.0 for n in _sources(level, program, name) if n not in seen or seen[n].kind not in GOOD}
        tries = (
            [_compared(level, program, name, everywhere, dict.fromkeys(absent, scale)) for scale in scales]
            if absent
            else [own]
        )
        best = next((one for one in tries if one.kind in GOOD), None)
        convention = _convention(level, seen, name)
        seen[name] = best._replace(kind="after") if best else tries[scales.index(convention) if absent else 0]
    return _twice(level, program, everywhere, seen)


def _convention(level: Level, seen: Mapping[str, _Seen], name: str) -> float:
    """Return how many times the derivative the adjoints of a program are: 1, or m as in the lecture."""
    known = [one.scale for other, one in seen.items() if one.kind in GOOD and not level.is_gradient(other)]
    return known[0] if known else _scales(level).get(name, 1.0)


@cache
def _scales(level: Level) -> dict[str, float]:
    """Return how many times the derivative each adjoint of the level's solution is."""
    program, found = parsed(level, level.solution), {}
    for name in program.last:
        if level.meaning(name):
            found[name] = _compared(level, program, name, points(level), {}).scale
    return found


def _twice(level, program, everywhere, seen):
    """Move the blame to an adjoint that is divided by m beside others that are not, if a gradient is so once more."""
    blamed: dict[str, float] = {}
    for name in [n for n, one in seen.items() if one.kind == "wrong" and level.is_gradient(n)]:
        for source in _sources(level, program, name):
            scales = {seen[n].scale for n in _sources(level, program, source) if n in seen and seen[n].kind in GOOD}
            mixed = source in seen and seen[source].kind in GOOD and scales and seen[source].scale not in scales
            if source in blamed or (mixed and len(scales) == 1):
                again = _compared(level, program, name, everywhere, {source: blamed.get(source) or scales.pop()})
                if again.kind in GOOD:
                    blamed.setdefault(source, float(level.data["m"]) / seen[source].scale)
                    seen[name] = again._replace(kind="after")
                    break
    for source, scale in blamed.items():
        size = "small" if scale > 1 else "large"
        words = f"{source}: too {size} by the factor m = {level.data['m']} beside the adjoints above it"
        words += ": the 1/m is taken here, and once more below" if scale > 1 else ""
        seen[source] = seen[source]._replace(kind="wrong", scale=scale, words=words)
    return seen


def _sources(level: Level, program: Program, name: str, above: frozenset = frozenset()) -> list[str]:
    """Return the derivatives that a variable is made of directly or by way of variables of the learner's own."""
    found = []
    for read in (read for line in program.of(name) for read in names_in(line.value)):
        if level.meaning(read):
            found.append(read)
        elif read in program.last and read not in above:
            found += _sources(level, program, read, above | {name})
    return [one for one in dict.fromkeys(found) if one != name]


def _compared(
    level: Level, program: Program, name: str, everywhere: tuple[Point, ...], instead: Mapping[str, float]
) -> _Seen:
    """Return how a variable compares where `instead` of some derivatives stand so many times the true ones."""
    values, trues = [], []
    for point in everywhere:
        scope = dict(point.values)
        scope |= {
            other: scale * true for other, scale in instead.items() if (true := expected(point, other)) is not None
        }
        for line in program.lines:
            if line.number > program.last[name].number or line.name in instead:
                continue
            try:
                assign(line, scope)
            except InvalidArgument as error:
                if line.name == name:
                    return _Seen("error", 1.0, (), str(error))
                scope.pop(line.name, None)
        if name not in scope:
            return _Seen("error", 1.0, (), f"{name}: got no value")
        true = expected(point, name)
        values.append(np.asarray(scope[name], np.float64))
        trues.append(np.asarray(true))
    value, true = values[0], trues[0]
    if value.shape != true.shape and not value.size == true.size == 1:
        return _Seen("shape", 1.0, (value, true))
    values = [np.reshape(v, t.shape) for v, t in zip(values, trues, strict=True)]
    of, by = level.meaning(name) or ("", "")
    scales = (
        [1.0] if level.is_gradient(name) or of != level.cost or "m" not in level.data else [1.0, float(level.data["m"])]
    )
    for scale in scales:
        first, *others = (differs(v, scale * t).any() for v, t in zip(values, trues, strict=True))
        if not first and not any(others):
            bends = of == level.cost and bends_at(level, by)
            return _Seen("kink" if bends else "right", scale, (values[0], true))
        if first and of == level.cost and is_subgradient(everywhere[0], by, values[0], scale * true, scale):
            if not any(others):
                return _Seen("kink", scale, (values[0], true))
            first = False
        if not first and np.any(true):
            return _Seen(
                "wrong",
                scale,
                (values[0], true),
                f"{name}: right for the numbers that are shown, and wrong for others: "
                "a number stands where a name belongs, or two things are equal here by accident",
            )
    return _Seen("wrong", 1.0, (values[0], true))


def _errors(program: Program, point: Point) -> dict[int, str | tuple[int, ...]]:
    """Return for each line what stops it, or the shape of its value, as the program runs from top to bottom."""
    scope, found = dict(point.values), {}
    start = time.thread_time()
    for line in program.lines:
        if time.thread_time() - start > LONGEST:
            raise InvalidArgument(
                f"the program: got {LONGEST} s of work by line {line.number}, expected less: take smaller arrays"
            )
        try:
            assign(line, scope)
            found[line.number] = np.shape(scope[line.name])
        except InvalidArgument as error:
            found[line.number] = str(error)
            scope.pop(line.name, None)
    return found


def _other(level, line, program, errors, point) -> Verdict:
    """Return the verdict on a line that is no derivative, or with which a later line goes on."""
    shape = errors[line.number]
    if isinstance(shape, str):
        waits = line.value is None or [
            n
            for n in names_in(line.value)
            if n in program.last and n != line.name and isinstance(errors.get(program.last[n].number), str)
        ]
        return Verdict(line.number, line.name, "part" if waits else "error", "" if waits else shape)
    if level.meaning(line.name):
        goes_on = any(
            line.name in names_in(o.value) or o.index is not None or o.adds
            for o in program.of(line.name)
            if o.number > line.number
        )
        words = "goes on below" if goes_on else f"{line.name} is assigned anew below: this line has no effect"
        return Verdict(line.number, line.name, "part", words, shape)
    return Verdict(line.number, line.name, "own", _known(level, line, program, point), shape)


def _known(level, line, program, point) -> str:
    """Return what a variable of the learner's own is, where its numbers are known ones, or its name is nearly one."""
    meant = next((name for name in level.missing if name.lower() == line.name.lower()), "")
    if meant:
        return f"a variable of your own: is {meant} meant?"
    scope = dict(point.values)
    try:
        run([one for one in program.lines if one.number <= line.number and one.value is not None], scope)
    except InvalidArgument:
        return ""
    value = np.asarray(scope[line.name])
    known = {f"the adjoint of {name}": a for name, a in point.adjoints.items() if name != level.cost}
    known |= {f"m times {said}": level.data["m"] * a for said, a in known.items() if "m" in level.data}
    known |= {name: np.asarray(v) for name, v in point.values.items()}
    fits = (
        said
        for said, true in known.items()
        if true.shape == value.shape and np.any(true) and not differs(value, true).any()
    )
    said = next(fits, "")
    return f"this is {said}" if said else ""


def _asked(level: Level, name: str, point: Point) -> str:
    meaning, true = level.meaning(name), expected(point, name)
    if meaning is None or true is None:
        return ""
    of, by = meaning
    return (
        f"the derivative of {of} by {by}, shape {true.shape}"
        if true.shape
        else f"the derivative of {of} by {by}, a number"
    )


def _verdict(level, line, program, seen, errors, solution, point) -> Verdict:
    name, one = line.name, seen[line.name]
    shape = one.values[0].shape if one.values else None
    if one.kind == "error":
        return Verdict(line.number, name, "error", one.words)
    if one.kind == "shape":
        return Verdict(line.number, name, "shape", causes.of_shape(name, *one.values), shape)
    entry = causes.entry(point, name, one.values[0], one.values[1], one.scale)
    if one.kind in (*GOOD, "after"):
        reference = [other for other in solution if other.name == name]
        kind = "otherwise" if one.kind == "right" and reference and not alike(program.of(name), reference) else one.kind
        waits = [n for n in _sources(level, program, name) if n not in seen or seen[n].kind not in GOOD]
        new = one.scale not in {seen[n].scale for n in _sources(level, program, name) if n in seen}
        return Verdict(line.number, name, kind, _praise(kind, one.scale if new else 1.0, waits), shape, entry)
    if one.words:
        entry = causes.entry(point, name, one.values[0], one.scale * one.values[1], one.scale)
        return Verdict(line.number, name, "wrong", one.words, shape, entry)
    scale = (
        1.0
        if level.is_gradient(name)
        else _convention(level, {n: o for n, o in seen.items() if n in _sources(level, program, name)}, name)
    )
    value, by = one.values[0], (level.meaning(name) or ("", ""))[1]
    true = nearest(point, by, value, scale * one.values[1], scale)
    entry = causes.entry(point, name, value, true, scale)
    return Verdict(
        line.number,
        name,
        "wrong",
        causes.of_values(point, line, value, true, _with_truth(point, seen, scale)),
        shape,
        entry,
    )


def _with_truth(point: Point, seen: Mapping[str, _Seen], scale: float) -> dict[str, np.ndarray]:
    """Return the right values of all derivatives that a program has, at the scale that it has them in."""
    found = {}
    for name, one in seen.items():
        true = expected(point, name)
        if true is not None:
            found[name] = (one.scale if one.kind in GOOD else scale) * true
    return found


def _praise(kind: str, scale: float, waits: list[str]) -> str:
    words = {
        "right": "right",
        "otherwise": "right, though written otherwise than in the lecture",
        "kink": "right: the loss bends here, and this is one of its subgradients",
        "after": f"right, once {' and '.join(waits)} {'is' if len(waits) == 1 else 'are'}",
    }[kind]
    if scale != 1:
        words += f"; it is m = {scale:g} times the derivative, whose 1/m is left to the parameters"
    return words


def _without_number(message: str) -> str:
    return f"this {message.split(' ', 2)[0]} {message.split(' ', 2)[2]}"


@cache
def warm(level: Level) -> None:
    """Compute what every judgement of a level needs, and what the first would wait for."""
    judge(level, level.solution)
