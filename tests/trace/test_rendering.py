"""Tests for `jaxnn/trace/tables.py` and what shows them: `text.py`, `html.py`, `drawing.py`, `latex.py`."""

import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import jax.numpy as jnp
import numpy as np
import pytest
import rich.console

from jaxnn.trace import explain

SVG = "{http://www.w3.org/2000/svg}"
GRAPHS = ["lecture", "network", "hostile", pytest.param("cnn", marks=pytest.mark.slow)]


def f(x):
    a = x**2
    b = jnp.exp(a)
    c = a + b
    d = jnp.sqrt(c)
    e = jnp.cos(c)
    return d + e


@pytest.fixture(scope="module")
def lecture():
    return explain(f, 2.0)


@pytest.fixture
def network(explained_network):
    return explained_network


@pytest.fixture
def cnn(explained_cnn):
    return explained_cnn.explanation


@pytest.fixture(scope="module")
def hostile():
    return explain(lambda p: jnp.sum(p["<b>&\"'"] ** 2) + p["x_1%$#{}"], {"<b>&\"'": np.ones(2), "x_1%$#{}": 2.0})


TEXT = """\
Forward: values
  operation   value       local derivatives
  ----------  ----------  ---------------------------------
  x           2
  a = x^2     4           da/dx = 2 x = 4
  b = e^a     54.59815    db/da = e^a = 54.59815
  c = a + b   58.59815    dc/da = 1
                          dc/db = 1
  d = sqrt c  7.654943    dd/dc = 1/(2 sqrt c) = 0.06531727
  e = cos(c)  -0.4606132  de/dc = -sin(c) = -0.887601
  f = d + e   7.19433     df/dd = 1
                          df/de = 1

Backward: adjoints
  adjoint  sum over its uses          in numbers                              value       check
  -------  -------------------------  --------------------------------------  ----------  -----
  df/df    the output itself                                                  1           ok
  df/de    df/de                      1                                       1           ok
  df/dd    df/dd                      1                                       1           ok
  df/dc    df/dd dd/dc + df/de de/dc  1 * 0.06531727 + 1 * -0.887601          -0.8222837  ok
  df/db    df/dc dc/db                -0.8222837 * 1                          -0.8222837  ok
  df/da    df/db db/da + df/dc dc/da  -0.8222837 * 54.59815 + -0.8222837 * 1  -45.71745   ok
  df/dx    df/da da/dx                -45.71745 * 4                           -182.8698   ok"""


def test_the_lectures_tables_as_text(lecture):
    # every number is the lecture's, section 3
    assert str(lecture) == TEXT
    assert TEXT.isascii()


def test_the_lectures_tables_by_rich(lecture):
    console = rich.console.Console(width=120, record=True, file=io.StringIO())
    console.print(lecture)
    printed = console.export_text()
    for part in ("∂d/∂c = 1/(2 √c) = 0.06531727", "1 × 0.06531727 + 1 × −0.887601", "−182.8698"):
        assert part in printed


class Tags(HTMLParser):
    """Collects the tags, those open at the end, and the text."""

    def __init__(self):
        super().__init__()
        self.seen, self.open, self.text = set(), [], ""

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.seen |= {f"{name}=" for name, _ in attrs}
        if tag not in ("meta", "br", "rect", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("rect", "path"):
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("which", GRAPHS)
def test_the_page_is_whole_and_needs_nothing_else(which, request):
    page = request.getfixturevalue(which).html()
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    assert not tags.seen & {"script", "link", "img", "b", "src=", "href="}
    assert "svg" in tags.seen


def test_the_page_has_the_lectures_numbers(lecture):
    tags = Tags()
    tags.feed(lecture.html())
    for part in ("∂e/∂c = -sin(c) = −0.887601", "−0.8222837 × 54.59815 + −0.8222837 × 1", "−182.8698"):
        assert part in tags.text


def boxes(svg):
    """Return the boxes of a drawing as x0, y0, x1, y1, without the paper."""
    rects = list(ElementTree.fromstring(svg).iter(f"{SVG}rect"))[1:]
    sides = [[float(rect.get(side)) for side in ("x", "y", "width", "height")] for rect in rects]
    return [(x, y, x + w, y + h) for x, y, w, h in sides]


@pytest.mark.parametrize("which", GRAPHS)
def test_the_drawing_is_xml_with_boxes_apart_and_on_the_paper(which, request):
    explanation = request.getfixturevalue(which)
    svg = explanation.svg()
    width, height = (float(ElementTree.fromstring(svg).get(side)) for side in ("width", "height"))
    found = boxes(svg)
    assert len(found) == len([row for row in explanation.rows if row.adjoint is not None])
    for i, a in enumerate(found):
        assert a[0] >= 0 and a[1] >= 0 and a[2] <= width and a[3] <= height
        assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in found[:i])


def test_the_drawing_shows_values_adjoints_and_slopes(lecture):
    texts = [t.text or "".join(t.itertext()) for t in ElementTree.fromstring(lecture.svg()).iter(f"{SVG}text")]
    shown = " ".join(texts)
    for part in ("c = a + b", "58.59815", "−0.8222837", "0.06531727"):
        assert part in shown


def test_long_labels_are_cut():
    explanation = explain(
        lambda p: p["a_very_long_name_for_one_of_the_parameters"] ** 2,
        {"a_very_long_name_for_one_of_the_parameters": 2.0},
    )
    assert max(map(len, re.findall(r">([^<>]+)</text>", explanation.svg()))) == 30


@pytest.mark.parametrize("which", GRAPHS)
def test_latex_is_balanced_and_escaped(which, request):
    source = request.getfixturevalue(which).latex()
    assert source.count("\\begin{tabular}") == source.count("\\end{tabular}") == 2
    bare = re.sub(r"\\[\\{}%$#&_]", "", "\n".join(source.splitlines()[1:]))
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not re.search(r"[%#]", bare)
    for line in source.splitlines():
        if line.endswith(r"\\"):
            assert len(re.findall(r"(?<!\\)&", line)) in (2, 4, 5, 6)


def test_latex_has_the_lectures_formulas(lecture):
    assert r"\frac{\partial d}{\partial c} = \frac{1}{2 \, \sqrt{c}} = 0.06531727" in lecture.latex()


def test_nan_is_marked(lecture):
    def g(x):
        y = jnp.log(x)
        return y * 2.0

    explanation = explain(g, -1.0)
    text = str(explanation)
    assert "\n! y = log(x)" in text
    assert "The first value with a NaN or an infinity is that of y: y = jnp.log(x)  (test_rendering.py:" in text
    assert '<tr class="bad"' in explanation.html()
    assert 'stroke="#C00000"' in explanation.svg()
    assert '<tr class="bad"' not in lecture.html()
