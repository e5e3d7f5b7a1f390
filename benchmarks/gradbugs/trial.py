"""One try in a process of its own: `python -m benchmarks.gradbugs.trial '["b49_wgan_sign", "JAX", "wrong", "jaxnn"]'`.

Prints as JSON what the checker says of the code, which is written into the working directory, and how long it took.
"""

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.gradbugs.drawn import drawn
from benchmarks.gradbugs.gradients import gradient_alone, is_mended
from benchmarks.gradbugs.variants import JAX, NUMPY, RIGHT, RULE, Variant, paths, variants
from benchmarks.mutants import ours
from benchmarks.mutants.mutant import loaded
from benchmarks.mutants.peers import PEERS, Argnums, closed, fails_check_grads
from jaxnn import verify
from jaxnn.gradients import Problem, Rule

LIMIT = 120  # seconds of processor time
JAXNN, CHECK_GRADS, NOT_DRAWN = "jaxnn", "jax check_grads", "not drawn"
FORMS = {JAXNN: (NUMPY, JAX, RULE)} | {peer: (JAX, RULE) if peer == CHECK_GRADS else (NUMPY,) for peer in PEERS}


class Trial(NamedTuple):
    """Which file is tried, in which form, right or with which mistake, by whom, and whether a small mend is due."""

    id: str
    form: str
    tag: str
    checker: str
    small: bool = False
    seed: int | None = None  # of a mistake that is drawn


def main() -> None:
    """Run the try that the command line names."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT + 5))
    print("\n" + json.dumps(row(Trial(*json.loads(sys.argv[1])), Path.cwd())))


def row(trial: Trial, folder: Path) -> dict:
    """Return what is said of a variant, and the processor time of that alone; NOT_DRAWN where there is none."""
    path = paths()[trial.id]
    known = variants(path) if trial.seed is None else [v for v in [drawn(path, trial.seed, folder)] if v]
    variant = next((v for v in known if (v.form, v.tag) == (trial.form, trial.tag)), None)
    if variant is None:
        return {**trial._asdict(), "kind": NOT_DRAWN}
    file = folder / f"{trial.form}_{trial.id}.py"
    file.write_text(variant.text, encoding="utf-8")
    with jax.enable_x64(variant.x64):
        module = loaded(file, file.stem)
        args = module.make_args() if trial.form != JAX else ours.on_device(module.make_args())
        argnums, started = getattr(module, "ARGNUMS", 0), time.process_time()
        if trial.checker == JAXNN:
            found = asked(module, variant, args, argnums)
        else:
            found = objection(trial.checker, module, variant, args, argnums)
        said = {
            **trial._asdict(),
            "small": variant.small,
            **found._asdict(),
            "seconds": round(time.process_time() - started, 2),
        }
    if trial.checker == JAXNN and trial.tag != RIGHT:
        may_be_mended = not variant.is_rule and trial.form != RULE
        said |= {
            "line_ok": variant.names_line(found.line),
            "cause_ok": variant.explains(f"{found.cause} {found.line}") if variant.causes else None,
            "patch_ok": may_be_mended and is_mended(found.patch, file, variant.back, argnums),
        }
    return said


def asked(module: ModuleType, variant: Variant, args: tuple, argnums: Argnums) -> ours.Found:
    """Return what jaxnn says."""
    if variant.form != RULE:
        return ours.check(problem(module, variant), args, argnums, source=str(module.__file__))
    try:
        return ours.told(verify.check_rule(module.rule, *args, **options(module, variant.text)))
    except Exception as error:
        return ours.raised(error, str(module.__file__))


def problem(module: ModuleType, variant: Variant) -> Problem | Rule:
    """Return the functions of a case."""
    if variant.is_rule:
        return Rule(module.f, module.f_fwd, module.f_bwd)
    return Problem(module.loss, module.grad)


def options(module: ModuleType, text: str) -> dict[str, Any]:
    """Return what `check_rule` is told of a rule: what it is meant to compute, and how far its iteration goes."""
    told = {}
    if module.EXPECT == "INTENDED":
        told = {"linear": False} if getattr(module, "NONLINEAR", False) else {"surrogate": module.SURROGATE}
    if module.TOL and "float16" not in text:
        told["tolerance"] = module.TOL
    return told


def objection(peer: str, module: ModuleType, variant: Variant, args: tuple, argnums: Argnums) -> ours.Found:
    """Return FAIL where a peer objects, PASS where it does not, RAISED for any other error than its verdict."""
    try:
        return ours.Found("FAIL" if objects(peer, module, variant, args, argnums) else "PASS")
    except Exception as error:
        return ours.Found("RAISED", message=f"{type(error).__name__}: {error}"[:500])


def objects(peer: str, module: ModuleType, variant: Variant, args: tuple, argnums: Argnums) -> bool:
    """Return whether a peer calls it wrong, each asked once and of the first order."""
    if variant.form == RULE:
        return fails_check_grads(*of_floats(module, args), order=1)
    given, asked_of = list(args), problem(module, variant)
    if isinstance(asked_of, Problem):
        asked_of = Problem(module.loss, gradient_alone(module.grad, argnums))
        for place in argnums if isinstance(argnums, tuple) else (argnums,):
            given[place] = jax.tree.map(real, given[place])
    if peer == CHECK_GRADS:
        return fails_check_grads(*closed(asked_of, tuple(given), argnums), order=1)
    return PEERS[peer](asked_of, tuple(given), argnums)


def real(leaf: Any) -> np.ndarray:
    """Return a parameter as an array; TypeError where it is not a floating-point one, which no peer takes."""
    array = np.asarray(leaf)
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(f"got parameters of {array.dtype}, expected floating-point ones")
    return array


def of_floats(module: ModuleType, args: tuple) -> tuple[Callable, tuple]:
    """Return a rule as a function of those of its arguments that are floating-point throughout, and these."""
    places = [
        place
        for place, arg in enumerate(args)
        if place not in getattr(module, "NONDIFF", ())
        and jax.tree.leaves(arg)
        and all(jnp.issubdtype(jnp.result_type(leaf), jnp.inexact) for leaf in jax.tree.leaves(arg))
    ]

    def f(*variables):
        given = dict(zip(places, variables, strict=True))
        return module.rule(*[given.get(place, arg) for place, arg in enumerate(args)])

    return f, tuple(args[place] for place in places)


if __name__ == "__main__":
    main()
