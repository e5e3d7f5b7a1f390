"""Places of excluded weights and starts, as R's neuralnet takes them."""

import numpy as np
import pytest

from jaxnn.r_neuralnet.network import Architecture
from jaxnn.r_neuralnet.weights import constant_values, depth, excluded_indices, start_weights

SHAPE = Architecture((2, 2, 1), "logistic", "logistic", "sse")
MASKS = [np.zeros((3, 2), bool), np.zeros((3, 1), bool)]
MASKS[0][0, 0] = MASKS[0][1, 1] = MASKS[1][0, 0] = True


@pytest.mark.parametrize("exclude", [[[2, 1, 1], [1, 2, 2], [1, 1, 1]], MASKS], ids=["rows", "masks"])
def test_a_matrix_of_excluded_weights_has_rs_order_of_constants(exclude):
    # in R a matrix becomes `which(...)`: the first constant is that of the first place, whatever the rows' order
    excluded = excluded_indices(exclude, SHAPE)
    assert excluded == (0, 4, 6)
    starts = start_weights(np.arange(1.0, 13), 2, SHAPE, excluded, constant_values([0.5, -2], excluded))
    np.testing.assert_array_equal(starts, [[0.5, 1, 2, 3, -2, 4, 0, 5, 6], [0.5, 7, 8, 9, -2, 10, 0, 11, 12]])


def test_a_vector_of_excluded_weights_keeps_its_order_and_drops_what_is_there_twice():
    assert excluded_indices([7, 2, 7, 5], SHAPE) == (6, 1, 4)
    assert excluded_indices(None, SHAPE) == ()


def test_starts_are_matrices_or_a_vector():
    matrices = [[[0.0, 3], [1, 4], [2, 5]], [[6.0], [7], [8]]]
    for given in (np.arange(9.0), matrices, [matrices], [matrices, matrices]):
        np.testing.assert_array_equal(start_weights(given, 1, SHAPE, (), np.zeros(0)), [np.arange(9)])


@pytest.mark.parametrize(("nested", "levels"), [(1.0, 0), ([], 0), ([1.0], 1), (np.ones((2, 2)), 2), ([[[1.0]]], 3)])
def test_depth_counts_the_indices_to_a_number(nested, levels):
    assert depth(nested) == levels
