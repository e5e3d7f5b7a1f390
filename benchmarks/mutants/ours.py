"""jaxnn's own checker on a mutant or a correct case: its verdict, or what it raised."""

import traceback
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn import verify
from jaxnn.errors import InvalidArgument
from jaxnn.gradients import Problem, Rule

CRASH = "CRASH"  # the checker itself failed: neither a kill nor an acquittal
OBJECTIONS = ("FAIL", "RANDOM", "NONFINITE", "REFUSED", "RAISED")


class Found(NamedTuple):
    """What the checker said: a verdict's kind, REFUSED for a clear error, RAISED where the gradient itself raised."""

    kind: str
    leaf: str = ""
    line: str = ""
    cause: str = ""
    case: str = ""
    message: str = ""
    patch: str = ""

    @property
    def objects(self) -> bool:
        return self.kind in OBJECTIONS


def check(problem: Problem | Rule, args: tuple, argnums: Any = 0, source: str = "") -> Found:
    """Return what the checker says at one point; `source` is the file of the mutant."""
    try:
        if isinstance(problem, Rule):
            verdict = verify.check_rule(*problem, *args)
        else:
            verdict = verify.check(problem.loss, problem.grad, *args, argnums=argnums)
    except Exception as error:
        return raised(error, source)
    return told(verdict)


def survey(problem: Problem | Rule, args: tuple, dims: Any = None, source: str = "") -> Found:
    """Return what the checker says over the points that `grid` makes of one."""
    try:
        cases = verify.grid(args, dims=dims, argnums=() if isinstance(problem, Rule) else 0)  # a rule has no parameters
        if isinstance(problem, Rule):
            verdicts = (verify.check_rule(*problem, *case) for case in cases)
            return first_objection([told(verdict) for verdict in verdicts])
        return told(verify.survey(problem.loss, problem.grad, cases))
    except Exception as error:
        return raised(error, source)


def first_objection(found: list[Found]) -> Found:
    """Return the first objection, else the first KINK, else the first of all."""
    for wanted in (OBJECTIONS, ("KINK",)):
        for one in found:
            if one.kind in wanted:
                return one
    return found[0]


def told(verdict: verify.Verdict) -> Found:
    """Return a verdict as what is kept of it."""
    patch = str(getattr(verdict, "patch", ""))
    return Found(verdict.kind, verdict.leaf, verdict.line, verdict.cause, verdict.case, str(verdict), patch)


def raised(error: Exception, source: str) -> Found:
    """Return REFUSED for a clear error, RAISED with the line of the mutant where the error passed through it."""
    message = f"{type(error).__name__}: {error}"
    if isinstance(error, InvalidArgument):
        return Found("REFUSED", line=message, cause=message, message=message)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if source and frame.filename == source]
    if frames:
        return Found("RAISED", line=frames[-1].line or "", cause=message, message=message)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return Found(CRASH, message=f"{message} ({last.filename}:{last.lineno})")


def on_device(args: tuple) -> tuple:
    """Return the arguments with NumPy's arrays as JAX's."""
    return jax.tree.map(lambda leaf: jax.numpy.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, args)
