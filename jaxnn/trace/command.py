"""`jaxnn explain`: the tables of a function named on the command line."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnn.errors import InvalidArgument, require
from jaxnn.files import check_writable, write
from jaxnn.references import load
from jaxnn.trace.explain import explain
from jaxnn.trace.explanation import Explanation

FORMATS = ("text", "html", "svg", "latex")


def add_to(commands: Any) -> None:
    """Add the command to those of `argparse`."""
    parser = commands.add_parser("explain", help="the textbook's tables of any JAX function")
    parser.add_argument("function", help="module:function or path/to/file.py:function")
    parser.add_argument("--at", action="append", default=[], metavar="VALUE", help="an argument: 2.0, [[1, 2], [3, 4]]")
    parser.add_argument("--entry", action="append", default=[], metavar="NAME[i,j]", help="the entry shown of an array")
    parser.add_argument("--output", default="", metavar="i,j", help="which number of the result, if it has several")
    parser.add_argument(
        "--open", action="append", default=[], metavar="NAME", help="a call, branch or loop to look into"
    )
    parser.add_argument("--depth", type=int, default=0, help="open all calls down to this level")
    parser.add_argument("--limit", type=int, default=20, help="about how many operations to show")
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write there; the ending .html, .svg or .tex tells the format"
    )
    parser.add_argument("--float32", action="store_true", help="in single precision")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Print or write the explanation: status 0; 1 where an adjoint fails its check; 2 where it cannot be asked so."""
    try:
        if asked.out:
            _check_out(asked.out)
        explanation = _explanation(asked)
        _give(explanation, asked)
    except (InvalidArgument, OSError) as error:
        print(f"jaxnn explain: {error}", file=sys.stderr)
        return 2
    return int(any(row.check is not None and row.check.kind == "differs" for row in explanation.rows))


def _check_out(path: Path) -> None:
    """Raise `InvalidArgument` where the file cannot be written: before the work, since that may take a while."""
    try:
        check_writable(path)
    except OSError as error:
        require(False, "--out", path, f"a file that can be written ({error.strerror or error})")


def _explanation(asked) -> Explanation:
    with jax.enable_x64(not asked.float32):
        f = load(asked.function)
        require(callable(f), "function", f"{asked.function}, which is of type {type(f).__name__}", "a function")
        args = [argument(text, np.float32 if asked.float32 else np.float64) for text in asked.at]
        entries = dict(entry(text) for text in asked.entry)
        output = tuple(whole_numbers("--output", asked.output))
        return explain(f, *args, entry=entries, output=output, open=asked.open, depth=asked.depth, limit=asked.limit)


def _give(explanation, asked):
    form = asked.format
    if asked.out and form == "text":
        form = {".html": "html", ".svg": "svg", ".tex": "latex"}.get(asked.out.suffix, "text")
    if form == "text" and not asked.out:
        from rich.console import Console

        console = Console()
        console.print(explanation if console.is_terminal else str(explanation), soft_wrap=not console.is_terminal)
        return
    text = str(explanation) if form == "text" else getattr(explanation, form)()
    if asked.out:
        write(asked.out, text)
        print(f"{asked.out}: {len(explanation.rows)} rows")
    else:
        print(text)


def argument(text: str, dtype: Any) -> Any:
    """Return the argument that a text gives: a number, or lists as an array; "int:" before it makes whole numbers."""
    whole = text.startswith("int:")
    try:
        value = json.loads(text.removeprefix("int:"))
        return _array(value, np.int32 if whole else dtype)
    except (ValueError, TypeError):
        raise InvalidArgument(
            f"--at: got {text!r}, expected a number such as 2.0, lists such as [[1, 2], [3, 4]], or {{...}} of them"
        ) from None


def _array(value, dtype):
    if isinstance(value, dict):
        return {key: _array(part, dtype) for key, part in value.items()}
    # Whole numbers become floats without a word; "int:0.5" is refused and not cut off.
    return np.asarray(value).astype(dtype, casting="same_kind" if np.asarray(value).dtype.kind == "f" else "unsafe")


def entry(text: str) -> tuple[str, tuple[int, ...]]:
    """Return the name and the index of "W1[0,2]"."""
    found = re.fullmatch(r"(.+?)\[([\d,\s]*)\]", text)
    if not found:
        raise InvalidArgument(f"--entry: got {text!r}, expected a name and an index such as W1[0,2]")
    return found[1], tuple(whole_numbers("--entry", found[2]))


def whole_numbers(name: str, text: str) -> list[int]:
    """Return the whole numbers of "0,2"."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise InvalidArgument(f"{name}: got {text!r}, expected whole numbers such as 0,2") from None
