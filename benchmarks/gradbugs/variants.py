"""The files of `cases`, `held_out` and `rules`: the texts that are tried, wrong and right, and what is known."""

import ast
import difflib
import io
import re
import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
GIVEN, HELD_OUT = ("cases", "rules"), ("held_out",)
BELOW = {"cases": r"^FIX\b", "rules": r"^(?:FIX|BUGS) = ", "held_out": r"^FIX\b"}  # what is known about a file
NUMPY, JAX, RULE = "NumPy", "JAX", "rule"
RIGHT, WRONG = "right", "wrong"
AS_JAX = ("import numpy as np", "import jax.numpy as np")
FEW = 8  # tokens that a small mend changes at most

Swaps = Sequence[tuple[str, str]]


class Variant(NamedTuple):
    """A text that is tried: its form, and right or the name of its mistake.

    `lines` are texts of the wrong line, `causes` patterns of a right explanation. `back` makes the JAX form NumPy's
    again, `small` says that a small mend makes it right, `is_rule` that a case has the three functions of a rule.
    """

    form: str
    tag: str
    text: str
    lines: Sequence[str] = ()
    causes: Sequence[str] = ()
    back: Swaps = ()
    small: bool = False
    is_rule: bool = False

    @property
    def x64(self) -> bool:
        """Whether it is tried in float64, as the losses are; a rule only where it says so."""
        in_single = self.form == RULE or self.is_rule
        return not in_single or re.search(r"^X64 = True", self.text, re.MULTILINE) is not None

    def names_line(self, line: str) -> bool:
        """Return whether the wrong line is shown, whatever the spaces."""
        return any("".join(text.split()) in "".join(line.split()) for text in self.lines)

    def explains(self, text: str) -> bool:
        """Return whether the explanation is right."""
        return any(re.search(cause, text, re.IGNORECASE) for cause in self.causes)


def paths(folders: Sequence[str] = tuple(BELOW)) -> dict[str, Path]:
    """Return the files of the folders by name, the cases first."""
    return {path.stem: path for folder in folders for path in sorted((HERE / folder).glob("*.py"))}


def variants(path: Path) -> list[Variant]:
    """Return what is tried of a file: a case in each of its forms, a rule with each of its mistakes."""
    return of_rule(path) if path.parent.name == "rules" else of_case(path)


def of_case(path: Path) -> list[Variant]:
    """Return a case as NumPy and as JAX code, wrong and right."""
    code, known = split(path)
    answer = known["LINE"], known["CAUSE"]
    to_jax, fix, is_rule = [AS_JAX, *known.get("TOJAX", [])], known["FIX"], known.get("HOW") == ["rule"]
    found = [
        Variant(NUMPY, WRONG, code, *answer, small=is_small(fix), is_rule=is_rule),
        Variant(NUMPY, RIGHT, replaced(code, fix), is_rule=is_rule),
    ]
    if known.get("NPONLY"):
        return found
    wrong, fix_jax = replaced(code, to_jax), known.get("FIXJAX", fix)
    back = [(new, old) for old, new in to_jax] + [
        (new, as_numpy) for (_, new), (_, as_numpy) in zip(fix_jax, fix, strict=True)
    ]
    return [
        *found,
        Variant(JAX, WRONG, wrong, *answer, back=back, small=is_small(fix), is_rule=is_rule),
        Variant(JAX, RIGHT, replaced(wrong, fix_jax), is_rule=is_rule),
    ]


def of_rule(path: Path) -> list[Variant]:
    """Return a rule as it should be and with each of its mistakes; with FIX it is the file itself that is wrong."""
    code, known = split(path)
    own = [(code, *known["FIX"][2:])] if "FIX" in known else []
    right = replaced(code, [known["FIX"][:2]] if own else [])
    wrong = list(own)
    for old, new, line, cause in known["BUGS"]:  # some replace what is wrong already by another mistake
        wrong.append((replaced(right if old in right else code, [(old, new)]), line, cause))
    numbered = enumerate(wrong, start=1)
    found = [Variant(RULE, f"mistake {k}", text, [line], [cause]) for k, (text, line, cause) in numbered]
    return [*found, Variant(RULE, RIGHT, right)]


def split(path: Path) -> tuple[str, dict[str, Any]]:
    """Return a file's code, and by name what is known about it."""
    source = path.read_text(encoding="utf-8")
    below = re.search(BELOW[path.parent.name], source, re.MULTILINE)
    if below is None:
        raise ValueError(f"{path.name}: got no line that matches {BELOW[path.parent.name]}, expected what is known")
    assigned = [node for node in ast.parse(source[below.start() :]).body if isinstance(node, ast.Assign)]
    return source[: below.start()], {ast.unparse(node.targets[0]): ast.literal_eval(node.value) for node in assigned}


def replaced(text: str, swaps: Swaps) -> str:
    """Return the text with each pair's first replaced by its second; ValueError where it is not there."""
    for old, new in swaps:
        if old not in text:
            raise ValueError(f"got a file without {old!r}, expected it to be there")
        text = text.replace(old, new)
    return text


def is_small(fix: Swaps) -> bool:
    """Return whether a mend is one line in which few tokens change."""
    if len(fix) != 1 or any("\n" in text.strip() for text in fix[0]):
        return False
    before, after = map(tokens, fix[0])
    changes = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return sum(max(i2 - i1, j2 - j1) for what, i1, i2, j1, j2 in changes if what != "equal") <= FEW


def tokens(text: str) -> list[str]:
    """Return Python's tokens of a part of a line, its words where it has none."""
    try:
        found = [token.string for token in tokenize.generate_tokens(io.StringIO(text.strip()).readline)]
    except (tokenize.TokenError, SyntaxError):
        return text.split()
    return [token for token in found if token.strip()]
