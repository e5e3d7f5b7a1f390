"""The convolutions that a function runs, and a guard against others while its lines are changed on trial.

XLA ends the whole process at some convolutions (a failed check in its simplifier) that JAX has no objection to.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax

from jaxnn.trace import jaxprs

PRIMITIVE = jax.lax.conv_general_dilated_p
Kind = tuple[str, str]


def convolutions(f: Callable[[], object]) -> frozenset[Kind]:
    """Return the kinds of convolution that `f()` runs, until it raises if it does.

    What JAX can trace and holds none is not run: loops would be, round by round.
    """
    try:
        if not any(eqn.primitive is PRIMITIVE for eqn in jaxprs.every_equation(jax.make_jaxpr(f)())):
            return frozenset()
    except Exception:  # whatever keeps JAX from tracing it
        pass
    found: set[Kind] = set()
    with _heard(found.add), jax.disable_jit():
        try:
            f()
        except Exception:
            pass
    return frozenset(found)


@contextmanager
def no_others(known: frozenset[Kind]) -> Iterator[None]:
    """A context in which a convolution of another kind raises `ValueError` before it is compiled."""

    def refuse(kind):
        if kind not in known:
            raise ValueError(f"a convolution that was not run before: {kind}")

    with _heard(refuse):
        yield


@contextmanager
def _heard(hear: Callable[[Kind], None]) -> Iterator[None]:
    run = PRIMITIVE.impl

    def heard(*operands, **params):
        hear((str([(v.shape, str(v.dtype)) for v in operands]), str(sorted(params.items(), key=lambda p: p[0]))))
        return run(*operands, **params)

    PRIMITIVE.impl = heard
    try:
        yield
    finally:
        PRIMITIVE.impl = run
