"""The README's example is run as it stands, and prints what the README says."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_example_prints_what_the_readme_says():
    code, printed = re.search(r"```python\n(.*?)```\n\nprints\n\n```\n(.*?)```", README.read_text(), re.DOTALL).groups()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == printed


def test_neuralnet_prints_what_the_readme_says():
    text = README.read_text()
    data = "from jaxnn import RRandom\nfrom jaxnn.data import circle\nx, y = circle(RRandom(20240402))\n"
    code, printed = re.search(
        r"```python\n(from jaxnn import neuralnet\n.*?)```\nprints `(.*?)`", text, re.DOTALL
    ).groups()
    done = subprocess.run([sys.executable, "-c", data + code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == printed


def test_the_wrong_gradient_is_explained_as_the_readme_says(tmp_path):
    text = README.read_text()
    code, printed = re.search(r"```python\n(import jax, .*?)```.*?```\n(  why: .*?)```", text, re.DOTALL).groups()
    (tmp_path / "example.py").write_text(code)
    done = subprocess.run([sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("FAIL: ") and printed in done.stdout


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= 150


def test_every_part_of_the_tree_exists():
    tree = re.search(r"## The house\n\n```\n(.*?)```", README.read_text(), re.DOTALL).group(1)
    for line in tree.splitlines():
        folder = README.parent / ("jaxnn" if line.startswith("  ") else "")
        for name in re.findall(r"^ *([a-z_]+(?:/|\.py))|  ([a-z_]+\.py)", line):
            assert (folder / (name[0] or name[1])).exists(), line
