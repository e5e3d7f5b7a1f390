"""A mutant: a module of hand-written gradients with one line replaced, imported from a file of its own."""

import ast
import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

HERE = Path(__file__).parent
TABLES = ("listed", "wiring", "project")


class Edit(NamedTuple):
    """A line of a function, and what takes its place."""

    function: str
    old: str
    new: str


class Mutant(NamedTuple):
    """A mistake in a hand-written gradient.

    `target` names the code, `edits` the line (w12 has a second one), `names` what the wrong line assigns, `cause` is a
    regular expression for an explanation that is right, `where` the one scenario in which it is wrong, "" for all of
    them. A `subgradient` is no mistake, to be reported as KINK.
    """

    id: str
    target: str
    edits: tuple[Edit, ...]
    names: tuple[str, ...]
    what: str
    cause: str
    where: str = ""
    subgradient: bool = False

    @property
    def scenario(self) -> str:
        """The arguments at which it is wrong."""
        return self.where or "std"

    def names_line(self, line: str) -> bool:
        """Return whether `line`, as a checker shows it, is the wrong one: its text, or what it assigns."""
        shown, wrong = (re.sub(r"\s", "", text) for text in (line, self.edits[0].new))
        return wrong in shown or not set(self.names).isdisjoint(assigned(line))

    def explains(self, text: str) -> bool:
        """Return whether the explanation is right."""
        return re.search(self.cause, text, re.IGNORECASE) is not None


def read(table: str) -> list[Mutant]:
    """Return the mutants of a table, in its order."""
    entries = tomllib.loads((HERE / f"{table}.toml").read_text(encoding="utf-8"))
    found = [mutant(name, target, entry) for target, group in entries.items() for name, entry in group.items()]
    return sorted(found, key=lambda mutant: mutant.id)


def mutant(name: str, target: str, entry: dict) -> Mutant:
    """Return the mutant that an entry of a table describes."""
    entry = dict(entry)
    edit = Edit(entry.pop("function", "grad"), entry.pop("old"), entry.pop("new"))
    edits = (edit, *(Edit(*also) for also in entry.pop("also", [])))
    names = tuple(entry.pop("names", assigned(edit.new)))
    return Mutant(name, target, edits, names, **entry)


def assigned(line: str) -> tuple[str, ...]:
    """Return the names that a line of Python assigns, none where it is no assignment."""
    targets = re.match(r"\s*([\w\s,()\[\]*]+?)\s*=(?!=)", line)
    return tuple(name for name in re.findall(r"[A-Za-z]\w*", targets[1])) if targets else ()


def mutated(module: str, edits: tuple[Edit, ...], folder: Path, name: str) -> ModuleType:
    """Return `module` with the lines replaced, a copy whose source lies in `folder/name.py`."""
    spec = importlib.util.find_spec(module)
    source = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    for edit in edits:
        source = replaced(source, edit)
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    return loaded(path, f"mutant_{name}")


def loaded(path: Path, name: str) -> ModuleType:
    """Return the module that a file holds, known by that name."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def replaced(source: str, edit: Edit) -> str:
    """Return the source with the function's line replaced; ValueError unless it has that line exactly once."""
    lines = source.split("\n")
    bounds = [
        range(node.lineno - 1, node.end_lineno or node.lineno)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == edit.function
    ]
    places = sorted({i for bound in bounds for i in bound if lines[i].strip() == edit.old})
    if len(places) != 1:
        raise ValueError(f"{edit.function}: {len(places)} lines are {edit.old!r}, expected one")
    (place,) = places
    indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
    lines[place] = indent + edit.new
    return "\n".join(lines)
