"""The data that R's own runs in `rules.json` were made with."""

from types import SimpleNamespace

import numpy as np
import pytest

from jaxnn import RRandom


@pytest.fixture(scope="module")
def drawn():
    """Three normal columns of 150 rows, a response of 0 and 1, and one of numbers."""
    rng = RRandom(11)
    x1, x2, x3 = (rng.rnorm(150) for _ in range(3))
    return {"x1": x1, "x2": x2, "x3": x3, "y": 1.0 * (x1**2 + x2**2 > 1), "z": np.sin(x1) + x2 * x3}


@pytest.fixture
def categorical():
    """What makes a column of categories as pandas has them."""

    class Categorical(list):
        def __init__(self, values, categories):
            super().__init__(values)
            self.cat = SimpleNamespace(categories=categories)

    return Categorical
