"""A level with the learner's backward pass as an R script in the lecture's style: forward, cost, backward, a step.

R does not stretch a row or a column over a matrix by itself, so the script says where that happens; it knows the shapes
from the level's numbers. There are numbers and matrices in it, as in the lecture, and no other arrays.
"""

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxnn.backprop import language
from jaxnn.backprop.export_python import checked
from jaxnn.backprop.interpreter import assign, evaluate
from jaxnn.backprop.language import Line, function_of
from jaxnn.backprop.level import Level
from jaxnn.errors import InvalidArgument

SCRIPT = """# {title} ({section}), from the page Backprop of jaxnn, with a backward pass of your own.
# Rscript {name} compares the gradient with differences of the cost, and takes some steps with it.

# a row, or a column, repeated to fill a matrix
rows <- function(v, n) matrix(v, nrow = n, ncol = length(v), byrow = TRUE)
columns <- function(v, n) matrix(v, nrow = length(v), ncol = n)
# a frame of zeros around a matrix
pad <- function(X, n) {{
  P <- matrix(0, nrow(X) + 2*n, ncol(X) + 2*n)
  P[n + seq_len(nrow(X)), n + seq_len(ncol(X))] <- X
  return( P )
}}

{numbers}

params <- list({params})

# run the input data forward through the network
forwardPropagation <- function(params)
{{
{unpacked}

{forward}

  return( list({cache}) )
}}

computeCost <- function(params) c(forwardPropagation(params)${cost})

# apply the chain rule working backwards through the network
backwardPropagation <- function(params, cache)
{{
{unpacked}
{cached}

{backward}

  return( list({gradient}) )
}}

# take a gradient descent step
updateParameters <- function(grads, params, learning_rate)
{{
  for (name in names(params)) params[[name]] <- params[[name]] - learning_rate * grads[[name]]
  return( params )
}}

# the largest gap between the gradient and differences of the cost; where it bends, slopes between both sides' are right
checkGradient <- function(params, h = 1e-5)
{{
  grads <- backwardPropagation(params, forwardPropagation(params))
  worst <- 0
  for (name in names(params)) for (k in seq_along(params[[name]])) {{
    up <- down <- params
    up[[name]][k] <- up[[name]][k] + h
    down[[name]][k] <- down[[name]][k] - h
    sides <- c(computeCost(params) - computeCost(down), computeCost(up) - computeCost(params)) / h
    bends <- abs(sides[2] - sides[1]) > 1e-3 * max(1, abs(sides))
    slope <- if (bends) min(max(grads[[name]][k], min(sides)), max(sides)) else mean(sides)
    worst <- max(worst, abs(slope - grads[[name]][k]) / max(1, abs(slope)))
  }}
  return( worst )
}}
cat("largest gap between the gradient and differences:", signif(checkGradient(params), 3), "\\n")

for (step in 0:{steps}) {{
  if (step %% {each} == 0) cat("step", step, "cost", computeCost(params), "\\n")
  grads <- backwardPropagation(params, forwardPropagation(params))
  params <- updateParameters(grads, params, {rate:g})
}}
"""
INK = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "^"}
KEPT = ", drop = FALSE"  # a part of a matrix stays a matrix
TAKEN = {"function", "next", "repeat", "NULL", "TRUE", "FALSE", "Inf", "NA", "NaN", "else", "while"}  # by R
PLAIN = ("exp", "log", "sqrt", "sin", "cos", "tanh", "abs")

Scope = Mapping[str, Any]


def as_r(level: Level, text: str) -> str:
    """Return the script; `InvalidArgument` where a line cannot be said in numbers and matrices."""
    lines = checked(level, text)
    if taken := [line for line in lines if line.name in TAKEN]:
        raise InvalidArgument(f"line {taken[0].number}: got the name {taken[0].name}, expected one that R leaves free")
    scope = {**level.params, **level.data}
    forward = _translated(level.forward, scope)
    backward = _translated(lines, scope)
    names = list(level.params)
    computed = list(dict.fromkeys(line.name for line in level.forward))
    return SCRIPT.format(
        title=level.title,
        section=level.section,
        name=f"{level.name}.R",
        numbers="\n".join(f"{name} <- {_matrix(value)}" for name, value in {**level.params, **level.data}.items()),
        params=", ".join(f"{name} = {name}" for name in names),
        unpacked="\n".join(f"  {name} <- params${name}" for name in names),
        forward=forward,
        backward=backward,
        cache=", ".join(f"{name} = {name}" for name in computed),
        cached="\n".join(f"  {name} <- cache${name}" for name in computed),
        gradient=", ".join(f"{name} = {level.gradient_name(name)}" for name in names),
        cost=level.cost,
        steps=level.training.steps,
        each=max(1, level.training.steps // 5),
        rate=level.training.rate,
    )


def _matrix(value) -> str:
    if not np.ndim(value):
        return f"{float(value):.15g}"
    array = np.asarray(value)
    entries = ", ".join(f"{v:.15g}" for v in array.ravel())
    return f"matrix(c({entries}), nrow = {array.shape[0]}, byrow = TRUE)"


def _translated(lines: list[Line], scope: dict[str, Any]) -> str:
    """Return lines in R; their values are in `scope` then."""
    return "\n".join(f"  {_line(line, scope)}" for line in lines)


def _line(line: Line, scope: dict[str, Any]) -> str:
    assert line.value is not None
    value, shape = _formula(line.value, scope), np.shape(evaluate(line.value, scope))
    place = line.name
    if line.index is not None:
        target = np.asarray(scope[line.name])
        place = f"{line.name}[{_index(line.index, target.shape, line.text).removesuffix(KEPT)}]"
        part = evaluate(ast.Subscript(ast.Name(line.name, ast.Load()), line.index, ast.Load()), scope)
        value = _stretched(value, shape, np.shape(part), line.text)
    elif line.adds:
        value = _stretched(value, shape, np.shape(scope[line.name]), line.text)
    assign(line, scope)
    _check(np.shape(scope[line.name]), line.text)
    before = {0: "", 1: f"{place} + ", -1: f"{place} - "}[line.adds]
    return f"{place} <- {before}{value}"


def _check(shape, said) -> None:
    if len(shape) not in (0, 2):
        raise InvalidArgument(
            f"{said}: got shape {shape}, expected a number or a matrix, as R has them: keepdims=True keeps an axis"
        )


def _formula(node: ast.expr, scope: Scope) -> str:
    """Return a formula in R, in brackets where it stands in another."""
    shape = np.shape(evaluate(node, scope))
    _check(shape, ast.unparse(node))
    match node:
        case ast.Constant():
            return repr(node.value)
        case ast.Name():
            return node.id
        case ast.UnaryOp():
            return f"{'-' if isinstance(node.op, ast.USub) else ''}{_part(node.operand, scope)}"
        case ast.BinOp(op=ast.MatMult()):
            return f"{_part(node.left, scope)} %*% {_part(node.right, scope)}"
        case ast.BinOp():
            left, right = _both([node.left, node.right], scope, shape)
            return f"{left} {INK[type(node.op)]} {right}"
        case ast.Compare():
            left, right = _both([node.left, node.comparators[0]], scope, shape)
            return f"({left} {language.COMPARISONS[type(node.ops[0])]} {right}) * 1"
        case ast.Attribute():
            return f"t({_formula(node.value, scope)})" if shape else _formula(node.value, scope)
        case ast.Subscript(value=ast.Attribute(attr="shape", value=of)):
            return f"{'ncol' if (language.whole(node.slice) or 0) in (1, -1) else 'nrow'}({_formula(of, scope)})"
        case ast.Subscript():
            whole = np.shape(evaluate(node.value, scope))
            return f"{_part(node.value, scope)}[{_index(node.slice, whole, ast.unparse(node))}]"
        case ast.Call():
            return _call(node, scope, shape)
    raise InvalidArgument(f"{ast.unparse(node)}: got a formula that has no translation into R, expected another")


def _part(node: ast.expr, scope: Scope) -> str:
    said = _formula(node, scope)
    simple = isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.Subscript)
    return said if simple or isinstance(node, ast.Constant) else f"({said})"


def _both(nodes: list[ast.expr], scope: Scope, shape) -> list[str]:
    return [_stretched(_part(node, scope), np.shape(evaluate(node, scope)), shape, ast.unparse(node)) for node in nodes]


def _stretched(said: str, seen: tuple[int, ...], shape: tuple[int, ...], where: str) -> str:
    """Return a value of one shape stretched to another."""
    if seen in (shape, ()) or shape == ():
        return said if seen == shape or seen == () else f"c({said})"
    _check(seen, where)
    if seen == (1, 1):
        return f"c({said})"
    return f"rows({said}, {shape[0]})" if seen[0] == 1 else f"columns({said}, {shape[1]})"


def _index(node: ast.expr, shape: tuple[int, ...], said: str) -> str:
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    if len(shape) != 2 or len(parts) > 2 or any(isinstance(p, ast.Constant) and p.value is None for p in parts):
        raise InvalidArgument(
            f"{said}: got an index that has no translation into R, expected rows and columns of a matrix"
        )
    whole = [isinstance(part, ast.Slice) for part in parts] + [True] * (2 - len(parts))
    if any(whole) and not all(whole):
        raise InvalidArgument(
            f"{said}: got a part with one axis, expected a number or a matrix; take a slice such as 0:1"
        )
    found = [_range(part, size) for part, size in zip(parts, shape, strict=False)] + [""] * (2 - len(parts))
    return ", ".join(found) + (KEPT if all(whole) else "")


def _range(part: ast.expr, size: int) -> str:
    if not isinstance(part, ast.Slice):
        place = language.whole(part) or 0
        return str(place % size + 1)
    bounds = slice(*(language.whole(bound) for bound in (part.lower, part.upper, part.step))).indices(size)
    places = list(range(*bounds))
    if not places:
        return "0"
    if abs(bounds[2]) == 1 or len(places) == 1:
        return f"{places[0] + 1}:{places[-1] + 1}"
    return f"seq({places[0] + 1}, {places[-1] + 1}, by = {bounds[2]})"


def _call(node: ast.Call, scope: Scope, shape) -> str:
    name, before = function_of(node)
    nodes = [*([before] if before is not None else []), *node.args]
    if name in PLAIN:
        return f"{name}({_formula(nodes[0], scope)})"
    if name == "zeros":
        return f"matrix(0, {shape[0]}, {shape[1]})" if shape else "0"
    if name == "reshape":
        inner = _formula(nodes[0], scope)
        return f"matrix(t({inner}), nrow = {shape[0]}, byrow = TRUE)" if shape else f"c({inner})"
    if name == "pad":
        return f"pad({_formula(nodes[0], scope)}, {language.whole(nodes[1])})"
    if name == "maximum":
        left, right = sorted(_both(nodes, scope, shape), key=lambda said: said.replace(".", "").isdigit())
        return f"pmax({left}, {right})"  # the first gives the result its shape
    if name == "where":
        full = [
            _full(said, np.shape(evaluate(one, scope)), shape)
            for said, one in zip(_both(nodes, scope, shape), nodes, strict=True)
        ]
        return f"ifelse({full[0]} != 0, {full[1]}, {full[2]})"
    return _reduced(name, nodes, node, scope, shape)


def _full(said, seen, shape):
    return f"matrix({said}, {shape[0]}, {shape[1]})" if shape and seen in ((), (1, 1)) else said


def _reduced(name, nodes, node, scope, shape) -> str:
    options = {keyword.arg: keyword.value for keyword in node.keywords}
    axis = options.get("axis", nodes[1] if len(nodes) > 1 else None)
    axes = None if axis is None else language.axis_of(axis)
    inner, seen = _formula(nodes[0], scope), np.shape(evaluate(nodes[0], scope))
    if not seen:
        return inner
    along = (
        set(range(len(seen))) if axes is None else {a % len(seen) for a in ([axes] if isinstance(axes, int) else axes)}
    )
    if along == {0, 1}:
        return f"matrix({name}({inner}))" if shape else f"{name}({inner})"
    margin = 2 if along == {0} else 1
    by = {"sum": {1: "rowSums", 2: "colSums"}, "mean": {1: "rowMeans", 2: "colMeans"}}.get(name, {}).get(margin)
    said = f"{by}({inner})" if by else f"apply({inner}, {margin}, {name})"
    return f"t({said})" if margin == 2 else f"matrix({said})"
