"""The code that the mutants are made of: which module, which function and gradient in it, and at which arguments."""

import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from benchmarks.mutants.models import convolution, dropout, linear, normalized, rule, sigmoid
from benchmarks.mutants.mutant import HERE, Mutant, mutated
from jaxnn.gradients import Problem, Rule, rows
from jaxnn.gradients.table import rule as rule_of


class Target(NamedTuple):
    """A module, what is checked in it, the arguments by scenario, and the names of their dimensions for `grid`.

    `x64` is False where JAX is to run without.
    """

    module: str
    build: Callable[[ModuleType], Problem | Rule]
    cases: Callable[[], dict[str, tuple]]
    dims: Any = None
    x64: bool = True


def of_model(module) -> Problem:
    return Problem(module.loss, module.grad)


COLUMNS = {"W": "k d", "b": "k 1"}, "d m", "k m"
HIDDEN_COLUMNS = {"W1": "h d", "b1": "h 1", "W2": "k h", "b2": "k 1"}, "d m", "k m"
KERNELS = {"K1": "3 3 c f", "k1": "f", "K2": "2 2 f g", "k2": "g", "V": "h*w*g k", "c": "k"}
IMAGES_TWICE_POOLED = KERNELS, "n 4*h 4*w c", "n k"
PROJECT = tomllib.loads((HERE / "project.toml").read_text(encoding="utf-8"))

TARGETS = {
    "linear": Target("benchmarks.mutants.models.linear", of_model, linear.cases, COLUMNS),
    "sigmoid_model": Target("benchmarks.mutants.models.sigmoid", of_model, sigmoid.cases, HIDDEN_COLUMNS),
    "dropout_model": Target("benchmarks.mutants.models.dropout", of_model, dropout.cases, (*HIDDEN_COLUMNS, "h m")),
    "convolution": Target("benchmarks.mutants.models.convolution", of_model, convolution.cases, IMAGES_TWICE_POOLED),
    "rule": Target("benchmarks.mutants.models.rule", rule_of("f"), rule.cases, ("d", "d", "n d")),
    "normalized": Target(
        "benchmarks.mutants.models.normalized", of_model, normalized.cases, ({"W": "h d", "v": "k h"}, "d m", "k m")
    ),
    "linear_x32": Target("benchmarks.mutants.models.linear", of_model, linear.cases, COLUMNS, x64=False),
    # The rows of the table of gradients into which `project.toml` puts mistakes.
    **{row.title: Target(row.module, row.of, row.points, row.dims) for row in rows() if row.title in PROJECT},
}


def problem(target: Target, mutant: Mutant, folder: Path) -> Problem | Rule:
    """Return what a checker is given: the right function, and the gradient with the mistake, its source in `folder`."""
    right = target.build(import_module(target.module))
    wrong = target.build(mutated(target.module, mutant.edits, folder, mutant.id))
    if len(mutant.edits) > 1:  # both are to be wrong alike
        return wrong
    return wrong._replace(f=right.f) if isinstance(right, Rule) else wrong._replace(loss=right.loss)
