"""What is said of memory, on a few digits."""

import json
import subprocess
import sys

import numpy as np
import pytest

import jaxnn
from benchmarks import memory, results
from benchmarks.timing import Timing


@pytest.mark.slow
def test_a_program_is_told_by_its_arguments(monkeypatch, capsys):
    mnist = jaxnn.load_mnist()
    monkeypatch.setattr(
        jaxnn, "load_mnist", lambda: mnist._replace(x_train=mnist.x_train[:256], y_train=mnist.y_train[:256])
    )
    monkeypatch.setattr(memory, "DIGITS", 256)
    memory.main("mlp")
    told = json.loads(capsys.readouterr().out)
    parameters = 784 * 512 + 512 + 512 * 10 + 10
    least = 4 * (2 * parameters + 256 * 784) + 256
    assert least <= told["arguments"] <= least + 1000
    assert told["peak"] > told["arguments"] > told["temporaries"] >= 0


@pytest.mark.slow
def test_the_size_of_the_parent_does_not_count():
    parent = np.ones(2**28, np.uint8)  # 256 MiB that are there
    command = [sys.executable, "-c", "from benchmarks import memory; print(memory.peak_of_process())"]
    before = subprocess.run(command, cwd=memory.ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout
    more = np.ones(2**29, np.uint8)
    after = subprocess.run(command, cwd=memory.ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout
    assert abs(int(after) - int(before)) < 2**28 <= len(parent) < len(more)


def test_memory_is_said_in_mebibytes():
    row = {"memory": {"peak": 3 * 2**29, "device": 0, "arguments": 2**20, "temporaries": 2**21}}
    assert results.memory(row) == (
        "the process 1,536 MiB, data and state of an epoch's program 1 MiB, what else it needs 2 MiB"
    )


def test_the_peak_of_a_side_is_in_its_row():
    timings = {"jaxnn": Timing(1.0, 1, 1.0, [1.0], peak=5), "other": Timing(1.0, 1, 1.0, [1.0])}
    ours, other = results.rows("feed", "float32", timings)
    assert ours["memory"] == {"peak": 5} and "memory" not in other
