"""The loss, the hand-written gradient and autodiff's at one point, each with its measured rounding error.

One compiled program serves all points of the same shapes. A hand-written gradient that JAX cannot trace (plain NumPy)
is called as it is; a loss that JAX cannot trace leaves `reference` None, and only differences can judge.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.trace import jaxprs
from jaxnn.verify.problem import Leaves, Problem, pose
from jaxnn.verify.rounding import RUNS, runs, shaken_signs, spread, tolerance

# A cast to a lower precision must round, as it does outside of `jit`. To optimize less would compile faster, but then
# XLA may compute a value twice and differently, and x == max(x) hold nowhere.
STRICT = {"xla_allow_excess_precision": False}
# For what runs a few times only, which is better compiled fast than well.
FAST = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True, **STRICT}


LARGE = 1e4  # a rounding error, in units of the machine epsilon, that may be none but a jump at a tie
CLOSER = 2.0**-8


class Evaluation(NamedTuple):
    """Values at a point in float64; the `_noise` arrays times a machine epsilon are the rounding errors to expect.

    `rounded` is by how much NumPy code may have rounded the leaves of the gradient by hand to a dtype of its own.
    """

    value: float
    value_noise: float
    hand: Leaves
    hand_noise: Leaves
    reference: Leaves | None
    reference_noise: Leaves
    rounded: tuple[float, ...] = ()


class Evaluator(NamedTuple):
    """`at(leaves)` is the evaluation, `loss(leaves)` the compiled loss, `reference(leaves)` autodiff's gradient alone.

    `shaken(leaves, seed)` is that with every operation shaken, a few times over: what ties is decided in many ways.
    `forward(leaves)` are the derivatives along the `directions` by forward-mode autodiff. `reference`, `shaken` and
    `forward` are None where JAX cannot trace the loss.
    """

    at: Callable[[Leaves], Evaluation]
    loss: Callable[[Leaves], float]
    reference: Callable[[Leaves], Leaves] | None
    shaken: Callable[[Leaves, int], list[Leaves]] | None
    forward: Callable[[Leaves], np.ndarray] | None
    directions: list[Leaves]
    loss_traceable: bool
    grad_traceable: bool


class Programs(NamedTuple):
    """The compiled functions of a loss and its gradient, each of `(arrays, ..., frame, which sides JAX can trace)`."""

    everything: Callable
    strictly: Callable  # everything once more, compiled so that a value computed twice is the same
    loss: Callable
    hand: Callable
    autodiff: Callable
    forward: Callable


class Frame(NamedTuple):
    """The arguments without their arrays: what stays the same from call to call, compared by identity."""

    structure: Any
    fixed: tuple[tuple[int, "Same"], ...]

    def fill(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """Return the arguments with their arrays."""
        fixed, rest = dict(self.fixed), iter(arrays)
        count = self.structure.num_leaves
        return jax.tree.unflatten(self.structure, [fixed[i].value if i in fixed else next(rest) for i in range(count)])


class Same:
    """A value that is equal to nothing but itself."""

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def programs(loss: Callable, grad: Callable, argnums: int | Sequence[int]) -> Programs:
    """Return the functions to be compiled once for all points, and all cases of the same shapes."""

    def problem(arrays, frame):
        return pose(loss, grad, frame.fill(arrays), argnums, any_dtype=True)

    def everything(arrays, signs, frame, loss_too, grad_too):
        p, out = problem(arrays, frame), {}
        leaves = [jnp.asarray(leaf) for leaf in p.leaves]
        if grad_too:
            out["hand"] = runs(p.grad, leaves, signs)
        if loss_too:
            out["loss"] = runs(lambda leaves: jax.tree.leaves(jax.value_and_grad(p.loss)(leaves)), leaves, signs)
        return out

    def value(arrays, frame):
        p = problem(arrays, frame)
        return p.loss(p.leaves)

    def hand(arrays, frame):
        p = problem(arrays, frame)
        return p.grad(p.leaves)

    def autodiff(arrays, frame):
        p = problem(arrays, frame)
        return jax.grad(p.loss)([jnp.asarray(leaf) for leaf in p.leaves])

    def forward(arrays, along, frame):
        p = problem(arrays, frame)
        leaves = [jnp.asarray(leaf) for leaf in p.leaves]
        return jax.lax.map(lambda v: jax.jvp(p.loss, (leaves,), (v,))[1], along)

    return Programs(
        jax.jit(everything, static_argnums=(2, 3, 4), compiler_options=FAST),
        jax.jit(everything, static_argnums=(2, 3, 4), compiler_options=STRICT),
        jax.jit(value, static_argnums=1, compiler_options=FAST),  # a loss is no other where its branch is another
        compiled(hand, (1,)),
        compiled(autodiff, (1,)),
        compiled(forward, (2,)),
    )


def compiled(f: Callable, static_argnums: tuple[int, ...] = ()) -> Callable:
    """Return `f` compiled fast where no comparison in it can tell a value from the same value computed differently."""
    fast, strict = (jax.jit(f, static_argnums=static_argnums, compiler_options=options) for options in (FAST, STRICT))

    def call(*args):
        # JAX keeps what it traced, so looking costs nothing once a program is there.
        return (strict if jaxprs.compares(fast.trace(*args).jaxpr) else fast)(*args)

    return call


def evaluator(problem: Problem, directions: list[Leaves], programs: Programs) -> Evaluator:
    """Return how to evaluate a problem in float64."""
    data_too = all(can_trace(f, problem, data_too=True) for f in (problem.whole_loss, problem.whole_grad))
    loss_too = (data_too or can_trace(problem.whole_loss, problem, data_too=False)) and _can_differentiate(problem)
    traces = loss_too or data_too or can_trace(problem.whole_loss, problem, data_too=False)
    grad_too = data_too or can_trace(problem.whole_grad, problem, data_too=False)
    like = [np.asarray(leaf).dtype for leaf in problem.leaves]
    signs = shaken_signs(problem.leaves)

    def evaluated(found):
        made, out = jax.tree.map(lambda v: np.asarray(v, np.float64), found), {}
        if loss_too:
            out["value"], *out["reference"] = [run[0] for run in made["loss"]]
            out["value_noise"], *out["reference_noise"] = spread(made["loss"])
        if grad_too:
            out["hand"], out["hand_noise"] = [run[0] for run in made["hand"]], spread(made["hand"])
        return out

    def at(leaves):
        arrays, frame = split(problem, leaves, data_too)
        how = arrays, signs, frame, loss_too, grad_too
        out = evaluated(programs.everything(*how))
        # The program for CNNs takes ten seconds to compile strictly: only where it is needed.
        if _doubtful(out) and jaxprs.compares(programs.everything.trace(*how).jaxpr):
            out = evaluated(programs.strictly(*how))
        if any(np.any(v > LARGE) for name in ("hand_noise", "reference_noise") for v in out.get(name, ())):
            arrays, signs_, *rest = how
            closer = evaluated(programs.everything(arrays, signs_ * CLOSER, *rest))
            for name in ("hand_noise", "reference_noise"):
                out[name] = [
                    _without_jumps(v, w / CLOSER) for v, w in zip(out.get(name, ()), closer.get(name, ()), strict=True)
                ]
        rounded = (0.0,) * len(leaves)
        if not grad_too:
            given = [np.array(v, t) if isinstance(v, np.ndarray) else v for v, t in zip(leaves, like, strict=True)]
            found = problem.grad(given)
            out["hand"] = [np.asarray(v, np.float64) for v in found]
            out["hand_noise"] = out.get("reference_noise") or [np.abs(v) for v in out["hand"]]
            # Given in float32 it has no more digits, whatever it was computed in.
            rounded = tuple(
                _rounded_to(v) * np.max(np.abs(h), initial=0.0) for v, h in zip(found, out["hand"], strict=True)
            )
        value = float(out["value"] if loss_too else problem.loss(list(leaves)))
        return Evaluation(
            value,
            float(out.get("value_noise", 4 * abs(value))),
            out["hand"],
            out["hand_noise"],
            out.get("reference"),
            out.get("reference_noise") or [np.zeros(np.shape(v)) for v in out["hand"]],
            rounded,
        )

    def loss(leaves):
        if traces:  # a while loop cannot be differentiated, but compiled
            return float(programs.loss(*split(problem, leaves, data_too)))
        own = zip(leaves, problem.leaves, strict=True)  # in the kind of array that the loss was given
        given = [jnp.asarray(v) if isinstance(p, jax.Array) else v for v, p in own]
        try:
            return float(problem.loss(given))
        except Exception:  # it asks for what does not hold beside the point: `assert np.allclose(S, S.T)`
            return float("nan")

    def reference(leaves):
        return [np.asarray(v) for v in programs.autodiff(*split(problem, leaves, data_too))]

    def shaken(leaves, seed):
        how = split(problem, leaves, data_too)
        runs = programs.everything(how[0], shaken_signs(problem.leaves, seed), how[1], loss_too, grad_too)["loss"]
        return [[np.asarray(v[k + 1], np.float64) for v in runs[1:]] for k in range(RUNS)]

    def forward(leaves):
        arrays, frame = split(problem, leaves, data_too)
        stacked = [np.stack([d[i] for d in directions]) for i in range(len(leaves))]
        return np.asarray(programs.forward(arrays, stacked, frame))

    autodiff = (reference, shaken, forward) if loss_too else (None, None, None)
    return Evaluator(at, loss, *autodiff, directions, loss_too, grad_too)


def _rounded_to(given: Any) -> float:
    """Return the machine epsilon of an array of fewer digits than float64, else 0."""
    dtype = jnp.result_type(given)
    return float(jnp.finfo(dtype).eps) if jnp.issubdtype(dtype, jnp.floating) and dtype != jnp.float64 else 0.0


def _without_jumps(noise: np.ndarray, closer: np.ndarray) -> np.ndarray:
    """Return measured rounding errors, 0 where shaking by less moves a result just as far: it crosses a kink there.

    Both are in units of what they were shaken by: of rounding they are the same.
    """
    return np.where(closer > 16 * noise, 0.0, noise)


def _doubtful(out: dict[str, Any]) -> bool:
    """Return whether the two sides differ in digits that they should share, or rounding moves them far, as at ties."""
    if "hand" not in out or "reference" not in out:
        return True
    for hand, reference, *noise in zip(
        *(out[k] for k in ("hand", "reference", "hand_noise", "reference_noise")), strict=True
    ):
        size = np.max(np.abs(reference), initial=0.0)
        if not np.all(np.abs(hand - reference) <= 1e-10 * size) or np.any(tolerance(noise, reference) > 1e-8 * size):
            return True
    return False


def _can_differentiate(problem: Problem) -> bool:
    """Return whether JAX has reverse-mode rules for all of the loss: a while loop and a callback have none."""
    try:
        jax.eval_shape(jax.grad(problem.loss), [jnp.asarray(leaf) for leaf in problem.leaves])
    except Exception:
        return False
    return True


def split(problem: Problem, leaves: Leaves, data_too: bool) -> tuple[list[Any], Frame]:
    """Return the arrays that a compiled function takes at `leaves`, and the frame of everything else."""
    args = problem.rebuild(leaves)
    parameters = {id(leaf) for leaf in leaves}
    values, structure = jax.tree.flatten(tuple(args))
    moving = [id(v) in parameters or (data_too and _is_array(v)) for v in values]
    fixed = tuple((i, Same(v)) for i, (v, m) in enumerate(zip(values, moving, strict=True)) if not m)
    return [v for v, m in zip(values, moving, strict=True) if m], Frame(structure, fixed)


def _is_array(value):
    return isinstance(value, jax.Array | np.ndarray)


def can_trace(f: Callable, problem: Problem, *, data_too: bool) -> bool:
    """Return whether JAX can trace `f(*args)`: NumPy code and branches on values it cannot.

    `data_too`: with all arrays traced, not the parameters alone.
    """
    arrays, frame = split(problem, problem.leaves, data_too)
    try:
        jax.eval_shape(lambda arrays: jax.tree.leaves(f(*frame.fill(arrays))), arrays)
    except Exception:  # of any kind: a mask as an index raises an IndexError
        f(*problem.rebuild(problem.leaves))  # an error that is the function's own is raised here
        return False
    return True
