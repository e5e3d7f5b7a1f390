"""Standardised columns inside a fit, and the same network in the user's units."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxnn.r_neuralnet.network import Architecture, layers


class Scaling(NamedTuple):
    """The mean and the standard deviation of every covariate and response; 0 and 1 of those left as they are."""

    x_mean: tuple[float, ...]
    x_sd: tuple[float, ...]
    y_mean: tuple[float, ...]
    y_sd: tuple[float, ...]

    def standardised(
        self, x: Float[np.ndarray, "n p"], y: Float[np.ndarray, "n k"]
    ) -> tuple[Float[np.ndarray, "n p"], Float[np.ndarray, "n k"]]:
        """Return covariates and responses as the network is trained on them."""
        return (x - self.x_mean) / self.x_sd, (y - self.y_mean) / self.y_sd

    def in_users_units(self, weights: Float[np.ndarray, " w"], architecture: Architecture) -> Float[np.ndarray, " w"]:
        r"""Return the weights of the same network, of covariates and to responses in the user's units.

        $W_1 / s_x$ and $b_1 - W_1 (m_x / s_x)$ in the first layer, $s_y W$ and $s_y b + m_y$ in the last.
        """
        parts = [np.array(part) for part in layers(weights, architecture)]
        first, last = parts[0], parts[-1]
        first[:, 1:] /= self.x_sd
        first[:, 0] -= first[:, 1:] @ np.array(self.x_mean)
        last *= np.array(self.y_sd)[:, None]
        last[:, 0] += self.y_mean
        return np.concatenate([part.ravel() for part in parts])


def scaling_of(
    x: Float[np.ndarray, "n p"],
    y: Float[np.ndarray, "n k"],
    x_numeric: list[bool],
    y_numeric: list[bool],
    weights: Float[np.ndarray, " n"],
) -> Scaling:
    r"""Return the scaling of the columns that are numeric, as R's `scale`: to mean 0 and standard deviation 1.

    Rows count as they weigh: one that weighs 2 as it does twice, one that weighs 0 not at all. The divisor $m - 1$ of
    variances has the weights' sum for $m$, or the number of rows where those add up to less. A constant column is
    centred alone.
    """
    total = weights.sum()
    m = max(total, np.sum(weights > 0))

    def of(columns, numeric):
        of_numbers = np.array(numeric, bool)
        mean = weights @ columns / total
        spread = weights @ (columns - mean) ** 2 / total
        sd = np.sqrt(spread * m / (m - 1)) if m > 1 else np.zeros(columns.shape[1])
        means = np.where(of_numbers, mean, 0.0)
        return tuple(means.tolist()), tuple(np.where(of_numbers & (sd > 0), sd, 1.0).tolist())

    return Scaling(*of(x, x_numeric), *of(y, y_numeric))
