"""A function run once, written down as a flat list of steps: calls, branches and loops opened where that is asked for.

Opening needs the values at hand: a branch is the one taken, a loop is its steps one after the other. Where JAX keeps a
form for each platform, the default one stands for all.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.extend import core

from jaxnn.trace import jaxprs

LOOPS = ("scan", "while")


class Step(NamedTuple):
    """One operation on the values in the slots `inputs` (or on literals), its results put into `outputs`.

    `name` is that of the primitive, `title` that of the function called where it has one; `calls` names the opened
    calls it stands in (of a loop with the number of the round), `traceback` the place it was traced at.
    """

    name: str
    title: str
    apply: Callable[..., list[Any]]
    inputs: tuple[Any, ...]
    outputs: tuple[int, ...]
    params: dict[str, Any]
    calls: tuple[str, ...]
    lines: tuple[jaxprs.Line, ...]
    traceback: Any
    eqn: Any
    members: tuple["Step", ...] = ()

    def again(self, first: "Step") -> bool:
        """Whether this step is made by the same operation of the source as an earlier one, executed again."""
        return (self.name, self.traceback) == (first.name, first.traceback)

    @property
    def key(self) -> Any:
        """What tells an operation from another one, the same in every round of a loop."""
        # The rounds of a loop run the same equation; the rows of its arrays are taken by steps without one.
        return self.eqn and id(self.eqn) or (self.name, tuple(a for a in self.inputs if self.name == "item"))


class Place(NamedTuple):
    """Where a step stands: the calls it was reached through, the lines of the source, and where it was traced."""

    calls: tuple[str, ...] = ()
    lines: tuple[jaxprs.Line, ...] = ()
    traceback: tuple[Any, ...] = ()

    def inside(self, call: str) -> "Place":
        """Return the place inside a call made here."""
        return self._replace(calls=(*self.calls, call))


class Tape(NamedTuple):
    """The steps of a function, the slots of its inputs and outputs, and the value in every slot."""

    inputs: tuple[int, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Any, ...]
    values: dict[int, Any]

    def read(self, atom: Any) -> Any:
        """Return the value in a slot, or that of a literal."""
        return jaxprs.read(self.values, atom)

    def with_output(self, atom: Any, index: tuple[int, ...]) -> "Tape":
        """Return the tape with one number as its only output."""
        if not index:
            return self._replace(outputs=(atom,))
        step, values = plain_step("item", lambda x: [x[index]], (atom,), self.values, params={"index": index})
        return self._replace(steps=(*self.steps, step), outputs=step.outputs, values=values)


Opened = Callable[[Any, str, int], bool]


def plain_step(
    name: str,
    apply: Callable[..., list[Any]],
    inputs: Sequence[Any],
    values: dict[int, Any],
    place: Place = Place(),  # noqa: B008
    params: dict[str, Any] | None = None,
) -> tuple[Step, dict[int, Any]]:
    """Return a step that no equation stands for, and the values with its results."""
    results = apply(*(jaxprs.read(values, atom) for atom in inputs))
    outputs = tuple(range(len(values), len(values) + len(results)))
    values = values | dict(zip(outputs, results, strict=True))
    return Step(
        name, name, apply, tuple(inputs), outputs, params or {}, place.calls, place.lines, place.traceback, None
    ), values


def record(closed: Any, values: Sequence[Any], opened: Opened = lambda eqn, title, depth: False) -> Tape:
    """Return the tape of a closed jaxpr at `values`; `opened(eqn, title, depth)` says which calls are looked into."""
    env: dict[int, Any] = {}
    steps: list[Step] = []

    def put(value):
        env[len(env)] = value
        return len(env) - 1

    def visit(closed, atoms, place):
        jaxpr = getattr(closed, "jaxpr", closed)
        slots: dict[Any, Any] = dict(zip(jaxpr.constvars, map(put, getattr(closed, "consts", [])), strict=True))
        slots |= zip(jaxpr.invars, atoms, strict=True)
        for eqn in jaxpr.eqns:
            # Inside of a call only the function's own lines are sure to be those of this call.
            lines = jaxprs.own_lines(eqn, jaxpr) if place.traceback else jaxprs.user_lines(eqn)
            here = Place(place.calls, (*lines, *place.lines), (eqn.source_info.traceback, *place.traceback))
            inputs = tuple(v if isinstance(v, core.Literal) else slots[v] for v in eqn.invars)
            slots |= zip(eqn.outvars, take(eqn, inputs, here), strict=True)
        return [v if isinstance(v, core.Literal) else slots[v] for v in jaxpr.outvars]

    def take(eqn, inputs, place):
        name, title = eqn.primitive.name, title_of(eqn)
        if name == "platform_index":
            return [put(jnp.int32(_default(eqn.params["platforms"])))]
        if name == "cond" and (eqn.params.get("branches_platforms") or opened(eqn, title, len(place.calls))):
            branch = eqn.params["branches"][int(jaxprs.read(env, inputs[0]))]
            return visit(branch, inputs[1:], place.inside(title))
        if name in LOOPS and opened(eqn, title, len(place.calls)):
            return (scan if name == "scan" else while_loop)(eqn, inputs, title, place)
        body = jaxprs.body_of(eqn)
        # The body of a rule written by hand is its forward alone: opened, autodiff's rule would stand in its place.
        if body is not None and not name.startswith("custom_") and opened(eqn, title, len(place.calls)):
            return visit(body, inputs, place.inside(title))
        apply = application(eqn)
        title = f"branch_{int(jaxprs.read(env, inputs[0]))}" if name == "cond" else title
        outputs = tuple(put(value) for value in apply(*(jaxprs.read(env, atom) for atom in inputs)))
        if outputs:  # a debug print is not repeated
            steps.append(
                Step(name, title, apply, inputs, outputs, eqn.params, place.calls, place.lines, place.traceback, eqn)
            )
        return outputs

    def scan(eqn, inputs, title, place):
        (n_consts, n_carry), body = jaxprs.scan_sizes(eqn), eqn.params["jaxpr"]
        consts, carry, xs = inputs[:n_consts], inputs[n_consts : n_consts + n_carry], inputs[n_consts + n_carry :]
        rounds = range(eqn.params["length"])
        ys = []
        for i in reversed(rounds) if eqn.params["reverse"] else rounds:
            inside = place.inside(f"{title}[{i}]")
            row = [add("item", lambda x, i=i: [x[i]], [x], inside, {"index": (i,)}) for x in xs]
            out = visit(body, [*consts, *carry, *row], inside)
            carry = out[:n_carry]
            ys.append(out[n_carry:])
        ys = ys[::-1] if eqn.params["reverse"] else ys
        return [*carry, *(add("stack", lambda *y: [jnp.stack(y)], y, place) for y in zip(*ys, strict=True))]

    def add(name, apply, inputs, place, params=None):
        step, values = plain_step(name, apply, inputs, env, place, params)
        env.update(values)
        steps.append(step)
        return step.outputs[0]

    def while_loop(eqn, inputs, title, place):
        n_cond, n_body = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
        cond, body = core.jaxpr_as_fun(eqn.params["cond_jaxpr"]), eqn.params["body_jaxpr"]
        consts, carry, i = inputs[n_cond : n_cond + n_body], inputs[n_cond + n_body :], 0
        while cond(*(jaxprs.read(env, a) for a in (*inputs[:n_cond], *carry)))[0]:
            carry = visit(body, [*consts, *carry], place.inside(f"{title}[{i}]"))
            i += 1
        return carry

    inputs = [put(value) for value in values]
    outputs = visit(closed, inputs, Place())
    return Tape(tuple(inputs), tuple(steps), tuple(outputs), env)


def title_of(eqn: Any) -> str:
    """Return the name of the function that a call calls, or that of the primitive."""
    for key in ("name", "call_jaxpr", "jaxpr", "body_jaxpr"):
        found = eqn.params.get(key)
        found = getattr(getattr(found, "jaxpr", found), "debug_info", found)
        found = found if isinstance(found, str) else getattr(found, "func_name", None)
        if found and "<" not in found:
            return found.lstrip("_")
    return eqn.primitive.name


def rule_name(step: Step) -> str:
    """Return the name that a step's formulas have: of a function that is JAX's own, "jax.relu"."""
    body = step.eqn and jaxprs.body_of(step.eqn)
    source = getattr(body, "jaxpr", body).debug_info.func_src_info if body else ""
    return f"jax.{step.title}" if str(jaxprs.PACKAGES / "jax/") in (source or "") else step.name


def application(eqn: Any) -> Callable[..., list[Any]]:
    """Return the function of its inputs that an equation is.

    A `while` runs its rounds in Python: JAX has no reverse rule for the loop, but one for each operation in it.
    """
    if eqn.primitive.name != "while":
        return lambda *values: jaxprs.apply(eqn, *values)
    n_cond, n_body = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    cond, body = (core.jaxpr_as_fun(eqn.params[key]) for key in ("cond_jaxpr", "body_jaxpr"))

    def rounds(*values):
        asked, consts, carry = values[:n_cond], values[n_cond : n_cond + n_body], values[n_cond + n_body :]
        while cond(*asked, *carry)[0]:
            carry = body(*consts, *carry)
        return list(carry)

    return rounds


def _default(platforms):
    return platforms.index(None) if None in platforms else 0
