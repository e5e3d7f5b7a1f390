"""What `explain` returns: the derivation as plain data, and every form that it can be shown in."""

from typing import Any

from jaxnn.trace.derivation import Derivation
from jaxnn.trace.drawing import svg
from jaxnn.trace.html import html
from jaxnn.trace.latex import latex
from jaxnn.trace.text import rich_tables, text


class Explanation(Derivation):
    """A derivation that shows itself: `print` it, or write its `.html()`, `.svg()` or `.latex()` to a file."""

    __slots__ = ()

    def __str__(self) -> str:
        return text(self)

    def __repr__(self) -> str:
        return f"<{self.function} explained in {len(self.rows)} rows: print it, or write its .html(), .svg(), .latex()>"

    def __rich__(self) -> Any:
        return self.rich()

    def rich(self) -> Any:
        """Return the tables for a terminal, to be printed by `rich`."""
        return rich_tables(self)

    def html(self) -> str:
        """Return one self-contained page: the tables and the drawing."""
        return html(self)

    def svg(self) -> str:
        """Return the drawing of the graph."""
        return svg(self)

    def latex(self) -> str:
        """Return the tables in LaTeX, for a document with the packages amsmath and booktabs."""
        return latex(self)
