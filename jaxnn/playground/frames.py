"""What a frame of the playground is made of: a header, the weights, the maps; and the losses of the run so far."""

import json
import struct

import numpy as np


class Losses:
    """The rows `[epoch, train loss, test loss, train accuracy, test accuracy]` of a run, of a long one not all."""

    MOST = 10_000

    def __init__(self):
        self.rows: list[list[float]] = []
        self.stride = 1

    @property
    def empty(self) -> bool:
        return not self.rows

    def add(self, rows: list[list[float]]) -> None:
        self.rows += [row for row in rows if row[0] % self.stride == 0]
        while len(self.rows) > self.MOST:
            self.stride *= 2
            self.rows = [row for row in self.rows if row[0] % self.stride == 0]


def packed(header: dict, floats: np.ndarray, shades: list[np.ndarray]) -> bytes:
    """Return a frame: the header's length (4 bytes, little-endian), the header as JSON, float32s, then bytes.

    The header is filled up with spaces to a multiple of 4.
    """
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    body = [np.asarray(floats, "<f4").tobytes(), *(np.ascontiguousarray(part, np.uint8).tobytes() for part in shades)]
    return b"".join([struct.pack("<I", len(text)), text, *body])
