"""Tests for `experiments/convolution.py`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import convolution
from experiments.record import Options, judge_all

# The lecture's section 8.4, with its own kernel: 0.9a + 0.7d, 0.8b + 0.7c, 0.7b + 0.8c, 0.7a + 0.9d.
COEFFICIENTS = [[0.9, 0, 0, 0.7], [0, 0.8, 0.7, 0], [0, 0.7, 0.8, 0], [0.7, 0, 0, 0.9]]


@pytest.fixture(scope="module")
def result():
    """What a run returns with two of the geometries, each of which has a dozen programs to compile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "GEOMETRIES", ({"stride": 2, "padding": "same"}, {"dilation": 2}))
        return convolution.run(Options(say=lambda line: None))


def test_coefficients_are_the_lectures_to_the_last_bit():
    with jax.enable_x64(True):
        np.testing.assert_array_equal(convolution.coefficients(convolution.IMAGE), COEFFICIENTS)
        np.testing.assert_array_equal(convolution.output_slopes(convolution.IMAGE), COEFFICIENTS)


def test_in_letters():
    assert convolution.in_letters(jnp.array([0.9, 0, 0, 0.7])) == "0.9a + 0.7d"
    assert convolution.in_letters(jnp.zeros(4)) == "0"


def test_trace_by_loop_is_the_sum_of_products():
    image, kernel = np.arange(12.0).reshape(3, 4), np.array([[1.0, 2.0], [3.0, 4.0]])
    # The first place: 1*0 + 2*1 + 3*4 + 4*5 = 34, and each step to the right adds 10, each step down 40.
    np.testing.assert_array_equal(convolution.convolve_by_trace(image, kernel), [[34, 44, 54], [74, 84, 94]])


def test_hand_loop_and_lax_agree():
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(5, 6)), rng.normal(size=(2, 3))
    with jax.enable_x64(True):
        ours = convolution.convolve(image, jnp.asarray(kernel))
        theirs = convolution.convolve_by_lax(convolution.batch(image), convolution.filters(jnp.asarray(kernel)))
    np.testing.assert_allclose(ours, convolution.convolve_by_trace(image, kernel), atol=1e-14)
    np.testing.assert_allclose(ours, theirs[0, :, :, 0], atol=1e-14)


def test_kernel_gradient_against_the_normal_matrix():
    # J = |C k|^2 / 2 for the coefficients C, so its gradient is C' C k.
    c, k = np.array(COEFFICIENTS), convolution.KERNEL
    with jax.enable_x64(True):
        by_hand = convolution.kernel_gradient(jnp.asarray(k))
        autodiff = jax.grad(convolution.half_square)(jnp.asarray(k))
    np.testing.assert_allclose(by_hand, (c.T @ c @ k.ravel()).reshape(2, 2), rtol=1e-14)
    np.testing.assert_allclose(by_hand, autodiff, rtol=1e-14)


@pytest.mark.slow
def test_run_meets_the_lectures_example(result):
    (row,) = [row for row in judge_all(result.numbers) if row["id"] == "conv.example"]
    assert row["ok"]
    assert "0.8b + 0.7c" in row["note"]


@pytest.mark.slow
def test_tables_show_no_difference(result):
    example, gradient, geometry = result.tables
    assert all(len(set(row[2:])) == 1 for row in example.rows)
    assert all(by_hand == autodiff for _, by_hand, autodiff in gradient.rows)
    assert len(geometry.rows) == 1 + 2
    assert all(equals_lax(row) for row in geometry.rows)


@pytest.mark.slow
def test_every_geometry_is_that_of_lax():
    with jax.enable_x64(True):
        rows = convolution.geometry_table().rows
    assert len(rows) == 1 + len(convolution.GEOMETRIES) and all(equals_lax(row) for row in rows)


def equals_lax(row):
    *_, shape, shape_of_lax, difference = row
    return shape == shape_of_lax and float(difference) < 1e-12
