"""Correct gradients: a checker that objects to one of them raises a false alarm."""

import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.mutants.functions import functions
from benchmarks.mutants.mutant import HERE, Edit, mutated
from benchmarks.mutants.targets import TARGETS, Problem, Rule

SMOOTH = ("linear", "sigmoid_model", "dropout_model", "convolution", "normalized")
NETWORKS = (
    "linear.value_and_grad",
    "hidden_layer.value_and_grad",
    "hidden_layer.backward",
    "hidden_layer.half_squared_error_and_grad",
    "mlp.value_and_grad",
    "mlp.value_and_grad, dropout",
    "cnn.features_bwd",
    "blocks.features_bwd",
    "cnn.value_and_grad",
)
RULES = ("rule", "sigmoid", "tanh", "relu", "softplus", "dense", "conv2d", "max_pool")
POOLED = ("convolution",)  # in bfloat16 it is rounding that decides which entry of a window is the largest
REWRITES = tomllib.loads((HERE / "rewrites.toml").read_text(encoding="utf-8"))


class Case(NamedTuple):
    """A correct gradient and the arguments at which it is checked; without `x64` JAX has float32 at most."""

    id: str
    problem: Problem | Rule
    args: tuple
    argnums: int | tuple[int, ...] = 0
    x64: bool = True


def cases(folder: Path) -> list[Case]:
    """Return all correct cases; the sources of the rewritten models lie in `folder`."""
    return [*as_written(), *in_precision(), *rewritten(folder), *small()]


def as_written() -> list[Case]:
    """Return every gradient of the benchmark as it is, at each of its scenarios."""
    return [
        Case(f"{named(name)} {scenario}", right(name), args)
        for name, target in TARGETS.items()
        if target.x64
        for scenario, args in target.cases().items()
    ]


def in_precision() -> list[Case]:
    """Return the gradients in float32, with and without x64, and in bfloat16."""
    found = []
    for name in (*SMOOTH, *NETWORKS, *RULES):
        args = TARGETS[name].cases()["std"]
        found.append(Case(f"{named(name)} float32", right(name), cast(args, np.float32)))
        found.append(Case(f"{named(name)} float32 without x64", right(name), cast(args, np.float32), x64=False))
        if name not in (*NETWORKS, *POOLED):
            found.append(Case(f"{named(name)} bfloat16", right(name), cast(args, jnp.bfloat16)))
    return found


def rewritten(folder: Path) -> list[Case]:
    """Return the models with a line in another form."""
    found = []
    for model, entries in REWRITES.items():
        for name, entry in entries.items():
            edit = Edit(entry.get("function", "grad"), entry["old"], entry["new"])
            module = mutated(TARGETS[model].module, (edit,), folder, f"{model}_{name}")
            problem = Problem(import_module(TARGETS[model].module).loss, module.grad)
            points = TARGETS[model].cases()
            found += [Case(f"{model} {name} {case}", problem, points[case]) for case in entry.get("cases", ["std"])]
            found.append(Case(f"{model} {name} float32", problem, cast(points["std"], np.float32)))
    return found


def small() -> list[Case]:
    """Return the small functions."""
    return [Case(name, Problem(loss, grad), args, argnums) for name, loss, grad, args, argnums in functions()]


def named(target: str) -> str:
    """Return a target's name as a part of an id; ids are given on the command line with commas between."""
    return target.replace(",", "")


def right(name: str) -> Problem | Rule:
    """Return the gradient of a target as it is."""
    return TARGETS[name].build(import_module(TARGETS[name].module))


def cast(args: Any, dtype: Any) -> Any:
    """Return the arguments with every floating array in `dtype`."""
    return jax.tree.map(
        lambda a: np.asarray(a, dtype) if jnp.issubdtype(np.asarray(a).dtype, jnp.floating) else a, args
    )
