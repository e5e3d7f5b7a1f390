"""Tests for `jaxnn.formatting`: expected values by hand, the JSON read back by Python's own reader."""

import json
import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxnn.errors import InvalidArgument
from jaxnn.formatting import duration, named_infinity, null, plain


def test_arrays_and_tables_become_lists_and_dicts():
    given = {"a": np.float32(0.5), "b": (jnp.arange(2), [True, None, "text"]), "c": np.int64(3)}
    assert plain(given) == {"a": 0.5, "b": [[0, 1], [True, None, "text"]], "c": 3}
    assert type(plain(np.int64(3))) is int


@pytest.mark.parametrize("value, name", [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")])
def test_what_is_not_finite_becomes_what_is_asked_for(value, name):
    assert plain([np.array(value), 1.0], named_infinity) == [name, 1.0] and plain([value], null) == [None]
    assert str(float(name)) == str(value)


@given(st.recursive(st.floats() | st.integers() | st.none() | st.text(), lambda part: st.lists(part, max_size=3)))
def test_json_takes_it(value):
    found = plain(value, named_infinity)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize("value", [object(), 1j, {1, 2}])
def test_another_kind_of_value_is_refused(value):
    with pytest.raises(InvalidArgument, match="value: got .*, expected a real number"):
        plain([value])


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 us"),
        (8e-6, "8.00 us"),
        (243e-6, "243 us"),
        (0.0651, "65.1 ms"),
        (1.0, "1.00 s"),
        (12.34, "12.3 s"),
        (59.96, "1 min 00 s"),
        (185, "3 min 05 s"),
    ],
)
def test_durations(seconds, shown):
    assert duration(seconds) == shown
