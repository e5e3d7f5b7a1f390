"""The edits of a line, the likeliest first: what somebody may have meant who wrote it."""

import ast
import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from jaxnn.trace.expressions import parsed
from jaxnn.verify.diagnosis.edits.indexing import broadcasts, indices, layouts, permutations, slices
from jaxnn.verify.diagnosis.edits.statements import (
    SWAPPED,
    copies,
    renamed,
    statements,
    sums,
    swaps,
    targets,
    text,
    unpackings,
)
from jaxnn.verify.diagnosis.edits.structures import (
    TRIANGLES,
    called,
    conditions,
    counts,
    orders,
    projections,
    rounds,
    running,
    strides,
    too_much,
)
from jaxnn.verify.diagnosis.edits.wraps import FUNCTIONS, around, factors, forms, matrices, powers, products, signs
from jaxnn.verify.diagnosis.rewrite import put

ALIKE = [
    pair.split("/")
    for pair in (
        "sum/mean maximum/minimum max/min argmax/argmin sin/cos sinh/cosh sigmoid/tanh zeros_like/ones_like zeros/ones "
        "exp/log log/log1p exp/expm1 floor/ceil softplus/sigmoid relu/tanh var/std abs/sign square/sqrt multiply/add "
        "multiply/subtract dot/multiply any/all set/add logical_and/logical_or tril/triu cumsum/cumprod sum/prod "
        "real/imag hstack/vstack sort/argsort arcsin/arccos greater/less"
    ).split()
]
OPERANDS = (ast.Name, ast.BinOp, ast.Call, ast.Attribute, ast.Subscript)
REDUCTIONS = ("sum", "mean", "max", "min", "prod", "argmax", "argmin", "flip", "roll", "cumsum", "expand_dims")
SIZE = re.compile(r"([\w.]+)\.(?:size|shape\[-?\d\])|len\(([\w.]+)\)")
AXES = (0, 1, 2, 3, -1, -2, None)


class Edit(NamedTuple):
    """The changed `tree`, and what is changed in words; `inside` where nothing is put around a part.

    `rank` is the kind of the change: the smaller, the likelier.
    """

    tree: Any
    why: str
    inside: bool
    rank: int


def edits(
    root: ast.AST,
    arrays: Sequence[str],
    numbers: Sequence[str],
    *,
    containers: Collection[str] = (),
    functions: Sequence[str] = (),
    parts: Sequence[str] = (),
    fixed: Collection[ast.AST] = (),
    library: str = "np",
) -> Iterator[Edit]:
    """Yield an expression or a statement with one thing changed, the likeliest first.

    `arrays`, `numbers`, `containers`, such as lists, and `functions` of one argument are what has a name there, `parts`
    the pieces of arrays that are cut out there, `library` the name of NumPy. What is `fixed` is no array: it gets no
    power and no factor, since a whole number may be the shape of an array, which would take all the memory.
    """
    nodes = [node for node in ast.walk(root) if isinstance(node, ast.expr) and _is_read(node)]
    operands = [node for node in nodes if isinstance(node, OPERANDS) and node not in fixed]
    whole = [node for node in nodes if node in fixed and (isinstance(node, ast.BinOp) or ast.unparse(node) in numbers)]
    stages = [
        *((change, [root], True) for change in (statements, sums, copies, unpackings, conditions, too_much)),
        *(
            (change, nodes, True)
            for change in (*INSIDE, permutations(library), _others(containers), _others(functions))
        ),
        (powers, operands, True),
        (_everywhere, [root], True),
        (_index_everywhere, nodes, True),
        (targets, [root], True),
        *((change, whole, True) for change in (counts(parts), strides)),
        (layouts, nodes, True),
        (indices, [node for node in ast.walk(root) if isinstance(node, ast.Subscript)], True),
        (signs, nodes, False),
        *((change, operands[:1], False) for change in (factors, products)),  # of all of it first
        (around(FUNCTIONS, library), operands, False),
        (called(functions), operands, False),
        (around(TRIANGLES, library), operands, False),
        (factors, operands[1:], False),
        (matrices, operands, False),
        (forms, nodes, False),
        (projections, operands, False),
    ]
    for rank, (change, places, inside) in enumerate(stages):
        for node in places:
            for new, why in change(node, arrays, numbers):
                said = why if why and not why.startswith(":") else f"{text(node)} should be {text(new)}{why}"
                yield Edit(put(node, new, root), said, inside, rank)


def _is_read(node):
    return not isinstance(node, ast.Slice) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


def _named(node, arrays, numbers):
    """Yield a number that has a name in the place of one that is written out."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        for name in numbers:
            other = parsed(name)
            yield other, f"{text(node)} should be `{name}`, which is not {node.value} in every step or at every size"


def _axes(node, arrays, numbers):
    """Yield a call with another axis."""
    if not isinstance(node, ast.Call):
        return
    called = ast.unparse(node.func).rsplit(".", 1)[-1]
    for k, keyword in enumerate(node.keywords):
        if keyword.arg == "axis":
            for axis in AXES:
                keywords = [*node.keywords[:k], ast.keyword("axis", parsed(str(axis))), *node.keywords[k + 1 :]]
                new = ast.Call(node.func, node.args, keywords)
                was = ast.unparse(keyword.value)
                yield new, f"`{called}` is over the wrong axis: `axis={was}` should be `axis={axis}`"
    last = node.args[-1] if node.args else None
    if called in REDUCTIONS and isinstance(last, ast.Constant | ast.UnaryOp | ast.Tuple):
        for axis in AXES:
            new = ast.Call(node.func, [*node.args[:-1], parsed(str(axis))], node.keywords)
            yield new, f"`{called}` is over the wrong axis: {text(last)} should be `{axis}`"


def _operators(node, arrays, numbers):
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield node.operand, f"the sign of {text(node)} is wrong: write {text(node.operand)}"
    if isinstance(node, ast.BinOp):
        for other in SWAPPED.get(type(node.op), ()):
            yield ast.BinOp(node.left, other(), node.right), f": {_operator(node.op, other)}"
        if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult | ast.Pow):
            new = ast.BinOp(node.right, node.op, node.left)
            yield new, f"{text(node)} has its operands swapped: write {text(new)}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.FloorDiv):
        other = ast.FloorDiv() if isinstance(node.op, ast.Mod) else ast.Mod()
        for name in numbers:
            whole = parsed(name)
            new = ast.BinOp(node.left, other, ast.BinOp(whole, ast.FloorDiv(), node.right))
            yield new, ": groups lie side by side, or take turns"
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in SWAPPED.get(type(node.ops[0]), ()):
            yield ast.Compare(node.left, [other()], node.comparators), ": a mask inverted, or wrong at its edge"


def _groupings(node, arrays, numbers):
    """Yield a product with a sum, a sum with a product, or a function's value, with the parentheses elsewhere."""
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.BinOp):  # f(a + b) and f(a) + b
        inside, rest = node.args[0], node.args[1:]
        first, second = (ast.Call(node.func, [part, *rest], node.keywords) for part in (inside.left, inside.right))
        for pair in ((first, inside.right), (inside.left, second)):
            other = ast.BinOp(pair[0], inside.op, pair[1])
            yield other, ": the parentheses stand elsewhere, one goes around it"
    if not isinstance(node, ast.BinOp):
        return
    products, sums_ = ast.Mult | ast.Div, ast.Add | ast.Sub
    left, right, new = node.left, node.right, []
    if isinstance(node.op, products):
        if isinstance(right, ast.BinOp) and isinstance(right.op, sums_):
            new.append(ast.BinOp(ast.BinOp(left, node.op, right.left), right.op, right.right))
            new.append(ast.BinOp(right.left, right.op, ast.BinOp(left, node.op, right.right)))
        if isinstance(left, ast.BinOp) and isinstance(left.op, sums_):
            new.append(ast.BinOp(left.left, left.op, ast.BinOp(left.right, node.op, right)))
            new.append(ast.BinOp(ast.BinOp(left.left, node.op, right), left.op, left.right))
    elif isinstance(node.op, sums_):
        if isinstance(left, ast.BinOp) and isinstance(left.op, products):
            new.append(ast.BinOp(left.left, left.op, ast.BinOp(left.right, node.op, right)))
        if isinstance(right, ast.BinOp) and isinstance(right.op, products):
            new.append(ast.BinOp(ast.BinOp(left, node.op, right.left), right.op, right.right))
    if isinstance(left, ast.Call) and len(left.args) == 1:  # f(a) * b and f(a * b)
        new.append(ast.Call(left.func, [ast.BinOp(left.args[0], node.op, right)], left.keywords))
    yield from ((other, ": the parentheses stand elsewhere") for other in new)


def _everywhere(node, arrays, numbers):
    """Yield a statement with another name, or a transpose, in all the places of a name that comes several times."""
    names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        known = next((list(some) for some in (arrays, numbers) if name in some), [])
        for other in [f"{name}.T"] * (name in arrays) + [other for other in known if other != name]:
            new = renamed(node, {name: parsed(other)})
            yield new, f"`{name}` should be `{other}` in all of {text(node)}"


def _index_everywhere(node, arrays, numbers):
    """Yield a product with another number in all the places of one that several of its factors are indexed by."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult | ast.Div | ast.MatMult):
        return
    indexed = [n.slice for n in ast.walk(node) if isinstance(n, ast.Subscript)]
    inside = dict.fromkeys(n for index in indexed for n in ast.walk(index))  # of an index in an index once
    places = [n for n in inside if isinstance(n, ast.Constant) and type(n.value) is int]
    times = Counter(int(str(place.value)) for place in places)
    for value in (value for value, count in times.items() if count > 1):
        for other in dict.fromkeys((value + 1, value - 1, 0, 1, 2, 3)):
            if other >= 0 and other != value:
                new: Any = node
                for place in (place for place in places if place.value == value):
                    new = put(place, ast.Constant(other), new)
                yield new, f"the index {value} should be {other} in all of {text(node)}"


def _removals(node, arrays, numbers):
    """Yield one operand in the place of an operation."""
    if not isinstance(node, ast.BinOp):
        return
    what = {ast.Add: "term", ast.Sub: "term", ast.Mult: "factor", ast.Div: "divisor", ast.MatMult: "factor"}
    for kept, left in ((node.left, node.right), (node.right, node.left)):
        word = "exponent" if isinstance(node.op, ast.Pow) else what.get(type(node.op), "operand")
        yield kept, f"the {word} {text(left)} is too much: write {text(kept)} in place of {text(node)}"
    if isinstance(node.op, ast.Add | ast.Sub):
        new = ast.UnaryOp(ast.USub(), node.right if isinstance(node.op, ast.Sub) else node.left)
        yield new, ": a term too much"


def _operator(old, new):
    if {type(old), new} == {ast.Add, ast.Sub}:
        return "the sign of a term is wrong"
    return (
        "multiplied where it should be divided" if isinstance(old, ast.Mult) and new is ast.Div else "another operation"
    )


def _constants(node, arrays, numbers):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant):
        for other, _ in _constants(node.right, arrays, numbers):
            new = ast.BinOp(node.left, ast.Pow(), other)
            yield new, f"the power of {text(node.left)} is wrong: {text(node)} should be {text(new)}"
    if isinstance(node, ast.Tuple) and all(isinstance(part, ast.Constant) for part in node.elts):
        for k in range(len(node.elts)):
            new = ast.Tuple(node.elts[:k] + node.elts[k + 1 :], ast.Load())
            yield new, ": an axis too many"
        values = [part.value for part in node.elts if isinstance(part, ast.Constant)]
        if len(values) > 1 and all(type(value) is int and value in AXES for value in values):
            yield from (
                (parsed(str(other)), ": the wrong axes") for other in itertools.combinations(range(4), len(values))
            )
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return
    others: list[Any] = []
    if isinstance(value, bool):
        others = [not value]
    elif isinstance(value, int):
        others = [*(n for n in (0, 1, 2, 3, -1, -2, value + 1, value - 1, -value, 2 * value) if n != value), None]
    elif isinstance(value, float):
        others = [-value, 1 - value, value / 2, 2 * value, 1.0, 0.0, 0.5, 2.0, value**2, abs(value) ** 0.5]
    elif isinstance(value, str) and "->" in value:
        others = list(_subscripts(value))
    for other in dict.fromkeys(others):
        if other != value or type(other) is not type(value):
            what = ": axes in another order, as transposed" if isinstance(value, str) else ""
            if not isinstance(value, str | bool) and other == -value:
                what = ": the sign is wrong"
            yield ast.Constant(other), what


def _subscripts(value):
    """Yield an einsum's subscripts with two letters exchanged in one operand, or in the result."""
    before, _, after = value.partition("->")
    parts = [*before.split(","), after]
    for k, part in enumerate(parts):
        for letters in swaps(part):
            changed = [*parts[:k], "".join(letters), *parts[k + 1 :]]
            yield ",".join(changed[:-1]) + "->" + changed[-1]


def _sizes(node, arrays, numbers):
    if isinstance(node, ast.Attribute | ast.Subscript | ast.Call) and (size := SIZE.fullmatch(ast.unparse(node))):
        of = size[1] or size[2]
        rows = f"{of}.size // {of}.shape[-1]"  # of all axes but the last
        for other in (f"{of}.shape[0]", f"{of}.shape[1]", f"{of}.shape[-1]", f"{of}.size", rows):
            yield parsed(other), ": another size"


def _others(containers):
    """Return how a container of that kind is put in the place of another."""

    def change(node, arrays, numbers):
        if isinstance(node, ast.Name | ast.Attribute) and (called := ast.unparse(node)) in containers:
            for other in containers:
                if other != called:
                    yield parsed(other), f"`{called}` in place of `{other}`: write `{other}`"

    return change


def _names(node, arrays, numbers):
    if isinstance(node, ast.Name):
        for known in (arrays, numbers):
            if node.id in known:
                for other in known:
                    if other != node.id:
                        yield parsed(other), f"`{node.id}` in place of `{other}`: write `{other}`"
        if node.id in numbers:
            for add in (-1, 1):
                new = ast.BinOp(node, ast.Add() if add > 0 else ast.Sub(), ast.Constant(1))
                yield new, ": off by one"
    elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Load):
        called = ast.unparse(node)
        for known in (arrays, numbers):
            if called in known:
                for other in known:
                    if other != called:
                        yield parsed(other), f"`{called}` in place of `{other}`: write `{other}`"


def _calls(node, arrays, numbers):
    if not isinstance(node, ast.Call):
        return
    called = ast.unparse(node.func).rsplit(".", 1)[-1]
    for other in (b if called == a else a for a, b in ALIKE if called in (a, b)):
        func = parsed(ast.unparse(node.func).removesuffix(called) + other)
        new = ast.Call(func, node.args, node.keywords)
        yield new, f"`{called}` in place of `{other}`: write {text(new)}"
    func = node.func
    kept = [func.value] if isinstance(func, ast.Attribute) and not _is_module(func.value) else []
    for part in kept + node.args[:2]:
        what = " is a cast, which rounds, and" if called == "astype" else ""
        yield part, f"`{called}`{what} is too much: write {text(part)} in place of {text(node)}"
    for args in swaps(node.args):
        new = ast.Call(node.func, args, node.keywords)
        yield new, f"{text(node)} has its arguments swapped: write {text(new)}"
    for k, keyword in enumerate(node.keywords):
        new = ast.Call(node.func, node.args, node.keywords[:k] + node.keywords[k + 1 :])
        yield new, f"`{keyword.arg}` is too much: write {text(new)}"
    if called.endswith("_like") and not any(keyword.arg == "dtype" for keyword in node.keywords):
        new = ast.Call(node.func, node.args, [*node.keywords, ast.keyword("dtype", ast.Name("float", ast.Load()))])
        yield new, f"{text(node)} has its argument's dtype, which may be one of whole numbers: write {text(new)}"
    for arg in ("0", "1", "-1"):
        if not any(keyword.arg == "axis" for keyword in node.keywords):
            keywords = [*node.keywords, ast.keyword("axis", parsed(arg))]
            new = ast.Call(node.func, node.args, keywords)
            yield new, ": over one axis, not over all"


def _is_module(node):
    return (
        isinstance(node, ast.Name)
        and node.id in ("np", "jnp", "jax", "numpy", "lax", "math")
        or (isinstance(node, ast.Attribute) and _is_module(node.value))
    )


def _transposes(node, arrays, numbers):
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value, f"{text(node)} should not be transposed: write {text(node.value)}"
    elif isinstance(node, ast.Name | ast.Subscript | ast.Attribute | ast.BinOp):
        new = ast.Attribute(node, "T", ast.Load())
        yield new, f"{text(node)} should be transposed: write {text(new)}"
        new = ast.Call(ast.Attribute(node, "swapaxes", ast.Load()), [parsed("-1"), parsed("-2")], [])
        yield new, f"{text(node)} should be transposed: write {text(new)}"
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("transpose", "swapaxes")
    ):
        yield node.func.value, f"{text(node)} should not be transposed: write {text(node.func.value)}"
        numbers_ = [arg for arg in node.args if isinstance(arg, ast.Constant)]
        if len(numbers_) == len(node.args) > 2:
            for order in itertools.permutations(node.args):
                yield ast.Call(node.func, list(order), []), ": transposed otherwise"


INSIDE = (
    *(rounds, _operators, _axes, slices, broadcasts, running, _removals, _constants, _transposes, _named, _groupings),
    *(_calls, orders, _sizes, _names),
)
