"""What to call every value: as the source does where it gives a name, else a, b, c, ..."""

import ast
import inspect
import string
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import lru_cache
from typing import Any

import jax

from jaxnn.trace.tape import Step


def argument_names(f: Callable, args: Sequence[Any]) -> list[str]:
    """Return the names of the leaves of a function's arguments: the last key of the path where no other has it."""
    parameters = _parameters(f)
    paths = [[str(_key(k)) for k in path] for path, _ in jax.tree_util.tree_flatten_with_path(tuple(args))[0]]
    roots = [parameters[int(p[0])] if int(p[0]) < len(parameters) else f"x{int(p[0])}" for p in paths]
    short = [p[-1] if len(p) > 1 and p[-1].isidentifier() else "" for p in paths]
    alone = Counter([*short, *roots])
    return [
        name if name and alone[name] == 1 else ".".join([root, *path[1:]])
        for name, root, path in zip(short, roots, paths, strict=True)
    ]


def _parameters(f):
    try:
        found = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return []
    names = []
    for p in found:
        if p.kind is p.VAR_POSITIONAL:
            names += [f"{p.name}{i}" for i in range(100)]
        elif p.kind is not p.VAR_KEYWORD:
            names.append(p.name)
    return names


def _key(entry):
    return next(getattr(entry, field) for field in ("key", "name", "idx") if hasattr(entry, field))


def letters(taken: set[str]) -> Iterator[str]:
    """Return the names a, b, ..., z, a1, b1, ... that are not taken."""
    for number in range(10_000):
        for letter in string.ascii_lowercase:
            name = f"{letter}{number or ''}"
            if name not in taken:
                yield name


def assigned_names(steps: Sequence[Step], arguments: Set[str] = frozenset()) -> dict[int, str]:
    """Return the name that the source gives to the slots that have one.

    A statement's name belongs to the last step made while it ran. Of a value named in a function and again where the
    function is called, the outer name is taken. A function called may not use the names of the `arguments` anew.
    """
    found: dict[int, str] = {}
    depth = max((len(step.lines) for step in steps), default=0)
    for level in range(1, depth + 1):  # the number of statements from the outermost one in
        for run in _runs(steps, level):
            line = run[-1].lines[-level]
            # The statement around a lambda assigns the lambda, or what is made of it, and not the lambda's value.
            name = "" if line.function.endswith("<lambda>") else _target(line.text)
            if name and len(run[-1].outputs) == 1 and (level == 1 or name not in arguments):
                found.setdefault(run[-1].outputs[0], name)
    return found


def _runs(steps: Sequence[Step], level: int) -> Iterator[list[Step]]:
    """Return the runs of steps made by one execution of the statement `level` from outside.

    Where a run's first place in the source comes again, the statement is executed again.
    """
    run: list[Step] = []
    for step in steps:
        inside = len(step.lines) >= level
        if run and (not inside or step.lines[-level:] != run[0].lines[-level:] or step.again(run[0])):
            yield run
            run = []
        if inside:
            run.append(step)
    if run:
        yield run


@lru_cache(maxsize=1024)
def _target(text: str) -> str:
    """Return the plain name that a statement assigns its whole value to, or ""."""
    try:
        (statement,) = ast.parse(text).body
    except (SyntaxError, ValueError):
        return ""
    match statement:
        case ast.Assign([ast.Name(name)]) | ast.AnnAssign(ast.Name(name)) | ast.AugAssign(ast.Name(name)):
            return name
        case ast.Assign([ast.Tuple([ast.Name(name), *_])], ast.Call(ast.Name(called))) if called.endswith("_fwd"):
            return name  # f_fwd(*args) -> (out, residuals), as in jax.custom_vjp
    return ""


def name_all(slots: Sequence[int], given: dict[int, str], rounds: Mapping[int, tuple[str, Any]]) -> dict[int, str]:
    """Return a name for every slot: the `given` one, told apart from another of the same name, else a letter.

    `rounds` is what to put behind a name in a loop, as "[2]", and what tells the operation in the loop's body: a letter
    is the same in every round.
    """
    taken = {given[slot] for slot in slots if slot in given}
    free, names, used, same = letters(taken), {}, set(), {}
    for slot in slots:
        behind, operation = rounds.get(slot, ("", None))
        name = given.get(slot) or same.get(operation) or next(free)
        if behind:
            same[operation] = name
        names[slot] = _unique(name, behind, used, taken)
        used.add(names[slot])
    return names


def _unique(name, round, used, taken):
    if name + round not in used:
        return name + round
    count = 2
    while f"{name}_{count}{round}" in used | taken:
        count += 1
    return f"{name}_{count}{round}"
