"""What has a name where a line of the source stands: arrays, numbers, lists, parts of arrays."""

import ast
import re
from collections.abc import Collection
from contextlib import suppress
from dis import get_instructions
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.trace.jaxprs import Line
from jaxnn.verify.diagnosis.exchange import NUMPY
from jaxnn.verify.diagnosis.rewrite import function_around, subscripts
from jaxnn.verify.diagnosis.steps import as_array, children, spelt

SHAPE = re.compile(r"\.(shape|size|ndim)\b[^.]*$")
MOST_LISTS, MOST_ALONG = 5, 5
FAR = 1_000_000  # lines: of what a function does not name
PLAIN = {
    "pi",
    "e",
    "T",
    "shape",
    "size",
    "sum",
    "mean",
    "max",
    "min",
    "where",
    "clip",
    "dot",
    "zeros_like",
    "ones_like",
    "len",
}
NUMPYS = (np, jax.numpy, NUMPY)


WRITERS = {  # methods that change the object that they are called of
    *("append", "extend", "insert", "pop", "popitem", "remove", "clear", "update", "setdefault", "sort", "reverse"),
    *("add", "discard", "fill", "put", "resize"),
}


class Names(NamedTuple):
    """What has a name: arrays, numbers, containers such as lists, functions of one argument; `parts` are cut out."""

    arrays: list[str]
    numbers: list[str]
    containers: list[str]
    functions: list[str]
    parts: list[str]
    library: str


def named(names: dict[str, Any], tree: ast.AST, line: Line, called: Collection[str] = ()) -> Names:
    """Return what has a name where a line stands: what is in a tree first, then what is named in the lines nearest.

    Entries of dicts and attributes of the user's objects are named too, and parts of arrays that the function reads.
    Of functions it is those `called` anyway by what is judged, and plain formulas: another may do anything. Of lists it
    is also the items that a whole number names, the state of a round for example; of vectors also what stretches along
    an axis of an array in the tree, such as a weight for each row or a scale for each channel.
    """
    seen = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    shapes: dict[str, tuple[int, ...]] = {}
    found = Names([], [], [], [], [], next((n for n in ("np", "jnp", "numpy") if names.get(n) in NUMPYS), "np"))

    def look(name, value):
        if as_array(value) is not None and not isinstance(value, float):
            found.arrays.append(name)
            shapes[name] = np.shape(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.numbers.append(name)
        elif isinstance(value, list | tuple) or (is_whole(value) and np.ndim(value)):
            found.numbers.append(f"len({name})")
            if isinstance(value, list):
                found.containers.append(name)
        elif isinstance(value, FunctionType):
            needed = value.__code__.co_argcount - len(value.__defaults__ or ())
            if needed == 1 and (value.__name__ in called or is_formula(value)):
                found.functions.append(name)
        elif "[" not in name and "." not in name and not name.startswith("__"):
            for path, part in children(value)[:20]:
                look(name + spelt((path,)), part)

    names = {name: value for name, value in names.items() if name.isidentifier() and name != "_"}
    far = distances(line)
    for name in sorted(names, key=lambda name: (name not in seen, far.get(name, FAR))):
        look(name, names[name])
    for part, is_read in subscripts(line).items():
        part = part.replace(".at[", "[")  # what is updated in JAX's way
        try:
            value = evaluated(part, names)
        except Exception:  # not yet computed where the line stands, or not in every round
            continue
        if ":" in part and as_array(value) is not None:
            found.parts.append(part)
        if is_read and part not in (*found.arrays, *found.numbers):
            look(part, value)
    indices = [name for name in found.numbers if name.isidentifier() and isinstance(names[name], int)]
    for item in (f"{of}[{k}]" for of in found.containers[:MOST_LISTS] for k in indices[:MOST_LISTS]):
        with suppress(Exception):  # not that many items
            if item not in found.arrays and as_array(evaluated(item, names)) is not None:
                found.arrays.append(item)
    read = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Subscript | ast.Attribute)}
    axes = {(shape[k], len(shape) - 1 - k) for name, shape in shapes.items() if name in read for k in range(len(shape))}
    along = [
        f"{name}[:{', None' * after}]"
        for name, shape in shapes.items()
        for size, after in sorted(axes)
        if shape == (size,) and after
    ]
    found.arrays.extend(one for one in along[:MOST_ALONG] if one not in found.arrays)
    return found


@lru_cache(maxsize=256)
def distances(line: Line) -> dict[str, int]:
    """Return how many lines away from one each name in its function is named next."""
    found: dict[str, int] = {}
    for node in ast.walk(function_around(line)):
        if isinstance(node, ast.Name):
            found[node.id] = min(found.get(node.id, FAR), abs(node.lineno - line.number))
    return found


def written_into(tree: ast.AST) -> set[str]:
    """Return the names of objects that a tree writes into: `x` of `x[0] = y`, `x.append(y)`, `np.add.at(x, i, y)`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.append(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found += [node.func] if node.func.attr in WRITERS else node.args[: node.func.attr == "at"]
    return {name for name in map(_base, found) if name}


def _base(node: ast.AST) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


@lru_cache(maxsize=256)
def own_names(line: Line) -> set[str]:
    """Return the parameters and variables of the function that a line stands in."""
    nodes = list(ast.walk(function_around(line)))
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return stored | {node.arg for node in nodes if isinstance(node, ast.arg)}


def is_formula(function: FunctionType, inside: Collection[FunctionType] = ()) -> bool:
    """Return whether a function only computes: it names nothing but NumPy's plain functions, numbers and formulas.

    One that calls itself, `inside` of which it is looked at, is none: it may not end.
    """
    known = function.__globals__

    def is_plain(name):
        if name in known:
            value = known[name]
            if isinstance(value, int | float | np.ndarray) or any(value is library for library in NUMPYS):
                return True
            above = (*inside, function)
            return isinstance(value, FunctionType) and value not in above and is_formula(value, above)
        return name in PLAIN or isinstance(vars(np).get(name), np.ufunc)

    return not _stores(function.__code__) and all(map(is_plain, function.__code__.co_names))


@lru_cache(maxsize=1024)  # to take a code apart takes longer than all else here
def _stores(code: CodeType) -> bool:
    """Return whether a function writes into anything but its own variables."""
    return any(
        step.opname.startswith(("STORE_GLOBAL", "STORE_ATTR", "STORE_SUBSCR")) for step in get_instructions(code)
    )


def no_arrays(tree: ast.AST, names: dict[str, Any]) -> set[ast.AST]:
    """Return the parts of a tree that are neither arrays nor floats there: whole numbers, functions, objects."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.BinOp | ast.Attribute | ast.Subscript) and is_value(node):
            try:
                value = eval(compile(ast.Expression(node), "<part>", "eval"), dict(names))
            except Exception:  # a variable of a comprehension
                if SHAPE.search(ast.unparse(node)):
                    found.add(node)
                continue
            if not isinstance(value, float | np.ndarray | np.floating | jax.Array):
                found.add(node)
    return found


def is_whole(value: Any) -> bool:
    """Return whether a value is an array of whole numbers, such as labels or indices."""
    return isinstance(value, np.ndarray | jax.Array) and jax.numpy.issubdtype(value.dtype, np.integer)


def evaluated(expression: str, names: dict[str, Any]) -> Any:
    """Return the value of an expression where those names are known."""
    return eval(expression, dict(names))


def is_value(node: ast.AST) -> bool:
    """Return whether a node is an expression that is read, and no number that is written out."""
    return not isinstance(node, ast.Constant) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
