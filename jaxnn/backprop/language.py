"""The language of the page: a small part of NumPy's, one assignment a line, read with Python's `ast`.

What was typed is never evaluated or executed by Python. A line is looked at as characters, then parsed, then every node
of its tree has to be one that `FORMS` allows; what is left is a `Line`, which `interpreter` runs.
"""

import ast
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from jaxnn.errors import InvalidArgument

LETTERS, LINES, NODES, DEPTH = 300, 60, 160, 24  # of a line, of a program, of a tree, of its nesting
LARGEST = 1e15  # a number that is written out
STRANGE = re.compile(r"[^A-Za-z0-9_ .,:+\-*/@()\[\]=<>!]")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.MatMult: "@"}
COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
# How many values each function takes; those that reduce take axis and keepdims too, and are methods as well.
REDUCTIONS = ("sum", "mean", "max")
FUNCTIONS: dict[str, int] = dict.fromkeys((*REDUCTIONS, "exp", "log", "sqrt", "sin", "cos", "tanh", "abs"), 1)
FUNCTIONS |= {"maximum": 2, "where": 3, "reshape": 2, "zeros": 1, "pad": 2}
METHODS = (*REDUCTIONS, "reshape")
MODULE = "np"  # which may stand before the name of a function, as in NumPy
HAS = f"{', '.join(FUNCTIONS)}, .T, .shape"


class Line(NamedTuple):
    """One assignment: to all of the variable `name`, or where `index` is given to a part of it.

    `adds` is 1 for `+=`, -1 for `-=`, 0 for `=`. `value` is None where nothing stands behind the sign yet.
    """

    number: int
    text: str
    name: str
    index: ast.expr | None
    adds: int
    value: ast.expr | None


class Refused(InvalidArgument):
    """A line that is not of the language: `number` says which one, the message why and what to do."""

    def __init__(self, number: int, message: str):
        super().__init__(message)
        self.number = number


def lines_of(text: str) -> list[str]:
    """Return the lines of a program; `InvalidArgument` if there are more than can be judged while one types."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > LINES:
        raise InvalidArgument(f"the program: got {len(lines)} lines, expected at most {LINES}; put some together")
    return lines


def read(text: str) -> list[Line]:
    """Return the assignments of a program; the first line that is none raises `Refused`."""
    lines = (read_line(number, line) for number, line in enumerate(lines_of(text), 1))
    return [line for line in lines if line is not None]


def read_line(number: int, text: str) -> Line | None:
    """Return a line of a program, None for an empty one or a comment; `Refused` says why it is not of the language."""
    text, refuse = text.partition("#")[0].replace("\t", " ").strip(), _refuser(number)
    if not text:
        return None
    _check_letters(text, refuse)
    empty = text.endswith("=") and not text.endswith(("==", "!=", "<=", ">="))
    try:
        (*others, statement) = ast.parse(f"{text} 0" if empty else text).body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise refuse(f"is no formula ({_why(error)})", "one assignment, such as dZ = A - y") from None
    if others or not isinstance(statement, ast.Assign | ast.AugAssign):
        raise refuse("is no assignment", "one name, = and a formula, such as dZ = A - y")
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    adds = {ast.Add: 1, ast.Sub: -1}.get(type(statement.op), None) if isinstance(statement, ast.AugAssign) else 0
    if len(targets) > 1 or adds is None:
        raise refuse("assigns in a way that is not in this language", "one =, += or -=")
    (target,), index = targets, None
    if isinstance(target, ast.Subscript):
        target, index = target.value, target.slice
    if not isinstance(target, ast.Name):
        raise refuse(f"assigns to `{ast.unparse(target):.40}`", "a name, or a part of one such as dX[0:2, 1]")
    for tree in filter(None, (index, statement.value)):
        _check_size(tree, refuse)
    if index is not None:
        _check_index(index, refuse)
    _check(statement.value, refuse)
    return Line(number, text, _name(target.id, refuse), index, adds, None if empty else statement.value)


def check(node: ast.expr) -> None:
    """Raise `Refused` unless a formula is of the language."""
    _check(node, _refuser(0))


def names_in(tree: ast.AST | None) -> list[str]:
    """Return the variables that a formula reads, in their order, each once."""
    nodes = [] if tree is None else [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)} if tree is not None else set()
    return list(dict.fromkeys(node.id for node in nodes if id(node) not in called and node.id != MODULE))


def function_of(call: ast.Call) -> tuple[str, ast.expr | None]:
    """Return the name of the function that is called, and the value before the dot where it is called as a method."""
    func = call.func
    if isinstance(func, ast.Name):
        return func.id, None
    assert isinstance(func, ast.Attribute)
    if isinstance(func.value, ast.Name) and func.value.id == MODULE:
        return func.attr, None
    return func.attr, func.value


# What others write, or a phone or a textbook does, and what is written here.
SIGNS = (
    dict.fromkeys("\u2212\u2013\u2014", "the minus sign -")
    | dict.fromkeys("×·∗•", "* for a product")
    | {
        "^": "** for a power, as in A ** 2",
        "²": "** 2 for a square",
        "'": ".T for the transpose, as in A1.T",
        "%": "@ for the product of matrices, as in A1.T @ dZ2",
        "÷": "/ for a quotient",
    }
)
PRODUCT, ROOM = "the sign @, as in A1.T @ dZ2", "keepdims=True"
ELSEWHERE = {
    **dict.fromkeys(("dot", "matmul", "crossprod", "mm"), PRODUCT),
    **dict.fromkeys(("transpose", "t"), ".T, as in A1.T"),
    **dict.fromkeys(("multiply", "prod"), "the sign *"),
    **dict.fromkeys(("power", "square", "pow"), "the sign **, as in A ** 2"),
    **dict.fromkeys(("colSums", "colsums"), f"sum(..., axis=0, {ROOM})"),
    **dict.fromkeys(("rowSums", "rowsums"), f"sum(..., axis=1, {ROOM})"),
    "colMeans": f"mean(..., axis=0, {ROOM})",
    "rowMeans": f"mean(..., axis=1, {ROOM})",
    "sigmoid": "1 / (1 + exp(-Z))",
    "relu": "maximum(Z, 0)",
    "softmax": f"exp(Z) / sum(exp(Z), axis=1, {ROOM})",
    "ones": "zeros(...) + 1",
    "outer": "the sign @, as in A @ B.T",
    "ifelse": "where(Z > 0, A, B)",
}


def _refuser(number: int) -> Callable[[str, str], Refused]:
    return lambda seen, expected: Refused(number, f"line {number} {seen}: expected {expected}")


def _why(error: BaseException) -> str:
    return (
        str(error.args[0]).split("\n")[0][:80] if isinstance(error, SyntaxError) and error.args else "nested too deep"
    )


def _check_letters(text, refuse):
    if len(text) > LETTERS:
        raise refuse(f"has {len(text)} characters", f"at most {LETTERS}; take two lines")
    if strange := STRANGE.search(text):
        letters = "letters, digits, + - * / ** @ . , : ( ) [ ] = < > !"
        raise refuse(f"has the character {strange[0]!r}", SIGNS.get(strange[0], letters))
    if "_" in text:
        raise refuse("has an underscore", "names of letters and digits, such as dW1")
    for run in re.findall(r"[A-Za-z0-9]+", text):  # Python's parser warns of `1if` and the like
        if run[0].isdigit() and not re.fullmatch(r"\d+([eE]\d*)?", run):
            if times := re.fullmatch(r"(\d+)([A-Za-z]\w{,9})", run):
                raise refuse(f"has `{run}`", f"a sign between a number and a name, as in `{times[1]} * {times[2]}`")
            raise refuse(
                f"has `{run:.20}`", "a number of digits, with a point or an e, or a name that begins with a letter"
            )
    depth = 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if depth > DEPTH:
            raise refuse("is nested too deep", f"at most {DEPTH} brackets in each other; take two lines")


def _name(name, refuse):
    if not NAME.fullmatch(name):
        raise refuse(f"has the name `{name:.40}`", "a letter, then letters and digits, such as dW1")
    if name in FUNCTIONS or name == MODULE:
        raise refuse(f"assigns to `{name}`, which is a function", "a name of its own")
    return name


def _check_size(tree, refuse):
    """Refuse trees that are large or deep, before anything walks through them by calling itself."""
    layer, count, depth = [tree], 0, 0
    while layer:
        count, depth = count + len(layer), depth + 1
        if count > 3 * NODES or depth > 2 * DEPTH:
            raise refuse("is nested too deep or too long", "a shorter formula; take two lines")
        layer = [child for node in layer for child in ast.iter_child_nodes(node)]


def _check(node: ast.expr, refuse) -> None:
    """Refuse what is not in `FORMS`, here and in every part."""
    parts = FORMS.get(type(node))
    if parts is None:
        raise refuse(
            f"has `{ast.unparse(node):.40}`, which is not in this language", f"numbers, names, + - * / ** @, {HAS}"
        )
    for part in parts(node, refuse):
        _check(part, refuse)


def _number(node, refuse):
    if type(node.value) not in (int, float) or not abs(node.value) <= LARGEST:
        raise refuse(f"has `{str(node.value):.20}`", f"numbers up to {LARGEST:g}")
    return ()


def _variable(node, refuse):
    if node.id in FUNCTIONS or node.id == MODULE:
        raise refuse(f"has `{node.id}` without brackets", f"{node.id}(...)")
    return ()


def _binary(node, refuse):
    if type(node.op) not in OPERATORS:
        raise refuse(f"has an operator of `{ast.unparse(node):.40}` that is not in this language", "+ - * / ** @")
    return node.left, node.right


def _unary(node, refuse):
    if not isinstance(node.op, ast.USub | ast.UAdd):
        raise refuse(f"has `{ast.unparse(node):.40}`", "+ or - before a value")
    return (node.operand,)


def _comparison(node, refuse):
    if len(node.ops) > 1 or type(node.ops[0]) not in COMPARISONS:
        raise refuse(
            f"compares in a way that is not in this language: `{ast.unparse(node):.40}`", "one of < <= > >= == !="
        )
    return node.left, node.comparators[0]


def _attribute(node, refuse):
    if node.attr != "T":
        raise refuse(f"has `.{node.attr:.40}`", f".T, .shape[0], .{', .'.join(METHODS)}")
    return (node.value,)


def _subscript(node, refuse):
    if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
        if not isinstance(whole(node.slice), int):
            raise refuse(f"has `{ast.unparse(node):.40}`", "the number of an axis, as in X.shape[0]")
        return (node.value.value,)
    _check_index(node.slice, refuse)
    return (node.value,)


def _check_index(index, refuse):
    for part in index.elts if isinstance(index, ast.Tuple) else [index]:
        bounds = [part.lower, part.upper, part.step] if isinstance(part, ast.Slice) else [part]
        none = isinstance(part, ast.Constant) and part.value is None
        if not none and any(bound is not None and whole(bound) is None for bound in bounds):
            raise refuse(
                f"has the index `{ast.unparse(part):.40}`", "whole numbers, slices of them such as 0:2, or None"
            )


def whole(node: ast.expr | None) -> int | None:
    """Return the whole number, or minus one, that a node is; None where it is something else."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    value = node.value if isinstance(node, ast.Constant) else None
    return sign * value if type(value) is int and abs(value) < 10**6 else None


def sizes_of(nodes: list[ast.expr]) -> list[int] | None:
    """Return the sizes of a shape that is written out, `(2, 3)` or `2, 3`; None where it is none."""
    if len(nodes) == 1 and isinstance(nodes[0], ast.Tuple):
        nodes = nodes[0].elts
    sizes = [size for size in map(whole, nodes) if size is not None]
    return sizes if len(sizes) == len(nodes) > 0 else None


def _call(node, refuse):
    func, said = node.func, f"`{ast.unparse(node):.40}`"
    if not (isinstance(func, ast.Name | ast.Attribute)):
        raise refuse(f"calls {said}", f"one of {HAS}")
    name, before = function_of(node)
    if name not in FUNCTIONS or before is not None and name not in METHODS:
        raise refuse(f"calls `{name:.40}`, which is not in this language", ELSEWHERE.get(name, f"one of {HAS}"))
    values = [*([before] if before is not None else []), *node.args]
    if any(isinstance(value, ast.Starred) for value in values):
        raise refuse(f"has a star in {said}", "values with a comma between them")
    options = _options(node, name, refuse)
    if name in REDUCTIONS:
        if len(values) == 2 and "axis" not in options and axis_of(values[1]) is not None:
            values = values[:1]  # sum(x, 0)
    if name in ("reshape", "zeros"):
        kept = 1 if name == "reshape" else 0
        if sizes_of(values[kept:]) is None:
            raise refuse(f"has {said}", f"a shape of whole numbers, such as {name}({'X, ' * kept}(2, 3))")
        return values[:kept]
    if len(values) != FUNCTIONS[name]:
        raise refuse(f"calls `{name}` with {len(values)} values", f"{FUNCTIONS[name]}")
    if name == "pad" and whole(values[1]) not in range(9):
        raise refuse(f"has {said}", "a width of 0 to 8, as in pad(X, 1)")
    return values


def _options(node, name, refuse):
    options = {keyword.arg: keyword.value for keyword in node.keywords}
    allowed = ("axis", "keepdims") if name in REDUCTIONS else ()
    if strange := [str(option) for option in options if option not in allowed]:
        raise refuse(f"gives `{name}` the option {strange[0]:.20}", f"{' and '.join(allowed) or 'no option'}")
    if "axis" in options and axis_of(options["axis"]) is None:
        raise refuse(f"has the axis `{ast.unparse(options['axis']):.20}`", "a whole number, or some in brackets")
    keep = options.get("keepdims", ast.Constant(True))
    if not (isinstance(keep, ast.Constant) and type(keep.value) is bool):
        raise refuse("has another keepdims", "keepdims=True or keepdims=False")
    return options


def axis_of(node: ast.expr) -> int | tuple[int, ...] | None:
    """Return the axis, or the axes, that a node names; None where it names none."""
    if isinstance(node, ast.Tuple):
        axes = sizes_of([node])
        return tuple(axes) if axes is not None else None
    return whole(node)


# What may stand in a formula, and its parts that are formulas in their turn.
FORMS: dict[type, Callable[..., Iterator[ast.expr] | tuple | list]] = {
    ast.Constant: _number,
    ast.Name: _variable,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _comparison,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Call: _call,
}
