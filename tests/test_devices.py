"""Training on several devices, simulated, and in several processes, beside the same training on one device."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import fit
from jaxnn.errors import InvalidArgument
from jaxnn.networks import mlp

SCRIPT = Path(__file__).with_name("devices.py")
ONE = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("batch",))


def start(*arguments):
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    settings = os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # speed is not what is tested
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=settings)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def eight():
    out, err = (process := start()).communicate(timeout=600)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.mark.slow
def test_eight_devices_leave_one_devices_parameters_and_history(eight):
    assert eight["devices"] == 8
    for name, tolerance in (("float32", 1e-6), ("two axes", 1e-6), ("float64", 1e-12)):
        assert {run: max(found) <= tolerance for run, found in eight[name].items()} == dict.fromkeys(eight[name], True)


@pytest.mark.slow
def test_a_step_has_one_all_reduce_of_the_loss_the_metrics_and_all_gradients(eight):
    parameters = 3 * 3 * 2 * 3 + 3 + 2 * 2 * 3 * 2 + 2 + 2 * 3 * 2 * 5 + 5 + 5 * 10 + 10
    assert eight["collectives"] == [[str(parameters + 2), "all-reduce"]]


@pytest.mark.slow
def test_restarts_stop_where_they_do_on_one_device(eight):
    one, several, difference = eight["restarts"]
    assert one == several and len(one) == 11 and difference <= 1e-12


@pytest.mark.slow
def test_networks_side_by_side_are_one_devices(eight):
    assert 0 <= eight["ensemble"] <= 1e-5


@pytest.mark.slow
def test_each_device_draws_its_own_noise(eight):
    one, several = eight["noise"]
    assert one != several


@pytest.mark.slow
def test_two_processes_leave_one_process_result_and_go_on_from_a_checkpoint(tmp_path):
    port = free_port()
    both = [start(rank, 2, port, tmp_path) for rank in (0, 1)]
    found = []
    for process in both:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        found.append(json.loads(out.splitlines()[-1]))
    assert [one["devices"] for one in found] == [2, 2] and found[0]["sum"] == found[1]["sum"]
    assert max(found[0]["differences"]) <= 1e-6
    assert [one["resumed"] for one in found] == [0, 0] and {"2", "5"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.slow
def test_a_killed_process_ends_the_other_with_a_message_within_a_minute():
    port = free_port()
    with start(0, 2, port, "forever") as first, start(1, 2, port, "forever") as second:
        try:
            assert any("epoch 3" in line for line in second.stdout)
            second.kill()
            _, err = first.communicate(timeout=60)  # the minute that it may take
            assert first.returncode != 0
            assert re.search("another task died|unhealthy|connection|closed", err, re.IGNORECASE)
        finally:
            first.kill()
            second.kill()


def test_a_mesh_of_one_device_is_one_device():
    rng, params = np.random.default_rng(0), mlp.init(jax.random.key(0), 3, 4, 2)
    data = rng.normal(size=(10, 3)).astype(np.float32), rng.integers(0, 2, 10)
    one, mesh = (fit(mlp.value_and_grad, params, optax.sgd(0.1), data, epochs=3, mesh=m) for m in (None, ONE))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), one.params, mesh.params)


def test_a_mesh_that_is_none_or_leaves_a_device_without_an_example_is_refused():
    params, data = mlp.init(jax.random.key(0), 3, 4, 2), (jnp.ones((4, 3), jnp.float32), np.zeros(4, int))
    for mesh, message in (("two", "mesh: got 'two', expected a jax.sharding.Mesh"), (4, "mesh: got 4")):
        with pytest.raises(InvalidArgument, match=re.escape(message)):
            fit(mlp.value_and_grad, params, optax.sgd(0.1), data, epochs=1, mesh=mesh)
    eight = jax.sharding.AbstractMesh((8,), ("batch",))
    with pytest.raises(InvalidArgument, match="expected a jax.sharding.Mesh"):
        fit(mlp.value_and_grad, params, optax.sgd(0.1), data, epochs=1, mesh=eight)
