"""Runs lines of the language on NumPy arrays of float64: by tables of its own, within bounds of size and of work."""

import ast
import operator
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import numpy as np

from jaxnn.backprop import language
from jaxnn.backprop.language import Line, function_of
from jaxnn.errors import InvalidArgument

ENTRIES, AXES, WORK, POWER = 20_000, 4, 2_000_000, 64  # of an array, of its axes, of a product, of an exponent
BINARY: dict[type, Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
COMPARE: dict[type, Callable[..., Any]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
ELEMENTWISE: dict[str, Callable[..., Any]] = {
    **{"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "abs": np.abs},
    **{"maximum": np.maximum, "where": lambda c, a, b: np.where(c != 0, a, b)},
}
REDUCE: dict[str, Callable[..., Any]] = {"sum": np.sum, "mean": np.mean, "max": np.max}

Scope = Mapping[Any, Any]


def run(lines: list[Line], scope: MutableMapping[str, Any]) -> None:
    """Run lines in their order; the variables that they assign are in `scope` then."""
    for line in lines:
        assign(line, scope)


@np.errstate(all="ignore")
def assign(line: Line, scope: MutableMapping[str, Any]) -> None:
    """Run one line. Arrays that were in the scope before are not written into: the variable is a new one."""
    if line.value is None:
        raise InvalidArgument(f"{line.name}: got nothing behind the =, expected a formula")
    value = evaluate(line.value, scope)
    if line.index is None and not line.adds:
        scope[line.name] = value
        return
    if line.name not in scope:
        raise InvalidArgument(
            f"{line.name}: got no value yet, expected one before {line.text.split('=')[0]}=; start it with = zeros(...)"
        )
    whole = np.array(scope[line.name], np.float64)
    if line.index is None:
        scope[line.name] = _binary(ast.Add(), whole, line.adds * value)
        return
    place = _index(line.index)
    part = _taken(line.name, whole, place)
    if np.ndim(value) > np.ndim(part) or _stretched(np.shape(part), np.shape(value), line.text) != np.shape(part):
        raise InvalidArgument(
            f"{line.text.split('=')[0].strip()}: got shape {np.shape(value)}, expected {np.shape(part)}"
        )
    whole[place] = part + line.adds * value if line.adds else value
    scope[line.name] = whole


@np.errstate(all="ignore")
def evaluate(node: ast.expr, scope: Scope) -> Any:
    """Return the value of a formula that `language` has let through: a float64 or an array of them.

    A scope has the values of names; of nodes of the formula that are known already it may have theirs too.
    """
    return _value(node, scope)


def _value(node: ast.expr, scope: Scope) -> Any:
    if node in scope:
        return scope[node]
    match node:
        case ast.Constant():
            return np.float64(node.value)  # pyright: ignore[reportArgumentType]
        case ast.Name():
            if node.id not in scope:
                names = [name for name in scope if isinstance(name, str)]
                meant = next(
                    (f"{name}, or another of " for name in names if name.lower() == node.id.lower()), "one of "
                )
                known = ", ".join(names)
                raise InvalidArgument(
                    f"{node.id}: got no value, expected {meant}{known} or a line above that assigns it"
                )
            return scope[node.id]
        case ast.BinOp():
            return _binary(node.op, _value(node.left, scope), _value(node.right, scope), node)
        case ast.UnaryOp():
            value = _value(node.operand, scope)
            return -value if isinstance(node.op, ast.USub) else value
        case ast.Compare():
            left, right = _value(node.left, scope), _value(node.comparators[0], scope)
            _stretched(np.shape(left), np.shape(right), node)
            return _float(COMPARE[type(node.ops[0])](left, right))
        case ast.Attribute():
            return np.transpose(_value(node.value, scope))
        case ast.Subscript(value=ast.Attribute(attr="shape", value=of)):
            shape, axis = np.shape(_value(of, scope)), language.whole(node.slice) or 0
            if not -len(shape) <= axis < len(shape):
                raise InvalidArgument(f"{_said(node)}: got axis {axis}, expected one of the shape {shape}")
            return np.float64(shape[axis])
        case ast.Subscript():
            return _taken(node.value, _value(node.value, scope), _index(node.slice))
        case ast.Call():
            return _call(node, scope)
    raise InvalidArgument(f"{_said(node)}: got {type(node).__name__}, expected a formula")


def _binary(op, left, right, node=None):
    if isinstance(op, ast.MatMult):
        return _product(left, right, node)
    _stretched(np.shape(left), np.shape(right), node)
    if isinstance(op, ast.Pow) and np.size(right) and np.max(np.abs(right)) > POWER:
        raise InvalidArgument(f"{_said(node)}: got the exponent {np.max(np.abs(right)):g}, expected at most {POWER}")
    return BINARY[type(op)](left, right)


def _product(left, right, node):
    a, b = np.shape(left), np.shape(right)
    if not 1 <= len(a) <= 2 or not 1 <= len(b) <= 2:
        raise InvalidArgument(
            f"{_said(node)}: got shapes {a} and {b}, expected matrices; numbers are multiplied with *"
        )
    if a[-1] != b[0]:
        advice = ""
        if isinstance(node, ast.BinOp):
            of_left, of_right = _said(node.left), _said(node.right)
            if len(a) == 2 and a[0] == b[0]:
                advice = f"; {of_left}.T @ {of_right} would go"
            elif len(b) == 2 and a[-1] == b[1]:
                advice = f"; {of_left} @ {of_right}.T would go"
        raise InvalidArgument(f"{_said(node)}: got shapes {a} and {b}, expected {a[-1]} and {b[0]} to be equal{advice}")
    if np.size(left) * (b[1] if len(b) == 2 else 1) > WORK:
        raise InvalidArgument(f"{_said(node)}: got shapes {a} and {b}, expected smaller ones")
    return _bounded(np.matmul(left, right), node)


def _call(node: ast.Call, scope: Scope):
    name, before = function_of(node)
    nodes = [*([before] if before is not None else []), *node.args]
    if name == "zeros":
        sizes = language.sizes_of(nodes) or []
        _check_shape(sizes, node)
        return np.zeros(sizes)
    if name == "reshape":
        return _reshaped(_value(nodes[0], scope), language.sizes_of(nodes[1:]) or [], node)
    if name == "pad":
        value, width = _value(nodes[0], scope), language.whole(nodes[1]) or 0
        _check_shape([n + 2 * width for n in np.shape(value)], node)
        return np.pad(value, width)
    if name in REDUCE:
        options = {keyword.arg: keyword.value for keyword in node.keywords}
        axis = options.get("axis", nodes[1] if len(nodes) > 1 else None)
        keep = options.get("keepdims")
        return _reduced(
            name, _value(nodes[0], scope), axis, isinstance(keep, ast.Constant) and keep.value is True, node
        )
    values = [_value(value, scope) for value in nodes]
    shape = np.shape(values[0])
    for value in values[1:]:
        shape = _stretched(shape, np.shape(value), node)
    return _float(ELEMENTWISE[name](*values))


def _reduced(name, value, axis, keepdims, node):
    axes = None if axis is None else language.axis_of(axis)
    shape = np.shape(value)
    listed = list(range(len(shape))) if axes is None else [axes] if isinstance(axes, int) else list(axes)
    if any(not -len(shape) <= one < len(shape) for one in listed) or len(
        {one % max(len(shape), 1) for one in listed}
    ) < len(listed):
        raise InvalidArgument(f"{_said(node)}: got axis {axes}, expected one of the shape {shape}")
    if name == "max" and any(shape[one] == 0 for one in listed):
        raise InvalidArgument(f"{_said(node)}: got nothing, expected at least one number")
    return _float(REDUCE[name](value, axis=axes, keepdims=keepdims)) if np.size(value) else np.float64(0)


def _reshaped(value, sizes, node):
    size, known = np.size(value), int(np.prod([n for n in sizes if n != -1], dtype=object))
    fits = sizes.count(-1) <= 1 and all(n >= -1 for n in sizes) and len(sizes) <= AXES
    fits = fits and (known == size if -1 not in sizes else known > 0 and size % known == 0)
    if not fits:
        raise InvalidArgument(f"{_said(node)}: got {size} numbers, expected a shape for as many, not {tuple(sizes)}")
    return np.reshape(value, sizes)


def _index(node: ast.expr) -> tuple:
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    bounds = operator.attrgetter("lower", "upper", "step")
    return tuple(
        slice(*(language.whole(bound) for bound in bounds(part)))
        if isinstance(part, ast.Slice)
        else language.whole(part)
        for part in parts
    )


def _taken(of, value, place):
    shape, axes = np.shape(value), [one for one in place if one is not None]

    def refused(got):
        return InvalidArgument(f"{_said(of)}[...]: got {got}")

    if len(axes) > len(shape) or np.ndim(value) + len(place) - len(axes) > AXES:
        raise refused(f"{len(place)} indices, expected at most {len(shape)}, the axes of {_said(of)}")
    for size, one in zip(shape, axes, strict=False):
        if isinstance(one, int) and not -size <= one < size:
            raise refused(f"the index {one}, expected 0 to {size - 1}; {_said(of)} has shape {shape}")
        if isinstance(one, slice) and one.step == 0:
            raise refused("a step of 0, expected 1 or more")
    return np.asarray(value)[place] if np.ndim(value) else np.asarray(value)[place] + 0.0


def _stretched(a, b, node):
    if a == b or not b:
        return a
    try:
        shape = np.broadcast_shapes(a, b)
    except ValueError:
        raise InvalidArgument(
            f"{_said(node)}: got shapes {a} and {b}, expected equal ones, or axes of 1 to be stretched"
        ) from None
    _check_shape(shape, node)
    return shape


def _check_shape(sizes, node):
    entries = 1
    for size in sizes:
        entries *= size  # a Python integer: it does not overflow
    if any(size < 0 for size in sizes) or entries > ENTRIES or len(sizes) > AXES:
        raise InvalidArgument(
            f"{_said(node)}: got shape {tuple(sizes)}, expected at most {AXES} axes and {ENTRIES} numbers"
        )


def _bounded(value, node):
    _check_shape(np.shape(value), node)
    return _float(value)


def _float(value):
    return np.asarray(value, np.float64) if np.ndim(value) else np.float64(value)


def _said(node) -> str:
    text = node if isinstance(node, str) else ast.unparse(node) if isinstance(node, ast.AST) else "the formula"
    return text if len(text) <= 48 else f"{text[:45]}..."
