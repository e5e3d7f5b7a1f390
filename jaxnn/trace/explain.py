"""`explain`: from a function and a point to the rows of its two tables."""

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from functools import partial, wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.errors import InvalidArgument, require
from jaxnn.trace import names
from jaxnn.trace.adjoints import backward, is_key, is_real, size_of_terms
from jaxnn.trace.checks import check_adjoint
from jaxnn.trace.derivation import Row
from jaxnn.trace.double import in_double, perturbed_output
from jaxnn.trace.entries import Entry, shown_entries
from jaxnn.trace.explanation import Explanation
from jaxnn.trace.folding import active, is_folded, merged, owners, real_throughout, shortened
from jaxnn.trace.jaxprs import body_of
from jaxnn.trace.opened import insides, opens
from jaxnn.trace.rows import Passes, row
from jaxnn.trace.tape import Step, Tape, record

Entries = Mapping[str, tuple[int, ...]]


def explain(
    f: Callable[..., Any],
    *args: Any,
    entry: Entries | None = None,
    output: int | tuple[int, ...] = (),
    open: Collection[str] = (),
    depth: int = 0,
    fold: bool = True,
    check: bool = True,
    limit: int = 20,
) -> Explanation:
    r"""Return the tables of `f` at `args`: each value with its local derivatives, then each adjoint.

    A row is one operation of the jaxpr; its adjoint is $\partial f / \partial v = \sum_u (\partial f / \partial u)
    (\partial u / \partial v)$ over the operations `u` that use the value `v`, each by `jax.vjp` of that operation
    alone, and equals `jax.grad`'s. With `check`, each is compared with differences of the output in float64.

    `entry` names the entry shown of an array, as `{"W1": (0, 2)}`. `output` picks one number where `f` returns
    several: the number of the leaf, then the index in it. Calls, branches and loops are one row each; `open` names
    those to look into, by the name of the function or of the primitive ("scan"), `depth` opens all down to that level.
    A value computed twice is one row, casts, reshapes and broadcasts are none, unless `fold` is false; where there
    would be more than `limit` rows, functions of the source are closed, the innermost first.

    The arguments decide the precision: Python's and NumPy's own numbers are float64, whatever JAX is set to.
    Raises `InvalidArgument` where `f` has no real number to explain at these arguments, or has no such entry.
    The two tables are those of the lecture's section 3.
    """
    f, args = _without_functions(f, args)
    leaves = _checked(f, args)
    with jax.enable_x64(True) if _in_double(leaves) else nullcontext():
        closed = _traced(f, args)
        values = [jax.device_put(leaf) for leaf in leaves]
        # `jax.jit(f)` is explained as `f` is: the calls around the whole function do not count as depth.
        tape = record(closed, values, opens(open, depth + _wrappers(closed)))
        tape, result = _pick(tape, output)
        arguments = dict(zip(tape.inputs, names.argument_names(f, args), strict=True))
        named = names.assigned_names(tape.steps, set(arguments.values()))
        if fold:
            tape, named = merged(tape, named)
            result = tape.outputs[0]  # another slot, where the result is the same as an earlier value
            tape = shortened(tape, lambda t: len(_shown(t, result, fold)), limit)
        shown = _shown(tape, result, fold)
        function = getattr(f, "__name__", type(f).__name__)
        called = _names(function, tape, result, arguments, named, shown)
        passes = _passes(tape, result, called, _wanted(entry or {}, called, tape), fold)
        slots = [(slot, None) for slot in tape.inputs if not is_key(tape.values[slot])] + shown
        hidden = max(0, len(slots) - 2 * limit)
        kept = slots[: len(slots) - limit - hidden] + slots[len(slots) - limit :] if hidden else slots
        rows = {slot: row(passes, slot, number) for slot, number in kept}
        if check:
            rows = _checked_rows(passes, result, rows)
        bad_value, bad_adjoint = _first_bad(passes, result, [slot for slot, _ in slots])
        missing = tuple(f"{tape.steps[n].title}: {why}" for n, why in passes.backward.failed.items())
        opened = insides(passes, open)
        return Explanation(
            function, called[result], tuple(rows.values()), opened, bad_value, bad_adjoint, missing, hidden
        )


def _without_functions(f, args):
    """Return a function and its arguments without the functions among their leaves: a module has its activation there.

    In their place stands None, which has no leaves.
    """
    leaves, structure = jax.tree.flatten(args)
    functions = {i: leaf for i, leaf in enumerate(leaves) if callable(leaf) and not hasattr(leaf, "dtype")}
    if not functions or not callable(f):
        return f, args

    @wraps(f)
    def filled(*given):
        rest = iter(jax.tree.leaves(given))
        return f(*structure.unflatten([functions[i] if i in functions else next(rest) for i in range(len(leaves))]))

    return filled, structure.unflatten([None if i in functions else leaf for i, leaf in enumerate(leaves)])


def _checked(f, args):
    require(callable(f), "f", repr(f), "a function")
    leaves = jax.tree.leaves(args)
    labels = names.argument_names(f, args)
    for label, leaf in zip(labels, leaves, strict=True):
        try:
            ok = _is_jax(leaf) or np.asarray(leaf).dtype.kind in "fiub"
        except (TypeError, ValueError):
            ok = False
        require(ok, label, f"{type(leaf).__name__} {leaf!r}"[:80], "an array or a real number")
    if not any(is_real(leaf) if _is_jax(leaf) else np.asarray(leaf).dtype.kind == "f" for leaf in leaves):
        seen = ", ".join(f"{label} = {leaf!r}" for label, leaf in zip(labels, leaves, strict=True)) or "no arguments"
        raise InvalidArgument(
            f"args: got {seen[:100]}, expected a floating-point number or array among them, by which to differentiate: "
            "write 2.0 for 2"
        )
    return leaves


def _is_jax(leaf):
    return isinstance(leaf, jax.Array)


def _in_double(leaves):
    """Whether the numbers of the arguments are all Python's and NumPy's doubles."""
    kinds = {np.dtype(x.dtype) if hasattr(x, "dtype") else np.asarray(x).dtype for x in leaves if not is_key(x)}
    return jnp.dtype("float64") in kinds and not kinds & {jnp.dtype(t) for t in ("float32", "bfloat16", "float16")}


def _traced(f, args):
    try:
        return jax.make_jaxpr(f)(*args)
    except TypeError as error:
        if "positional argument" in str(error) or "required" in str(error):
            raise InvalidArgument(f"args: got {len(args)} of them, but {error}") from None
        raise


def _wrappers(closed):
    """Return how many calls the whole function is wrapped in, as by `jax.jit`."""
    count, jaxpr = 0, closed.jaxpr
    while len(jaxpr.eqns) == 1 and body_of(jaxpr.eqns[0]) is not None:
        count, jaxpr = count + 1, getattr(body_of(jaxpr.eqns[0]), "jaxpr", body_of(jaxpr.eqns[0]))
    return count


def _pick(tape: Tape, output) -> tuple[Tape, int]:
    """Return the tape with the one number asked for as its only output, and its slot."""
    output = (output,) if isinstance(output, int) else tuple(output)
    leaf, rest = (output[0], output[1:]) if output and len(tape.outputs) > 1 else (0, output)
    require(
        len(tape.outputs) == 1 or bool(output),
        "output",
        f"{len(tape.outputs)} results of f",
        "a number: output=0 is the first",
    )
    require(0 <= leaf < len(tape.outputs), "output", leaf, f"the number of one of {len(tape.outputs)} results, from 0")
    atom = tape.outputs[leaf]
    value = tape.read(atom)
    index = (
        f"the index of one number in the result of shape {np.shape(value)}: output={(0,) * np.ndim(value)} is its first"
    )
    ok = len(rest) == np.ndim(value) and all(-n <= i < n for i, n in zip(rest, np.shape(value), strict=False))
    require(ok, "output", rest or f"a result of shape {np.shape(value)}", index)
    require(is_real(value), "output", f"a result of dtype {jnp.asarray(value).dtype}", "a real number to differentiate")
    tape = tape.with_output(atom, rest)
    tape = real_throughout(tape)
    (result,) = tape.outputs
    expected = "one that depends on an argument by real numbers"
    require(
        bool(active(tape, result, _varied(tape))), "output", f"a result that is always {tape.read(result)}", expected
    )
    return tape, result


def _varied(tape):
    return [slot for slot in tape.inputs if is_real(tape.values[slot])]


def _shown(tape, output, fold):
    """Return the slots that have a row, each with the number of the step that makes it."""
    on_path = active(tape, output, _varied(tape))
    owner = _owners(tape, fold)
    unfolded = [(n, step) for n, step in enumerate(tape.steps) if not (fold and is_folded(step, tape))]
    made = [(slot, n) for n, step in unfolded for slot in step.outputs]
    on_rows = {n for slot, n in made if slot in on_path}
    # Operands that no derivative passes through, such as a mask; where all entries are the same, the formula has them.
    beside = {owner[a] for n in on_rows for a in tape.steps[n].inputs if isinstance(a, int)}
    beside = {slot for slot in beside if is_real(tape.values[slot]) and not _is_uniform(tape.values[slot])}
    return [(slot, n) for slot, n in made if slot in on_path or slot in beside or slot == output]


def _is_uniform(value):
    return bool(np.all(np.asarray(value) == np.ravel(value)[:1]))


def _passes(tape: Tape, output: int, called: dict[int, str], wanted: dict[int, Entry], fold: bool) -> Passes:
    """Return both passes over a tape, with the entries that are shown and their local derivatives."""
    path = active(tape, output, _varied(tape))
    found = backward(tape, output, path, lambda step: fold and is_folded(step, tape))
    entries, slopes = shown_entries(tape, found, output, wanted)
    return Passes(tape, found, _owners(tape, fold), called, entries, slopes)


def _owners(tape, fold):
    return owners(tape) if fold else {slot: slot for slot in tape.values}


def _names(function, tape, output, arguments, named, shown):
    given = {slot: name for slot, name in named.items() if slot not in arguments}
    if output not in given and output not in arguments and function.isidentifier():  # "<lambda>" is none
        given[output] = function
    rounds = {slot: _round(tape.steps[n], slot) for slot, n in shown}
    return names.name_all([*tape.inputs, *(slot for slot, _ in shown)], arguments | given, rounds)


def _round(step: Step, slot: int) -> tuple[str, Any]:
    """Return the rounds of the loops that a step stands in, as "[2]", and what tells its result in their bodies."""
    path = "/".join(step.calls)
    rounds = "".join(re.findall(r"\[\d+\]", path))
    return rounds, (re.sub(r"\[\d+\]", "[]", path), step.key, step.outputs.index(slot))


def _wanted(entry, called, tape):
    slots = {name: slot for slot, name in called.items()}
    for name, index in entry.items():
        require(name in slots, "entry", repr(name), f"the name of a row: {', '.join(slots)}"[:300])
        shape = np.shape(tape.values[slots[name]])
        ok = len(index) == len(shape) and all(0 <= i < n for i, n in zip(index, shape, strict=True))
        require(ok, "entry", f"{name}{list(index)}", f"an index into shape {shape}")
    return {slots[name]: tuple(index) for name, index in entry.items()}


def _checked_rows(passes: Passes, output: int, rows: dict[int, Row]) -> dict[int, Row]:
    """Return the rows with the check of their adjoints, by slot."""
    # What is rounded to bfloat16 on the way has bfloat16's adjoints, whatever the output is.
    kinds = {v.dtype for v in passes.tape.values.values() if hasattr(v, "dtype") and is_real(v)}
    eps = max(float(jnp.finfo(kind).eps) for kind in kinds)
    with jax.enable_x64(True):
        values = in_double(passes.tape)

        def checked(slot: int, row: Row) -> Row:
            if row.adjoint is None:
                return row
            shifted = partial(perturbed_output, passes.tape, values, output, slot)
            found = check_adjoint(values[slot], shifted, row.adjoint, row.entry, eps)
            if found.kind == "differs" and abs(found.difference - found.adjoint) <= 64 * eps * size_of_terms(
                passes.backward, passes.tape, slot
            ):
                found = found._replace(kind="ok")  # rounding is all that is left where the terms cancel
            return row._replace(check=found)

        return {slot: checked(slot, row) for slot, row in rows.items()}


def _first_bad(passes: Passes, output: int, slots: list[int]) -> tuple[str, str]:
    """Return the names of the first value and of the first adjoint that are not finite.

    An infinity that reaches neither an adjoint nor the output, as that of a mask before a softmax, harms nothing.
    """
    values, adjoints = passes.tape.values, passes.backward.adjoints
    harmed = _is_bad(values[output]) or any(map(_is_bad, adjoints.values()))
    bad = (slot for slot in slots if (_is_bad if harmed else _is_nan)(values[slot]))
    bad_adjoints = (slot for slot in reversed(slots) if _is_bad(adjoints.get(slot, 0.0)))
    return passes.names.get(next(bad, -1), ""), passes.names.get(next(bad_adjoints, -1), "")


def _is_bad(value):
    return not is_key(value) and is_real(value) and not bool(np.all(np.isfinite(np.asarray(value, float))))


def _is_nan(value):
    return not is_key(value) and is_real(value) and bool(np.any(np.isnan(np.asarray(value, float))))
