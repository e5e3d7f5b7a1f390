"""The work of a step: the issue's counts, XLA's own count of one step, and by hand."""

import jax
import pytest

from benchmarks import cnn, hidden, mlp
from benchmarks.work import Work, convolutional, counted_by_xla, dense_mlp, hidden_layer_step
from jaxnn import networks


def test_the_mnist_networks_by_hand():
    # 2 * 128 * (2 * 784 * 512 + 3 * 512 * 10); the convolutional one's parts are of the lecture's printed shapes.
    assert mlp.work("float32").flops == 209_453_056
    images, second, dense, last = 784 * 9 * 32, 784 * 4 * 32 * 16, 14 * 14 * 16 * 1000, 1000 * 10
    assert cnn.work("float32").flops == 2 * 128 * (2 * images + 3 * (second + dense + last))


@pytest.mark.parametrize("batch", [1, 64])
def test_the_bytes_are_those_of_parameters_and_inputs(batch):
    leaves = jax.tree.leaves(jax.eval_shape(networks.mlp.init, jax.random.key(0)))
    assert dense_mlp(batch).bytes == 4 * (6 * sum(leaf.size for leaf in leaves) + batch * 784)
    assert convolutional(batch).bytes == 4 * (6 * 3_149_394 + batch * 784)


def test_hidden_by_hand():
    assert hidden.work("float64") == Work(2 * 1000 * (2 * 8 + 3 * 4), 8 * 1000 * 3) == hidden_layer_step(1000, 2, 4, 8)


def test_xla_counts_a_product_and_a_loop_once():
    x = jax.ShapeDtypeStruct((4, 5), "float32")
    assert counted_by_xla(lambda a: a @ a.T, x) == 2 * 4 * 4 * 5
    looped = counted_by_xla(lambda a: jax.lax.fori_loop(0, 9, lambda _, b: b + a @ a.T @ b, a), x)
    assert 2 * 4 * 4 * 5 <= looped < 3 * 2 * 2 * 4 * 4 * 5


def test_xla_counts_as_many_flops_for_a_gradient_without_the_cheap_parts():
    assert counted_by_xla(*mlp.program("float32")) == pytest.approx(dense_mlp(128).flops, rel=0.01)


def test_xla_counts_the_sums_and_softplus_of_the_hidden_layer_too():
    products = hidden.work("float32").flops
    assert products < counted_by_xla(*hidden.program("float32")) < 3 * products
