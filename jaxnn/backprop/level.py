"""A level: a network forward as code, its numbers, the derivatives that are asked for, and how they can be had."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from jaxnn.backprop import language
from jaxnn.backprop.language import Line

Numbers = Mapping[str, Any]  # arrays and numbers by name


class Bug(NamedTuple):
    """A mistake that was really made: where, in which words, the line that is wrong, and the line that is right."""

    source: str
    story: str
    wrong: str
    right: str


class Training(NamedTuple):
    """How a level is trained: its rate and steps; for networks of the plane more `points`, and the variable drawn."""

    rate: float
    steps: int = 200
    points: str = ""  # a set of `jaxnn.data.playground_sets`
    output: str = ""


class Level:
    """A level of the page.

    `loss` is a function of JAX whose body is of the page's language: the same lines are shown, traced by `jaxnn.verify`
    for the true adjoints, and run by the interpreter. It is called with `params`, the arrays that the loss is
    differentiated by, and `data`. `solution` is the backward pass as the lecture would write it; `missing` has for each
    name that is asked for, in order, what may be missing in it, in words.
    """

    def __init__(
        self,
        name: str,
        title: str,
        section: str,
        words: str,
        loss: Callable,
        params: Numbers,
        data: Numbers,
        solution: str,
        missing: Mapping[str, str],
        training: Training,
        *,
        start: str = "",
        bug: Bug | None = None,
    ):
        self.name, self.title, self.section, self.words, self.loss = name, title, section, words, loss
        self.params, self.data = _in_float64(params), _in_float64(data)
        self.solution, self.missing, self.training, self.bug = textwrap.dedent(solution).strip(), missing, training, bug
        self.start = textwrap.dedent(start).strip() or "\n".join(f"{asked} = " for asked in missing)
        if bug is not None:
            self.start = self.solution.replace(bug.right, bug.wrong)

    @cached_property
    def forward(self) -> list[Line]:
        """The forward pass, without its `return`."""
        return language.read("\n".join(self.code[:-1]))

    @cached_property
    def code(self) -> list[str]:
        """The lines of the body of `loss`, as they are shown."""
        source = textwrap.dedent(inspect.getsource(self.loss)).splitlines()
        (function,) = ast.parse("\n".join(source)).body
        assert isinstance(function, ast.FunctionDef)
        return textwrap.dedent("\n".join(source[function.body[0].lineno - 1 :])).splitlines()

    @property
    def cost(self) -> str:
        """The name of the loss: what the function returns."""
        return self.forward[-1].name

    @cached_property
    def variables(self) -> list[str]:
        """The names of the forward pass in their order: what is given, then what is computed."""
        return [*self.params, *self.data, *dict.fromkeys(line.name for line in self.forward)]

    def meaning(self, name: str) -> tuple[str, str] | None:
        """Return (of, by) of the derivative that a name stands for: "dW1" is of the loss by W1, "dadx" of a by x.

        None for a name that stands for none.
        """
        rest, known = name[1:], set(self.variables)
        if not name.startswith("d") or name in known:
            return None
        if rest in known and rest != self.cost:
            return self.cost, rest
        for k in range(1, len(rest) - 1):
            if rest[k] == "d" and rest[:k] in known and rest[k + 1 :] in known:
                return rest[:k], rest[k + 1 :]
        return None

    def gradient_name(self, param: str) -> str:
        """Return the name that the gradient of a parameter has on this level: "dW1", or "dfdx"."""
        wanted = self.cost, param
        return next((name for name in self.missing if self.meaning(name) == wanted), f"d{param}")

    def is_gradient(self, name: str) -> bool:
        """Return whether a name stands for the gradient of a parameter."""
        of, by = self.meaning(name) or ("", "")
        return of == self.cost and by in self.params

    def elsewhere(self) -> list[dict[str, Any]]:
        """Return other numbers, at which a formula has to be right too; labels and masks stay what they are.

        In the first every sign is another, so that a mask made of signs shows. In the rest they are mixed, each entry's
        by itself: two signs that agree at all points make a formula with `abs` right by accident.
        """
        random, found = np.random.default_rng(21), []

        def moved(name, value, mixed):
            if isinstance(value, int) or np.all(np.isin(value, (0.0, 1.0))):
                return value
            near = value * random.uniform(0.6, 0.9, np.shape(value))
            if name in self.data and not np.ndim(value):
                return near  # a share, a slope or a size: it stays above 0
            if not mixed:
                return np.where(value == 0, 0.4, -near)  # away from 0, where a ReLU bends
            return near * random.choice([-1.0, 1.0], np.shape(value)) + random.normal(0.0, 0.8, np.shape(value))

        for mixed in (False, True, True, True, True):
            found.append({name: moved(name, value, mixed) for name, value in {**self.params, **self.data}.items()})
        return found


def _in_float64(numbers: Numbers) -> dict[str, Any]:
    return {name: value if isinstance(value, int) else np.asarray(value, np.float64) for name, value in numbers.items()}
