"""What the page asks of the server: each public function is a request, with the types of its arguments.

Nothing is kept between two requests: a request brings the level and the whole text, and the same text has the same
answer.
"""

from functools import lru_cache
from typing import Any

import jax
import numpy as np

from jaxnn.backprop import judge as judging
from jaxnn.backprop import training
from jaxnn.backprop.export_python import as_python
from jaxnn.backprop.export_r import as_r
from jaxnn.backprop.hints import hints
from jaxnn.backprop.interpreter import run
from jaxnn.backprop.language import FUNCTIONS, names_in
from jaxnn.backprop.level import Level
from jaxnn.backprop.levels.table import LEVELS, level_of
from jaxnn.backprop.truth import expected, points
from jaxnn.errors import InvalidArgument
from jaxnn.formatting import null, plain
from jaxnn.trace.layout import layout
from jaxnn.verify import check

CELL, LETTER, PAD = 9.0, 8.0, 20.0  # of the graph: an entry of a matrix, a letter of a name, the edge of a box
FORMS = {"python": (as_python, "py"), "r": (as_r, "R")}


def levels() -> dict[str, Any]:
    """Return the levels in their order, and the names of the language."""
    told = [
        {"name": one.name, "title": one.title, "section": one.section, "bug": one.bug is not None}
        for one in LEVELS.values()
    ]
    return {"levels": told, "functions": list(FUNCTIONS)}


def level(name: str) -> dict[str, Any]:
    """Return all that the page shows of a level."""
    one = level_of(name)
    judging.warm(one)
    shown = points(one)[0]
    names = [*one.missing, *(f"d{variable}" for variable in one.variables)]
    trues = {asked: true for asked in names if (true := expected(shown, asked)) is not None}
    found: dict[str, Any] = {
        "name": one.name,
        "title": one.title,
        "section": one.section,
        "words": one.words,
        "start": one.start,
    }
    shapes = {name: np.shape(value) for name, value in shown.values.items()}
    found["code"] = [{"text": line.text, "name": line.name, "shape": shapes[line.name]} for line in one.forward]
    found["values"] = shown.values
    found["params"] = list(one.params)
    found["asked"] = [
        {"name": asked, "shape": np.shape(trues[asked]), "meaning": one.meaning(asked), "hints": hints(one, asked)}
        for asked in one.missing
    ]
    found["adjoints"] = trues
    found["graph"] = _graph(one, shown.values)
    found["training"] = {"rate": one.training.rate, "steps": one.training.steps, "points": bool(one.training.points)}
    if one.bug is not None:
        found["bug"] = {"source": one.bug.source, "story": one.bug.story}
    return plain(found, null)


def judge(level: str, text: str) -> dict[str, Any]:
    """Return the verdict on each line of a text, and whether all is right."""
    one = level_of(level)
    verdicts = judging.judge(one, text)
    return plain({"lines": [verdict._asdict() for verdict in verdicts], "solved": judging.solved(one, verdicts)}, null)


def verify(level: str, text: str) -> dict[str, Any]:
    """Return the verdict of `jaxnn.verify.check` on the whole gradient that a text computes."""
    return _verified(level, text)


@lru_cache(maxsize=64)  # it takes seconds, and a page that is loaded again asks for the same
def _verified(level: str, text: str) -> dict[str, Any]:
    one = level_of(level)
    program = judging.parsed(one, text)
    if program.refused:
        raise program.refused[0]
    shown = points(one)[0]
    judging.gradient_of(one, program, shown.values)  # says what is missing

    def loss(params, data):
        return one.loss(**params, **data)

    def grad(params, data):
        scope = {name: np.asarray(value) for name, value in {**params, **data}.items()}
        run(one.forward, scope)
        return judging.gradient_of(one, program, scope)

    with jax.enable_x64(True):  # the level's numbers are float64, and a server's JAX is set to float32
        verdict = check(loss, grad, dict(one.params), dict(one.data))
    witnesses = [report.witness for report in verdict.witnesses if report.agrees]
    return {
        "kind": verdict.kind,
        "right": bool(verdict),
        "witnesses": witnesses,
        "message": str(verdict).split("\n")[0],
    }


def train(level: str, text: str) -> dict[str, Any]:
    """Return the losses of a training with the gradient of a text beside one with the true gradient."""
    return plain(training.train(level_of(level), text), null)


def export(level: str, text: str, form: str) -> dict[str, Any]:
    """Return a file with the learner's backward pass, `form` "python" or "r", and its name."""
    if form not in FORMS:
        raise InvalidArgument(f"form: got {form!r:.40}, expected one of {', '.join(FORMS)}")
    write, ending = FORMS[form]
    one = level_of(level)
    return {"file": f"{one.name}.{ending}", "text": write(one, text)}


def _graph(level: Level, values) -> dict[str, Any]:
    """Return the places of the forward pass' variables: the middle of each, layer by layer, and the lines between."""
    edges = [(read, line.name) for line in level.forward for read in names_in(line.value)]
    shapes = {name: np.shape(value) for name, value in values.items()}
    used = {name for edge in edges for name in edge if shapes[name] or name in level.params or name not in level.data}
    widths = {name: _width(name, shapes[name]) for name in level.variables if name in used}
    placed = layout(widths, [(a, b) for a, b in edges if a in used and b in used])
    layers = [[node for node in layer if isinstance(node, str)] for layer in placed.layers]
    lines = [
        {"from": a, "to": b, "by": [placed.x[node] for node in nodes[1:-1]]} for (a, b), nodes in placed.lines.items()
    ]
    return {
        "x": {name: placed.x[name] for name in widths},
        "widths": widths,
        "layers": layers,
        "lines": lines,
        "cell": CELL,
    }


def _width(name: str, shape: tuple[int, ...]) -> float:
    columns = shape[-1] if shape else 4
    return max(len(name) * LETTER + 34, 2 * columns * CELL + 8) + PAD
