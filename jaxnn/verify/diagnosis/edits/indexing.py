"""Edits of an index: a slice, an offset, neighbours or turns, an axis to broadcast along, an inverse permutation."""

import ast
import itertools
from collections import Counter
from collections.abc import Sequence

from jaxnn.trace.expressions import parsed
from jaxnn.verify.diagnosis.edits.statements import Change, Changes, renamed, text
from jaxnn.verify.diagnosis.edits.structures import plus
from jaxnn.verify.diagnosis.rewrite import put


def slices(node: ast.AST, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield an array without its index, with a slice left out or its other end, or with an index off by one."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load):
        return
    backwards = ": it is in reverse order" if "::-1" in ast.unparse(node.slice) else ""
    yield node.value, f"the index of {text(node)} is too much: write {text(node.value)}{backwards}"
    for k, part in enumerate(_parts(node)):
        if isinstance(part, ast.Slice):
            yield _with_part(node, k, ast.Slice()), ": a part is left out, or in another order"
            if (part.lower is None) != (part.upper is None) and part.step is None:
                at = part.lower or part.upper or ast.Constant(1)
                bound = at.operand if isinstance(at, ast.UnaryOp) else ast.UnaryOp(ast.USub(), at)  # x[1:] and x[:-1]
                other = ast.Slice(None, bound) if part.lower is not None else ast.Slice(bound)
                yield _with_part(node, k, other), ": the other end is left out"
            yield from ((_with_part(node, k, new), ": off by one") for new in _moved(part))
        elif not isinstance(part, ast.Constant | ast.Call):
            yield from ((_with_part(node, k, plus(part, by)), ": off by one") for by in (-1, 1))


def _parts(node: ast.Subscript) -> list[ast.expr]:
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]


def _with_part(node: ast.Subscript, k: int, new: ast.expr) -> ast.Subscript:
    """Return a part of an array with another index along one axis."""
    parts = [*_parts(node)[:k], new, *_parts(node)[k + 1 :]]
    return ast.Subscript(node.value, ast.Tuple(parts, ast.Load()) if len(parts) > 1 else new, ast.Load())


def _moved(part: ast.Slice) -> list[ast.Slice]:
    """Return a slice between two numbers one place further on, and one before: x[2:] and x[:-2] for x[1:-1]."""
    if part.lower is None or part.upper is None or part.step is not None:
        return []
    try:
        low, high = (int(ast.unparse(bound)) for bound in (part.lower, part.upper))
    except ValueError:  # no numbers
        return []
    pairs = [(low + by, high + by) for by in (-1, 1) if low + by >= 0 and (high < 0) == (high + by < 0 or high == -1)]
    return [ast.Slice(ast.Constant(a) if a else None, _whole(b) if b else None) for a, b in pairs]


def _whole(number: int) -> ast.expr:
    return ast.UnaryOp(ast.USub(), ast.Constant(-number)) if number < 0 else ast.Constant(number)


def layouts(node: ast.expr, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield a slice that takes neighbours in the place of one that takes every so many, and the other way round."""
    if not isinstance(node, ast.Subscript):
        return
    for k, part in enumerate(_parts(node)):
        if not isinstance(part, ast.Slice) or part.lower is None:
            continue
        for name in numbers:
            n, new = parsed(name), None
            if part.step is not None and part.upper is None:
                first = ast.BinOp(part.lower, ast.Mult(), n)
                new = ast.Slice(first, ast.BinOp(first, ast.Add(), n))
            elif part.step is None and isinstance(part.lower, ast.BinOp) and isinstance(part.lower.op, ast.Mult):
                new = ast.Slice(part.lower.left, None, n)
            if new is not None:
                yield _with_part(node, k, new), ": the layout is another, neighbours or in turns"


def indices(node: ast.AST, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield a part of an array with an offset, a number or a product of two, that its index lacks."""
    if not isinstance(node, ast.Subscript):
        return
    names = [name for name in numbers if name.isidentifier()]
    products = [f"{one} * {other}" for k, one in enumerate(names) for other in names[k:]]
    totals = [part for part in ast.walk(node.slice) if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add)]
    for total in [*totals[:1], *(part for part in ast.walk(node.slice) if isinstance(part, ast.Name))]:
        for offset in [*names, *products] if totals else names:
            other = put(total, ast.BinOp(total, ast.Add(), parsed(offset)), node)
            yield other, f"the offset `{offset}` is missing in the index of {text(node)}: write {text(other)}"
    counted = Counter(part.id for part in ast.walk(node.slice) if isinstance(part, ast.Name))
    for name, factor in itertools.product((name for name, times in counted.items() if times > 1), names):
        other = ast.Subscript(node.value, renamed(node.slice, {name: parsed(f"{name} * {factor}")}), ast.Load())
        yield other, f": the factor `{factor}` of its offset is missing"
    for offset in names:
        other = ast.Subscript(node.value, _shifted(node.slice, parsed(offset)), ast.Load())
        yield other, f": the offset `{offset}` of the part is missing"
    moved = [part for part in ast.walk(node.slice) if isinstance(part, ast.BinOp)]
    for index, form in itertools.product(moved[:2], ("max({i}, 0)", *(f"min({{i}}, {n} - 1)" for n in names))):
        other = put(index, parsed(form.format(i=ast.unparse(index))), node)
        yield other, ": at the border a negative index wraps, a large one is outside"


def _shifted(index: ast.expr, offset: ast.expr) -> ast.expr:
    """Return an index with its slices that end somewhere moved by an offset, a crop for example."""
    if isinstance(index, ast.Tuple):
        return ast.Tuple([_shifted(part, offset) for part in index.elts], ast.Load())
    if not isinstance(index, ast.Slice) or index.upper is None or index.step is not None:
        return index
    lower = offset if index.lower is None else ast.BinOp(offset, ast.Add(), index.lower)
    return ast.Slice(lower, ast.BinOp(offset, ast.Add(), index.upper))


def broadcasts(node: ast.AST, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield an array as a column, or as a row, which meets another one along another axis."""
    if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in arrays:
        for index, what in (("..., None", "a column, as keepdims leaves a sum"), ("None", "a row")):
            new = ast.Subscript(node, parsed(f"({index})"), ast.Load())
            yield new, f"{text(node)} should be {what}: {text(new)} is broadcast along the other axis"


def permutations(library: str) -> Change:
    """Return how a permutation is inverted: `argsort` says where things come from, its own `argsort` where they go."""

    def change(node: ast.expr, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name) and node.slice.id not in numbers:
            new = ast.Subscript(node.value, parsed(f"{library}.argsort({node.slice.id})"), ast.Load())
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("argsort"):
            new = parsed(f"{library}.argsort({ast.unparse(node)})")
        else:
            return
        yield new, ": the inverse of the permutation, which puts everything back"

    return change
