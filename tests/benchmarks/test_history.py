"""Tests for `python -m benchmarks history` (`benchmarks/history.py`)."""

import json

import matplotlib.image
import pytest

from benchmarks import history
from benchmarks.__main__ import main


@pytest.fixture
def folder(tmp_path):
    """Three runs whose names are not in the order of their dates, and a file that is none."""

    def write(name, date, commit, rate, **medians):
        rows = [
            {"case": "mlp", "variant": "float32", "who": who, "median": t, "samples": [t]} for who, t in medians.items()
        ]
        environment = {"date": date, "commit": commit, "limits": {"float32": rate} if rate else None}
        (tmp_path / name).write_text(json.dumps({"schema": 1, "environment": environment, "rows": rows}))

    write("b.json", "2026-01-01", "a" * 40, 100e9, jaxnn=2.0, torch=4.0)
    write("a.json", "2026-01-02", "b" * 40 + "-dirty", 50e9, jaxnn=3.0, torch=2.0)
    write("c.json", "2026-01-03", None, None, jaxnn=1.0)
    (tmp_path / "totals.json").write_text('{"totals": []}')
    return tmp_path


def test_the_ratios_by_hand(folder):
    runs = history.runs_of(folder)
    assert [history.name_of(run) for run in runs] == ["aaaaaaa", "bbbbbbb*", "2026-01-03"]
    assert history.over_peers(runs) == {"mlp float32 / torch": {0: 0.5, 1: 1.5}}
    # In the second run 3 s at half the rate are 0.75 of 2 s; the third has no limits.
    assert history.over_the_first(runs) == {"mlp float32": {0: 1.0, 1: 0.75}}


def test_table_and_picture(folder, capsys):
    assert main(["history", str(folder)]) == 0
    out, err = capsys.readouterr()
    header, _, peer, machine = (
        [cell.strip() for cell in line.strip(" |").split("|")] for line in out.splitlines() if line.startswith("|")
    )
    assert header == ["ratio", "aaaaaaa", "bbbbbbb*", "2026-01-03"]
    assert peer == ["mlp float32 / torch", "0.50", "1.50"] and machine == ["mlp float32", "1.00", "0.75"]
    assert "left out" in err and "totals.json" in err
    assert matplotlib.image.imread(folder / "history.png").std() > 0


def test_the_picture_has_a_line_for_each_ratio(folder):
    assert main(["history", str(folder), "--plot", str(folder / "new" / "h.svg")]) == 0
    text = (folder / "new" / "h.svg").read_text()
    assert text.count("mlp float32 / torch") == 1 and text.count("bbbbbbb*") == 2


def test_a_kind_of_ratio_that_no_run_has_is_no_panel(folder):
    for name in ("a.json", "b.json", "totals.json"):
        (folder / name).unlink()
    assert main(["history", str(folder), "--plot", str(folder / "h.svg")]) == 0  # and neither is one to draw here
    runs = [{"rows": [], "environment": {}}]
    history.draw(["x"], {"peers": {}, "machine": {"mlp": {0: 1.0}}}, folder / "one.svg")
    assert "peers" not in (folder / "one.svg").read_text() and "machine" in (folder / "one.svg").read_text()
    assert history.over_peers(runs) == history.over_the_first(runs) == {}


def test_a_folder_without_runs(tmp_path, capsys):
    assert main(["history", str(tmp_path)]) == 2
    assert "no file that" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_a_picture_of_no_kind_is_refused(folder, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["history", str(folder), "--plot", "h.txt"])
    assert caught.value.code == 2 and "ends in .png or .svg" in capsys.readouterr().err
