"""Objects named on the command line: `module:name`, `package.module:Class.method` or `path/to/file.py:name`."""

import difflib
import importlib
import importlib.util
import os
import pkgutil
import sys
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from jaxnn.errors import InvalidArgument, require

INSTALLED = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
NOT_THE_USERS = ("<frozen", *(f"{folder}{os.sep}" for folder in (*INSTALLED, Path(__file__).parent)))


def load(reference: str) -> Any:
    """Return the object that `reference` names; `InvalidArgument` says what is missing and what is spelt like it.

    Modules are looked for in the working directory first. A file is run once, however many names are taken from it.
    """
    where, _, names = reference.rpartition(":")
    require(bool(where and names), "reference", repr(reference), "module:name or path/to/file.py:name")
    found = from_file(Path(where)) if where.endswith(".py") else from_module(where)
    for name in names.split("."):
        if not hasattr(found, name):
            raise InvalidArgument(f"{reference}: {where} has no {name!r}{near(name, dir(found))}")
        found, where = getattr(found, name), f"{where}:{name}"
    return found


def from_module(name: str) -> ModuleType:
    """Return a module by its name, as `python -m` would find it from the working directory."""
    require(all(part.isidentifier() for part in name.split(".")), "module", repr(name), "a name such as package.module")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is None or not f"{name}.".startswith(f"{missing}."):
            raise InvalidArgument(f"{name}: importing it raised {described(error)}") from error
        package, _, last = missing.rpartition(".")
        inside = getattr(sys.modules.get(package), "__path__", [] if package else None)
        close = near(last, (module.name for module in pkgutil.iter_modules(inside)))
        where = package or f"{os.getcwd()} and among the installed packages"
        raise InvalidArgument(f"{name}: no module named {missing!r} in {where}{close}") from error


def from_file(path: Path) -> ModuleType:
    """Return the module that a file is, its folder on `sys.path` as when Python runs it."""
    path = path.expanduser().absolute()
    if str(path) in sys.modules:  # a full path is no other module's name
        return sys.modules[str(path)]
    if not path.is_file():
        folder = path.parent
        beside = (p.name for p in folder.glob("*.py")) if folder.is_dir() else ()
        raise InvalidArgument(f"{path}: no such file{near(path.name, beside)}")
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(str(path), path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[str(path)] = module  # dataclasses look themselves up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[str(path)]
        raise InvalidArgument(f"{path}: running it raised {described(error)}") from error
    return module


def near(name: str, names: Iterable[str]) -> str:
    """Return the names spelt like `name` as the end of a message, "" if there are none."""
    close = difflib.get_close_matches(name, list(names), n=3)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def described(error: BaseException) -> str:
    """Return an error in two lines: what it says, and the last line of the user's own code on the way to it."""
    said = f"{type(error).__name__}: {str(error).strip()}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg}\n  {error.filename}:{error.lineno}: {(error.text or '').strip()}"
    frames = traceback.extract_tb(error.__traceback__)
    users = [frame for frame in frames if not frame.filename.startswith(NOT_THE_USERS)] or frames
    if not users:
        return said
    last = users[-1]
    return f"{said}\n  {last.filename}:{last.lineno}, in {last.name}: {last.line}"
