"""Something put around a part of a line: a sign, a factor, a term, a power, a local derivative in its place."""

import ast
import itertools
from collections.abc import Mapping, Sequence

from jaxnn.trace.expressions import parsed
from jaxnn.verify.diagnosis.edits.statements import Change, Changes, text

MOST_FACTORS = 12  # of a product, those in the line first
FACTORS = (  # what an array `x` may stand in as a factor: activations and their derivatives among them
    *("{x}", "(1 - {x})", "{x} * (1 - {x})", "(1 - {x} ** 2)", "({x} > 0)", "({x} >= 0)", "{x} ** 2"),
    *("(2 * {x})", "(1 + {x} ** 2)"),
)

FUNCTIONS = {  # of a node `x`, and what there is to say
    **dict.fromkeys(("abs({x})", "1 - {x}", "1 / {x}", "{x} * (1 - {x})", "1 - {x} ** 2", "{x} > 0", "{x}[::-1]"), ""),
    **dict.fromkeys(("np.exp({x})", "np.log({x})", "np.sqrt({x})", "np.tanh({x})"), ""),
    "np.conj({x})": ": what goes back through a complex factor meets its conjugate",
    "np.cumsum({x})": ": the sum of all before and this one",
    "np.cumsum({x}[::-1])[::-1]": ": the sum of this one and all after",
    "1 / (1 + np.exp(-{x}))": ": the sigmoid, a probability and no logit",
    **{f"{{x}} / {{x}}.sum(axis={axis}, keepdims=True)": ": shared out, among ties for example" for axis in (0, 1, -1)},
    "np.exp({x}) / np.exp({x}).sum(axis=-1, keepdims=True)": ": the softmax, probabilities and no logits",
}


def signs(node: ast.expr, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield the node times -1."""
    if not isinstance(node, ast.Constant | ast.Tuple) and not isinstance(getattr(node, "operand", None), ast.Constant):
        yield ast.UnaryOp(ast.USub(), node), f"the sign of {text(node)} is wrong: multiply by -1"


def factors(node: ast.expr, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield the node times, over, plus or minus another array, or a local derivative made of it."""
    for name in arrays:
        for form in FACTORS:
            factor = parsed(form.format(x=name))
            yield (
                ast.BinOp(node, ast.Mult(), factor),
                f"the factor {text(factor)} is missing: multiply {text(node)} by it",
            )
        if name == ast.unparse(node):
            continue
        other = parsed(name)
        yield ast.BinOp(node, ast.Div(), other), f"{text(node)} should be divided by {text(other)}"
        yield ast.BinOp(node, ast.Add(), other), f"the term {text(other)} is missing: add it to {text(node)}"
        yield ast.BinOp(node, ast.Sub(), other), f"the term {text(other)} is missing: subtract it from {text(node)}"
    sizes = [f"{name}.shape[{k}]" for name in arrays for k in (0, -1)]
    # A 3 is likelier a size: written out it would be right at this size alone.
    for name in ("2", *numbers, *sizes, *(f"{name}.size" for name in arrays), *(f"{n} ** 0.5" for n in sizes), "3"):
        other = parsed(name)
        lacks = f"a factor 1/{name} is missing: " if name.isdigit() else ""
        yield ast.BinOp(node, ast.Div(), other), f"{lacks}{text(node)} should be divided by {text(other)}"
        factor = name if name.isdigit() else f"`{name}`"
        yield ast.BinOp(node, ast.Mult(), other), f"the factor {factor} is missing: multiply {text(node)} by {factor}"


def matrices(node: ast.expr, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield the node times a matrix, from the right or from the left: a layer, or a rotation, that was passed over."""
    for name in (form for array in arrays for form in (array, f"{array}.T")):
        other = parsed(name)
        for pair in ((node, other), (other, node)):
            new = ast.BinOp(pair[0], ast.MatMult(), pair[1])
            yield new, f"the factor `{name}` is missing, a matrix: {text(node)} should be {text(new)}"


def products(node: ast.expr, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield the node plus or minus the product of two others: what a variable that is used twice adds."""
    seen = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    present = {ast.unparse(n) for n in ast.walk(node) if isinstance(n, ast.BinOp)}
    # The nearest of both kinds take turns.
    both = [name for pair in itertools.zip_longest(arrays, numbers) for name in pair if name and name.isidentifier()]
    known = sorted(both, key=lambda name: name not in seen)
    for one, other in itertools.combinations_with_replacement(known[:MOST_FACTORS], 2):
        if {f"{one} * {other}", f"{other} * {one}"} & present:  # once more is a factor of 2
            continue
        term = parsed(f"{one} * {other}")
        for operator, what in ((ast.Add(), "add it to"), (ast.Sub(), "subtract it from")):
            yield ast.BinOp(node, operator, term), f"the term {text(term)} is missing: {what} {text(node)}"


def forms(node: ast.expr, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield an array, or a local derivative made of one, in the place of another expression."""
    if isinstance(node, ast.BinOp | ast.Call | ast.Compare):
        for name in arrays:
            for form in FACTORS:
                other = parsed(form.format(x=name))
                yield other, f"{text(node)} in place of {text(other)}: write {text(other)}"


def powers(node: ast.expr, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield the square and the cube of the node."""
    yield from ((ast.BinOp(node, ast.Pow(), ast.Constant(power)), "") for power in (2, 3))


def around(forms: Mapping[str, str], library: str) -> Change:
    """Return how forms of a node `x`, each with what there is to say, are put around it; `library` is NumPy's name."""

    def change(node: ast.expr, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
        for call, what in forms.items():
            yield parsed(call.format(x=f"({ast.unparse(node)})").replace("np.", f"{library}.")), what

    return change
