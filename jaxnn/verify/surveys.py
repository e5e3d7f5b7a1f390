"""`survey`: one gradient before the witnesses at many arguments, since some mistakes are not wrong at most points."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax

from jaxnn.errors import InvalidArgument, require
from jaxnn.verify.check import run
from jaxnn.verify.diagnosis import broken
from jaxnn.verify.diagnosis.lines import spoken
from jaxnn.verify.evaluation import programs
from jaxnn.verify.problem import pose
from jaxnn.verify.rules.check import survey_rule
from jaxnn.verify.verdict import Verdict, joined, overall

MOST_LEFT_OUT = 0.75  # of the cases: with more the rest says little


def survey(
    loss: Callable,
    grad: Any,
    cases: Iterable[Sequence[Any]] | Mapping[str, Sequence[Any]] | None = None,
    *,
    argnums: int | Sequence[int] = 0,
) -> Verdict:
    """Return the verdict of `check` over many argument tuples, those of `grid` for example: the first that is false.

    `cases` is an iterable of argument tuples, named by their attribute `name` if they have one, or a dict of them. A
    case at which the loss itself cannot be computed says nothing and is left out; one at which only the gradient
    cannot, or has another shape, is a FAIL. Without a failure the verdict is KINK if the gradient was another
    subgradient than autodiff's somewhere, NOISE if nothing could be resolved anywhere or hardly a case was tried, else
    PASS; its `note` counts. `survey(rule, cases)` is that of `check_rule` for a decorated rule.

    Raises `InvalidArgument` where there is no case, or the loss cannot be computed at any.
    """
    if cases is None:
        return survey_rule(loss, dict(_named(grad)))
    return surveyed(loss, grad, cases, argnums)


def surveyed(
    loss: Callable,
    grad: Callable,
    cases: Iterable[Sequence[Any]] | Mapping[str, Sequence[Any]],
    argnums: int | Sequence[int] = 0,
    *,
    quick: bool = False,
) -> Verdict:
    """Return `survey`'s verdict; a `quick` one brings the first case, too, before those that look at every entry."""
    named = _named(cases)
    require(bool(named), "cases", "none", "argument tuples; grid(example_args) makes some")
    for name, args in named[:1]:
        require(isinstance(args, tuple | list), f"cases: {name}", type(args).__name__, "a tuple of arguments")
        first = pose(loss, grad, args, argnums)  # what cannot be differentiated by is refused here
        if not quick and _cannot_compute(loss, args) is None:
            with jax.default_matmul_precision("highest"):
                first.loss(first.leaves)  # as is a loss that is no scalar
    ready = programs(loss, grad, argnums)
    verdicts, left_out = [], []
    for name, args in named:
        require(isinstance(args, tuple | list), f"cases: {name}", type(args).__name__, "a tuple of arguments")
        try:
            verdict = replace(run(loss, grad, args, argnums, ready, quick=quick or bool(verdicts)), case=name)
        except Exception as error:
            problem = _cannot_compute(loss, args)
            verdict = (
                _broken(error, name, loss, grad, args, argnums)
                if problem is None
                else Verdict("NONFINITE", "loss", cause=problem)
            )
        if verdict.leaf == "loss" and verdict.kind == "NONFINITE":
            left_out.append((name, verdict.cause))
            continue
        if not verdict:
            return replace(verdict, note=joined(verdict.note, _before(len(verdicts))))
        verdicts.append(verdict)
    if not verdicts:
        raise InvalidArgument(
            f"cases: the loss cannot be computed at any of them, at {left_out[0][0]}: {left_out[0][1]}"
        )
    skipped = f"; left out, since the loss has no value there: {len(left_out)}" if left_out else ""
    found = overall(verdicts, skipped)
    if len(left_out) <= MOST_LEFT_OUT * len(named) or found.kind == "KINK":
        return found
    why = f"hardly a case could be tried: {left_out[0][1]} at {left_out[0][0]}; name the sizes that go together: dims="
    return replace(found, kind="NOISE", note=joined(found.note, why))


def _broken(error: Exception, name: str, *problem: Any) -> Verdict:
    """Return the verdict on a gradient that cannot be computed, or has another form, where the loss can be."""
    what = f"the gradient cannot be computed here, the loss can: {type(error).__name__}: {error}"
    if isinstance(error, InvalidArgument) and str(error).startswith("grad"):
        what = f"the gradient has another form than the parameters here: {error}"
    line, why = broken.place(*problem)
    return Verdict("FAIL", case=name, cause=joined(what, why), line=spoken(line) if line else "")


def _cannot_compute(loss, args):
    """Return why the loss itself has no value at these arguments, None if it has one."""
    try:
        # As `check` runs it, whose programs then serve for both.
        with jax.default_matmul_precision("highest"):
            loss(*args)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _named(cases):
    pairs = cases.items() if isinstance(cases, Mapping) else enumerate(cases)
    return [
        (str(getattr(case, "name", f"case {name}" if isinstance(name, int) else name)), case) for name, case in pairs
    ]


def _before(count):
    match count:
        case 0:
            return ""
        case 1:
            return "the case before it was right"
    return f"the {count} cases before it were right"
