"""Tests for `benchmarks/mutants/summary.py`: rows made up here, and their sums counted by hand."""

from benchmarks.mutants import summary


def mutant(ours, theirs, line_ok=True, cause_ok=True, patch_ok=True, subgradient=False):
    said = {"line_ok": line_ok, "cause_ok": cause_ok, "patch_ok": patch_ok, "subgradient": subgradient}
    return {"row": "mutant", "killed_by": {"jaxnn": ours, "peer": theirs}, **said}


ROWS = [
    mutant("std", "std"),
    mutant("std", None, line_ok=False),
    mutant("survey", "ny", cause_ok=False, patch_ok=False),
    mutant("std", None, line_ok=False, cause_ok=False, subgradient=True),
    mutant(None, None, line_ok=False, cause_ok=False),
    {"row": "correct", "alarms": []},
    {"row": "correct", "alarms": ["peer"]},
    {"row": "correct", "alarms": ["peer"]},
]


def test_totals():
    ours, theirs = summary.totals(ROWS, ["peer"])
    assert ours == {
        "checker": "jaxnn",
        "killed at one point": "3 of 5",
        "killed in all": "4 of 5",
        "line named": "2 of 3",  # neither of what was missed nor of another subgradient
        "cause right": "2 of 3",
        "patch holds": "2 of 3",
        "false alarms": "0 of 3",
    }
    assert list(theirs.values()) == ["peer", "1 of 5", "2 of 5", "", "", "", "2 of 3"]


def test_the_table_has_the_totals():
    shown = summary.table(summary.totals(ROWS, ["peer"]))
    columns = [[str(column.header), *column.cells] for column in shown.columns]
    for k, (name, ours) in enumerate(summary.totals(ROWS, ["peer"])[0].items()):
        assert columns[k][:2] == [name, ours]


def test_without_rows_nothing_is_counted():
    assert summary.totals([], []) == [{"checker": "jaxnn", **dict.fromkeys(summary.HEADERS, "")}]
