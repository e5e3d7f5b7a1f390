"""R's `kmeans`: Hartigan and Wong's algorithm from starts that R's stream draws, step for step."""

import numpy as np
from jaxtyping import Float

from jaxnn.data.rrandom import RRandom
from jaxnn.errors import require


def centres(x: Float[np.ndarray, "n p"], k: int, rng: RRandom) -> Float[np.ndarray, "k p"]:
    """Return the centres that `kmeans(x, k)$centers` has, R's stream being where `rng` is.

    Raises `InvalidArgument` where there are fewer different rows than centres, or as R does where a cluster is empty.
    """
    require(len(x) >= k, "groups", f"{k} groups of {len(x)} rows", "at most as many as rows")
    first = x[rng.sample(len(x), k) - 1]
    if len(np.unique(first, axis=0)) < k:
        different = x[np.sort(np.unique(x, axis=0, return_index=True)[1])]
        require(len(different) >= k, "groups", f"{k} groups of {len(different)} different rows", "fewer groups")
        first = different[rng.sample(len(different), k) - 1]
    if k == 1:
        return x.mean(axis=0, keepdims=True)
    return _Clusters(np.asarray(x, float), first).run()


class _Clusters:
    """The state of Hartigan and Wong's algorithm, AS 136 (1979), by its names, counting steps from 1 as it does."""

    def __init__(self, x: np.ndarray, first: np.ndarray):
        self.x, self.m, self.k = x, len(x), len(first)
        squares = _squared_distances(x[:, None], first[None])
        nearest = np.argsort(squares, axis=1, kind="stable")
        self.own, self.second = nearest[:, 0].copy(), nearest[:, 1].copy()
        self.sizes = np.bincount(self.own, minlength=self.k)
        require(self.sizes.min() > 0, "groups", f"{self.k} groups, of which one is empty",
                "fewer groups: empty cluster: try a better set of initial centers")  # fmt: skip
        self.c = self._means()
        self.loss, self.gain = np.empty(self.k), np.empty(self.k)  # what leaving and joining make of a squared distance
        self._factors(range(self.k))
        self.to_leave = np.zeros(self.m)
        self.moved = np.ones(self.k, bool)  # in the last quick-transfer stage
        self.updated, self.live = np.full(self.k, -1), np.zeros(self.k, int)
        self.still = 0  # points in a row that no stage moved

    def _means(self) -> np.ndarray:
        sums = np.zeros((self.k, self.x.shape[1]))
        np.add.at(sums, self.own, self.x)
        return sums / self.sizes[:, None]

    def _factors(self, clusters) -> None:
        for j in clusters:
            n = float(self.sizes[j])
            self.loss[j], self.gain[j] = n / (n - 1) if n > 1 else np.inf, n / (n + 1)

    def run(self, most: int = 10) -> np.ndarray:
        """Return the centres after at most R's `iter.max` rounds of both stages."""
        for _ in range(most):
            self._optimal_transfers()
            if self.still == self.m:
                break
            self._quick_transfers()
            if self.k == 2:
                break
            self.updated[:] = 0
        return self._means()

    def _move(self, i: int, to: int) -> None:
        a, b = self.own[i], to
        n, m = float(self.sizes[a]), float(self.sizes[b])
        self.c[a] = (self.c[a] * n - self.x[i]) / (n - 1)
        self.c[b] = (self.c[b] * m + self.x[i]) / (m + 1)
        self.sizes[a] -= 1
        self.sizes[b] += 1
        self._factors((a, b))
        self.own[i], self.second[i] = b, a

    def _optimal_transfers(self) -> None:
        """Each point goes to the cluster that lowers the sum of squares most; unchanged clusters are not looked at."""
        self.live[self.moved] = self.m + 1
        for i in range(self.m):
            self.still += 1
            own = self.own[i]
            if self.sizes[own] != 1:
                squares = _squared_distances(self.x[i], self.c)
                if self.updated[own] != 0:
                    self.to_leave[i] = squares[own] * self.loss[own]
                best = start = self.second[i]
                lowest = squares[best] * self.gain[best]
                for j in range(self.k):
                    asleep = i + 1 >= self.live[own] and i + 1 >= self.live[j]
                    if not asleep and j not in (own, start) and squares[j] < lowest / self.gain[j]:
                        best, lowest = j, squares[j] * self.gain[j]
                if lowest >= self.to_leave[i]:
                    self.second[i] = best
                else:
                    self.still = 0
                    self.live[[own, best]] = self.m + i + 1
                    self.updated[[own, best]] = i + 1
                    self._move(i, best)
            if self.still == self.m:
                return
        self.moved[:] = False
        self.live -= self.m

    def _quick_transfers(self) -> None:
        """Points change between their nearest and second nearest cluster until a whole round changes nothing."""
        quiet = step = 0
        while step < 50 * self.m:  # R's limit
            for i in range(self.m):
                quiet, step = quiet + 1, step + 1
                own, other = self.own[i], self.second[i]
                if self.sizes[own] != 1:
                    squares = _squared_distances(self.x[i], self.c[[own, other]])
                    if step <= self.updated[own]:
                        self.to_leave[i] = squares[0] * self.loss[own]
                    recent = step < self.updated[own] or step < self.updated[other]
                    if recent and squares[1] < self.to_leave[i] / self.gain[other]:
                        quiet = self.still = 0
                        self.moved[[own, other]] = True
                        self.updated[[own, other]] = step + self.m
                        self._move(i, other)
                if quiet == self.m:
                    return


def _squared_distances(x: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return the squared distances, added up column by column as the original does: ties hang on the last digit."""
    total = 0.0
    for j in range(x.shape[-1]):
        total = total + (x[..., j] - centre[..., j]) ** 2
    return np.asarray(total)
