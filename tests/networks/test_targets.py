"""Targets in the shape of a network's output."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.networks.targets import column_targets


@pytest.mark.parametrize("y", [np.array([1, 0, 1]), jnp.array([1.0, 0, 1]), np.array([[1], [0], [1]]), [1, 0, 1]])
def test_one_output_takes_a_row_of_numbers_as_a_column(y):
    np.testing.assert_array_equal(column_targets(y, (3, 1)), [[1], [0], [1]])


@pytest.mark.parametrize("shape", [(2, 3), (3,), (3, 1), (1, 2), (2,), (), (3, 2, 1), (0, 2)])
def test_another_shape_is_refused_not_stretched(shape):
    with pytest.raises(InvalidArgument, match=r"^y: got shape .*, expected shape \(3, 2\)$"):
        column_targets(np.ones(shape), (3, 2))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(bad):
    with pytest.raises(InvalidArgument, match=rf"^y: got {bad} at index \(1, 0\)"):
        column_targets(np.array([0, bad]), (2, 1))
