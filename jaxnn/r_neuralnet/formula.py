"""R's formulas: `a + b ~ x + z`, `y ~ . - x`, `Species == "setosa" ~ .`, `factor(x)`."""

import math
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn

from jaxnn.errors import InvalidArgument


class Variable(NamedTuple):
    """A column, by its name; as classes, whatever it holds, where the formula says `factor(name)`."""

    name: str
    factor: bool = False


class Comparison(NamedTuple):
    """A response that is 1 where `column operator value` holds and 0 elsewhere."""

    name: str
    operator: str
    value: str | float | bool

    def __str__(self):
        shown = f'"{self.value}"' if isinstance(self.value, str) else f"{self.value:g}"
        shown = str(self.value).upper() if isinstance(self.value, bool) else shown
        return f"{self.name} {self.operator} {shown}"


class Formula(NamedTuple):
    """The responses and the covariates; `dot` stands for all columns that are no response, less those `dropped`."""

    responses: tuple[Variable | Comparison, ...]
    covariates: tuple[Variable, ...]
    dot: bool
    dropped: tuple[str, ...]


class _Token(NamedTuple):
    kind: str
    text: str
    place: int


_TOKENS = re.compile(
    r"""(?P<space>\s+)|(?P<string>"[^"]*"|'[^']*')|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
    |(?P<quoted>`[^`]+`)|(?P<name>[^\W\d][\w.]*|\.[^\W\d][\w.]*)
    |(?P<sign>==|!=|<=|>=|[~+\-<>().])""",
    re.VERBOSE,
)
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
_DOT = Variable(".")
_TRUTH = {"TRUE": True, "FALSE": False, "True": True, "False": False}


def parse(text: str) -> Formula:
    """Return what the formula says.

    Raises `InvalidArgument`, the place marked, for what is no formula, and for what R's neuralnet would take by name
    and not find, or silently leave out: functions of columns, interactions, `-1`.
    """
    if not isinstance(text, str):
        raise InvalidArgument(f'formula: got {text!r}, expected text such as "y ~ x1 + x2"')
    return _Parser(text).formula()


class _Parser:
    def __init__(self, text: str):
        self.text = text
        self.tokens = list(self.split())
        self.at = 0

    def split(self) -> Iterator[_Token]:
        place = 0
        while place < len(self.text):
            found = _TOKENS.match(self.text, place)
            if found is None:
                meant = {
                    ":": ": an interaction",
                    "*": ": an interaction",
                    "^": ": a power",
                    "=": ", a comparison is ==",
                }
                char = self.text[place]
                self.fail(place, f"what a formula is made of, got {char!r}{meant.get(char, '')}")
            if found.lastgroup != "space":
                yield _Token(str(found.lastgroup), found[0], place)
            place = found.end()
        yield _Token("end", "the end", place)

    def fail(self, place: int, expected: str) -> NoReturn:
        hint = "; make columns that are calculated, such as logarithms and products, in the data first"
        raise InvalidArgument(
            f"formula: got\n  {self.text}\n  {' ' * place}^\nexpected here {expected}"
            + (hint if "interaction" in expected or "power" in expected or "function" in expected else "")
        )

    @property
    def next(self) -> _Token:
        return self.tokens[self.at]

    def take(self, *texts: str) -> bool:
        """Go on if the next token is one of these signs."""
        taken = self.next.kind == "sign" and self.next.text in texts
        self.at += taken
        return taken

    def need(self, sign: str) -> None:
        if not self.take(sign):
            self.fail(self.next.place, f"{sign!r}, got {self.next.text!r}")

    def formula(self) -> Formula:
        responses = self.list_of(self.response)
        self.need("~")
        if self.next.kind == "end":
            self.fail(self.next.place, "the covariates: names, or . for all other columns")
        # One covariate at a time, since a minus takes away the one behind it alone, and a plus ends that.
        added, dropped = [], []
        taken_away = self.take("-")
        while True:
            (dropped if taken_away else added).extend(self.list_of(self.covariate, 1))
            taken_away = self.next.text == "-"
            if not self.take("+", "-"):
                break
        if self.next.kind != "end":
            what = ": a formula has one ~" if self.next.text == "~" else ""
            self.fail(self.next.place, f"+, - or the end, got {self.next.text!r}{what}")
        names = tuple(variable.name for variable in dropped)
        kept = tuple(v for v in dict.fromkeys(added) if v != _DOT and v.name not in names)
        if not kept and _DOT not in added:
            self.fail(self.text.index("~"), "at least one covariate on the right")
        return Formula(tuple(dict.fromkeys(responses)), kept, _DOT in added, names)

    def covariate(self) -> Variable | list:
        if self.take("("):
            inside = self.list_of(self.covariate)
            self.need(")")
            return inside
        if self.take("."):
            return _DOT
        if self.next.kind == "number":
            self.fail(self.next.place, f"a name, got {self.next.text!r}: a network always has its intercepts")
        return self.variable()

    def list_of(self, part: Callable, most: float = math.inf) -> list:
        """Return what `part` reads, joined by +, in one list."""
        found = [part()]
        while len(found) < most and self.take("+"):
            found.append(part())
        return [one for some in found for one in (some if isinstance(some, list) else [some])]

    def response(self) -> Variable | Comparison | list:
        if self.take("("):
            inside = self.list_of(self.response)
            self.need(")")
            return inside
        variable = self.variable()
        if self.next.text in _COMPARISONS and self.next.kind == "sign":
            operator = self.next.text
            self.at += 1
            return Comparison(variable.name, operator, self.value())
        return variable

    def value(self) -> str | float | bool:
        token = self.next
        negative = self.take("-")
        kind, text, place = self.next
        self.at += 1
        if kind == "number":
            return -float(text) if negative else float(text)
        if kind == "string" and not negative:
            return text[1:-1]
        if text in _TRUTH and not negative:
            return _TRUTH[text]
        self.fail(token.place, f'a number or a text in quotes such as "setosa", got {text!r}')

    def variable(self) -> Variable:
        kind, text, place = self.next
        if kind == "quoted":
            self.at += 1
            return Variable(text[1:-1])
        if kind != "name":
            self.fail(place, f"a name, got {text!r}")
        self.at += 1
        following = self.next
        if following.kind == "sign" and following.text == "(" and following.place == place + len(text):
            if text not in ("factor", "as.factor"):
                self.fail(place, f"a name or factor(name), got the function {text!r}")
            self.at += 1
            inside = self.variable()
            self.need(")")
            return inside._replace(factor=True)
        return Variable(text)
