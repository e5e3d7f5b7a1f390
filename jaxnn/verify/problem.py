"""A loss and its hand-written gradient as functions of a flat list of arrays, in any precision, checked at the door."""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import DictKey, GetAttrKey

from jaxnn.errors import InvalidArgument, check_finite, require

Leaves = list[Any]


class OtherDtype(InvalidArgument):
    """A gradient whose `dtype` is not the parameter's."""

    def __init__(self, message: str, dtype: Any):
        super().__init__(message)
        self.dtype = dtype


class Problem(NamedTuple):
    """`loss(leaves)` is a scalar, `grad(leaves)` a list like `leaves`; everything else the functions take is bound.

    `outputs(leaves)` is all that the hand-written function returns: the loss or None, the gradient, and its named
    intermediates. `whole_loss(*args)` and `whole_grad(*args)` are the functions as given; `names` are the paths of the
    leaves, `args` all arguments and `titles` their names, `structure` is the gradient's, `rebuild(leaves)` gives the
    arguments with other leaves. `said` fills with how what came back was read, where it was not as expected.
    """

    loss: Callable[[Leaves], Any]
    grad: Callable[[Leaves], Leaves]
    whole_loss: Callable[..., Any]
    whole_grad: Callable[..., Any]
    outputs: Callable[[Leaves], tuple[Any, Leaves, dict[str, Any]]]
    leaves: Leaves
    names: tuple[str, ...]
    args: tuple[Any, ...]
    argnums: tuple[int, ...]
    titles: tuple[str, ...]
    structure: Any
    rebuild: Callable[[Leaves], list[Any]]
    said: dict[str, None]


def pose(
    loss: Callable, grad: Callable, args: Sequence[Any], argnums: int | Sequence[int] = 0, *, any_dtype: bool = False
) -> Problem:
    """Return the problem of checking `grad` of `loss` at `args`, with respect to the arguments `argnums`.

    The gradient must have the parameters' structure, shapes and, unless `any_dtype`, dtypes.
    """
    require(callable(loss), "loss", repr(loss), "a function that returns a scalar")
    require(callable(grad), "grad", repr(grad), "a function that returns the gradient of loss")
    single = isinstance(argnums, int | np.integer)
    places: list[Any] = [argnums] if single else list(argnums) if isinstance(argnums, tuple | list) else [None]
    ok = bool(places) and all(isinstance(k, int | np.integer) and -len(args) <= k < len(args) for k in places)
    require(ok, "argnums", repr(argnums), f"one or several positions among the {len(args)} arguments")
    places = [int(place) % len(args) for place in places]
    require(len(set(places)) == len(places), "argnums", repr(argnums), "each position once")
    chosen = [args[place] for place in places]
    paths, structure = jax.tree.flatten_with_path(chosen)
    titles = _titles(loss, len(args))
    names = tuple(leaf_name(path, places, titles, single) for path, _ in paths)
    leaves = [_differentiable(name, leaf) for name, (_, leaf) in zip(names, paths, strict=True)]
    require(bool(leaves), "args", f"argument {places} without any array", "parameters: arrays, or dicts, lists of them")

    def rebuild(leaves):
        given = list(args)
        for place, tree in zip(places, jax.tree.unflatten(structure, leaves), strict=True):
            given[place] = tree
        return given

    expected = jax.tree.structure(chosen[0] if single else tuple(chosen))
    said: dict[str, None] = {}

    def outputs(leaves):
        value, gradient, named = split_output(grad(*rebuild(leaves)), expected, names, said)
        return value, _same_shapes(gradient, leaves, names, any_dtype, said), named

    def bound_loss(leaves):
        return scalar(loss(*rebuild(leaves)), said)

    def bound_grad(leaves):
        return outputs(leaves)[1]

    where = (names, tuple(args), tuple(places), tuple(titles), expected)
    return Problem(bound_loss, bound_grad, loss, grad, outputs, leaves, *where, rebuild, said)


def in_float64(loss: Callable, grad: Callable, args: Sequence[Any], argnums: int | Sequence[int] = 0) -> Problem:
    """Return the same problem with every floating array among the arguments made float64; x64 must be on."""
    return pose(loss, grad, jax.tree.map(widen, tuple(args)), argnums, any_dtype=True)


def widen(leaf: Any) -> Any:
    """Return a floating array as float64, a NumPy one as a NumPy one; anything else as it is."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating):
        return leaf.astype(jnp.float64)
    if isinstance(leaf, np.ndarray | np.generic) and jnp.issubdtype(leaf.dtype, jnp.floating):
        return np.asarray(leaf, np.float64)
    return leaf


def sortable(tree: Any) -> Any:
    """Return a tree in which each dict whose keys do not sort, which JAX refuses, is an OrderedDict, which it takes."""
    if type(tree) is dict:
        parts = {key: sortable(part) for key, part in tree.items()}
        try:
            sorted(parts)
        except TypeError:
            return OrderedDict(sorted(parts.items(), key=lambda item: (type(item[0]).__name__, repr(item[0]))))
        return parts
    if type(tree) in (list, tuple):
        return type(tree)(map(sortable, tree))
    return type(tree)(*map(sortable, tree)) if isinstance(tree, tuple) and hasattr(tree, "_fields") else tree


def leaf_name(path: Any, places: Sequence[int], titles: Sequence[str], single: bool) -> str:
    """Return "W1" or "layers.0.w", the argument's name in front where there are several, or where it is the leaf."""
    inner = jax.tree_util.keystr(tuple(path[1:]), simple=True, separator=".")
    if single and inner:
        return inner
    title = str(titles[places[path[0].idx]])
    return f"{title}.{inner}" if inner else title


def _titles(loss: Callable, count: int) -> list[str]:
    try:
        known = [p.name for p in inspect.signature(loss).parameters.values() if p.kind in (0, 1)]
    except (TypeError, ValueError):
        known = []
    return known[:count] + [f"argument {i}" for i in range(len(known), count)]


def _differentiable(name, leaf):
    """Return a leaf that can be differentiated by, as an array; raise where it cannot."""
    array = isinstance(leaf, jax.Array | np.ndarray | np.generic | float)
    if not array:
        seen = f"{type(leaf).__name__} {leaf!r}"
        require(False, name, seen[:80], "a floating-point array; leave what is no array out of argnums")
    dtype = np.dtype(float) if isinstance(leaf, float) else leaf.dtype
    if jnp.issubdtype(dtype, jnp.complexfloating):
        require(False, name, f"dtype {dtype}", "real numbers: give the real and the imaginary part as two parameters")
    fix = "a floating-point dtype: make it one, or leave it out of argnums"
    require(jnp.issubdtype(dtype, jnp.floating), name, f"dtype {dtype}, which has no gradient", fix)
    leaf = np.asarray(leaf) if isinstance(leaf, float | np.generic) else leaf
    check_finite(name, leaf)
    return leaf


def scalar(value: Any, said: dict[str, None] | None = None, *, complex_too: bool = False) -> Any:
    """Return the loss of what a loss returns: one number, also in an array of shape (1, 1) or before other things.

    What was taken for the loss is added to `said`; it is real, but where it is asked for at `complex_too` arguments.
    """
    said = {} if said is None else said
    if isinstance(value, tuple) and value and np.size(value[0]) == 1 and _is_real(value[0]):
        said["the loss is the first of what its function returns"] = None
        value = value[0]
    shape: Any = getattr(value, "shape", None)
    if shape and np.prod(shape) == 1:
        said[f"the loss is the only number of an array of shape {shape}"] = None
        value = cast(Any, value).reshape(())
    number = getattr(value, "shape", None) == () or isinstance(value, float)
    if not number:
        seen = f"shape {shape}" if shape is not None else f"a {type(value).__name__}"
        hint = "; if it returns (loss, aux), give lambda *args: loss(*args)[0]" if isinstance(value, tuple) else ""
        require(False, "loss", seen, "a scalar: one number, shape ()" + hint)
    dtype = getattr(value, "dtype", np.dtype(float))
    ok = jnp.issubdtype(dtype, jnp.inexact if complex_too else jnp.floating)
    require(ok, "loss", f"dtype {dtype}", "a real floating-point number")
    return value


def _is_real(value):
    return isinstance(value, float) or jnp.issubdtype(getattr(value, "dtype", bool), jnp.inexact)


def split_output(
    output: Any, expected: Any, names: Sequence[str], said: dict[str, None] | None = None
) -> tuple[Any, Leaves, dict[str, Any]]:
    """Return value, gradient and named intermediates of what a hand-written gradient returns.

    It may be the gradient, `(loss, gradient)`, `(gradient, {name: intermediate})` or `(loss, gradient, {...})`; and the
    gradient in the parameters' structure, or in one that can only mean that, which is then added to `said`.
    """
    output = sortable(output)
    parts: tuple[Any, ...] = output if isinstance(output, tuple) else ()
    for read in (_as_expected, _otherwise):
        leaves = read(output, expected, said)
        if leaves is not None:
            return None, leaves, {}
        if len(parts) == 2 and isinstance(parts[1], dict):
            leaves = read(parts[0], expected, said)
            if leaves is not None:
                return None, leaves, parts[1]
        if len(parts) in (2, 3) and _is_number(parts[0]):
            leaves = read(parts[1], expected, said)
            if leaves is not None:
                return parts[0], leaves, parts[2] if len(parts) == 3 else {}
    raise InvalidArgument(_structure_message(output, expected, names))


def _is_number(value):
    leaves = jax.tree.leaves(value)
    return len(leaves) == 1 and np.size(leaves[0]) == 1


def _as_expected(tree, expected, said):
    return jax.tree.leaves(tree) if jax.tree.structure(tree) == expected else None


def _otherwise(tree, expected, said):
    """Return the leaves of a gradient that can be read in one way only, None of any other."""
    wanted = jax.tree.unflatten(expected, range(expected.num_leaves))
    leaves, note = _renamed(tree, wanted), "names of the gradient as dW1 are taken for those of the parameters"
    if leaves is None:
        leaves, note = _in_order(tree, wanted), "the gradient is a sequence of another kind than the parameters"
    if leaves is not None and said is not None:
        said[note] = None
    return leaves


def _renamed(tree, wanted):
    """Return the leaves of a tree with dicts {"dW1": ...} for {"W1": ...}, their names all marked in the same way."""
    for mark in ("d{}", "d_{}", "g{}", "grad_{}", "grad{}", "{}_grad", "grads_{}"):
        given = _unmarked(tree, wanted, mark)
        if jax.tree.structure(given) == jax.tree.structure(wanted):
            return jax.tree.leaves(given)
    return None


def _unmarked(tree, wanted, mark):
    """Return a tree without the mark in those dicts in which each name has it."""
    if isinstance(tree, dict) and isinstance(wanted, dict):
        marked = {key: mark.format(key) for key in wanted}
        if set(marked.values()) == tree.keys():
            tree = {key: tree[name] for key, name in marked.items()}
        return {key: _unmarked(part, wanted[key], mark) if key in wanted else part for key, part in tree.items()}
    if type(tree) is type(wanted) and type(tree) in (tuple, list) and len(tree) == len(wanted):
        parts = [_unmarked(part, other, mark) for part, other in zip(tree, wanted, strict=True)]
        return parts if isinstance(tree, list) else tuple(parts)
    return tree


def _in_order(tree, wanted):
    """Return the leaves of a tree that differs in lists, tuples and named tuples of the same fields alone."""

    def plain(node):
        if isinstance(node, tuple | list):
            return [getattr(node, "_fields", None), *map(plain, node)]
        return {key: plain(part) for key, part in node.items()} if isinstance(node, dict) else node is None

    def same(one, other):
        if isinstance(one, list) and isinstance(other, list):
            fields = one[0] is None or other[0] is None or one[0] == other[0]
            return fields and len(one) == len(other) and all(map(same, one[1:], other[1:]))
        if isinstance(one, dict) and isinstance(other, dict):
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        return one is other  # both a leaf, or both None

    if not isinstance(tree, tuple | list | dict) or not same(plain(tree), plain(wanted)):
        return None
    # By the parameters' own paths: an OrderedDict has its leaves in another order than a dict.
    return [_at(tree, path) for path, _ in jax.tree.leaves_with_path(wanted)]


def _at(tree, path):
    for key in path:
        tree = getattr(tree, key.name) if isinstance(key, GetAttrKey) and hasattr(tree, key.name) else tree[_index(key)]
    return tree


def _index(key):
    return key.key if isinstance(key, DictKey) else key.idx


def _structure_message(output, expected, names):
    template = jax.tree.unflatten(expected, list(names))
    wanted, _ = jax.tree.flatten_with_path(template)
    got, _ = jax.tree.flatten_with_path(output, is_leaf=lambda x: x is None)
    wanted_paths = {jax.tree_util.keystr(path): name for path, name in wanted}
    got_paths = {jax.tree_util.keystr(path): leaf for path, leaf in got}
    for path, name in wanted_paths.items():
        if path in got_paths and got_paths[path] is None:
            return f"grad: got None for {name}, expected an array; a gradient that is zero is an array of zeros"
    missing = [name for path, name in wanted_paths.items() if path not in got_paths]
    extra = [path for path in got_paths if path not in wanted_paths]
    detail = f" (missing {', '.join(missing)})" * bool(missing) + f" (unexpected {', '.join(extra)})" * bool(extra)
    seen = str(jax.tree.structure(output))[:200]
    return f"grad: got the structure {seen}{detail}, expected that of the parameters, {str(expected)[:200]}"


def _same_shapes(gradient, leaves, names, any_dtype, said):
    """Return the gradient's leaves in the parameters' shapes, where only axes of length 1 differ."""
    gradient = _cut(gradient, leaves, said)
    for name, got, leaf in zip(names, gradient, leaves, strict=True):
        seen = np.shape(got)
        require(seen == np.shape(leaf), f"grad: {name}", f"shape {seen}", f"shape {np.shape(leaf)}, the parameter's")
        dtype, wanted = jnp.result_type(got), jnp.result_type(leaf)
        python_number = isinstance(got, int | float)
        if jnp.issubdtype(dtype, jnp.integer):  # what it lacks behind the point is judged as any other error
            said[f"the gradient by {name} is of whole numbers, {dtype}"] = None
        elif not (any_dtype or python_number or dtype in (wanted, jax.dtypes.canonicalize_dtype(wanted))):
            raise OtherDtype(f"grad: {name}: got dtype {dtype}, expected dtype {wanted}, the parameter's", dtype)
    return gradient


def _cut(gradient, leaves, said):
    def shaped(got, leaf):
        seen, wanted = np.shape(got), np.shape(leaf)
        long = [n for n in wanted if n != 1]
        if seen == wanted or not long or long != [n for n in seen if n != 1] or not hasattr(got, "reshape"):
            return got
        said[f"a gradient of shape {seen} is taken for one of the parameter's shape {wanted}"] = None
        return got.reshape(wanted)

    return [shaped(got, leaf) for got, leaf in zip(gradient, leaves, strict=True)]
