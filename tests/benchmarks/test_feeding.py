"""The case of training from a file: its digits, and one process of each kind."""

import json

import numpy as np
import pytest

import jaxnn
from benchmarks import feeding


@pytest.fixture
def folder(tmp_path):
    feeding.generate(tmp_path, 700)
    return tmp_path


def test_generated_digits_are_mnists_moved_with_noise(folder):
    x, y = np.load(folder / "x.npy"), np.load(folder / "y.npy")
    assert x.shape == (700, 784) and x.dtype == y.dtype == np.uint8
    assert set(np.unique(y)) == set(range(10))
    some = jaxnn.load_mnist().x_train[:1000]
    assert abs(x.mean() - np.maximum(some, 9.5).mean()) < 5
    assert len(np.unique(x, axis=0)) == 700


@pytest.mark.slow
def test_a_process_says_what_the_epochs_after_the_first_took(folder, capsys):
    feeding.main(str(folder), "768", "2")
    told = json.loads(capsys.readouterr().out)
    assert told["updates"] == 6 and told["seconds"] > 0 and told["peak"] > 2**20


@pytest.mark.slow
def test_both_kinds_train_in_processes_of_their_own(folder):
    fed, whole = (feeding.side(str(folder), block, 2) for block in (256, 0))
    assert fed.steps == whole.steps == 2 * 6
    assert fed.seconds > 0 and fed.peak > 2**20
