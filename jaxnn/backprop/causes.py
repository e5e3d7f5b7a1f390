"""Why a line is wrong, in a sentence: from its numbers, from one change that mends it, or from its right parts."""

import ast
import contextlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from jaxnn.backprop import language
from jaxnn.backprop.interpreter import evaluate
from jaxnn.backprop.language import Line
from jaxnn.backprop.truth import Point, differs, slopes_at
from jaxnn.errors import InvalidArgument
from jaxnn.verify.diagnosis.edits.likeliest import edits
from jaxnn.verify.diagnosis.operands import wrong_part
from jaxnn.verify.diagnosis.phrases import phrase
from jaxnn.verify.diagnosis.rewrite import put

MOST = 6_000  # parts of formulas that are looked at, in all the changed lines that are tried: some 20 µs each
DEEP = 3  # lines from a variable to what its adjoint may be made of
SHUFFLED = 120  # ways to put names of one family in other places
FEW = 14  # arrays whose products are looked through for a term that is missing
ERROR = 1e-9  # of the largest entry, within which the numbers of a wrong line are known

SPOKEN = (  # what the phrases of `jaxnn.verify` are in a lesson
    ("by exactly", "by the factor"),
    (" in every entry", ""),
    ("a missing 1/m", "a mean is missing, the 1/m"),
    ("a missing m", "the 1/m is taken once too often"),
)
# What the numbers show and nobody thinks in: a change of the formula that mends it says more, if there is one.
FAR_FETCHED = re.compile(r"the (factor|term) ([\w ./*]*(?<!\w)\(|[\d.]+ \*)|swapped, or one in place")
SECOND = re.compile(r" or (a missing )?[^ :=]+(?= = |$)")  # the less plain of two numbers that are equal here


def of_shape(name: str, value: np.ndarray, true: np.ndarray) -> str:
    """Return what is wrong with the shape of a value, and what would mend it where that can be seen."""
    seen = f"{name}: got shape {value.shape}, expected {true.shape}, that of {name[1:]}"
    if value.shape == true.shape[::-1] and value.ndim == 2:
        right = not differs(value.T, true).any()
        return f"{seen}: it is transposed" + ("" if right else ", as in A.T @ B in place of B.T @ A")
    if value.size == true.size and not differs(np.reshape(value, true.shape), true).any():
        return f"{seen}: the numbers are right, the axis is lost: keepdims=True keeps it"
    if value.size < true.size and value.shape != true.shape:
        return f"{seen}: summed over too many axes, or never stretched to that shape"
    summed = [
        axis for axis in range(value.ndim) if value.ndim == true.ndim and true.shape[axis] == 1 < value.shape[axis]
    ]
    if summed:
        over = summed[0] if len(summed) == 1 else tuple(summed)
        return f"{seen}: what was stretched forward is summed backward, here with sum(..., axis={over}, keepdims=True)"
    return seen


def of_values(point: Point, line: Line, value: np.ndarray, true: np.ndarray, right: Mapping[str, np.ndarray]) -> str:
    """Return why a line is wrong that gives `value` in place of `true`; `right` has the values of all derivatives."""
    near = _near(point, line)
    scope = {**point.values, **right}
    arrays = [name for name in near if np.ndim(scope.get(name, 0))]
    known = {name: np.asarray(scope[name], np.float64) for name in arrays}
    sizes = {name: float(value) for name, value in point.level.data.items() if not np.ndim(value)}
    sizes |= {f"sqrt({name})": size**0.5 for name, size in sizes.items() if name != "m"}
    numbers = tuple((n, v.shape, v.tobytes()) for n, v in list(known.items())[:FEW])
    said = _phrased(line.name, value.shape, value.tobytes(), true.tobytes(), tuple(sizes.items()), numbers)
    plain = value.ndim or "the wrong sign" in said or "by the factor 2:" in said  # of two numbers a third is any factor
    weak = not plain or not said or bool(FAR_FETCHED.search(said)) or not differs(value, 0 * true).any()
    if (weak or not value.ndim) and line.index is None and not line.adds:
        mended = _left_out(point, line, value, true, scope) or (weak and _mended(point, line, true, scope, arrays))
        said = f"{line.name}: {mended}" if mended else said
    if said:
        return said
    part = _part(line, known | _parts_of(point, line.name, scope), scope)
    if not part or "what is made of" in part:
        part = _other_names(point, line, known) or part
    return f"{line.name}: {part or 'wrong, by no factor or term that is known here; compare one entry’s numbers'}"


def _other_names(point: Point, line: Line, known: Iterable[str]) -> str:
    """Return which arrays the level's own line is made of and this one is not, and the other way round."""
    own, written = language.names_in(_own(point, line.name)), language.names_in(line.value)
    lacks, has = (
        [f"`{n}`" for n in dict.fromkeys(a) if n not in b and n in known] for a, b in ((own, written), (written, own))
    )
    if not own or not (lacks and has):
        return ""
    return f"{' and '.join(has)} should not be in it, as the lecture writes it, and {' and '.join(lacks)} should"


@lru_cache(maxsize=512)
def _phrased(name, shape, value, true, sizes, numbers) -> str:
    arrays = {n: np.frombuffer(data).reshape(size) for n, size, data in numbers}
    a, b = (np.frombuffer(data).reshape(shape) for data in (value, true))
    said = phrase(name, a, b, ERROR * max(np.max(np.abs(b), initial=0.0), 1e-6), sizes=dict(sizes), arrays=arrays)
    for there, here in SPOKEN:
        said = said.replace(there, here)
    return re.sub(r"a missing (\S+)$", r"a factor \1 is missing", SECOND.sub("", said))


def _near(point: Point, line: Line) -> list[str]:
    """Return what a line may be made of, the likeliest first: what it reads, what its variable goes into, adjoints."""
    by = (point.level.meaning(line.name) or ("", line.name))[1]
    forward, behind, near = point.level.forward, {by}, [by, *language.names_in(line.value)]
    for _ in range(DEEP):
        users = [one for one in forward if behind & set(language.names_in(one.value))]
        behind |= {one.name for one in users}
        near += [name for one in users for name in (one.name, *language.names_in(one.value))]
    both = dict.fromkeys(either for name in near for either in (name, f"d{name}"))
    read = language.names_in(line.value)
    return [name for name in both if name in read or name != line.name and not point.level.is_gradient(name)]


def _mended(point: Point, line: Line, true: np.ndarray, scope: Mapping[str, Any], arrays: list[str]) -> str:
    """Return the one change in a formula that makes it right, in words."""
    assert line.value is not None
    read = dict.fromkeys((*language.names_in(line.value), "m"))
    numbers = [name for name in read if name in scope and not np.ndim(scope[name])]
    count = MOST // sum(1 for _ in ast.walk(line.value))
    computed = {one.name for one in point.level.forward}
    bent = [name for name in arrays if name in computed or name.startswith("d")]
    likely = itertools.chain(
        itertools.islice(_of_families(line.value, scope), SHUFFLED),
        _of_values(line.value, bent, scope),
        _through_weights(line.value, arrays, scope),
        _of_softmax(arrays, scope),
    )
    changed = ((edit.tree, edit.why) for edit in edits(line.value, arrays, numbers))
    tried = itertools.islice(itertools.chain(likely, changed), count)
    known = {**scope, **_of_nodes(line.value, scope)}  # a changed formula shares with it what is not changed
    return next((why.replace("np.", "") for tree, why in tried if _gives(tree, true, known)), "")


def _left_out(point: Point, line: Line, value: np.ndarray, true: np.ndarray, scope: Mapping[str, Any]) -> str:
    """Return which terms and factors of the level's own line a wrong one lacks, where it lacks nothing else."""
    own = _own(point, line.name)
    if own is None or not _gives(own, true, scope):
        return ""
    written = len(ast.unparse(line.value)) if line.value is not None else 0
    less = sorted(_shortened(own), key=lambda pair: len(pair[1]))  # the least that can be missing first
    close = sorted(less, key=lambda pair: abs(len(ast.unparse(pair[0])) - written))
    twice = ((tree, f"{one} and {other}") for half, one in less for tree, other in _shortened(half))
    found = next((what for tree, what in (*close, *twice) if _gives(tree, value, scope)), "")
    return f"{found} {'are' if ' and the ' in found else 'is'} missing" if found else ""


def _own(point: Point, name: str) -> ast.expr | None:
    """Return the formula of the level's own line for a variable, None where it takes several lines."""
    own = [line for line in language.read(point.level.solution) if line.name == name]
    return own[0].value if len(own) == 1 else None


def _parts_of(point: Point, name: str, scope: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the values of the parts of the level's own line for a variable: what stands there is right too."""
    own = _own(point, name)
    return {ast.unparse(node): np.asarray(value) for node, value in _of_nodes(own, scope).items()} if own else {}


def _of_nodes(formula: ast.expr, scope: Mapping[str, Any]) -> dict[ast.expr, Any]:
    """Return the value of each part of a formula that is more than a name."""
    found = {}
    for node in ast.walk(formula):
        if isinstance(node, ast.BinOp | ast.Call | ast.Attribute | ast.Subscript):
            with contextlib.suppress(InvalidArgument):
                found[node] = evaluate(node, scope)
    return found


def _shortened(formula: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    """Yield a formula without one of its terms or factors, and that one in words."""
    for node in [node for node in ast.walk(formula) if isinstance(node, ast.BinOp)]:
        one, other = ast.unparse(node.left), ast.unparse(node.right)
        if isinstance(node.op, ast.Add):
            yield put(node, node.left, formula), f"the term `{other}`"
            yield put(node, node.right, formula), f"the term `{one}`"
        elif isinstance(node.op, ast.Sub):
            yield put(node, node.left, formula), f"the term `- {other}`"
            yield put(node, ast.UnaryOp(ast.USub(), node.right), formula), f"the term `{one}`"
        elif isinstance(node.op, ast.Mult) and not isinstance(node.left, ast.Constant):  # a number is seen by itself
            yield put(node, node.left, formula), f"the factor `{other}`"
            yield put(node, node.right, formula), f"the factor `{one}`"
        elif isinstance(node.op, ast.Div):
            yield put(node, node.left, formula), f"the division by `{other}`"


def _gives(formula: ast.expr, value: np.ndarray, scope: Mapping[Any, Any]) -> bool:
    """Return whether a formula makes sense and has a value."""
    try:
        language.check(formula)
        found = np.asarray(evaluate(formula, scope))
    except InvalidArgument:
        return False
    return found.shape == value.shape and not differs(found, value).any()


def _through_weights(
    formula: ast.expr, arrays: Sequence[str], scope: Mapping[str, Any]
) -> Iterator[tuple[ast.expr, str]]:
    """Yield a formula with an adjoint carried back through a matrix."""
    matrices = [name for name in arrays if np.ndim(scope[name]) == 2 and not name.startswith("d")]
    for node in [node for node in ast.walk(formula) if isinstance(node, ast.Name) and node.id.startswith("d")]:
        for name in matrices:
            through = f"{node.id} @ {name}.T"
            yield (
                put(node, ast.parse(through, mode="eval").body, formula),
                f"`{node.id}` has to go back through `{name}`: `{through}`",
            )


def _of_values(formula: ast.expr, arrays: Sequence[str], scope: Mapping[str, Any]) -> Iterator[tuple[ast.expr, str]]:
    """Yield an adjoint times the derivative of a sigmoid, a tanh or a ReLU, or that in place of a part of a formula."""
    parts = [node for node in ast.walk(formula) if isinstance(node, ast.BinOp | ast.Compare | ast.Call)]
    for x in (name for name in arrays if not name.startswith("d")):
        smooth = (f"{x} * (1 - {x})", f"1 - {x} ** 2")
        mask = (f"({x} > 0)",) if np.ptp(np.sign(scope[x])) else ()  # one of ones alone is no mask
        for form, other in zip(smooth, smooth[::-1], strict=True):
            less = ast.BinOp(formula, ast.Div(), ast.parse(f"({other})", mode="eval").body)
            yield less, f"the factor `{other}` is too much: it cancels"
            why = f"`{other}` is not the local derivative: it is `{form}`"
            yield ast.BinOp(less, ast.Mult(), ast.parse(f"({form})", mode="eval").body), why
        for form in (*smooth, *mask):
            derivative = ast.parse(f"({form})", mode="eval").body
            for part in parts:
                why = f"`{ast.unparse(part)}` is not the local derivative: it is `{form}`"
                yield put(part, derivative, formula), why
            for d in (name for name in arrays if name.startswith("d") and np.shape(scope[name]) == np.shape(scope[x])):
                why = f"the local derivative is that of a forward value, `{form}`, and is multiplied by `{d}`"
                yield ast.parse(f"{d} * ({form})", mode="eval").body, why


def _of_softmax(arrays: Sequence[str], scope: Mapping[str, Any]) -> Iterator[tuple[ast.expr, str]]:
    """Yield the derivative of a softmax, which is easily taken for that of a sigmoid."""
    for d, p in itertools.permutations(arrays, 2):
        if d.startswith("d") and np.shape(scope[d]) == np.shape(scope[p]) and not p.startswith("d"):
            term = f"sum({d} * {p}, axis=1, keepdims=True)"
            why = f"the term `{p} * {term}` is missing, subtracted from `{p} * {d}`: each depends on all of its row"
            yield ast.parse(f"{p} * ({d} - {term})", mode="eval").body, why


def _of_families(formula: ast.expr, scope: Mapping[str, Any]) -> Iterator[tuple[ast.expr, str]]:
    """Yield a formula with several names of one family, such as the states H1, H2 and H3, in other places."""
    stems = {name: name.rstrip("0123456789") for name in scope if name[-1].isdigit()}
    read = [node for node in ast.walk(formula) if isinstance(node, ast.Name) and node.id in stems]
    read.sort(key=lambda node: node.col_offset)
    for stem in dict.fromkeys(stems[node.id] for node in read):
        family = [name for name in stems if stems[name] == stem]
        places = [node for node in read if stems[node.id] == stem]
        several = itertools.chain(*(itertools.combinations(places, n) for n in range(2, len(places) + 1)))
        for old in several:
            for new in itertools.product(*([name for name in family if name != node.id] for node in old)):
                tree = formula
                for node, name in zip(old, new, strict=True):
                    tree = put(node, ast.Name(name, ast.Load()), tree)
                pairs = dict.fromkeys(zip(new, (node.id for node in old), strict=True))
                these, those = (", ".join(f"`{name}`" for name in names) for names in zip(*pairs, strict=True))
                yield tree, f"write {these} in place of {those}{', in this order' if len(pairs) > 1 else ''}"


def _part(line: Line, known: Mapping[str, np.ndarray], scope: Mapping[str, Any]) -> str:
    """Return which part of a formula must be wrong since the others are right values."""

    def right(node: ast.expr) -> bool:
        try:
            value = np.asarray(evaluate(node, scope))
        except InvalidArgument:
            return False
        return value.size > 1 and any(value.shape == v.shape and not differs(value, v).any() for v in known.values())

    if isinstance(line.value, ast.Subscript) and right(line.value.value):
        return f"`{ast.unparse(line.value.value)}` is right, and the slice takes other entries of it than it should"
    return wrong_part(line.value, right) if line.value is not None else ""


def entry(point: Point, name: str, value: np.ndarray, true: np.ndarray, scale: float) -> dict[str, Any]:
    """Return one entry in numbers: the worst one, by hand, as it is, and by differences of the loss."""
    off = np.nan_to_num(np.abs(value - true), nan=np.inf, posinf=np.inf)
    worst = np.argmax(off if differs(value, true).any() else np.abs(true))
    index = tuple(map(int, np.unravel_index(int(worst), true.shape)))
    of, by = point.level.meaning(name) or ("", "")
    found = {"index": index, "hand": float(value[index]), "true": float(true[index])}
    if of == point.level.cost:
        found["difference"] = scale * slopes_at(point.level, by, index).central.value
    return found
