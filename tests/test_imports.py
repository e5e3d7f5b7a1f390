"""By hand means by hand, imports run one way, `import jaxnn` is light, files stay small: read from the source."""

import ast
import subprocess
import sys
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
    "ops": {"errors"},
    "losses": {"errors", "ops"},
    "networks": {"errors", "ops", "losses", "data"},
    "parallel": {"errors", "environment"},
    "checkpoints": {"errors"},
    "feeding": {"parallel"},
    "train": {"errors", "ops", "losses", "networks", "parallel", "checkpoints", "feeding"},
    "restarts": {"errors", "parallel", "train"},
    "ensembles": {"errors", "parallel", "train"},
    "models": {"errors", "ops", "losses"},
    "data": {"errors", "ops", "losses"},
    "optimizers": {"errors", "ops", "losses"},
    "references": {"errors"},
    "trace": {"errors", "ops", "losses", "references"},
    "environment": set(),
}
# The heavy packages, and the only parts of the library that may import them.
HEAVY = {
    "flax": {"models"},
    "matplotlib": {"draw"},
    "sklearn": {"r_neuralnet"},
    "starlette": {"playground"},
    "uvicorn": {"playground"},
    "websockets": {"playground"},
}


def named(paths):
    return [str(path.relative_to(ROOT)) for path in paths]


def imported(tree):
    """Return the full names of all that a module imports, at its top or later; inside of annotations too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports inside the project are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def autodiff(source):
    """Return the names of JAX's autodiff that a module takes from `jax` or one of its parts."""
    tree = ast.parse(source)
    from_jax = {name.rsplit(".", 1)[1] for name in imported(tree) if name.startswith("jax.") and "." in name}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("jax."):
            from_jax.add(node.attr)
    return {name for name in from_jax if name in AUTODIFF or name.startswith("jac")}


@pytest.mark.parametrize("path", BY_HAND, ids=named(BY_HAND))
def test_operations_losses_networks_and_the_playgrounds_program_are_by_hand(path):
    assert not autodiff(path.read_text())


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
    assert autodiff(source)
    assert not autodiff('"""Equal to jax.grad(f)."""\nnetwork.value_and_grad(p)\ndef value_and_grad(): ...')


def part(path):
    return path.relative_to(ROOT / "jaxnn").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", LIBRARY, ids=named(LIBRARY))
def test_imports_run_one_way(path):
    names = set(imported(ast.parse(path.read_text())))
    assert not {name for name in names if name.split(".")[0] in ("experiments", "tests", "benchmarks")}
    for package, allowed in HEAVY.items():
        assert part(path) in allowed or not {name for name in names if name.split(".")[0] == package}
    if part(path) in BELOW:
        parts = {name.split(".")[1] for name in names if name.startswith("jaxnn.")}
        assert parts <= BELOW[part(path)] | {part(path)}


def test_import_is_light():
    heavy = ["jax", "flax", "matplotlib", "starlette", "rich", "optax", "jinja2", "hypothesis", "pytest"]
    code = f"import sys, jaxnn; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "[]\n"


def test_what_is_imported_late_is_what_the_type_checker_sees():
    tree = ast.parse((ROOT / "jaxnn" / "__init__.py").read_text())
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    names = {alias.asname for node in checked.body for alias in node.names}
    assert names == set(jaxnn.PLACES) and all(getattr(jaxnn, name) is not None for name in names)


@pytest.mark.parametrize("path", ALL, ids=named(ALL))
def test_every_module_says_what_it_is_and_is_short(path):
    source = path.read_text()
    assert ast.get_docstring(ast.parse(source))
    assert len(source.splitlines()) <= 400
    assert "from __future__ import annotations" not in source.splitlines()
