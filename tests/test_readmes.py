"""Every example of every README is run as it stands, and prints what is printed below it.

A ```python block runs after the ones before it, in the same names, in an empty folder, as a file `example.py`; a
```text block right below has what it prints. In a ```shell block lines `$ command` are run in the repository's root and
the lines below are what it prints, `...` for lines left out. Other blocks are not run.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("[a-z]*/**/README.md"))]
PAGES = [page for page in PAGES if "digits" not in page.parts and not set(page.parts) & {"results", "build"}]
LENGTHS = {"README.md": 120, "CONTRIBUTING.md": 200}  # any other: 150 lines
# Which train, measure the machine, or check gradients for seconds.
SLOW = {("experiments/README.md", "shell"), ("CONTRIBUTING.md", "python")}
SLOW |= {("README.md", language) for language in ("python", "shell")}
SLOW |= {(f"jaxnn/{room}/README.md", "python") for room in ("backprop", "playground", "r_neuralnet", "trace", "verify")}
SLOW |= {(f"{folder}/README.md", "python") for folder in ("experiments", "tests")}
SLOW |= {("jaxnn/verify/README.md", "shell")}

# Runs blocks of code, read as JSON, one after the other, and prints as JSON what each prints.
RUNNER = """
import contextlib, io, json, pathlib, sys
names, printed = {"__name__": "__main__"}, []
for number, code in enumerate(json.load(sys.stdin)):
    path = pathlib.Path(str(number), "example.py").absolute()
    path.parent.mkdir()
    path.write_text(code)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, str(path), "exec"), names)
    printed.append(out.getvalue())
print(json.dumps(printed))
"""


def blocks(page):
    """Return the blocks of a page in order: language, text, and the text of a ```text block right below or None."""
    found = re.findall(r"^```(\w*)\n(.*?)^```(?:\n+```text\n(.*?)^```)?", page.read_text(), re.DOTALL | re.MULTILINE)
    return [(language, text, below or None) for language, text, below in found]


def with_examples(language):
    """Return the pages that have a block in that language, the expensive ones marked so."""
    pages = [page for page in PAGES if any(found == language for found, *_ in blocks(page))]
    names = [str(page.relative_to(ROOT)) for page in pages]
    marks = [pytest.mark.slow if (name, language) in SLOW else () for name in names]
    return [pytest.param(page, id=name, marks=m) for page, name, m in zip(pages, names, marks, strict=True)]


@pytest.mark.parametrize("page", with_examples("python"))
def test_python_prints_what_the_page_says(page, tmp_path):
    code = [(text, below) for language, text, below in blocks(page) if language == "python"]
    ours = {"JAX_ENABLE_X64", "JAX_DISABLE_MOST_OPTIMIZATIONS"}  # settings of the tests, where a user has JAX's own
    settings = {name: value for name, value in os.environ.items() if name not in ours}
    settings["PYTHONPATH"] = str(ROOT)
    run = {"cwd": tmp_path, "env": settings, "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-c", RUNNER], input=json.dumps([text for text, _ in code]), **run)
    assert done.returncode == 0, done.stderr
    for (text, expected), printed in zip(code, json.loads(done.stdout), strict=True):
        assert expected is None or lines(printed) == lines(expected), text


def lines(text):
    """Return the lines without the spaces at their ends, nor empty ones at the end of all."""
    return [line.rstrip() for line in text.rstrip().splitlines()]


@pytest.mark.parametrize("page", with_examples("shell"))
def test_a_command_prints_what_the_page_says(page):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for text in (text for language, text, _ in blocks(page) if language == "shell"):
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            run = {"cwd": ROOT, "env": {**os.environ, "PATH": path, "COLUMNS": "120"}, "capture_output": True}
            done = subprocess.run(command, shell=True, text=True, **run)
            assert done.returncode == 0, done.stderr
            assert not expected.strip() or fits(done.stdout, expected), f"{command} printed\n{done.stdout}"


def fits(printed, expected):
    """Return whether a text is the expected one, in which a line `...` stands for any lines."""
    pattern = [r"(.*\n)*?" if line == "..." else re.escape(line) + r" *\n" for line in lines(expected)]
    return re.fullmatch("".join(pattern), "\n".join(lines(printed)) + "\n") is not None


def test_three_dots_stand_for_any_lines():
    assert fits("a\nb\nc\n", "a\n...\nc\n") and fits("a\nb\n", "a\n...\n") and fits("a\n", "...\na")
    assert not fits("a\nb\nc\n", "a\nc\n") and not fits("a\nb\nc\n", "a\n...\nb\n")


def test_pages_are_short_and_their_links_lead_somewhere():
    for page in PAGES:
        text, name = page.read_text(), str(page.relative_to(ROOT))
        assert len(text.splitlines()) <= LENGTHS.get(name, 150), name
        for link in re.findall(r"\]\(([^)#]+)\)", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)):
            assert link.startswith("http") or (page.parent / link).exists(), f"{name}: {link}"


def test_every_module_stands_in_the_map_of_its_room():
    rooms = (
        "jaxnn",
        "jaxnn/backprop",
        "jaxnn/trace",
        "jaxnn/r_neuralnet",
        "jaxnn/playground",
        "jaxnn/verify",
        "experiments",
    )
    for room in (*rooms, "jaxnn/verify/diagnosis", "jaxnn/verify/diagnosis/edits", "jaxnn/verify/rules"):
        page = next(folder for folder in (ROOT / room, *(ROOT / room).parents) if (folder / "README.md").is_file())
        text = (page / "README.md").read_text()
        modules = [path.stem for path in (ROOT / room).glob("*.py") if not path.stem.startswith("__")]
        modules += [path.parent.name for path in (ROOT / room).glob("*/__init__.py")]
        assert [name for name in modules if not re.search(rf"\b{name}\b", text)] == [], room
