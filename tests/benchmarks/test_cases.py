"""Tests for the cases and their peers, on few digits and few steps: both sides compute the same, and it is seen."""

import subprocess
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from benchmarks import (
    cnn,
    ensemble,
    evaluation,
    first_result,
    gradient,
    hidden,
    linear,
    mlp,
    neuralnet,
    rprop,
    verification,
)
from benchmarks.__main__ import CASES
from benchmarks.agreement import Different
from benchmarks.peers import HOW_TO_GET, KERAS, cannot_import, numpy_peer
from jaxnn import networks

slow_cnn = pytest.param(cnn, marks=pytest.mark.slow, id="cnn")  # its program takes seconds to compile


def variants(case, fast):
    """Return a case's variants, all but one slow: they run the same code."""
    return [pytest.param(name, marks=[pytest.mark.slow] * (name != fast)) for name in case.VARIANTS]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_case_says_what_it_is(case):
    assert case.WHAT and case.VARIANTS and case.SAMPLES > 0 and set(case.PEERS) <= HOW_TO_GET.keys()


@pytest.mark.parametrize("variant", hidden.VARIANTS)
def test_hidden_sides_agree_and_run(variant):
    sides = hidden.sides(variant, ["numpy"])  # raises where they differ
    assert list(sides) == ["jaxnn", "numpy", "numpy in place"]
    assert {side(1).steps for side in sides.values()} == {hidden.STEPS}


@pytest.mark.skipif(cannot_import("c") is not None, reason="there is no gcc")
@pytest.mark.parametrize("variant", hidden.VARIANTS)
def test_c_equals_numpy_and_leaves_its_arguments_alone(variant):
    assert list(hidden.sides(variant, ["c"])) == ["jaxnn", "c"]
    with jax.enable_x64(variant == "float64"):
        params, data = hidden.start(variant)
    columns = numpy_peer.columns(params, *data)
    before = jax.tree.map(np.copy, columns)
    ours, theirs = (hidden.forms([who])[who](*columns, hidden.RATE, 50) for who in ("numpy", "c"))
    jax.tree.map(np.testing.assert_array_equal, columns, before)
    assert np.float64(5e-324) * 1 > 0, "the library has changed the processor's rounding of subnormal numbers"
    rtol = 1e-4 if variant == "float32" else 1e-12
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol), ours, theirs)


@pytest.mark.skipif(cannot_import("r") is not None, reason="there is no R")
def test_r_computes_the_same():
    sides = hidden.sides("float64", ["r"])  # raises where they differ
    assert list(sides) == ["jaxnn", "r"] and sides["r"](2).steps == 2 * hidden.STEPS
    assert list(hidden.sides("float32", ["r"])) == ["jaxnn"]  # R has no other precision


@pytest.mark.slow
def test_scikit_learn_computes_the_same(monkeypatch):
    pytest.importorskip("sklearn", reason="scikit-learn is an optional peer")
    monkeypatch.setattr(mlp, "UPDATES", 2)
    assert mlp.sides("float32", ["sklearn"])["sklearn"](1).steps == 2  # raises where they differ


@pytest.mark.slow
@pytest.mark.parametrize("case", [mlp, cnn], ids=["mlp", "cnn"])
@pytest.mark.parametrize("who", KERAS)
def test_keras_computes_the_same(monkeypatch, case, who):
    if cannot_import(who) is not None:
        pytest.skip(f"an optional peer: {cannot_import(who)}")
    monkeypatch.setattr(case, "UPDATES", 5)
    assert case.sides("float32", [who])[who](1).steps == 5  # raises where they differ


@pytest.mark.parametrize("who", KERAS)
def test_a_keras_that_is_not_there_is_named(monkeypatch, who):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cannot_import(who) == "there is no module keras"


@pytest.mark.parametrize("variant", linear.VARIANTS)
def test_linear_sides_agree_and_run(variant, monkeypatch):
    monkeypatch.setattr(linear, "POINTS", 50)
    sides = linear.sides(variant, ["numpy"])  # raises where they differ
    assert {who: side(1).steps for who, side in sides.items()} == {"jaxnn": linear.STEPS, "numpy": linear.STEPS}


@pytest.mark.slow
@pytest.mark.parametrize("variant", variants(ensemble, fast="float32"))
def test_the_first_of_many_networks_is_the_one_alone(variant, monkeypatch):
    monkeypatch.setattr(ensemble, "NETWORKS", 3)
    sides = ensemble.sides(variant, [])  # raises where they differ
    assert [side(1).steps for side in sides.values()] == [3 * ensemble.STEPS, ensemble.STEPS]


@pytest.mark.parametrize(
    ("variant", "steps"), [("a step", [20]), pytest.param("8 restarts", [1, 1], marks=pytest.mark.slow)]
)
def test_rprop_sides_run(variant, steps, monkeypatch):
    monkeypatch.setattr(rprop, "STEPMAX", 20)
    assert [side(1).steps for side in rprop.sides(variant, []).values()] == steps


@pytest.mark.skipif(cannot_import("neuralnet") is not None, reason="R's neuralnet is not there")
def test_rprop_takes_the_steps_of_rs_neuralnet():
    sides = rprop.sides("a step", ["neuralnet"])  # raises where they differ
    ours, theirs = (side(1).steps for side in sides.values())
    assert list(sides) == ["jaxnn", "neuralnet"] and ours == theirs > 1000


@pytest.mark.slow
@pytest.mark.parametrize("variant", variants(neuralnet, fast="rprop+"))
def test_neuralnet_ends_where_its_peers_do(variant, monkeypatch):
    monkeypatch.setattr(neuralnet, "STEPS", 20)
    monkeypatch.setitem(neuralnet.SETTINGS["backprop"], "stepmax", 21)
    peers = [peer for peer in neuralnet.PEERS if cannot_import(peer) is None]
    sides = neuralnet.sides(variant, peers)  # raises where they differ
    assert ("sklearn" in sides) == (variant == "backprop") and len({side(1).steps for side in sides.values()}) <= 2


@pytest.mark.parametrize("variant", variants(evaluation, fast="mlp"))
def test_evaluation_runs(variant, monkeypatch):
    x, y = evaluation.test_digits(variant)
    monkeypatch.setattr(evaluation, "test_digits", lambda variant: (x[:50], y[:50]))
    assert [side(1).steps for side in evaluation.sides(variant, []).values()] == [1]


def test_a_check_that_does_not_pass_is_not_timed(monkeypatch):
    monkeypatch.setattr(verification, "hidden_layer", lambda: lambda: SimpleNamespace(kind="FAIL"))
    with pytest.raises(Different, match="the verdict on the gradient by hand is FAIL"):
        verification.sides("hidden", [])


@pytest.mark.parametrize("variant", first_result.VARIANTS)
def test_a_process_is_timed_and_one_that_fails_is_an_error(variant, monkeypatch):
    monkeypatch.setattr(first_result, "OURS", "import os; assert os.environ['JAX_COMPILATION_CACHE_DIR']; print('{}')")
    assert first_result.sides(variant, [])["jaxnn"](2).steps == 2
    monkeypatch.setattr(first_result, "OURS", "raise SystemExit(3)")
    with pytest.raises(subprocess.CalledProcessError):
        first_result.sides(variant, [])["jaxnn"](1)


@pytest.mark.parametrize("descend", numpy_peer.FORMS.values(), ids=numpy_peer.FORMS.keys())
@pytest.mark.parametrize("variant", hidden.VARIANTS)
def test_numpy_equals_plain_descent_on_jaxs_own_gradient_and_keeps_the_precision(descend, variant):
    with jax.enable_x64(variant == "float64"):
        params, (x, y) = hidden.start(variant)
        after, costs = descend(*numpy_peer.columns(params, x, y), hidden.RATE, 3)
        autodiff = jax.jit(jax.value_and_grad(networks.hidden_layer.loss))
        for step in range(3):
            value, grads = autodiff(params, x, y)
            np.testing.assert_allclose(costs[step], value, rtol=hidden.TOLERANCE[variant])
            params = jax.tree.map(lambda p, g: p - hidden.RATE * g, params, grads)
        for name, value in params.items():
            assert after[name].dtype == variant
            np.testing.assert_allclose(
                after[name].T.reshape(value.shape), value, rtol=1e-4 if variant == "float32" else 1e-12
            )


def test_numpy_leaves_its_arguments_alone():
    params, data = hidden.start("float32")
    columns = numpy_peer.columns(params, *data)
    before = jax.tree.map(np.copy, columns)
    for descend in numpy_peer.FORMS.values():
        descend(*columns, hidden.RATE, 2)
    jax.tree.map(np.testing.assert_array_equal, columns, before)


def test_a_wrong_peer_is_seen(monkeypatch):
    def too_fast(params, x, y, rate, steps):
        return numpy_peer.plain(params, x, y, 1.01 * rate, steps)

    monkeypatch.setitem(numpy_peer.FORMS, "numpy", too_fast)
    with pytest.raises(Different, match="numpy's costs: the relative difference is"):
        hidden.sides("float64", ["numpy"])


@pytest.mark.parametrize("case", [pytest.param(mlp, id="mlp"), slow_cnn])
def test_jaxnns_side_of_the_digits_runs(monkeypatch, case):
    monkeypatch.setattr(case, "UPDATES", 1)
    (side,) = case.sides("float32", []).values()
    assert side(2).steps == 2


@pytest.mark.parametrize("variant", variants(gradient, fast="mlp"))
def test_both_gradients_agree_and_run(monkeypatch, variant):
    monkeypatch.setitem(gradient.UPDATES, variant, 1)
    sides = gradient.sides(variant, [])  # raises where they differ
    assert list(sides) == ["jaxnn", "autodiff"]
    assert {side(1).steps for side in sides.values()} == {1}


def test_a_wrong_gradient_by_hand_is_seen(monkeypatch):
    def too_long(*arguments):
        value, grads = by_hand(*arguments)
        return value, jax.tree.map(lambda g: 1.0001 * g, grads)

    by_hand = networks.mlp.metrics_and_grad
    monkeypatch.setattr(networks.mlp, "metrics_and_grad", too_long)
    monkeypatch.setitem(gradient.UPDATES, "mlp", 1)
    with pytest.raises(Different, match="gradient: the relative difference is 1.0e-04"):
        gradient.sides("mlp", [])


@pytest.mark.parametrize("case", [mlp, cnn], ids=["mlp", "cnn"])
def test_torch_computes_the_same(monkeypatch, case):
    pytest.importorskip("torch", reason="PyTorch is an optional peer")
    monkeypatch.setattr(case, "UPDATES", 2)
    sides = case.sides("float32", ["torch"])  # raises where they differ
    assert sides["torch"](1).steps == 2


def test_another_network_in_torch_is_seen(monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is an optional peer")
    from benchmarks.peers import torch_peer

    def shifted():  # the zeros on the other sides
        layers = torch_peer.build_cnn()
        layers[2] = torch_peer.nn.ZeroPad2d((1, 0, 1, 0))
        return layers

    monkeypatch.setattr(cnn, "UPDATES", 1)
    monkeypatch.setitem(torch_peer.MODELS, "cnn", torch_peer.MODELS["cnn"]._replace(build=shifted))
    with pytest.raises(Different, match="first batch"):
        cnn.sides("float32", ["torch"])
