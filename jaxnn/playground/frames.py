"""What a frame of the playground is made of: a header, the weights, the maps; and the losses of the run so far."""

import json
import struct

import numpy as np
from jaxtyping import Float


class Losses:
    """The rows `[epoch, train loss, test loss, train accuracy, test accuracy]` of a run, of a long one not all.

    Whenever there are more than `MOST`, every second row goes: a tab that plays all night stays as small, and its
    export too, and the rows that are left are evenly spaced.
    """

    MOST = 10_000

    def __init__(self) -> None:
        self.rows: list[list[float]] = []
        self.stride = 1

    @property
    def empty(self) -> bool:
        """Whether no row was added yet."""
        return not self.rows

    def add(self, rows: list[list[float]]) -> None:
        """Add the rows of the epochs that come next."""
        self.rows += [row for row in rows if row[0] % self.stride == 0]
        while len(self.rows) > self.MOST:
            self.stride *= 2
            self.rows = [row for row in self.rows if row[0] % self.stride == 0]


def packed(header: dict, floats: Float[np.ndarray, " n"], shades: list[np.ndarray]) -> bytes:
    """Return a frame: the header's length (4 bytes, little-endian), the header as JSON, float32s, then bytes.

    The header is filled up with spaces to a multiple of 4, because the page lays a `Float32Array` over what follows,
    which has to begin at such a place. Raises `ValueError` where the header has a number that JSON cannot say.
    """
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    with np.errstate(
        over="ignore"
    ):  # what is too large for a float32 is infinite on the page: a training that diverges
        weights = np.asarray(floats, "<f4")
    body = [weights.tobytes(), *(np.ascontiguousarray(part, np.uint8).tobytes() for part in shades)]
    return b"".join([struct.pack("<I", len(text)), text, *body])
