"""Tests for `jaxnn/progress.py`."""

from jaxnn.progress import progress_bar


def test_the_bar_shows_epochs_and_metrics(capsys):
    with progress_bar("MLP", 3) as progress:
        for done in (1, 2, 3):
            progress(done, {"accuracy": 0.9, "loss": 1 / done})
    printed = capsys.readouterr().out
    assert "MLP" in printed and "3/3" in printed
