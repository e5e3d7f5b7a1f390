"""A wrong gradient whose lines cannot be read: the verdict is then given without the search for the wrong line.

That search takes most of the time of a failed check. Tests that ask for the line do without this.
"""

from collections.abc import Callable
from types import FunctionType


def unread(f: Callable) -> Callable:
    """Return the same function, its source said to be in no file."""
    code = f.__code__.replace(co_filename="<string>")
    return FunctionType(code, f.__globals__, f.__name__, f.__defaults__, f.__closure__)
