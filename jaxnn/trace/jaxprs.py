"""A JAX function as a flat list of equations, with the calls in it opened, and where in the source each one stands.

The jaxpr is no stable interface of JAX: all that the project knows of its form (0.10 to 0.12) is in this module.
"""

import ast
import itertools
import linecache
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.extend import core

# The calls of JAX 0.10 to 0.12, and under which parameter each has its body.
BODIES = {
    "jit": "jaxpr",
    "closed_call": "call_jaxpr",
    "remat2": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}

COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")

# Named one by one: the user's own package may be installed beside them.
DEPENDENCIES = (
    *("jax", "jaxlib", "numpy", "scipy", "ml_dtypes", "opt_einsum", "optax", "flax", "jaxtyping", "beartype"),
    *("chex", "equinox", "haiku", "torch", "tensorflow", "keras", "sklearn", "pandas", "pytest", "_pytest", "pluggy"),
)
PACKAGES = Path(jax.__file__).parents[1]
TRACERS = tuple(str(Path(__file__).parents[1] / part) + "/" for part in ("trace", "verify"))
NOT_THE_USERS = (
    *(str(PACKAGES / f"{name}/") + "/" for name in DEPENDENCIES),
    sysconfig.get_path("stdlib"),
    "<frozen",
)


class Line(NamedTuple):
    """A line of the user's source: `function`, the `names` assigned to there and the whole statement as `text`."""

    file: str
    number: int
    function: str
    names: tuple[str, ...]
    text: str


class Equation(NamedTuple):
    """One primitive applied to the values in the slots `inputs` (or to literals), its results put into `outputs`.

    `calls` names the functions it was reached through (`jit` of `relu`: "relu"), the outermost first; `lines` are its
    own line in the user's source and those it was called from, the innermost first.
    """

    eqn: Any
    inputs: tuple[Any, ...]
    outputs: tuple[int, ...]
    calls: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def name(self) -> str:
        """Return the name of the primitive."""
        return self.eqn.primitive.name


class Program(NamedTuple):
    """A function as equations over numbered slots: `inputs` slots, `constants` by slot, `outputs` slots or literals."""

    inputs: tuple[int, ...]
    constants: dict[int, Any]
    equations: tuple[Equation, ...]
    outputs: tuple[Any, ...]


def program(f: Callable, *args: Any, opened: Callable[[Any], bool] = lambda eqn: True) -> tuple[Program, Any]:
    """Return the flat program of `f` at `args` (inputs: their leaves in order) and the structure of its output.

    Calls (`jit`, `custom_jvp`, `custom_vjp`, `remat`) for which `opened(eqn)` holds are replaced by what is in them;
    `scan`, `while` and `cond` stay one equation each.
    """
    closed, out_shape = jax.make_jaxpr(f, return_shape=True)(*args)
    return flatten(closed, opened), jax.tree.structure(out_shape)


def flatten(closed: Any, opened: Callable[[Any], bool] = lambda eqn: True) -> Program:
    """Return the program of a closed jaxpr."""
    constants: dict[int, Any] = {}
    equations: list[Equation] = []
    count = itertools.count()

    def visit(closed, inputs, calls, called_from):
        jaxpr, slots = getattr(closed, "jaxpr", closed), {}
        for var, value in zip(jaxpr.constvars, getattr(closed, "consts", []), strict=True):
            slots[var] = next(count)
            constants[slots[var]] = value
        slots |= zip(jaxpr.invars, inputs, strict=True)

        def read(atom):
            return atom if isinstance(atom, core.Literal) else slots[atom]

        for eqn in jaxpr.eqns:
            # The stack of an equation has the calling lines too, but not of a function that JAX had traced before.
            lines = tuple(dict.fromkeys([*user_lines(eqn), *called_from]))
            body = body_of(eqn)
            if body is not None and opened(eqn):
                name = eqn.params.get("name") or eqn.primitive.name
                operands = eqn.invars[1:] if eqn.primitive.name == "cond" else eqn.invars
                results = visit(body, [read(v) for v in operands], (*calls, name), lines)
                slots |= zip(eqn.outvars, results, strict=True)
            else:
                slots |= {v: next(count) for v in eqn.outvars}
                inputs_ = tuple(read(v) for v in eqn.invars)
                equations.append(Equation(eqn, inputs_, tuple(slots[v] for v in eqn.outvars), calls, lines))
        return [read(v) for v in jaxpr.outvars]

    inputs = [next(count) for _ in getattr(closed, "jaxpr", closed).invars]
    outputs = visit(closed, inputs, (), ())
    return Program(tuple(inputs), constants, tuple(equations), tuple(outputs))


def every_equation(jaxpr: Any) -> Iterator[Any]:
    """Yield the equations of a jaxpr as JAX has them, those in the bodies of calls, loops and branches too."""
    for eqn in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        yield eqn
        for value in eqn.params.values():
            for body in value if isinstance(value, tuple | list) else (value,):
                if hasattr(getattr(body, "jaxpr", body), "eqns"):
                    yield from every_equation(body)


def compares(jaxpr: Any) -> bool:
    """Return whether two computed floating-point values are compared, which a value computed twice may not survive."""
    return any(
        eqn.primitive.name in COMPARISONS
        and not any(isinstance(v, core.Literal) for v in eqn.invars)
        and jax.numpy.issubdtype(eqn.invars[0].aval.dtype, jax.numpy.floating)
        for eqn in every_equation(jaxpr)
    )


def body_of(eqn: Any) -> Any:
    """Return the jaxpr of a call, or of what `lax.platform_dependent` runs on this platform; None for other equations.

    Its inputs are the equation's own, after the choice of the platform.
    """
    platforms = eqn.params.get("branches_platforms")
    if platforms is not None:
        here = [i for i, names in enumerate(platforms) if names is None or jax.default_backend() in names]
        return eqn.params["branches"][here[0]]
    key = BODIES.get(eqn.primitive.name)
    return eqn.params.get(key) if key else None


def scan_sizes(eqn: Any) -> tuple[int, int]:
    """Return how many inputs of a `scan` are constants of its body, and how many are its carry."""
    if "num_consts" in eqn.params:  # JAX 0.10; in 0.12 it is `ft_in`, a tree of three
        return eqn.params["num_consts"], eqn.params["num_carry"]
    consts, carry, _ = eqn.params["ft_in"].unpack()
    return len(consts), len(carry)


def apply(eqn: Any, *values: Any, params: dict[str, Any] | None = None) -> list[Any]:
    """Return the results of one equation's primitive at `values`, always as a list; `params` in place of its own."""
    with eqn.ctx.manager:
        out = eqn.primitive.bind(*values, **eqn.primitive.get_bind_params(eqn.params if params is None else params))
    return list(out) if eqn.primitive.multiple_results else [out]


def read(env: dict[int, Any], atom: Any) -> Any:
    """Return the value in a slot, or that of a literal."""
    return env[atom] if isinstance(atom, int) else atom.val


def run(
    program: Program,
    values: Sequence[Any],
    replace: Callable[[int, Any], Any] = lambda slot, value: value,
    *,
    step: Callable[..., list[Any]] = apply,
) -> dict[int, Any]:
    """Return the value of every slot; each is first passed through `replace(slot, value)`, inputs and constants too."""
    env: dict[int, Any] = {}
    for slot, value in [*program.constants.items(), *zip(program.inputs, values, strict=True)]:
        env[slot] = replace(slot, value)
    for equation in program.equations:
        out = step(equation.eqn, *(read(env, atom) for atom in equation.inputs))
        for slot, value in zip(equation.outputs, out, strict=True):
            env[slot] = replace(slot, value)
    return env


def user_lines(eqn: Any) -> tuple[Line, ...]:
    """Return where in the source an equation was made, the innermost line first, without the lines of JAX and Python.

    The stack is followed out to where the project's own tracing begins.
    """
    found = []
    for frame in eqn.source_info.traceback.frames if eqn.source_info.traceback else ():
        if frame.file_name.startswith(TRACERS):
            break
        if not frame.file_name.startswith(NOT_THE_USERS):
            found.append(source_line(frame.file_name, frame.line_num, frame.function_name))
    return tuple(found)


def is_ours_or_a_dependencys(file: str) -> bool:
    """Return whether a file belongs to what looks at a function, or to a package it uses, and not to the user."""
    return file.startswith((*TRACERS, *NOT_THE_USERS))


def own_lines(eqn: Any, jaxpr: Any) -> tuple[Line, ...]:
    """Return those of an equation's lines that stand inside the function whose jaxpr it is in.

    JAX keeps what it has traced: the lines further out are those of the first call, wherever that was.
    """
    name, _, place = (jaxpr.debug_info.func_src_info or "").partition(" at ")
    lines = user_lines(eqn)
    for i, line in enumerate(lines):
        if line.function.split(".")[-1] == name.split(".")[-1] and place.startswith(line.file + ":"):
            return lines[: i + 1]
    return ()


def source_line(file: str, number: int, function: str) -> Line:
    """Return the statement of a source file that the line `number` belongs to, and the names it assigns to."""
    first, text, names = _statements(file).get(number, (number, linecache.getline(file, number).strip(), ()))
    return Line(file, first, function, names, text)


@lru_cache(maxsize=256)  # every equation asks for its file
def _statements(file: str) -> dict[int, tuple[int, str, tuple[str, ...]]]:
    """Return, for each line of a file, the simple statement it belongs to: first line, text, names assigned."""
    lines = linecache.getlines(file)
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return {}
    found = {}
    for node in ast.walk(tree):
        # Those with a body, loops and functions, span the lines of other statements.
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            text = " ".join(line.strip() for line in lines[node.lineno - 1 : node.end_lineno])
            names = tuple(
                leaf.id
                for target in getattr(node, "targets", [getattr(node, "target", None)])
                for leaf in (ast.walk(target) if target is not None else ())
                if isinstance(leaf, ast.Name)
            )
            found |= dict.fromkeys(range(node.lineno, (node.end_lineno or node.lineno) + 1), (node.lineno, text, names))
    return found
