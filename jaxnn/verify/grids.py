"""`grid`: from one example of the arguments the shapes and values at which mistakes show that are hidden elsewhere."""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.errors import InvalidArgument, require

SIZES = (1, 2, 3)
UNEQUAL = (3, 5, 2, 4, 7, 6, 8, 9)
MANY = 17  # examples, more than a block of any code that takes them in blocks of 8 or 16
LARGEST = 8  # an example with a longer dimension is shortened for all cases but the first
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv}


class Case(tuple):
    """A tuple of arguments with a `name`."""

    name: str

    def __new__(cls, args: Sequence[Any], name: str) -> "Case":
        case = super().__new__(cls, args)
        case.name = name
        return case


class Leaf(NamedTuple):
    """An array of the example: the dimension of each axis, whether it is a parameter, and how its values look."""

    value: Any
    dims: tuple[str, ...]
    parameter: bool
    look: str


def grid(
    example_args: Sequence[Any],
    dims: Sequence[Any] | Mapping[str, int] | None = None,
    *,
    argnums: int | Sequence[int] = 0,
    seed: int = 0,
) -> list[Case]:
    """Return argument tuples for `survey`: the example, the same at other sizes, and with other values.

    `dims` names the axes: for each argument a string such as "n d" (for a pytree, a tree of them), whose words are
    names, numbers or products such as "4*h" (None leaves an argument alone); or the size of each named dimension in
    the example, as in `{"n": 5, "d": 2}`; by default axes of equal size are one dimension. Each dimension becomes 1, 2
    and 3, all become 1, and all unequal; the examples become many. Values become zero, tied, close to zero (so that
    sums lie within 1e-3 of a kink or on it), saturating, huge, whole numbers; labels that sum to 1 become such that do
    not. Arguments at
    `argnums` are the parameters. Keys, scalars and what is no array stay as they are.
    """
    require(isinstance(example_args, tuple | list), "example_args", type(example_args).__name__, "a tuple of arguments")
    args = tuple(example_args)
    places = {argnums} if isinstance(argnums, int) else set(argnums)
    values, structure = jax.tree.flatten(args)
    owners = [path[0].idx for path, _ in jax.tree.leaves_with_path(args)]
    axes = _axes(args, values, structure, dims)
    base = _base(values, axes)
    leaves = [
        Leaf(v, axis, owner in places, _look(v) if axis else "fixed")
        for v, axis, owner in zip(values, axes, owners, strict=True)
    ]
    cases, rng = [Case(args, "the example")], np.random.default_rng(seed)

    def add(
        name: str, sizes: Mapping[str, int], change: Callable[[Leaf, np.ndarray], np.ndarray] | None = None
    ) -> None:
        drawn = [_drawn(leaf, base, sizes, rng, change) for leaf in leaves]
        cases.append(Case(jax.tree.unflatten(structure, drawn), name))

    small = {name: min(size, LARGEST) for name, size in base.items()}
    for name, sizes in _shapes(small):
        add(name, sizes)
    unequal = _unequal(small)
    for name in _shared([leaf for leaf in leaves if leaf.dims and not leaf.parameter]):
        add(f"{name} = {MANY}", {**small, name: MANY})
    for name, change in _changes(leaves, rng):
        add(name, unequal, change)
    return cases


def _shapes(base: dict[str, int]) -> Iterator[tuple[str, dict[str, int]]]:
    yield "other values", base
    for name in base:
        for size in SIZES:
            if size != base[name]:
                yield f"{name} = {size}", {**base, name: size}
    yield "every dimension 1", dict.fromkeys(base, 1)
    unequal = _unequal(base)
    yield "all dimensions unequal: " + ", ".join(f"{k} = {v}" for k, v in unequal.items()), unequal
    larger = {name: size + 3 for name, size in unequal.items()}
    yield "larger: " + ", ".join(f"{k} = {v}" for k, v in larger.items()), larger


def _shared(data: list[Leaf]) -> list[str]:
    """Return the dimensions that all data have: the examples."""
    return [name for name in dict.fromkeys(data[0].dims if data else ()) if all(name in leaf.dims for leaf in data)]


def _unequal(base):
    return {name: UNEQUAL[k % len(UNEQUAL)] + k // len(UNEQUAL) for k, name in enumerate(base)}


def _changes(leaves: list[Leaf], rng) -> Iterator[tuple[str, Callable[[Leaf, np.ndarray], np.ndarray]]]:
    """Yield the values that are tried at unequal sizes: a name, and what becomes of a leaf's ordinary values."""

    def data(f):
        return lambda leaf, v: f(v) if not leaf.parameter and leaf.look in ("numbers", "share") else v

    def parameters(f):
        return lambda leaf, v: f(v) if leaf.parameter else v

    def numbers(f):
        return lambda leaf, v: f(v) if leaf.parameter or leaf.look in ("numbers", "share") else v

    def first_zero(v):
        v[..., 0] = 0
        return v

    def first_row_zero(v):
        v[0] = 0
        return v

    def vectors_zero(leaf, v):
        return 0 * v if leaf.parameter and v.ndim <= 1 else v

    def on_the_kink(leaf, v):
        return vectors_zero(leaf, v) if leaf.parameter else data(first_row_zero)(leaf, v)

    def soft(leaf, v):
        if leaf.parameter or leaf.look not in ("one-hot", "one-hot columns", "zeros and ones", "share"):
            return v
        return np.round(0.7 * v + rng.uniform(0.05, 0.3, v.shape), 3)

    def levels(v):
        return np.round(v)

    yield "negated", data(np.negative)
    yield "a feature exactly zero", data(first_zero)
    yield "an example exactly zero, vectors of parameters zero", on_the_kink
    yield "all data zero", data(lambda v: 0 * v)
    yield "all parameters zero", parameters(lambda v: 0 * v)
    yield "all data tied", data(lambda v: np.full_like(v, 0.5))
    yield "whole numbers", numbers(levels)
    yield "data of two values", data(lambda v: (v > np.median(v)).astype(float) if v.size else v)
    yield "all within 1e-3 of zero", numbers(lambda v: 1e-3 * v)
    yield "data within 1e-3 of zero", lambda leaf, v: data(lambda v: 1e-3 * v)(leaf, vectors_zero(leaf, v))
    for factor in (20, 1000):
        yield f"data x {factor}", data(lambda v, factor=factor: factor * v)
    yield "parameters x 20", parameters(lambda v: 20 * v)
    for k, leaf in enumerate(leaves):
        if leaf.parameter and leaf.look != "fixed" and len(leaf.dims) > 1:
            yield f"parameter {k} x 20", lambda other, v, leaf=leaf: 20 * v if other is leaf else v
    if any(leaf.look in ("one-hot", "one-hot columns", "zeros and ones", "share") for leaf in leaves):
        yield "labels that do not sum to 1", soft


def _drawn(leaf, base, sizes, rng, change):
    """Return a leaf at other sizes, with values like those of the example, changed."""
    if leaf.look == "fixed":
        return leaf.value
    shape = tuple(_evaluate(word, sizes) for word in leaf.dims)
    like = np.asarray(leaf.value)
    values = _like(like, shape, leaf, base, sizes, rng)
    if change is not None and jnp.issubdtype(like.dtype, jnp.floating):
        values = change(leaf, values)
    values = values.astype(like.dtype)
    return jnp.asarray(values) if isinstance(leaf.value, jax.Array) else values


def _like(like, shape, leaf, base, sizes, rng):
    if leaf.look == "whole":
        above = [name for name, size in base.items() if size > like.max()]
        known = min((base[name] for name in above), default=None)
        top = next((sizes[name] - 1 for name in above if base[name] == known), int(like.max()))
        return rng.integers(min(int(like.min()), top), min(int(like.max()), top) + 1, shape)
    if leaf.look in ("one-hot", "one-hot columns"):
        axis = -1 if leaf.look == "one-hot" else 0
        chosen = rng.integers(0, shape[axis], shape[:-1] if axis == -1 else shape[1:])
        return np.moveaxis(np.eye(shape[axis])[chosen], -1, axis)
    if leaf.look == "zeros and ones":
        return (rng.random(shape) < max(0.2, min(0.8, like.mean()))).astype(float)
    if leaf.look == "share":
        return rng.uniform(0, max(float(like.max()), 1e-6), shape)
    values = np.asarray(like, float)
    spread = float(values.std()) or float(np.abs(values).max()) or 0.5
    return rng.normal(values.mean() if not leaf.parameter else 0.0, spread, shape)


def _look(value):
    """Return what an array's values are like, and so what may take their place."""
    values = np.asarray(value)
    if not values.size:
        return "fixed"
    if jnp.issubdtype(values.dtype, jnp.integer) or values.dtype == bool:
        return "whole"
    if not jnp.issubdtype(values.dtype, jnp.floating):
        return "fixed"
    values = values.astype(float)
    if np.all((values == 0) | (values == 1)) and values.ndim and not np.all(values == values.flat[0]):
        if values.ndim > 1 and values.shape[-1] > 1 and np.all(values.sum(-1) == 1):
            return "one-hot"
        if values.ndim > 1 and values.shape[0] > 1 and np.all(values.sum(0) == 1):
            return "one-hot columns"
        return "zeros and ones"
    return "share" if np.all((values >= 0) & (values <= 1)) and not np.all(values == values.flat[0]) else "numbers"


def _axes(args, values, structure, dims):
    """Return the dimension of each axis of each leaf; () for what stays as it is."""
    arrays = [isinstance(v, jax.Array | np.ndarray) and np.ndim(v) > 0 and not _is_key(v) for v in values]
    if dims is None or isinstance(dims, Mapping):
        names = {size: name for name, size in dims.items()} if dims else {}
        if dims and len(names) < len(dims):
            raise InvalidArgument(
                f"dims: got equal sizes, {dict(dims)}, expected an example with sizes that tell apart"
            )

        def word(size):
            return names.get(size, str(size)) if dims else f"d{size}"

        return [tuple(word(n) for n in np.shape(v)) if a else () for v, a in zip(values, arrays, strict=True)]
    require(len(dims) == len(args), "dims", f"{len(dims)} entries", f"one for each of the {len(args)} arguments")
    words = []
    for arg, spec in zip(args, dims, strict=True):
        inner = jax.tree.structure(arg)
        if spec is None:
            words += [""] * inner.num_leaves
        elif isinstance(spec, str):
            words += [spec] * inner.num_leaves
        else:
            given = jax.tree.structure(spec, is_leaf=lambda s: s is None or isinstance(s, str))
            require(given == inner, "dims", given, f"the structure of the argument, {inner}")
            words += jax.tree.leaves(spec, is_leaf=lambda s: s is None or isinstance(s, str))
    found = [tuple((word or "").replace(",", " ").split()) for word in words]
    for names, value in zip(found, values, strict=True):
        require(
            not names or len(names) == np.ndim(value), "dims", " ".join(names), f"{np.ndim(value)} words, one an axis"
        )
    return [names if array else () for names, array in zip(found, arrays, strict=True)]


def _base(values, axes):
    """Return the size of each named dimension in the example."""
    base: dict[str, int] = {}
    for value, words in zip(values, axes, strict=True):
        for word, size in zip(words, np.shape(value), strict=False):
            name, factor = _single(word)
            if name and size % factor == 0:
                known = base.setdefault(name, size // factor)
                seen = f"{known} and {size // factor} in the example"
                require(known * factor == size, f"dims: {name}", seen, "one size for each name")
    for value, words in zip(values, axes, strict=True):
        for word, size in zip(words, np.shape(value), strict=False):
            require(_evaluate(word, base) == size, f"dims: {word}", f"size {size}", f"{_evaluate(word, base)}")
    return base


def _single(word):
    """Return the name and the factor of a word such as "h", "4*h" or "d8"; no name for others."""
    if word.isidentifier():
        return word, 1
    factor, _, name = word.partition("*")
    return (name, int(factor)) if factor.isdigit() and name.isidentifier() else ("", 1)


def _evaluate(word, sizes):
    """Return the size that a word stands for: names, whole numbers, + - * //."""

    def value(node):
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.Name) and node.id in sizes:
            return sizes[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        raise InvalidArgument(f"dims: got {word!r}, expected names of {sorted(sizes)}, whole numbers, + - * //")

    try:
        return value(ast.parse(word, mode="eval").body)
    except SyntaxError:
        raise InvalidArgument(f"dims: got {word!r}, expected a name, a whole number or a product of them") from None


def _is_key(value):
    return jnp.issubdtype(value.dtype, jax.dtypes.prng_key) or (value.dtype == np.uint32 and np.ndim(value) == 1)
