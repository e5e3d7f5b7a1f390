"""The values of R's expressions of columns: `log(x)`, `I(x^2)`, `scale(x)`, `Species == "setosa"`, `!(a > b & c)`."""

import operator
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxnn.errors import require
from jaxnn.r_neuralnet.formulas.syntax import Node, as_text, tree_of


class Column(NamedTuple):
    """A column of data as numbers, or as texts; and the levels, in their order, where the data itself has them."""

    values: np.ndarray
    levels: tuple | None = None


State = dict[str, list[float]]  # what scale() and poly() took from the data of the fit, by their texts

_ARITHMETIC = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "^": np.power}
_COMPARISONS = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le}
_COMPARISONS |= {">": operator.gt, ">=": operator.ge}
_LOGICAL = {"&": np.logical_and, "&&": np.logical_and, "|": np.logical_or, "||": np.logical_or}
_OF_ONE = {
    name: getattr(np, name)
    for name in ("exp", "expm1", "log1p", "log2", "log10", "sqrt", "abs", "sign", "floor", "sin", "cos", "tan", "sinh")
    + ("cosh", "tanh")
}
_OF_ONE |= {"I": lambda x: x, "ceiling": np.ceil, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan}
_OF_SEVERAL = {"pmin": np.minimum, "pmax": np.maximum}
_OTHERS = ("log", "round", "ifelse", "scale", "poly", "as.numeric", "as.integer", "as.double", "as.character")
FUNCTIONS = (*_OF_ONE, *_OF_SEVERAL, *_OTHERS, "as.logical", "factor")


def value_of(text: str, columns: Mapping[str, Column], state: State | None = None) -> tuple[Column, State]:
    """Return what an expression makes of columns, a column or for `poly` a matrix, and the state of `scale` and `poly`.

    Without a `state` they take theirs from these columns; with one they do what they did there. Raises
    `InvalidArgument` for functions that are not known, and for texts where numbers are needed and the reverse.
    """
    evaluation = _Evaluation(columns, {} if state is None else state, fitting=state is None)
    with np.errstate(all="ignore"):  # what is not finite is named with its rows, by who asked
        found = evaluation.of(tree_of("formula", text))
    rows = len(next(iter(columns.values())).values)
    if not isinstance(found, Column):
        found = Column(np.broadcast_to(found, (rows, *np.shape(found)[1:])))
    return found, evaluation.state


class _Evaluation:
    def __init__(self, columns: Mapping[str, Column], state: State, fitting: bool):
        self.columns, self.state, self.fitting = columns, state, fitting

    def of(self, tree: Node) -> Any:
        """Return a `Column` for a name alone, which may have levels, else an array or a scalar."""
        match tree.kind:
            case "name":
                return self.columns[tree.text]
            case "(":
                return self.of(tree.parts[0])
            case "number":
                return float(tree.text)
            case "string":
                return tree.text[1:-1]
            case "truth":
                return tree.text == "TRUE"
            case "prefix" if tree.text == "!":
                return np.logical_not(self.numbers(tree.parts[0]))
            case "prefix":
                return (-1 if tree.text == "-" else 1) * self.numbers(tree.parts[0])
            case "infix":
                return self._infix(tree)
            case "call":
                return self._call(tree)
        require(False, "formula", as_text(tree), "an expression of columns")

    def values(self, tree: Node) -> Any:
        found = self.of(tree)
        found = found.values if isinstance(found, Column) else found
        return found.astype(str) if isinstance(found, np.ndarray) and found.dtype.kind == "O" else found

    def numbers(self, tree: Node) -> Any:
        found = self.values(tree)
        texts = np.asarray(found).dtype.kind in "UT"
        require(not texts, "formula", f"{as_text(tree)}, which holds texts", "numbers, for calculations")
        return np.asarray(found, float)

    def _infix(self, tree: Node) -> Any:
        left, right = tree.parts
        if tree.text in _ARITHMETIC:
            return _ARITHMETIC[tree.text](self.numbers(left), self.numbers(right))
        if tree.text in _LOGICAL:
            return _LOGICAL[tree.text](self.numbers(left), self.numbers(right))
        if tree.text == "%in%":
            wanted = right.parts if right.kind == "call" and right.text == "c" else (right,)
            return reduce(np.logical_or, (self._compared(tree, left, one, "==") for one in wanted))
        require(
            tree.text in _COMPARISONS, "formula", f"{as_text(tree)} inside an expression", "arithmetic, a comparison"
        )
        return self._compared(tree, left, right, tree.text)

    def _compared(self, tree: Node, left: Node, right: Node, sign: str) -> Any:
        a, b = self.values(left), self.values(right)
        texts = [np.asarray(v).dtype.kind in "UT" for v in (a, b)]
        wanted = f"a {'text' if texts[0] else 'number'}, as {as_text(left)} has them"
        require(texts[0] == texts[1], "formula", as_text(tree), wanted)
        return _COMPARISONS[sign](a, b)

    def _call(self, tree: Node) -> Any:
        name, (args, named) = tree.text, _arguments(tree)
        if name in _OF_ONE and len(args) == 1 and not named:
            return _OF_ONE[name](self.numbers(args[0]) if name != "I" else self.values(args[0]))
        if name in _OF_SEVERAL and args and not named:
            return reduce(_OF_SEVERAL[name], map(self.numbers, args))
        match name, args:
            case "log", [x, *base]:
                base = [*base, *([named.pop("base")] if "base" in named else [])]
                self._no_more(tree, named)
                return np.log(self.numbers(x)) / (np.log(self.numbers(base[0])) if base else 1)
            case "round", [x, *digits]:
                return np.round(self.numbers(x), int(self.numbers(digits[0])) if digits else 0)
            case "ifelse", [test, yes, no]:
                return np.where(self.numbers(test) != 0, self.values(yes), self.values(no))
            case "factor" | "as.factor", [x]:
                return self.of(x)
            case "as.character", [x]:
                return np.array([_as_character(v) for v in np.ravel(self.values(x)).tolist()], object)
            case "as.logical", [x]:
                return self.numbers(x) != 0
            case (("as.numeric" | "as.double" | "as.integer"), [x]):
                found = self._as_numeric(x)
                return np.trunc(found) if name == "as.integer" else found
            case "scale", [x, *_]:
                return self._scaled(tree, x, args, named)
            case "poly", [x, *_]:
                return self._polynomials(tree, x, args, named)
        known = name in FUNCTIONS
        expected = f"one of the functions {', '.join(FUNCTIONS)}; make other columns in the data first"
        require(False, "formula", f"{as_text(tree)}" if known else f"the function {name!r}", expected)

    def _as_numeric(self, x: Node) -> np.ndarray:
        """Return numbers as they are, of a factor the places of the levels from 1, of texts the numbers they spell."""
        column = self.of(x)
        if isinstance(column, Column) and column.levels is not None:
            return np.array([1.0 + column.levels.index(v) for v in column.values.tolist()])
        try:
            return np.asarray(self.values(x)).astype(float)
        except ValueError as error:
            require(False, "formula", f"as.numeric of {as_text(x)}: {error}", "texts that are numbers, or a factor")
            raise

    def _no_more(self, tree: Node, named: dict) -> None:
        require(not named, "formula", f"{as_text(tree)} with {', '.join(named)}", "arguments that are known here")

    def _option(self, tree: Node, args: list[Node], named: dict[str, Node], place: int, name: str, default: Any) -> Any:
        node = args[place] if place < len(args) else named.pop(name, None)
        plain = node is None or node.kind in ("number", "truth", "prefix")
        require(plain, "formula", as_text(tree), f"{name} as a number, TRUE or FALSE")
        return default if node is None else self.of(node)

    def _scaled(self, tree: Node, x: Node, args: list[Node], named: dict[str, Node]) -> np.ndarray:
        """Return R's `scale(x, center = TRUE, scale = TRUE)` with the centre and the scale of the fit."""
        values, key = self.numbers(x), as_text(tree)
        if self.fitting:
            centre, size = (self._option(tree, args, named, i, o, True) for i, o in ((1, "center"), (2, "scale")))
            self._no_more(tree, named)
            centre = (values.mean() if centre else 0.0) if isinstance(centre, bool) else float(centre)
            spread = np.sqrt(np.sum((values - centre) ** 2) / max(len(values) - 1, 1))
            size = (spread if size else 1.0) if isinstance(size, bool) else float(size)
            require(size > 0, "formula", f"{key} of a constant column", "a column whose values differ")
            self.state[key] = [float(centre), float(size)]
        centre, size = self.state[key]
        return (values - centre) / size

    def _polynomials(self, tree: Node, x: Node, args: list[Node], named: dict[str, Node]) -> np.ndarray:
        """Return R's `poly(x, degree = 1, raw = FALSE)`, a column for each degree.

        Its polynomials are orthogonal over the data of the fit: the three-term recursion, with its coefficients.
        """
        values, key = self.numbers(x), as_text(tree)
        named = dict(named)
        degree = self._option(tree, args, named, 1, "degree", 1.0)
        raw = self._option(tree, args, named, 2, "raw", False)
        self._no_more(tree, named)
        whole = float(degree).is_integer() and 1 <= degree < (len(np.unique(values)) if self.fitting else np.inf)
        require(whole, "formula", key, "a degree from 1 to the number of different values less 1")
        degree = int(degree)
        if raw:
            return np.stack([values**k for k in range(1, degree + 1)], axis=1)
        if self.fitting:
            self.state[key] = [*_recursion(values, degree)]
        centres, norms = np.array(self.state[key]).reshape(2, degree + 1)
        return _orthogonal(values, centres, norms)[:, 1:] / np.sqrt(norms[1:])


def _arguments(tree: Node) -> tuple[list[Node], dict[str, Node]]:
    named = {part.text: part.parts[0] for part in tree.parts if part.kind == "named"}
    args = [part for part in tree.parts if part.kind != "named"]
    if "x" in named:
        args.insert(0, named.pop("x"))
    return args, named


def _as_character(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    return f"{value:.15g}" if isinstance(value, int | float) else str(value)


def _recursion(x: Float[np.ndarray, " n"], degree: int) -> np.ndarray:
    r"""Return $\alpha_0 ... \alpha_d$ and $|p_0|^2 ... |p_d|^2$: $\alpha_i = \sum x p_i^2 / |p_i|^2$ (Stieltjes)."""
    centres, norms = np.zeros(degree + 1), np.ones(degree + 1)
    for i in range(degree + 1):
        p = _orthogonal(x, centres[: i + 1], norms[: i + 1])[:, i]
        norms[i] = p @ p
        centres[i] = x @ p**2 / norms[i]
    return np.concatenate([centres, norms])


def _orthogonal(x: Float[np.ndarray, " n"], centres: Sequence | np.ndarray, norms: Sequence | np.ndarray) -> np.ndarray:
    r"""Return the columns $p_{i+1} = (x - \alpha_i) p_i - |p_i|^2 / |p_{i-1}|^2 p_{i-1}$, $p_0 = 1$."""
    columns = [np.ones_like(x)]
    for i in range(len(centres) - 1):
        before = norms[i] / norms[i - 1] * columns[i - 1] if i else 0
        columns.append((x - centres[i]) * columns[i] - before)
    return np.stack(columns, axis=1)
