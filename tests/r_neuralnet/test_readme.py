"""The map in the package's README: every module, each below those that it imports."""

import ast
import re
from pathlib import Path

import jaxnn.r_neuralnet

FOLDER = Path(jaxnn.r_neuralnet.__file__).parent


def test_the_map_names_every_module_and_each_imports_those_above_it():
    names = re.findall(r"^\| `(\w+)` \|", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(names) == sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
    for place, name in enumerate(names):
        tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        modules = {f"{node.module}.{alias.name}" for node in imports for alias in node.names}
        ours = {found[1] for module in modules if (found := re.match(r"jaxnn\.r_neuralnet\.(\w+)", module))}
        assert ours <= set(names[:place]), name
