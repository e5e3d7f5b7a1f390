"""The map in the package's README: every module, each below those that it imports."""

import ast
import re
from pathlib import Path

import jaxnn.r_neuralnet

FOLDER = Path(jaxnn.r_neuralnet.__file__).parent


def test_the_map_names_every_module_and_each_imports_those_above_it():
    names = re.findall(r"^\| `([\w.]+)` \|", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    modules = [path.relative_to(FOLDER).with_suffix("") for path in FOLDER.rglob("*.py") if path.stem != "__init__"]
    assert sorted(names) == sorted(".".join(module.parts) for module in modules)
    for place, name in enumerate(names):
        tree = ast.parse((FOLDER / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        imported = {f"{node.module}.{alias.name}." for node in imports for alias in node.names}
        ours = {module for module in names if any(f"jaxnn.r_neuralnet.{module}." in found for found in imported)}
        assert ours <= set(names[:place]), name
        assert all("jaxnn.r_neuralnet." not in found or any(f".{m}." in found for m in ours) for found in imported)
