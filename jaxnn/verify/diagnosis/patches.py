"""A change in a file as a unified diff, with as little as can be written anew."""

import ast
import difflib
import itertools
import linecache
import textwrap
from collections.abc import Sequence
from pathlib import Path

from jaxnn.verify.diagnosis.rewrite import Part, Written, put, same


def unified(changes: Sequence[tuple[str, Part, Written]]) -> str:
    """Return the diff that puts, in each of the files named, something new in the place of something old.

    `patch -p0` applies it from the folder in which Python was started. It is empty where a file is not on the disk.
    """
    diffs = [
        _of_file(file, [(o, n) for f, o, n in changes if f == file]) for file in dict.fromkeys(c[0] for c in changes)
    ]
    return "".join(diffs) if all(diffs) else ""


def _of_file(file, changes):
    lines = linecache.getlines(file)
    if not lines or not Path(file).is_file():
        return ""
    text = changed = "".join(lines)
    spans = [next((s for s in _spans(text, *change) if _is_so(s, text, *change)), None) for change in changes]
    known = sorted(span for span in spans if span is not None)
    if len(known) < len(spans) or any(end > start for (_, end, _), (start, *_) in itertools.pairwise(known)):
        return ""
    for start, end, written in reversed(known):
        changed = changed[:start] + written + changed[end:]
    path = Path(file)
    name = str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
    rows = difflib.unified_diff(lines, changed.splitlines(keepends=True), name, name)
    return "".join(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows)


def _spans(text, old, new):
    """Yield what is written where: the smallest part that differs, bare or in parentheses, or else all of it."""
    if isinstance(new, ast.Module):
        (start, end), last = _extent(text, old), _extent(text, new.body[-1])
        indent = " " * old.col_offset
        if last == (start, end):  # a statement before it
            yield start, end, f"{ast.unparse(new.body[0])}\n{indent}{text[start:end]}"
            return
        # The last statement of a block, behind it.
        yield start, end, f"{text[start : last[0]].rstrip()}\n{indent}{text[slice(*last)]}{text[last[1] : end]}"
        return
    small_old, small_new = _smallest(old, new)
    start, end = _extent(text, small_old)
    written = ast.unparse(small_new)
    if isinstance(small_new, ast.Tuple) and len(small_new.elts) > 1 and text[start] != "(":
        yield start, end, ", ".join(map(ast.unparse, small_new.elts))
    yield start, end, written
    yield start, end, f"({written})"
    yield *_extent(text, old), textwrap.indent(ast.unparse(new), " " * old.col_offset).lstrip()


def _is_so(span, text, old, new):
    """Return whether a changed text has the new tree in the place of the old one, and all else as it was."""
    start, end, written = span
    try:
        seen = ast.parse(text[:start] + written + text[end:])
    except (SyntaxError, ValueError):
        return False
    whole = ast.parse(text)
    there = next(node for node in ast.walk(whole) if type(node) is type(old) and _at(node) == _at(old))
    return ast.dump(seen) == ast.dump(put(there, _as_parsed(new), whole))


def _at(node):
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def _as_parsed(tree):
    """Return a tree as the parser makes it of its text: -1 is a sign before a number."""
    text = ast.unparse(tree)
    if isinstance(tree, ast.Module):
        return ast.parse(text).body
    return ast.parse(text).body[0] if isinstance(tree, ast.stmt) else ast.parse(text, mode="eval").body


def _smallest(old, new):
    """Return the innermost parts with a place in the text that hold all the difference between two trees."""
    if type(old) is not type(new):
        return old, new
    differ = []
    for field in old._fields:
        one, other = getattr(old, field, None), getattr(new, field, None)
        if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            differ += [pair for pair in zip(one, other, strict=True) if not same(*pair)]
        elif not same(one, other):
            differ.append((one, other))
    if len(differ) == 1 and all(isinstance(part, ast.expr | ast.stmt) for part in differ[0]):
        return _smallest(*differ[0])
    return old, new


def _extent(text, node):
    """Return where a node starts and ends in a text, in characters; the parser counts bytes within a line."""
    lines = text.splitlines(keepends=True)

    def at(number, column):
        return sum(map(len, lines[: number - 1])) + len(lines[number - 1].encode()[:column].decode())

    return at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)
