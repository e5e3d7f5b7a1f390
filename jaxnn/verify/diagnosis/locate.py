"""The first wrong line of a hand-written backward pass, found by putting right values in the place of its own.

Each assignment of the backward pass is replaced by a value of the correct computation (the true adjoint of a variable
of the loss, or its forward value). The line at which one replacement makes the whole gradient right, whose own value is
no right one under its own name, is the wrong line. Nothing is guessed from names alone.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from jaxnn.verify.diagnosis.replay import Replay
from jaxnn.verify.diagnosis.steps import Key, Step
from jaxnn.verify.diagnosis.targets import FACTOR, Targets, candidates, close, digest, is_adjoint, scales_of, stem_of

MORE = 0.15  # of the runs that are allowed, for other explanations than the first
ROUNDS = 4
WRAPPER = 3  # a file of which no more lines are run only calls the backward pass
TRIED = 12  # steps before the wrong one that are looked at
Errors = Callable[[list[np.ndarray]], list[float]]  # of arrays that come back, each in units of its error bar
ALIAS = re.compile(r"[^\W\d]\w*\s*=\s*[^\W\d]\w*")


class Suspect(NamedTuple):
    """The wrong assignment: the variable's `name` and the `step` in which its wrong value first appears.

    `expected` is the value that puts the gradient right, `meaning` what that is, such as "the adjoint of Z1", or
    FACTOR where it is found by a number only, which may have gone missing elsewhere. It puts the `whole` gradient right
    or a part of it.
    """

    name: str
    step: Step
    expected: np.ndarray
    meaning: str
    whole: bool

    @property
    def passed(self) -> bool:
        """Whether it is no assignment, but what a line passes to a function."""
        return self.step.name.isidentifier() and self.step.name not in (*self.step.line.names, "return")


def suspects(backward: Replay, targets: Targets, errors: Errors, sizes: Sequence[float] = ()) -> Iterator[Suspect]:
    """Yield the assignments that explain the error, the likeliest first; none where no single one does.

    `errors` are those of the arrays that `backward` returns, each in units of its error bar; `sizes` are constants to
    try as factors.
    """
    before = backward.outputs({})
    wrong_now = [error > 1 for error in errors(before)]
    steps = _without_middle_rounds([step for step in backward.steps if not step.name.startswith("return")])
    stands = {step.number: _stands(step, steps, targets) for step in steps}
    claimed = {stem_of(step.name) for step in steps if is_adjoint(step.name)}
    called: dict[str, set[str]] = {}  # the variables that a value goes by
    for step in steps:
        called.setdefault(digest(step.value), set()).add(stem_of(step.name))
    scales = [*scales_of(steps, targets), *sizes]
    factors = [-1.0, 2.0, 0.5, *sizes, *(1 / size for size in sizes if size)]

    def right_values(step, **options):
        found = candidates(step, targets, claimed - called[digest(step.value)], scales, **options)
        return ((m, (v != 0).astype(float)) for m, v in found) if step.dtype == bool else found

    def adjoints(step):
        return right_values(step, adjoints_only=True)

    def likely(step):
        return right_values(step) if step.number in to_blame else adjoints(step)

    def by_name(step):
        return ((target.meaning, target.value) for target in targets.named_like(step))

    def multiples(step):
        return ((FACTOR, factor * step.value) for factor in factors)

    to_blame = {step.number for step in blamed(backward, errors, steps)}
    rest = [step for step in steps if step.number not in to_blame]
    runs, end, told, part, most = itertools.count(), backward.most, set(), None, 0

    def search(some, wanted, values):
        nonlocal end, part, most
        for step in some:
            unlike = stands[step.number] and not wanted and _contradicts(step, targets)
            if (stands[step.number] is not wanted and not unlike) or step.number in told:
                continue
            for meaning, value in by_name(step) if unlike else values(step):
                if (run := next(runs)) > end:
                    return
                repaired = _repaired(backward, errors, wrong_now, {step.key: value})
                whole = repaired == sum(wrong_now)
                if repaired > most:
                    part, most = Suspect(step.name, step, value, meaning, whole), repaired
                if whole:
                    yield _at_its_source(Suspect(step.name, step, value, meaning, True), backward.steps, targets)
                    end = min(end, run + MORE * backward.most)
                    if step.number in told:
                        break
                    told.add(step.number)

    # First what is right for nothing, or not for its name, then what is right under another name. Of what also feeds
    # something right, few values are tried at first. Factors, which fit anywhere, come last.
    groups = _rounds(steps, stands)
    wrong_rounds = {step.number for group in groups for step in group if sum(not stands[s.number] for s in group) > 1}
    aligned = _aligned(backward, errors, wrong_now, targets, groups, [1.0, *scales[:2]])
    last = aligned.step.number if aligned else len(backward.steps)
    once = [step for step in steps if step.number < last and step.number not in wrong_rounds]
    yield from search(once, False, likely)
    if aligned is not None:
        yield aligned
        return
    earlier = [step for step in once if step.number < min(told, default=last)]
    yield from search(earlier[::-1] if told else earlier, True, likely)  # the nearest first
    if not told:
        several = _in_loops(backward, errors, (by_name, adjoints, right_values), groups)
        several = several or _together(backward, errors, wrong_now, targets, steps)
        if several is not None:
            yield several
            return
    again = [(steps, False, likely), (rest, False, right_values), (rest, True, right_values), (steps, False, multiples)]
    for some, wanted, values in again:
        yield from search(some, wanted, values)
    if not told and part is not None:
        yield part


def upstream(backward: Replay, targets: Targets, step: Step) -> list[Step]:
    """Return a step, and those that made it without having a right value, or one on the way; the last of them first."""
    found, right = [step], {}
    for other in reversed(backward.steps[: step.number]):
        if targets.hold(other.value):
            right[other.key] = other.value
        elif len(found) <= TRIED and not other.name.startswith("return") and feeds(backward, other, step, right):
            found.append(other)
    return found


def blamed(backward: Replay, errors: Errors, steps: Iterable[Step], *, for_all: bool = False) -> list[Step]:
    """Return those steps of which another value changes some of what is wrong, or `for_all` all, and nothing right."""
    before = backward.outputs({})
    wrong = [error > 1 for error in errors(before)]

    def is_blamed(step):
        try:
            after = backward.outputs({step.key: another(step)})
        except Exception:  # it cannot be another one
            return False
        changed = [not close(a, b) for a, b in zip(before, after, strict=True)]
        return (
            changed == wrong
            if for_all
            else any(changed) and not any(c > w for c, w in zip(changed, wrong, strict=True))
        )

    return [step for step in steps if is_blamed(step)]


def feeds(backward: Replay, step: Step, later: Step, kept: Mapping[Key, np.ndarray] = MappingProxyType({})) -> bool:
    """Return whether another value of a step changes that of a later one while others are kept as they are."""
    try:
        value = backward.value({**kept, step.key: another(step)}, later.key)
    except Exception:  # it cannot be another one
        return False
    return value is not None and not close(value, later.value)


def another(step: Step) -> np.ndarray:
    """Return what a step has not made: another value everywhere, of its shape."""
    size = np.max(np.abs(step.value), initial=0.0) or 1.0
    return 1 - step.value if step.dtype == bool else 1.25 * step.value + 0.5 * size


def where_made(steps: Sequence[Step], value: np.ndarray, true: Sequence[np.ndarray], name: str = "") -> Step | None:
    """Return the step where a wrong array first appears; if it is right for another, where it gets this name."""
    same = [step for step in steps if close(step.value, value)]
    if not same:
        return None
    if not any(close(other, value) for other in true):
        files = Counter(line.file for line in dict.fromkeys(step.line for step in steps))
        main = next((file for file, count in files.items() if count > WRAPPER), same[0].line.file)
        return next((step for step in same if step.line.file == main), same[0])
    called = (step for step in same if not step.name.startswith("return") and stem_of(step.name) == stem_of(name))
    returned = next((step for step in same if step.name.startswith("return")), same[-1])
    return next(called, returned)


def renamed(steps: Sequence[Step], step: Step) -> Step | None:
    """Return the later step that only renames this one's value, "dx = dx1": something may be missing there."""
    later = (other for other in steps[step.number + 1 :] if ALIAS.fullmatch(other.line.text))
    return next((other for other in later if other.name != step.name and close(other.value, step.value)), None)


def _without_middle_rounds(steps):
    """Return the steps, of a line that is run many times the first and the last few only."""
    rounds = Counter((step.line, step.name) for step in steps)
    seen = Counter()
    kept = []
    for step in steps:
        seen[step.line, step.name] += 1
        if min(seen[step.line, step.name], rounds[step.line, step.name] - seen[step.line, step.name]) < ROUNDS:
            kept.append(step)
    return kept


def _stands(step, steps, targets):
    """Return whether a step's value is a right one, and not another adjoint's."""
    return targets.hold(step.value) and not _taken(step, steps)


def _taken(step, steps):
    """Return whether an earlier adjoint of another variable, in the same function, has the same value."""
    if not is_adjoint(step.name):
        return False
    here = (step.line.file, step.line.function)
    earlier = itertools.takewhile(lambda other: other.number < step.number, steps)
    others = (s for s in earlier if (s.line.file, s.line.function) == here and is_adjoint(s.name))
    return any(stem_of(s.name) != stem_of(step.name) and close(s.value, step.value) for s in others)


def _contradicts(step, targets):
    """Return whether the loss has a variable of this very name, and its value, or adjoint, is another one."""
    meant = [t for t in targets.named_like(step) if t.adjoint == is_adjoint(step.name)]
    return bool(meant) and not any(close(t.value, step.value) for t in meant)


def _at_its_source(suspect, steps, targets):
    """Return the suspect with the step where its wrong value first appears: what a function returned, or was passed.

    A function that was passed something wrong is not to blame for what it returned.
    """
    wrong = suspect.step
    same = [step for step in steps if close(step.value, wrong.value)]
    if targets.hold(wrong.value) or not wrong.value.any():  # zeros are made everywhere
        return suspect
    first = same[0]
    if first.line.file != wrong.line.file:  # what another module returns is right for what it was given
        return suspect
    if first.name.startswith("return"):
        inside = [s for s in steps if s.number < first.number and s.line == wrong.line and s.number != wrong.number]
        passed = [s for s in inside if not s.name.startswith("return")]
        if any(not targets.hold(s.value) for s in passed):
            return suspect
    return suspect._replace(step=first)


def _repaired(backward, errors, wrong_now, replaced):
    """Return how many wrong arrays the replacement makes right; 0 if it makes a right one wrong."""
    try:
        now = [error > 1 for error in errors(backward.outputs(replaced))]
    except Exception:  # the value does not fit there
        return 0
    broken = any(wrong and not was for wrong, was in zip(now, wrong_now, strict=True))
    return 0 if broken else sum(was and not wrong for wrong, was in zip(now, wrong_now, strict=True))


def _together(backward, errors, wrong_now, targets, steps):
    """Return the suspect if it is a line that gives several variables wrong values, such as stale ones."""
    lines: dict[tuple, list[tuple[Step, np.ndarray]]] = {}
    for step in steps:
        meant = [t.value for t in targets.named_like(step) if t.adjoint == is_adjoint(step.name)]
        if meant and not any(close(value, step.value) for value in meant):
            lines.setdefault((step.line, step.key[2]), []).append((step, meant[0]))
    for line in (line for line in lines.values() if len(line) > 1):
        repaired = _repaired(backward, errors, wrong_now, {step.key: value for step, value in line})
        if repaired == sum(wrong_now):
            step, value = line[0]
            return Suspect(step.name, step, value, f"what the loss calls {step.name}", True)
    return None


def _rounds(steps, stands):
    """Return the steps of lines that are run several times by line and name; those with a wrong value come first."""
    groups: dict[tuple, list[Step]] = {}
    for step in steps:
        groups.setdefault((step.name, step.line), []).append(step)
    several = [rounds for rounds in groups.values() if len(rounds) > 1]
    wrong = [rounds for rounds in several if not all(stands[step.number] for step in rounds)]
    return wrong + [
        rounds for rounds in several if all(stands[step.number] for step in rounds) and is_adjoint(rounds[0].name)
    ]


def _aligned(backward, errors, wrong_now, targets, groups, scales):
    """Return the suspect among the lines that are run as often as a line of the loss: all rounds are put right at once.

    Of several such lines it is the one that is run first.
    """
    trials = []
    for name, line in dict.fromkeys((group[0].name, group[0].line) for group in groups):
        rounds = [step for step in backward.steps if (step.name, step.line) == (name, line)]
        if all(step.value.shape == rounds[0].value.shape for step in rounds):
            several = enumerate(targets.repeated(rounds[0], len(rounds)))
            trials += [(scale != 1, k, rounds, scale, *one) for k, one in several for scale in scales]
    found: dict[Key, Suspect] = {}  # by the first of its rounds; the likeliest values of every line come first
    for *_, rounds, scale, meaning, values in sorted(trials, key=lambda trial: trial[:2])[: backward.most // 4]:
        pairs = list(zip(rounds, [scale * value for value in values], strict=True))
        if rounds[0].key in found:
            continue
        if _repaired(backward, errors, wrong_now, {step.key: value for step, value in pairs}) == sum(wrong_now):
            step, value = next((pair for pair in pairs if not close(pair[0].value, pair[1])), pairs[0])
            whole = Suspect(step.name, step, value, meaning if scale == 1 else FACTOR, True)
            found[rounds[0].key] = whole
    return min(found.values(), key=lambda suspect: suspect.step.number, default=None)


def _in_loops(backward, errors, choices, groups):
    """Return the suspect among the lines that are run several times: each round is put right, one after the other.

    `choices` are functions that give the values to try for a step, the likeliest first. Of several lines that can be
    put right it is the one that is run first.
    """
    runs = itertools.count()

    def distance(replaced):
        try:
            return sum(np.log1p(error) for error in errors(backward.outputs(replaced)) if error > 1)
        except Exception:  # the value does not fit there
            return np.inf

    def put_right(rounds, values):
        replaced, left, first = {}, now, None
        for step in rounds:
            tried = []
            for meaning, value in values(step):
                if next(runs) > backward.most // 2:
                    return None
                tried.append((distance(replaced | {step.key: value}), meaning, value))
            least, meaning, value = min(tried, key=lambda trial: trial[0], default=(np.inf, "", step.value))
            if least < left:
                left, replaced = least, replaced | {step.key: value}
                first = first if len(replaced) > 1 else Suspect(step.name, step, value, meaning, True)
        return first if left == 0 else None

    now = distance({})
    for values in choices:
        found = [first for rounds in groups if (first := put_right(rounds, values)) is not None]
        if found:
            return min(found, key=lambda suspect: suspect.step.number)
    return None
