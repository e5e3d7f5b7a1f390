"""`survey`: one gradient before the witnesses at many arguments, since some mistakes are not wrong at most points."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax

from jaxnn.errors import InvalidArgument, require
from jaxnn.verify import broken
from jaxnn.verify.check import run
from jaxnn.verify.diagnose import spoken
from jaxnn.verify.evaluation import programs
from jaxnn.verify.problem import pose
from jaxnn.verify.verdict import Verdict


def survey(
    loss: Callable,
    grad: Callable,
    cases: Iterable[Sequence[Any]] | Mapping[str, Sequence[Any]],
    *,
    argnums: int | Sequence[int] = 0,
) -> Verdict:
    """Return the verdict of `check` over many argument tuples, those of `grid` for example: the first that is false.

    `cases` is an iterable of argument tuples, named by their attribute `name` if they have one, or a dict of them. A
    case at which the loss itself cannot be computed says nothing and is left out; one at which only the gradient
    cannot, or has another shape, is a FAIL. Without a failure the verdict is KINK if the gradient was another
    subgradient than autodiff's somewhere, NOISE if nothing could be resolved anywhere, else PASS; its `note` counts.

    Raises `InvalidArgument` where there is no case, or the loss cannot be computed at any.
    """
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
    pairs = cases.items() if isinstance(cases, Mapping) else ((_name(k, case), case) for k, case in enumerate(cases))
    named = [(str(name), case) for name, case in pairs]
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
            return replace(verdict, note=_joined(verdict.note, _before(len(verdicts))))
        verdicts.append(verdict)
    if not verdicts:
        raise InvalidArgument(
            f"cases: the loss cannot be computed at any of them, at {left_out[0][0]}: {left_out[0][1]}"
        )
    skipped = f"; left out, since the loss has no value there: {len(left_out)}" if left_out else ""
    return overall(verdicts, skipped)


def overall(verdicts: Sequence[Verdict], skipped: str = "") -> Verdict:
    """Return what verdicts without a failure say together: KINK, PASS, or NOISE where nothing could be resolved."""
    kinds = Counter(verdict.kind for verdict in verdicts)
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    chosen = next((v for v in verdicts if v.kind == "KINK" and v.leaf), None)
    chosen = chosen or next((v for v in verdicts if v.kind == "PASS"), verdicts[0])
    share = max((v.resolution for v in verdicts if v.kind == chosen.kind), default=0.0)
    case = chosen.case if chosen.kind != "PASS" else ""
    return replace(chosen, case=case, resolution=share, note=_joined(chosen.note, f"cases: {counted}{skipped}"))


def _broken(error: Exception, name: str, *problem: Any) -> Verdict:
    """Return the verdict on a gradient that cannot be computed, or has another form, where the loss can be."""
    what = f"the gradient cannot be computed here, the loss can: {type(error).__name__}: {error}"
    if isinstance(error, InvalidArgument) and str(error).startswith("grad"):
        what = f"the gradient has another form than the parameters here: {error}"
    line, why = broken.place(*problem)
    return Verdict("FAIL", case=name, cause=_joined(what, why), line=spoken(line) if line else "")


def _cannot_compute(loss, args):
    """Return why the loss itself has no value at these arguments, None if it has one."""
    try:
        # As `check` runs it, whose programs then serve for both.
        with jax.default_matmul_precision("highest"):
            loss(*args)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _name(k, case):
    return getattr(case, "name", f"case {k}")


def _before(count):
    match count:
        case 0:
            return ""
        case 1:
            return "the case before it was right"
    return f"the {count} cases before it were right"


def _joined(*notes):
    return "; ".join(note for note in notes if note)
