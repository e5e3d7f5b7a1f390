"""`jaxnn verify`: the project's own gradients, or the user's, judged in one table."""

import argparse
import inspect
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jaxnn.errors import InvalidArgument, require
from jaxnn.files import check_writable, write
from jaxnn.formatting import duration
from jaxnn.references import described, load
from jaxnn.verify import page, reports
from jaxnn.verify.verdict import Verdict

DESCRIPTION = """\
Check gradients written by hand.

  jaxnn verify                                         every hand-written gradient of jaxnn
  jaxnn verify --only conv2d,mlp                       some of them
  jaxnn verify mine:loss mine:grad --args mine:cases   your own gradient of a scalar loss
  jaxnn verify --rule mine:f mine:f_fwd mine:f_bwd --args mine:cases
                                                       your own rule in the form of jax.custom_vjp

A name is module:name, module:Class.method or path/to/file.py:name. What --args names is one tuple of arguments, a list
of them, a dict of them by name, or a function without arguments that returns one of these. Exit status: 0 all right,
1 a gradient is wrong, 2 bad input. JAX_ENABLE_X64=1 in front checks your own gradient in float64.
"""


def add_to(commands: Any) -> None:
    """Add the command to the subcommands of a parser."""
    parser = commands.add_parser(
        "verify",
        help="check gradients written by hand",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "functions", nargs="*", metavar="NAME", help="loss and gradient, or with --rule f, f_fwd, f_bwd"
    )
    parser.add_argument("--args", metavar="NAME", help="the arguments to check at")
    parser.add_argument("--argnums", metavar="N[,N]", help="the arguments differentiated by (default 0)")
    parser.add_argument("--rule", action="store_true", help="the names are those of f, f_fwd and f_bwd")
    parser.add_argument("--only", metavar="WHAT[,WHAT]", help="of jaxnn's own gradients these only")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write JSON, to standard output by default"
    )
    parser.add_argument("--html", metavar="FILE", help="write a page with all that the witnesses saw")
    parser.add_argument(
        "--patch", nargs="?", const="-", metavar="FILE", help="write the patches found as one diff, alone by default"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Check what is asked for, print and write the verdicts, and return the exit status."""
    try:
        check_asked(asked)
        files = {
            name: Path(value)
            for name in ("json", "html", "patch")
            if (value := getattr(asked, name)) not in (None, "-")
        }
        check_files(files)
        rows, environment = users(asked) if asked.functions else projects(asked)
        show(rows, environment, asked, files)
    except InvalidArgument as error:
        if asked.debug:
            raise
        print(f"jaxnn verify: {error}", file=sys.stderr)
        return 2
    return 0 if all(row.verdict for row in rows) else 1


def check_asked(asked: argparse.Namespace) -> None:
    """Raise `InvalidArgument` for options that do not go together."""
    form = "f, f_fwd and f_bwd" if asked.rule else "a loss and its gradient"
    wanted = 3 if asked.rule else 2
    if not asked.functions:
        given = [f"--{name}" for name in ("args", "argnums", "rule") if getattr(asked, name)]
        require(not given, "NAME", f"none beside {' and '.join(given)}", form)
        return
    eaten = asked.patch is not None and ":" in asked.patch and len(asked.functions) == wanted - 1
    require(not eaten, "--patch", f"{asked.patch} for its file", "--patch last, or --patch=FILE")
    require(asked.only is None, "--only", "it beside names", "it alone: it chooses among jaxnn's own gradients")
    plain = [name for name in asked.functions if ":" not in name]
    hint = "module:name or path/to/file.py:name; jaxnn's own gradients are chosen with --only"
    require(not plain, "NAME", ", ".join(plain), hint)
    eaten = asked.json is not None and ":" in asked.json and len(asked.functions) == wanted - 1
    require(not eaten, "--json", f"{asked.json} for its file", "--json last, or --json=FILE")
    require(len(asked.functions) == wanted, "NAME", f"{len(asked.functions)} names", f"{wanted}: {form}")
    require(asked.args is not None, "--args", "nothing", "the name of the arguments to check at, as --args mine:cases")
    require(not (asked.rule and asked.argnums), "--argnums", "it beside --rule", "one: a rule has all cotangents")


def check_files(files: dict[str, Path]) -> None:
    """Raise `InvalidArgument` where a file cannot be written, before any work is done."""
    for name, path in files.items():
        try:
            check_writable(path)
        except OSError as error:
            require(False, f"--{name}", path, f"a file that can be written ({error.strerror or error})")
    owners: dict[Path, str] = {}
    for name, path in files.items():
        owner = owners.setdefault(path.absolute(), name)
        require(owner == name, f"--{name}", path, f"another file than --{owner}'s")


def show(rows: Sequence[reports.Row], environment: dict, asked: argparse.Namespace, files: dict[str, Path]) -> None:
    """Print the table and what there is to say, or the JSON that was asked for, and write the files."""
    from rich.console import Console

    patches = "".join(row.verdict.patch for row in rows)
    if asked.json == "-":
        print(reports.as_json(rows, environment), end="")
    elif asked.patch == "-":
        print(patches, end="")
    else:
        console = Console(highlight=False, markup=False, emoji=False)
        if not console.is_terminal:
            console.width = 200  # in a file or a pipe the table stays whole
        console.print(reports.table(rows))
        for row in rows:
            if asked.functions or not row.verdict:
                heading = ", ".join(filter(None, (row.what, row.case)))
                console.print(f"\n{heading}\n{row.verdict}", soft_wrap=True)
        time_of_all = duration(sum(row.seconds for row in rows))
        console.print(f"\n{reports.tally(rows)}, in {time_of_all}", soft_wrap=True)
    written = {
        "json": lambda: reports.as_json(rows, environment),
        "html": lambda: page.as_html(rows, environment),
        "patch": lambda: patches,
    }
    for name, path in files.items():
        write(path, written[name]())


def projects(asked: argparse.Namespace) -> tuple[list[reports.Row], dict]:
    """Return a row for each of jaxnn's own gradients that is asked for, checked in float64, and the environment."""
    import jax
    from rich.console import Console

    from jaxnn.environment import environment
    from jaxnn.verify import project

    names = None if asked.only is None else [name.strip() for name in asked.only.split(",") if name.strip()]
    chosen = project.chosen(names)
    found: list[reports.Row] = []
    with jax.enable_x64(True), Console(stderr=True).status(f"{len(chosen)} gradients") as status:
        for row in project.checked(chosen):
            found.append(row)
            status.update(f"{len(found)} of {len(chosen)}: {row.what} {row.verdict.kind}")
        return found, environment()


def users(asked: argparse.Namespace) -> tuple[list[reports.Row], dict]:
    """Return a row for the user's gradient, and the environment."""
    from jaxnn.environment import environment

    functions = [load(name) for name in asked.functions]
    for name, function in zip(asked.functions, functions, strict=True):
        require(callable(function), name, f"a {type(function).__name__}", "a function")
    cases, argnums = as_cases(asked.args, load(asked.args)), as_argnums(asked.argnums)
    for name, function in zip(asked.functions[:2], functions, strict=False):
        for case in [cases] if isinstance(cases, tuple) else cases.values():
            check_takes(name, function, case, f"the arguments of {asked.args}, {len(case)} of them")
    if asked.rule:
        check_takes(asked.functions[2], functions[2], (None, None), "the residuals and the cotangent")
    try:
        row = timed(asked.functions[-1], "", partial(judged, asked.rule, functions, cases, argnums))
    except Exception as error:
        raise InvalidArgument(
            blamed(error, dict(zip(map(code_of, functions), asked.functions, strict=True)))
        ) from error
    return [row], environment()


def judged(rule: bool, functions: Sequence[Callable], cases: Any, argnums: int | tuple[int, ...]) -> Verdict:
    """Return the verdict on a rule or a gradient at one tuple of arguments, or the gravest of several."""
    from jaxnn.verify import check, check_rule, survey
    from jaxnn.verify.rules.check import survey_rule

    if rule:
        f, f_fwd, f_bwd = functions
        if isinstance(cases, tuple):
            return check_rule(f, f_fwd, f_bwd, *cases)
        return survey_rule(f, f_fwd, f_bwd, cases)
    loss, grad = functions
    if isinstance(cases, tuple):
        return check(loss, grad, *cases, argnums=argnums)
    return survey(loss, grad, cases, argnums=argnums)


def as_cases(name: str, given: Any) -> tuple | dict[str, tuple]:
    """Return one tuple of arguments, or several by name."""
    if callable(given):
        check_takes(name, given, (), "no arguments")
        try:
            given = given()
        except Exception as error:
            raise InvalidArgument(f"{name}: {described(error)}") from error
    if isinstance(given, tuple) and given:
        return given
    expected = "a tuple of arguments, (x,) for a single one, a list or dict of tuples, or a function that returns these"
    require(
        isinstance(given, list | dict) and len(given) > 0, name, f"a {type(given).__name__} {given!r:.60}", expected
    )
    cases = (
        given if isinstance(given, dict) else {getattr(case, "name", f"case {i}"): case for i, case in enumerate(given)}
    )
    for key, case in cases.items():
        require(isinstance(case, tuple), f"{name}[{key!r}]", f"a {type(case).__name__}", "a tuple of arguments")
    return {str(key): case for key, case in cases.items()}


def check_takes(name: str, function: Callable, args: tuple, words: str) -> None:
    """Raise `InvalidArgument` for a function that cannot be called with so many arguments, where it says so."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*args)
    except TypeError as error:
        raise InvalidArgument(f"{name}{signature}: cannot be called with {words} ({error})") from error


def as_argnums(text: str | None) -> int | tuple[int, ...]:
    """Return "0" as 0 and "0,2" as (0, 2)."""
    if text is None:
        return 0
    try:
        return tuple(int(part) for part in text.split(",") if part.strip()) if "," in text else int(text)
    except ValueError as error:
        raise InvalidArgument(f"--argnums: got {text!r}, expected positions such as 0 or 0,2") from error


def blamed(error: Exception, names: dict[Any, str]) -> str:
    """Return what went wrong; where code that has a name raised it, which, and at which line."""
    inside = [names[frame.f_code] for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code in names]
    if inside:
        return f"{inside[0]} raised {described(error)}"
    return str(error) if isinstance(error, InvalidArgument) else f"checking raised {described(error)}"


def code_of(function: Callable) -> Any:
    """Return the code that a function, `jit` of one, a `partial`, a method or a callable object runs."""
    function = inspect.unwrap(function)
    function = function.func if isinstance(function, partial) else function
    return getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", function)


def timed(what: str, at: str, verdict: Callable[[], Verdict]) -> reports.Row:
    start = time.perf_counter()
    found = verdict()
    return reports.Row(what, at, found, time.perf_counter() - start)
