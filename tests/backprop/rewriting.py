"""Backward passes written otherwise at random: right ones, by laws of algebra alone, and ones with a mistake."""

import ast
import copy

import numpy as np

from jaxnn.backprop import language
from jaxnn.backprop.interpreter import assign, evaluate, run
from jaxnn.backprop.judge import parsed
from jaxnn.backprop.language import COMPARISONS, Line, names_in
from jaxnn.backprop.truth import expected, points
from jaxnn.errors import InvalidArgument

TOLERANCE = 1e-6  # far above what a formula that is written otherwise rounds, far below what a mistake changes


def text_of(lines):
    """Return lines as a text, or None where one of them is too long for the language."""
    sign = {0: "=", 1: "+=", -1: "-="}
    said = []
    for name, index, adds, value in lines:
        target = name if index is None else f"{name}[{_index(index)}]"
        said.append(f"{target} {sign[adds]} {_formula(value)}")
    try:
        language.read("\n".join(said))
    except InvalidArgument:
        return None
    return "\n".join(said)


def _index(index):
    return ast.unparse(index).strip("()")


def _formula(value):
    return ast.unparse(ast.fix_missing_locations(value)).replace("(:", "(").strip()


def numbers(level, random):
    """Return the values of the forward pass at numbers of their own; labels, masks and counts stay what they are."""
    scope = {}
    for name, value in {**level.params, **level.data}.items():
        kept = isinstance(value, int) or np.all(np.isin(value, (0.0, 1.0)))
        scope[name] = value if kept else value * 0.3 + random.normal(0, 1, np.shape(value))
        if not kept and name in level.data and not np.ndim(value):
            scope[name] = value * random.uniform(0.5, 0.99)
    run(level.forward, scope)
    return scope


def right(level, random):
    """Return the text of a solution that is right because each step from the level's own keeps every value."""
    return text_of(_rewritten(level, random))


def _rewritten(level, random):
    lines = _parts(level)
    for _ in range(random.integers(1, 9)):
        step = random.choice([_formula_step, _formula_step, _formula_step, _named, _early, _moved, _put_in, _added])
        found = step(level, copy.deepcopy(lines), random)
        if found is not None and text_of(found) is not None:
            lines = found
    return lines


def _parts(level):
    return [(line.name, line.index, line.adds, copy.deepcopy(line.value)) for line in language.read(level.solution)]


def _scope(level, lines, end):
    scope = numbers(level, np.random.default_rng(0))
    for line in lines[:end]:
        assign(Line(0, "a = b", *line), scope)
    return scope


def _places(tree):
    """Yield (parent, field, position, node) of each formula in a tree."""
    for parent in ast.walk(tree):
        for field, child in ast.iter_fields(parent):
            for i, node in enumerate(child) if isinstance(child, list) else [(None, child)]:
                if isinstance(node, ast.BinOp | ast.UnaryOp | ast.Name | ast.Call | ast.Compare | ast.Subscript):
                    if not (field == "func" or field == "slice" or isinstance(parent, ast.Attribute | ast.Slice)):
                        yield parent, field, i, node


def _compared(tree):
    """Return the nodes within comparisons: there a last digit decides, so nothing is written otherwise."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) or isinstance(node, ast.Call) and _called(node) in ("where", "max", "maximum"):
            found |= {id(below) for below in ast.walk(node)} - {id(node)}
    return found


def _called(node):
    return node.func.id if isinstance(node.func, ast.Name) else node.func.attr


def _put(tree, place, new):
    parent, field, i, _ = place
    if i is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[i] = new
    return tree


def _parse(text, **parts):
    """Return a formula in which names stand for trees."""

    class Put(ast.NodeTransformer):
        def visit_Name(self, node):
            return copy.deepcopy(parts[node.id]) if node.id in parts else node

    return Put().visit(ast.parse(text, mode="eval").body)


def _formula_step(level, lines, random):
    """Write one part of one formula otherwise."""
    k = int(random.integers(len(lines)))
    scope, root = _scope(level, lines, k), ast.Expression(lines[k][3])
    compared = _compared(root)
    places = [place for place in _places(root) if id(place[3]) not in compared]
    if not places:
        return None
    place = places[random.integers(len(places))]
    new = list(_forms(place[3], scope))
    _put(root, place, new[random.integers(len(new))])
    lines[k] = (*lines[k][:3], root.body)
    return lines


def _forms(node, scope):
    """Return formulas of the same value as one: laws of algebra, written out."""
    value = evaluate(node, scope)
    shape = np.shape(value)
    yield from (_parse(text, x=node) for text in ("x + 0", "1 * x", "x / 1", "-(-x)", "x * 3 / 3", "(x - 2) + 2"))
    if len(shape) == 2:
        yield _parse("x.T.T", x=node)
        yield _parse(f"x.reshape({shape[0]}, {shape[1]})", x=node)
        yield _parse(f"x * (zeros({shape}) + 1)", x=node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield _parse("0 - x", x=node.operand)
        yield _parse("x * -1", x=node.operand)
    if isinstance(node, ast.Compare):
        a, b, sign = node.left, node.comparators[0], COMPARISONS[type(node.ops[0])]
        other = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "==": "!=", "!=": "=="}[sign]
        turned = {">": "<", "<": ">", ">=": "<=", "<=": ">="}.get(sign, sign)
        yield _parse(f"1 - (a {other} b)", a=a, b=b)
        yield _parse(f"(b {turned} a)", a=a, b=b)
        yield _parse(f"where(a {sign} b, 1, 0)", a=a, b=b)
    if isinstance(node, ast.BinOp):
        yield from (_parse(text, a=node.left, b=node.right) for text in _binary_forms(node, scope))
    if isinstance(node, ast.Call) and _called(node) in ("sum", "mean") and isinstance(node.func, ast.Name):
        yield from _sums(node, scope, shape)


def _binary_forms(node, scope):
    a, b = (np.shape(evaluate(side, scope)) for side in (node.left, node.right))
    match node.op:
        case ast.Add():
            yield from ("b + a", "a - (-b)", "-(-a - b)", "2 * (a / 2 + b / 2)")
        case ast.Sub():
            yield from ("-b + a", "-(b - a)", "a + (-1) * b", "-1 * (b - a)")
        case ast.Mult():
            yield from ("b * a", "-a * -b", "a * 2 * (b / 2)", "a * b + a * b - a * b")
        case ast.Div():
            yield from ("a * (1 / b)", "-a / -b", "a * b ** -1", "(a + a) / (2 * b)")
        case ast.Pow():
            if isinstance(node.right, ast.Constant) and node.right.value == 2:
                yield from ("a * a", "abs(a) ** 2", "a ** 3 / a")
        case ast.MatMult() if len(a) == len(b) == 2:
            yield from ("(b.T @ a.T).T", "(2 * a) @ b / 2", "-(a @ -b)", "a @ (b + b) - a @ b")
    if isinstance(node.op, ast.Mult | ast.Div) and isinstance(node.left, ast.BinOp):
        sign = "*" if isinstance(node.op, ast.Mult) else "/"
        if isinstance(node.left.op, ast.Add | ast.Sub):
            middle = "+" if isinstance(node.left.op, ast.Add) else "-"
            one, two = ast.unparse(node.left.left), ast.unparse(node.left.right)
            yield f"(({one}) {sign} b) {middle} (({two}) {sign} b)"


def _sums(node, scope, shape):
    x = node.args[0]
    options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    size = np.shape(evaluate(x, scope))
    others = ", ".join(f"{name}={value}" for name, value in options.items())
    name = _called(node)
    yield _parse(f"x.{name}({others})", x=ast.parse(f"({ast.unparse(x)})", mode="eval").body)
    if "axis" in options and len(size) == 2 and options["axis"] in ("0", "1"):
        axis = int(options["axis"])
        back, count = ("sum", f"/ {size[axis]}") if name == "mean" else ("mean", f"* {size[axis]}")
        yield _parse(f"{back}(x, {others}) {count}", x=x)
        if len(shape) == 2:
            yield _parse(f"reshape({name}(x, axis={axis}), {shape})", x=x)
            ones = f"(zeros((1, {size[0]})) + 1) @ x" if axis == 0 else f"x @ (zeros(({size[1]}, 1)) + 1)"
            yield _parse(ones if name == "sum" else f"({ones}) / {size[axis]}", x=x)


def _named(level, lines, random):
    """Give a part of a formula a name and a line of its own."""
    k = int(random.integers(len(lines)))
    root = ast.Expression(lines[k][3])
    kept = _compared(root)  # a part of a comparison, once it has a name, would be written otherwise in its turn
    places = [place for place in _places(root) if not isinstance(place[3], ast.Name) and id(place[3]) not in kept]
    if not places:
        return None
    place, name = places[random.integers(len(places))], f"part{len(lines)}"
    _put(root, place, ast.Name(name))
    lines[k] = (*lines[k][:3], root.body)
    return [*lines[:k], (name, None, 0, place[3]), *lines[k:]]


def _early(level, lines, random):
    """Take the mean's 1/m in an adjoint that the level has m times, and give it back wherever that is read."""
    whole = [line for line in lines if line[1] is None and not line[2]]
    names = [line[0] for line in whole if level.meaning(line[0]) and sum(one[0] == line[0] for one in lines) == 1]
    names = [name for name in names if not level.is_gradient(name) and level.meaning(name)[0] == level.cost]
    names = [name for name in names if _is_late(level, lines, name)] if "m" in level.data else []
    if not names:
        return None
    name = names[random.integers(len(names))]
    back = {name: _parse("x * m", x=ast.Name(name))}
    return [
        (one, index, adds, _parse("x / m", x=value) if one == name else _parse(ast.unparse(value), **back))
        for one, index, adds, value in lines
    ]


def _is_late(level, lines, name):
    """Return whether an adjoint is m times the derivative."""
    point = points(level)[1]
    scope = dict(point.values)
    for line in lines:
        assign(Line(0, "a = b", *line), scope)
    return not np.allclose(scope[name], expected(point, name), 1e-6, 1e-9)


def _moved(level, lines, random):
    """Move a line up to where all that it reads is there."""
    k = int(random.integers(len(lines)))
    name, index, adds, value = lines[k]
    if index is not None or adds:
        return None
    needed = set(names_in(value))
    first = max([i + 1 for i in range(k) if lines[i][0] in needed or lines[i][0] == name] or [0])
    rest = lines[:k] + lines[k + 1 :]
    rest.insert(int(random.integers(first, k + 1)), lines[k])
    return rest


def _put_in(level, lines, random):
    """Write the formula of a line, or of a line of the forward pass, where its name is read."""
    k = int(random.integers(len(lines)))
    root = ast.Expression(lines[k][3])
    compared = _compared(root)
    known = {line.name: line.value for line in level.forward}
    once = [line for line in lines[:k] if sum(one[0] == line[0] for one in lines) == 1]
    known |= {line[0]: line[3] for line in once if line[1] is None and not line[2]}
    places = [
        place
        for place in _places(root)
        if isinstance(place[3], ast.Name) and place[3].id in known and id(place[3]) not in compared
    ]
    if not places:
        return None
    place = places[random.integers(len(places))]
    _put(root, place, copy.deepcopy(known[place[3].id]))
    lines[k] = (*lines[k][:3], root.body)
    return lines


def _added(level, lines, random):
    """Write a sum as two lines, of which the second adds."""
    sums = [
        k
        for k, (name, index, adds, value) in enumerate(lines)
        if not adds and isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub) and index is None
    ]
    if not sums:
        return None
    k = sums[random.integers(len(sums))]
    name, index, _, value = lines[k]
    scope = _scope(level, lines, k)
    if np.shape(evaluate(value.left, scope)) != np.shape(evaluate(value, scope)) or name in names_in(value.right):
        return None
    sign = 1 if isinstance(value.op, ast.Add) else -1
    return [*lines[:k], (name, index, 0, value.left), (name, index, sign, value.right), *lines[k + 1 :]]


def wrong(level, random):
    """Return a text with one random mistake in it, or None where the change is none or leaves no program."""
    lines = _rewritten(level, random) if random.integers(2) else _parts(level)
    k = int(random.integers(len(lines)))
    scope, root = _scope(level, lines, k), ast.Expression(lines[k][3])
    places = list(_places(root))
    if random.integers(8) == 0 or not places:
        del lines[k]
    else:
        place = places[random.integers(len(places))]
        new = list(_mistakes(place[3], scope, random))
        if not new:
            return None
        _put(root, place, new[random.integers(len(new))])
        lines[k] = (*lines[k][:3], root.body)
    text = text_of(lines)
    return text if text is not None and changed(level, text) else None


def _mistakes(node, scope, random):
    if isinstance(node, ast.BinOp):
        yield node.left
        yield node.right
        pairs = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.MatMult: "*", ast.Pow: "*"}
        yield _parse(f"a {pairs[type(node.op)]} b", a=node.left, b=node.right)
        if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult):
            sign = {ast.Sub: "-", ast.Div: "/", ast.MatMult: "@"}[type(node.op)]
            yield _parse(f"b {sign} a", a=node.left, b=node.right)
        if isinstance(node.op, ast.MatMult):
            yield from (_parse(text, a=node.left, b=node.right) for text in ("a.T @ b", "a @ b.T"))
    if isinstance(node, ast.Name):
        shape = np.shape(scope[node.id]) if node.id in scope else ()
        alike = [name for name, value in scope.items() if np.shape(value) == shape and name != node.id]
        if alike:
            yield ast.Name(alike[random.integers(len(alike))])
    if isinstance(node, ast.Compare):
        a, b = node.left, node.comparators[0]
        yield from (_parse(text, a=a, b=b) for text in ("a < b", "a > b + 0.5", "a > b - 0.5", "a", "1 - (a > b)"))
    if isinstance(node, ast.Call):
        other = {"sum": "mean", "mean": "sum", "sqrt": "abs", "sin": "cos", "exp": "abs", "tanh": "sin"}
        if _called(node) in other and isinstance(node.func, ast.Name):
            yield _parse(ast.unparse(node).replace(_called(node), other[_called(node)], 1))
        if "axis=0" in ast.unparse(node):
            yield _parse(ast.unparse(node).replace("axis=0, ", "", 1))
            yield _parse(ast.unparse(node).replace("axis=0", "axis=1", 1))
        if node.args:
            yield node.args[0]
    if isinstance(node, ast.Subscript):
        yield node.value
        said = _index(node.slice)
        yield from (_parse(f"x[{said.replace(a, b)}]", x=node.value) for a, b in (("0:", "1:"), ("1", "0"), ("0", "1")))
    yield from (_parse(text, x=node) for text in ("-x", "2 * x", "x ** 2", "x + 1", "x * 0", "abs(x)", "1.001 * x"))


def changed(level, text):
    """Return whether a derivative is another one than the solution's, at numbers that no test of a line has seen.

    An adjoint may be m times what it was, or the m-th part of it; that of a parameter may not. False where it stops.
    """
    program = parsed(level, text)
    scales = {}
    for seed in range(4):
        given = numbers(level, np.random.default_rng(100 + seed))
        one, other = dict(given), dict(given)
        run(language.read(level.solution), one)
        try:
            run(program.lines, other)
        except InvalidArgument:
            return True
        for name in level.missing:
            if name not in other or np.size(other[name]) != np.size(one[name]):
                return True
            a, b = np.reshape(other[name], np.shape(one[name])), one[name]
            m = float(level.data.get("m", 1))
            for scale in {1.0} if level.is_gradient(name) else {1.0, m, 1 / m}:
                size = np.max(np.abs(b), initial=0)
                if not np.all(np.abs(a - scale * b) <= TOLERANCE * size + 1e-9):
                    scales.setdefault(name, set()).add(scale)
            if len(scales.get(name, ())) == (1 if level.is_gradient(name) else len({1.0, m, 1 / m})):
                return True
    return False
