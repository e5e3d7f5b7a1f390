"""The random stream of TensorFlow Playground: the JavaScript library seedrandom, ARC4 made into doubles."""

from jaxnn.errors import require


class SeedRandom:
    """What `Math.random` gives after `Math.seedrandom(seed)`: `SeedRandom(seed)()` is uniform on [0, 1), 53 bits of it.

    The same doubles to the bit as seedrandom 3.0.5 (David Bau), so that a link of the original playground, which holds
    the seed, gives its very points and start weights. One running stream; `copy()` goes on from where this one is.
    """

    def __init__(self, seed: str):
        require(isinstance(seed, str) and seed != "", "seed", repr(seed), "a text of at least one character")
        key = _mixed(seed)
        state, j = list(range(256)), 0
        for i in range(256):
            j = (j + key[i % len(key)] + state[i]) & 255
            state[i], state[j] = state[j], state[i]
        self._state, self._i, self._j = state, 0, 0
        for _ in range(256):  # the first bytes of ARC4 tell of its key
            self._byte()

    def __call__(self) -> float:
        numerator, denominator, extra = 0, 1, 0
        for _ in range(6):
            numerator, denominator = numerator << 8 | self._byte(), denominator << 8
        while numerator < 1 << 52:
            numerator, denominator, extra = (numerator + extra) << 8, denominator << 8, self._byte()
        while numerator >= 1 << 53:
            numerator, denominator, extra = numerator / 2, denominator / 2, extra >> 1
        return (numerator + extra) / denominator

    def uniform(self, low: float, high: float) -> float:
        """Return a number uniform on [low, high)."""
        return self() * (high - low) + low

    def copy(self) -> "SeedRandom":
        """Return a stream of its own that goes on as this one would."""
        other = object.__new__(SeedRandom)
        other._state, other._i, other._j = self._state.copy(), self._i, self._j
        return other

    def _byte(self) -> int:
        state = self._state
        self._i = (self._i + 1) & 255
        moved = state[self._i]
        self._j = (self._j + moved) & 255
        state[self._i] = state[self._j]
        state[self._j] = moved
        return state[(state[self._i] + moved) & 255]


def _mixed(seed: str) -> list[int]:
    """Return the key that the characters of the seed make, of at most 256 bytes."""
    key, smear = [], 0
    units = seed.encode("utf-16-le", "surrogatepass")  # what JavaScript calls the characters of a text
    for j, unit in enumerate(low | high << 8 for low, high in zip(units[::2], units[1::2], strict=True)):
        if j < 256:
            key.append(unit & 255)
        else:
            smear ^= key[j & 255] * 19
            key[j & 255] = (smear + unit) & 255
    return key
