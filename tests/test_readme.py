"""The README's example is run as it stands, and prints what the README says."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_example_prints_what_the_readme_says():
    code, printed = re.search(r"```python\n(.*?)```\nprints\n```\n(.*?)```", README.read_text(), re.DOTALL).groups()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == printed


def test_neuralnet_prints_what_the_readme_says():
    first, second, printed = re.search(
        r"```python\n(.*?)```.*?```python\n(data = .*?)```\nprints `(.*?)`", README.read_text(), re.DOTALL
    ).groups()
    done = subprocess.run([sys.executable, "-c", first + second], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == printed


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
