"""Tests for `experiments/report.py` and its template."""

import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmarks.mutants.summary import HEADERS
from experiments import record, report
from experiments.record import Number, Options, Result, Table
from experiments.report import Part, Run

VOID = {"meta", "img", "link", "br", "input"}


class Reader(HTMLParser):
    """Collects tags, ids and link targets, and fails on tags that do not close."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.ids, self.targets = [], [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.targets += [attributes[k] for k in ("href", "src") if k in attributes]
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page(tmp_path, numbers=None, seeds=5, **options):
    figure = Figure(figsize=(3, 2))
    figure.add_subplot().plot([0, 1])
    record.write_figure(tmp_path, 19, figure)
    record.write_figure(tmp_path, "spread", figure)
    numbers = numbers or {"chain.value.b": Number(ours=math.exp(4))}
    result = Result(
        numbers,
        {19: (figure, "a <line> & more")},
        [Table("Layers", ["Layer", "Parameters"], [["Dense", "401,920"]])],
        ["one remark", "two remarks"],
        {"spread": (figure, "what the lecture has not")},
    )
    parts = [
        Part("mlp", "8.3", "The <MLP>", result, 3.2),
        Part("cnn", "8.5", "The CNN", None, 0.5, "ValueError: no <b>"),
    ]
    run = Run({"jax": "0.0", "commit": None}, Options(seeds=seeds, **options), ["mlp", "cnn", "linear"], parts)
    return report.render(run, record.judge_all(numbers), tmp_path)


def read(html):
    reader = Reader()
    reader.feed(html)
    assert not reader.open
    return reader


def test_page_is_self_contained_and_its_anchors_lead_somewhere(tmp_path):
    reader = read(page(tmp_path))
    assert len(set(reader.ids)) == len(reader.ids)
    for target in reader.targets:
        assert target.startswith("data:image/") or target.removeprefix("#") in reader.ids
    assert not {"script", "link", "iframe"} & {tag for tag, _ in reader.tags}


def test_figures_are_named_by_the_lectures_number_or_by_their_own_name(tmp_path):
    html = page(tmp_path)
    assert '<a href="#figure-19">Figure 19</a>' in html and '<a href="#spread">Spread</a>' in html
    assert html.index("Figure 19") < html.index("what the lecture has not")


def test_page_is_accessible(tmp_path):
    reader = read(page(tmp_path))
    levels = [int(tag[1]) for tag, _ in reader.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    assert dict(reader.tags)["html"]["lang"] == "en"
    assert all(attributes.get("alt") for tag, attributes in reader.tags if tag == "img")
    assert all("scope" in attributes for tag, attributes in reader.tags if tag == "th")


def test_pictures_are_on_paper_too(tmp_path):
    pictures = [attributes for tag, attributes in read(page(tmp_path)).tags if tag == "img"]
    assert pictures and not any("loading" in one for one in pictures)  # a lazy one is blank where nobody scrolled to it


def test_page_escapes_what_it_shows(tmp_path):
    html = page(tmp_path)
    assert "The &lt;MLP&gt;" in html and "a &lt;line&gt; &amp; more" in html and "no &lt;b&gt;" in html


def test_page_says_what_was_found(tmp_path):
    html = page(tmp_path, quick=True)
    assert "1 of 1" in html and "✓</span> equal" in html and "188 not run" in html
    assert "Quick run." in html and "cnn failed:" in html and "linear." in html
    assert "54.59815" in html and "54.598150033" not in html


def test_page_marks_what_differs(tmp_path):
    html = page(tmp_path, {"hidden.init.b1": Number(ours=[0, 0, 0, 0.25])})
    assert "<mark>0.25</mark>" in html and 'href="#number-hidden.init.b1"' in html and "differs" in html


def test_page_shows_what_each_gradient_checker_finds(tmp_path):
    kept = json.loads(report.CHECKERS.read_text(encoding="utf-8"))
    html = page(tmp_path)
    shown = html[html.index('<section id="gradient-checkers">') :]
    assert "Who finds a wrong gradient" in shown and f"JAX {kept['environment']['jax']}, Python" in shown
    assert kept["totals"][0]["checker"] == "jaxnn"
    for row in kept["totals"]:
        assert set(row) == {"checker", *HEADERS} - {"patch holds"}  # which was not yet counted then
        assert all(f"<td>{value or '–'}</td>" in shown for value in row.values())


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_page_shows_every_shape_of_row(tmp_path, seeds):
    rng = np.random.default_rng(0)
    numbers = {}
    for entry in record.lecture():
        values = (
            [[float(v) for v in record.leaves(row)] for row in entry["printed"]]
            if entry["id"] == "cnn.shapes"
            else None
        )
        values = np.array(entry["printed"], dtype=float) if values is None else values
        random = entry["kind"] == "stochastic"
        samples = [values * (1 + rng.normal()) for _ in range(seeds)] if random else None
        numbers[entry["id"]] = Number(ours=values, autodiff=None if random else values, samples=samples)
    html = page(tmp_path, numbers, seeds=seeds)
    read(html)
    assert "189 of 189" in html and ("Mean of" in html) is (seeds > 1)


def test_confusion_matrices_are_heat_maps_of_the_lectures_counts_and_ours_with_headings(tmp_path):
    ours = np.full((10, 10), 7) + 900 * np.eye(10, dtype=int)
    html = page(tmp_path, {"mlp.confusion": Number(ours=ours)})
    read(html)
    lecture = next(entry["printed"] for entry in record.lecture() if entry["id"] == "mlp.confusion")
    matrices = re.findall(r'<table class="confusion">.*?</table>', html, re.DOTALL)
    assert [re.findall("<caption>(Lecture|By hand)", matrix) for matrix in matrices] == [["Lecture"], ["By hand"]]
    for matrix, counts in zip(matrices, (lecture, ours), strict=True):
        cells = re.findall(r'<td style="--share: (\d+)%"[^>]*>(?:<mark>)?([^<]+)', matrix)
        assert [float(text) for _, text in cells] == [float(v) for row in counts for v in row]
        shares = {float(text): int(share) for share, text in cells}
        assert sorted(shares.values()) == [shares[count] for count in sorted(shares)] and max(shares.values()) == 100
        assert len(re.findall('<th scope="row">', matrix)) == 10 and "actual digit" in matrix


def test_the_tile_counts_the_random_values_without_a_verdict(tmp_path):
    html = page(tmp_path, {"mlp.test.loss": Number(ours=0.07), "mlp.test.accuracy": Number(ours=0.98)})
    assert re.search(r"random values within 3 sd of our mean, 2 without a verdict, \d+ not run", html)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_page_shows_what_is_not_finite_or_of_another_shape(tmp_path, bad):
    numbers = {"hidden.Z1": Number(ours=np.full((4, 5), bad)), "hidden.Z2": Number(ours=[1.0])}
    numbers["mlp.confusion"] = Number(ours=np.full((10, 10), bad))
    numbers["cnn.confusion"] = Number(ours=np.ones(3))
    numbers["mlp.test.loss"] = Number(samples=[bad, bad])
    numbers["mlp.history.loss"] = Number(ours=np.ones(3), samples=np.ones((2, 3)).tolist())
    html = page(tmp_path, numbers)
    read(html)
    assert str(bad) in html and "0 of 121" in html


@pytest.mark.parametrize(
    "printed, value, text",
    [
        ("0.1209820", 0.12098204, "0.1209820"),
        ("2.706173e-04", 2.70617349e-4, "2.706173e-04"),
        ("4", 4.0, "4"),
        ("4", 4.3, "4.3"),
        ("0", -1e-12, "0"),
        ("3149394", 3149394, "3149394"),
        ("0.5", "nan", "nan"),
        ("0.5", None, "–"),
    ],
)
def test_digits_are_those_of_the_lecture(printed, value, text):
    assert report.digits(printed, value) == text


def test_decimal_points_are_in_line():
    grid = [[("-1.25", None)], [("10", None)], [("0.5", None)]]
    assert [line[0][0] for line in report.aligned(grid)] == ["-1.25", "10   ", " 0.5 "]


def test_backticks_are_code_and_nothing_else_is_html():
    assert report.inline("`x > 0` <b>") == "<code>x &gt; 0</code> &lt;b&gt;"


def test_chance_of_lying_outside_is_the_simulated_one():
    # 200,000 sets of six normal draws: is the sixth outside mean ± 3 sd of the first five?
    draws = np.random.default_rng(1).normal(size=(200_000, 6))
    first, last = draws[:, :5], draws[:, 5]
    outside = np.abs(last - first.mean(1)) > 3 * first.std(1, ddof=1)
    assert report.outside_by_chance(5) == pytest.approx(outside.mean(), abs=0.002)
