"""R's syntax, as far as formulas need it: text to a tree by R's precedence, and back to text as R prints it."""

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from jaxnn.errors import InvalidArgument


class Node(NamedTuple):
    """A name, number, text, truth value, dot, parenthesis, operator or call, with its parts and its place."""

    kind: str
    text: str
    parts: tuple["Node", ...]
    place: int


_TOKENS = re.compile(
    r"""(?P<space>\s+)|(?P<string>"[^"]*"|'[^']*')|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
    |(?P<quoted>`[^`]+`)|(?P<name>[^\W\d][\w.]*|\.[^\W\d][\w.]*)
    |(?P<sign>%in%|==|!=|<=|>=|&&|\|\||[~+\-*/^:<>()!&|,=.])""",
    re.VERBOSE,
)
# How tightly an operator binds, by R's ?Syntax; of equal ones the left comes first, of powers the right.
_BINDS = {"||": 1, "|": 1, "&&": 2, "&": 2} | dict.fromkeys(("==", "!=", "<", ">", "<=", ">="), 4)
_BINDS |= {"+": 5, "-": 5, "*": 6, "/": 6, "%in%": 7, ":": 8, "^": 10}
_PREFIX = {"!": 3, "-": 9, "+": 9}
_TRUTH = {"TRUE": "TRUE", "FALSE": "FALSE", "True": "TRUE", "False": "FALSE"}
_HINTS = {"the end": "the end", "=": "=, a comparison is =="}


class Reader:
    """Reads a text from left to right; `fail` raises `InvalidArgument` with the place marked."""

    def __init__(self, argument: str, text: str):
        self.argument, self.text = argument, text
        self.tokens = list(self._split())
        self.at = 0

    def _split(self) -> Iterator[tuple[str, str, int]]:
        place = 0
        while place < len(self.text):
            found = _TOKENS.match(self.text, place)
            if found is None:
                self.fail(place, f"what a formula is made of, got {self.text[place]!r}")
            if found.lastgroup != "space":
                yield str(found.lastgroup), found[0], place
            place = found.end()
        yield "end", "the end", place

    def fail(self, place: int, expected: str) -> NoReturn:
        """Raise `InvalidArgument` that shows the text, the place, and what was expected there."""
        raise InvalidArgument(f"{self.argument}: got\n  {self.text}\n  {' ' * place}^\nexpected here {expected}")

    @property
    def next(self) -> tuple[str, str, int]:
        """The kind, the text and the place of what comes next."""
        return self.tokens[self.at]

    def take(self, sign: str) -> bool:
        """Return whether this sign is next, and go on if it is."""
        kind, text, _ = self.next
        taken = kind == "sign" and text == sign
        self.at += taken
        return taken

    def need(self, sign: str) -> None:
        """Go on behind this sign, which must be next."""
        if not self.take(sign):
            _, text, place = self.next
            self.fail(place, f"{sign!r}, got {text!r}" + (", a comparison is ==" if text == "=" else ""))

    def expression(self, least: int = 0) -> Node:
        """Return the tree of what follows, as far as its operators bind at least this tightly."""
        left = self._operand()
        while self.next[0] == "sign" and (binds := _BINDS.get(self.next[1], -1)) > least:
            _, sign, place = self.next
            self.at += 1
            left = Node("infix", sign, (left, self.expression(binds - (sign == "^"))), place)
        return left

    def _operand(self) -> Node:
        kind, text, place = self.next
        if kind == "sign" and text in _PREFIX:
            self.at += 1
            return Node("prefix", text, (self.expression(_PREFIX[text]),), place)
        if self.take("("):
            inside = self.expression()
            self.need(")")
            return Node("(", "(", (inside,), place)
        if self.take("."):
            return Node("dot", ".", (), place)
        if kind not in ("name", "quoted", "number", "string"):
            before = self.tokens[self.at - 1][1] if self.at else ""
            other = ", a number or a text in quotes" if before in ("==", "!=", "<", ">", "<=", ">=") else ""
            self.fail(place, f"a name{other}, got {text!r}")
        self.at += 1
        if kind == "name" and text in _TRUTH:
            return Node("truth", _TRUTH[text], (), place)
        _, following, at = self.next
        if kind == "name" and following == "(" and at == place + len(text):
            return Node("call", text, self._arguments(), place)
        return Node("name", text[1:-1], (), place) if kind == "quoted" else Node(kind, text, (), place)

    def _arguments(self) -> tuple[Node, ...]:
        self.need("(")
        found: list[Node] = []
        while not self.take(")"):
            if found:
                self.need(",")
            kind, text, place = self.next
            if kind == "name" and self.tokens[self.at + 1][:2] == ("sign", "="):
                self.at += 2
                found.append(Node("named", text, (self.expression(),), place))
            else:
                found.append(self.expression())
        return tuple(found)


def tree_of(argument: str, text: str) -> Node:
    """Return the tree of a text that is one expression."""
    reader = Reader(argument, text)
    tree = reader.expression()
    kind, found, place = reader.next
    if kind != "end":
        reader.fail(place, f"an operator or the end, got {found!r}")
    return tree


def names_in(tree: Node) -> tuple[str, ...]:
    """Return the names of the columns in a tree, each once, from left to right."""
    own = (tree.text,) if tree.kind == "name" else ()
    return tuple(dict.fromkeys((*own, *(name for part in tree.parts for name in names_in(part)))))


def as_text(tree: Node) -> str:
    """Return the tree as R's `deparse` prints it."""
    parts = [as_text(part) for part in tree.parts]
    match tree.kind:
        case "infix":
            space = "" if tree.text in ("^", ":", "/") else " "
            return f"{parts[0]}{space}{tree.text}{space}{parts[1]}"
        case "prefix":
            return tree.text + parts[0]
        case "(":
            return f"({parts[0]})"
        case "call":
            return f"{tree.text}({', '.join(parts)})"
        case "named":
            return f"{tree.text} = {parts[0]}"
        case "number":
            return f"{float(tree.text):.15g}"
        case "string":
            return f'"{tree.text[1:-1]}"'
        case "name":
            plain = re.fullmatch(r"[^\W\d][\w.]*|\.[^\W\d][\w.]*", tree.text)
            return tree.text if plain else f"`{tree.text}`"
    return tree.text
