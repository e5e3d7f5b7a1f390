"""The rules of the house, read from the source: by hand means by hand, imports run one way, files say what they are."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import jaxnn

ROOT = Path(__file__).parents[1]
LIBRARY = sorted((ROOT / "jaxnn").rglob("*.py"))
ALL = [path for folder in ("jaxnn", "experiments", "benchmarks", "tests") for path in (ROOT / folder).rglob("*.py")]
PARTS_BY_HAND = ("ops/", "losses.py", "networks/", "playground/program.py")
BY_HAND = [path for path in LIBRARY if path.relative_to(ROOT / "jaxnn").as_posix().startswith(PARTS_BY_HAND)]
AUTODIFF = {"grad", "value_and_grad", "vjp", "jvp", "linearize", "linear_transpose", "hessian", "jacfwd", "jacrev"}
AUTODIFF |= {"jacobian", "custom_vjp", "custom_jvp", "custom_gradient", "closure_convert"}

# What a part of the library may import of the others; the parts not named stand on top and may import any.
BELOW = {
    "errors": set(),
    "environment": set(),
    "compilation_cache": set(),
    "files": set(),
    "waiting": set(),
    "formatting": {"errors"},
    "references": {"errors"},
    "ops": {"errors"},
    "losses": {"errors", "ops"},
    "optimizers": {"errors", "ops", "losses"},
    "models": {"errors", "ops", "losses"},
    "data": {"errors", "ops", "losses"},
    "networks": {"errors", "ops", "losses", "data"},
    "devices": {"errors"},
    "replicas": {"errors", "devices", "environment"},
    "checkpoints": {"errors"},
    "epochs": {"devices"},
    "feeding": {"epochs", "waiting"},
    "gradient_check": {"verify"},
    "train": {"errors", "devices", "epochs", "checkpoints", "feeding", "gradient_check", "waiting"},
    "restarts": {"errors", "devices", "epochs", "replicas", "train", "waiting"},
    "ensembles": {"errors", "devices", "epochs", "replicas", "train", "waiting"},
    "gradients": {"errors", "ops", "losses", "networks"},  # and the rest by name, when a row is asked for
    "trace": {"errors", "ops", "losses", "references", "files", "formatting"},
    "backprop": {"errors", "formatting", "data", "trace", "verify"},
    "verify": {"errors", "files", "formatting", "references", "environment", "trace", "gradients"},
}
# The heavy packages, and the only parts of the library that may import them.
HEAVY = {
    "flax": {"models"},
    "orbax": {"checkpoints"},
    "matplotlib": {"draw"},
    "sklearn": {"r_neuralnet"},
    "starlette": {"playground"},
    "uvicorn": {"playground"},
    "websockets": {"playground"},
}


@cache
def tree(path):
    return ast.parse(path.read_text())


def name(path):
    return str(path.relative_to(ROOT))


@cache
def imported(tree):
    """Return the full names of all that a module imports, at its top or later; inside of annotations too."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports inside the project are absolute"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def autodiff(tree):
    """Return the names of JAX's autodiff that a module takes from `jax` or one of its parts."""
    from_jax = {name.rsplit(".", 1)[1] for name in imported(tree) if name.startswith("jax.") and "." in name}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("jax."):
            from_jax.add(node.attr)
    return {name for name in from_jax if name in AUTODIFF or name.startswith("jac")}


def test_operations_losses_networks_and_the_playgrounds_program_are_by_hand():
    assert len(BY_HAND) > 10 and {name(path): found for path in BY_HAND if (found := autodiff(tree(path)))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "jax.grad(f)",
        "from jax import vjp",
        "import jax\njax.api.jacfwd",
        "g = jax.value_and_grad",
        "from jax.api import jvp as j",
    ],
)
def test_autodiff_is_found_where_it_is(source):
    assert autodiff(ast.parse(source))
    harmless = '"""Equal to jax.grad(f)."""\nnetwork.value_and_grad(p)\ndef value_and_grad(): ...'
    assert not autodiff(ast.parse(harmless))


def part(path):
    return path.relative_to(ROOT / "jaxnn").parts[0].removesuffix(".py")


def test_imports_run_one_way():
    wrong = []
    for path in LIBRARY:
        names = set(imported(tree(path)))
        parts = {name.split(".")[1] for name in names if name.startswith("jaxnn.")} - {part(path)}
        wrong += [(name(path), n) for n in names if n.split(".")[0] in ("experiments", "tests", "benchmarks")]
        wrong += [(name(path), n) for n in names if part(path) not in HEAVY.get(n.split(".")[0], {part(path)})]
        wrong += [(name(path), n) for n in parts - BELOW.get(part(path), parts)]
    assert wrong == []


@cache
def modules():
    """Return the path of every module of the project by its full name."""
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in ALL}


def module_of(name):
    """Return the module that an imported name is, or is in; None for one that is not the project's."""
    while name and name not in modules():
        name = name.rpartition(".")[0]
    return name


def circle(graph):
    """Return a circle of imports, [] if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_there_is_no_circle_of_imports():
    # A package runs before what is in it, but that is no import of it.
    graph = {
        name: {m for n in imported(tree(path)) if (m := module_of(n)) and not f"{name}.".startswith(f"{m}.")}
        for name, path in modules().items()
    }
    assert circle(graph) == []


def test_a_late_import_in_a_circle_is_found():
    first = ast.parse("def f():\n    from second import g")
    assert circle({"first": {n.split(".")[0] for n in imported(first)}, "second": {"first"}}) != []


def test_import_is_light():
    heavy = ["jax", "flax", "matplotlib", "starlette", "rich", "optax", "jinja2", "hypothesis", "pytest", "orbax"]
    code = f"import sys, jaxnn; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "[]\n"


def test_what_is_imported_late_is_what_the_type_checker_sees():
    (checked,) = [node for node in tree(ROOT / "jaxnn" / "__init__.py").body if isinstance(node, ast.If)]
    names = {alias.asname for node in checked.body for alias in node.names}
    assert names == set(jaxnn.PLACES) and all(getattr(jaxnn, name) is not None for name in names)


def test_every_module_says_what_it_is_and_is_short():
    assert [name(path) for path in ALL if not ast.get_docstring(tree(path))] == []
    lengths = {name(path): len(path.read_text().splitlines()) for path in ALL}
    assert {path: length for path, length in lengths.items() if length > 400} == {}
    assert [name(p) for p in ALL if "from __future__ import annotations" in p.read_text().splitlines()] == []


def test_public_functions_annotate_every_parameter_and_what_they_return():
    missing = []
    for path in LIBRARY:
        for node in tree(path).body:
            owner = isinstance(node, ast.ClassDef) and not node.name.startswith("_")
            for function in node.body if owner else [node]:
                if isinstance(function, ast.FunctionDef) and not function.name.startswith("_"):
                    kinds = function.args.posonlyargs, function.args.args, function.args.kwonlyargs
                    bare = [
                        a.arg for kind in kinds for a in kind if a.annotation is None and a.arg not in ("self", "cls")
                    ]
                    missing += [f"{name(path)}: {function.name}"] * bool(bare or function.returns is None)
    assert missing == []
