"""R's formulas: `a + b ~ x + z`, `y ~ . - x`, `Species == "setosa" ~ .`, `log(y) ~ x * z + I(x^2) + factor(k)`."""

from itertools import product
from typing import Any, NamedTuple

from jaxnn.errors import InvalidArgument
from jaxnn.r_neuralnet.formulas.syntax import Node, Reader, as_text, names_in


class Variable(NamedTuple):
    """A column, by its name; or the expression that `name` is, of the columns `of`; as classes where `factor`."""

    name: str
    factor: bool = False
    of: tuple[str, ...] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the data that it reads."""
        return (self.name,) if self.of is None else self.of


Product = tuple[Variable, ...]  # a covariate: one variable, or the product of several, an interaction


class Formula(NamedTuple):
    """The responses and the covariates, main effects first; `dot` stands for all columns that are in no response, less
    those `dropped`.
    """

    responses: tuple[Variable, ...]
    covariates: tuple[Product, ...]
    dot: bool = False
    dropped: tuple[str, ...] = ()

    @property
    def columns(self) -> set[str]:
        """The columns that it names."""
        return {name for part in (self.responses, *self.covariates) for v in part for name in v.columns}


_DOT = (Variable("."),)
_FACTORS = ("factor", "as.factor", "C")


def parse(text: str) -> Formula:
    """Return what the formula says.

    Raises `InvalidArgument`, the place marked, for what is no formula, and for what R would read in another way than it
    seems to say, or leave out: `x^2` without `I()`, arithmetic on the right without `I()`, `-1`.
    """
    if not isinstance(text, str):
        raise InvalidArgument(f'formula: got {text!r}, expected text such as "y ~ x1 + x2"')
    reader = Reader("formula", text)
    left = reader.expression()
    tilde = reader.next[2]
    reader.need("~")
    if reader.next[0] == "end":
        reader.fail(reader.next[2], "the covariates: names, or . for all other columns")
    right = reader.expression()
    kind, found, place = reader.next
    if kind != "end":
        reader.fail(place, f"+, - or the end, got {found!r}{': a formula has one ~' if found == '~' else ''}")
    added, dropped = _terms(reader, right)
    # As R has them: each once, main effects first, the variables of a product in the order of the whole formula.
    variables = [_variable(reader, leaf) for leaf in _leaves(right)]
    ordered = [tuple(sorted(term, key=variables.index)) for term in added if term != _DOT]
    gone = [frozenset(term) for term in dropped]
    covariates = sorted((term for term in dict.fromkeys(ordered) if frozenset(term) not in gone), key=len)
    if not covariates and _DOT not in added:
        reader.fail(tilde, "at least one covariate on the right")
    responses = tuple(dict.fromkeys(_responses(reader, left)))
    names = tuple(dict.fromkeys(v.name for term in dropped for v in term if len(term) == 1 and v.of is None))
    return Formula(responses, tuple(covariates), _DOT in added, names)


def term_name(term: Product) -> str:
    """Return R's name of a covariate: of an interaction the variables' names with colons between."""
    return ":".join(variable.name for variable in term)


def _responses(reader: Reader, tree: Node) -> list[Variable]:
    """Return the responses that plus signs join, parentheses around some of them or not."""
    if tree.kind == "infix" and tree.text == "+":
        return [one for part in tree.parts for one in _responses(reader, part)]
    return _responses(reader, tree.parts[0]) if tree.kind == "(" else [_variable(reader, tree)]


def _terms(reader: Reader, tree: Node) -> tuple[list[Product], list[Product]]:
    """Return the terms that a right side adds and those that it takes away."""
    match tree.kind, tree.text:
        case "infix", "+" | "-":
            added, dropped = _terms(reader, tree.parts[0])
            more, less = _terms(reader, tree.parts[1])
            if tree.text == "+":  # what is added again is there again
                return added + more, [term for term in dropped if term not in more] + less
            return [term for term in added if term not in more or term == _DOT], dropped + more
        case "prefix", "-":
            return [], _terms(reader, tree.parts[0])[0]
        case "(", _:
            return _terms(reader, tree.parts[0])
        case "infix", "*" | ":":
            sides = [_factors(reader, part) for part in tree.parts]
            crossed = [_crossed(*pair) for pair in product(*sides)]
            return ([*sides[0], *sides[1]] if tree.text == "*" else []) + crossed, []
        case "infix", "^":
            base, power = tree.parts
            terms = _factors(reader, base)
            if len(terms) == 1 or power.kind != "number" or float(power.text) not in range(1, 10):
                reader.fail(
                    tree.place, f"a power of a sum such as (x + z)^2; the power of a column is I({as_text(tree)})"
                )
            found = terms
            for _ in range(int(float(power.text)) - 1):
                found = [*found, *(_crossed(a, b) for a, b in product(found, terms))]
            return found, []
        case "dot", _:
            return [_DOT], []
        case "number", _:
            reader.fail(tree.place, f"a name, got {tree.text!r}: a network always has its intercepts")
        case ("infix", _) | ("prefix", _):
            reader.fail(tree.place, f"+, -, * or :, got {tree.text!r}: calculations stand in I(), I({as_text(tree)})")
        case ("string", _) | ("truth", _):
            reader.fail(tree.place, f"a name, got {tree.text}")
    return [(_variable(reader, tree),)], []


def _leaves(tree: Node) -> list[Node]:
    """Return the variables of a right side as they stand in it."""
    if tree.kind in ("infix", "prefix", "("):
        return [leaf for part in tree.parts for leaf in _leaves(part)]
    return [tree] if tree.kind in ("name", "call") else []


def _factors(reader: Reader, tree: Node) -> list[Product]:
    added, dropped = _terms(reader, tree)
    if dropped or _DOT in added:
        reader.fail(tree.place, "names: an interaction of the dot or of a difference is not known; write its columns")
    return added


def _crossed(first: Product, second: Product) -> Product:
    return tuple(dict.fromkeys((*first, *second)))


def _variable(reader: Reader, tree: Node) -> Variable:
    if tree.kind == "name":
        return Variable(tree.text)
    if tree.kind == "call" and tree.text in _FACTORS and len(tree.parts) == 1:
        return _variable(reader, tree.parts[0])._replace(factor=True)
    _refuse_dots(reader, tree)
    if not names_in(tree):
        reader.fail(tree.place, f"a name or an expression of columns, got {as_text(tree)!r}")
    return Variable(as_text(tree), of=names_in(tree))


def _refuse_dots(reader: Reader, tree: Any) -> None:
    if tree.kind == "dot":
        reader.fail(tree.place, "a name, got '.'")
    for part in tree.parts:
        _refuse_dots(reader, part)
