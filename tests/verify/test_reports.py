"""Tests for `jaxnn/verify/reports.py` and `page.py`, on verdicts made by hand."""

import json
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from jaxnn.verify import Report, Verdict, page, reports
from jaxnn.verify.reports import Row

WITNESSES = (
    Report("autodiff, reverse", False, 0.5, 2e-15),
    Report("central differences", False, 0.5, 5e-10, "along W1[0, 2]"),
    Report("complex step", None, note="not analytic"),
    Report("jit against eager", True, 0.0, 1e-14),
)
PASS = Verdict("PASS", resolution=1e-12, witnesses=(Report("autodiff, reverse", True, 1e-16, 2e-15),))
FAIL = Verdict(
    "FAIL", "layers.0.w", (3, 2), 1.0, 1.5, "central differences", 5e-10, "a missing <1/m>", "dZ = dA & x  (a.py:4)"
)
FAIL = Verdict(**{**FAIL.__dict__, "witnesses": WITNESSES})
KINK = Verdict("KINK", "x", (0,), 0.5, 0.0, "central differences", note="between 0 and 1", resolution=1e-9)
NOISE = Verdict("NOISE", "b1", (), 2.0, 2.001, "central differences", 1e-2, resolution=1e-2)
RANDOM = Verdict("RANDOM", note="two runs differ")
NONFINITE = Verdict("NONFINITE", "b2", (1,), float("inf"), float("nan"), "autodiff, reverse", float("inf"))
EVERY = [PASS, FAIL, KINK, NOISE, RANDOM, NONFINITE]
ROWS = [Row(f"{verdict.kind.lower()}.grad", "ordinary", verdict, 1.25) for verdict in EVERY]
WHERE = {"python": "3.13", "x64": False, "xla_flags": None}


def text(rows):
    console = Console(width=200, no_color=True)
    with console.capture() as captured:
        console.print(reports.table(rows))
    return captured.get()


def test_the_table_has_a_line_for_each_gradient():
    lines = [re.split(r"\s{2,}", line.strip()) for line in text(ROWS).splitlines()[2:]]
    assert lines[1] == ["fail.grad", "FAIL", "ordinary", "layers.0.w[3, 2]", "5.0e-01", "-", "1", "1.25 s"]
    assert [line[1] for line in lines] == [verdict.kind for verdict in EVERY]
    assert lines[3][4:6] == ["1.0e-03", "1.0e-02"]


def test_several_checks_of_a_gradient_are_one_line_with_the_gravest():
    rows = [Row("f", "ordinary", PASS, 1.0), Row("f", "ties", KINK, 2.0), Row("f", "float32", NOISE, 3.0)]
    (line,) = text(rows).splitlines()[2:]
    assert re.split(r"\s{2,}", line.strip()) == ["f", "KINK", "ties", "x[0]", "5.0e-01", "1.0e-09", "3", "6.00 s"]
    assert reports.tally(rows) == "3 checks: 1 PASS, 1 NOISE, 1 KINK"


def test_the_case_of_a_survey_stands_beside_the_arguments():
    failed = Verdict("FAIL", case="n=1")
    assert [reports.at(Row("f", given, failed, 0.0)) for given in ("", "n=1", "float32")] == [
        "n=1",
        "n=1",
        "float32: n=1",
    ]


def test_names_are_never_taken_for_markup():
    shown = text([Row("[red]f[/red]", "[bold]", Verdict("FAIL", "[blue]w"), 0.0)])
    assert "[red]f[/red]" in shown and "[bold]" in shown and "[blue]w" in shown


def test_json_is_strict_and_has_every_field():
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    found = json.loads(reports.as_json(ROWS, WHERE), parse_constant=refuse)
    assert found["schema"] == 1 and found["environment"] == WHERE
    assert [row["ok"] for row in found["rows"]] == [True, False, True, True, False, False]
    failed, nonfinite = found["rows"][1], found["rows"][5]
    assert set(failed) >= set(Verdict.__dataclass_fields__) | {"what", "seconds", "message"}
    assert failed["index"] == [3, 2] and failed["expected"] == 1.0 and failed["case"] == "ordinary"
    assert failed["witnesses"][1] == {
        "witness": "central differences",
        "agrees": False,
        "difference": 0.5,
        "error": 5e-10,
        "note": "along W1[0, 2]",
    }
    assert (nonfinite["expected"], nonfinite["actual"]) == ("Infinity", "NaN")


class Tags(HTMLParser):
    """Collects the tags that are open, the links and the text."""

    def __init__(self):
        super().__init__()
        self.open, self.links, self.ids, self.text = [], [], [], ""

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.open += [] if tag in ("meta", "br") or tag in ("line", "circle") else [tag]
        self.links += [value for name, value in attributes if name in ("href", "src")]
        self.ids += [found["id"]] if "id" in found else []

    def handle_endtag(self, tag):
        if tag in ("line", "circle"):
            return
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_is_whole_and_needs_nothing_else():
    written = page.as_html(ROWS, WHERE)
    tags = Tags()
    tags.feed(written)
    assert tags.open == []
    assert tags.links == [f"#check-{i}" for i in range(1, 7)] == [f"#{name}" for name in tags.ids]
    assert "@import" not in written and "url(" not in written and "<script" not in written
    for words in ("FAIL", "wrong", "a missing <1/m>", "dZ = dA & x  (a.py:4)", "cannot tell", "along W1[0, 2]", "3.13"):
        assert words in tags.text
    assert "<1/m>" not in written


def test_the_page_escapes_names():
    written = page.as_html([Row("<script>f</script>", "<b>", Verdict("FAIL", '"><i>'), 0.0)], {"os": "<u>"})
    assert not re.search(r"<(script|b|i|u)>", written)


def test_the_picture_has_a_logarithmic_axis():
    drawn = page.picture([Report("a", True, 1e-4, 1e-2), Report("b", False, 0.0, 1e-3)])
    left, right = page.LEFT, page.RIGHT
    assert drawn["range"] == "1e-4 to 1e-2" and [label for _, label in drawn["ticks"]] == ["1e-4", "1e-3", "1e-2"]
    assert [(d, e) for _, d, e in drawn["bars"]] == [(left, right), (left, (left + right) / 2)]


@pytest.mark.parametrize("values", [(0.0, 0.0), (float("nan"), float("inf")), (5e-324, 1.7e308), (1e-300, 1.0)])
def test_the_picture_takes_any_numbers(values):
    drawn = page.picture([Report("a", True, *values)])
    assert drawn is None or all(page.LEFT <= x <= page.RIGHT for _, *xs in drawn["bars"] for x in xs)
