"""Networks in training as text that a page keeps, and gives back to a server that has forgotten them.

The text is opaque to the page: base64 of compressed arrays, as they lie in memory. What shapes they have is not in it,
but follows from the set-up, so that no text can bring anything else than numbers.
"""

import base64
import zlib
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.errors import InvalidArgument, require
from jaxnn.playground.program import Network

ROWS = 1000  # of the losses, the most that are kept: of a long run not all


def as_text(networks: Sequence[Network], turn: int, rows: Sequence[Sequence[float]]) -> str:
    """Return networks, the one whose turn it is, and the losses of the run as text for `from_text`."""
    thinned = np.array(rows[:: -(-len(rows) // ROWS) or 1], np.float32).reshape(-1, 5)
    arrays = [np.asarray(part) for network in networks for part in jax.device_get(_parts(network))]
    parts = [np.array([turn, len(thinned)], np.int32), *arrays, thinned]
    return base64.b64encode(zlib.compress(b"".join(part.tobytes() for part in parts), 1)).decode()


def from_text(text: str, like: Sequence[Network]) -> tuple[list[Network], int, list[list[float]]]:
    """Return what `as_text` was given; `like` are networks of the same sizes at their start.

    Raises `InvalidArgument` where the text is none of `as_text` or belongs to networks of other sizes.
    """
    shapes = [(part.shape, part.dtype) for network in like for part in _parts(network)]
    size = 8 + sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in shapes)
    data = _unpacked(text, size + ROWS * 20)
    right = len(data) >= size and len(data) == size + 20 * int.from_bytes(data[4:8], "little")
    require(right, "kept", f"{len(data)} bytes", f"the {size} of networks of this size, and their losses")
    turn, at, arrays = int.from_bytes(data[:4], "little"), 8, []
    for shape, dtype in shapes:
        count = int(np.prod(shape))
        arrays.append(np.frombuffer(data, dtype, count, at).reshape(shape))
        at += count * dtype.itemsize
    rows = np.frombuffer(data, np.float32, offset=at).reshape(-1, 5).astype(float)
    each = len(arrays) // len(like)
    networks = [_network(one, arrays[i * each : (i + 1) * each]) for i, one in enumerate(like)]
    require(turn < len(like), "kept", f"the turn of network {turn}", f"one of {len(like)}")
    return networks, turn, [[int(row[0]), *row[1:].tolist()] for row in rows]


def _parts(network: Network) -> list:
    return jax.tree.leaves(network._replace(key=None))


def _unpacked(text: str, most: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(base64.b64decode(text, validate=True), most)
    except (ValueError, zlib.error):
        raise InvalidArgument(f"kept: got {text[:40]!r}, expected what `keep` has given") from None


def _network(like: Network, arrays: list[np.ndarray]) -> Network:
    structure = jax.tree.structure(like._replace(key=None))
    found = jax.tree.unflatten(structure, [array.astype(bool) if array.dtype == bool else array for array in arrays])
    there = np.asarray(like.alive)
    right = np.isfinite(found.params.W).all() and np.isfinite(found.params.b).all() and found.epoch >= 0
    require(bool(right), "kept", "weights that are not finite", "those of a network in training")
    # Beyond the network's own nodes all is 0, whoever wrote the text.
    params = found.params._replace(W=np.where(there, found.params.W, 0), b=np.where(there.any(1), found.params.b, 0))
    found = found._replace(params=params, alive=found.alive & there)
    return jax.tree.map(jnp.asarray, found)._replace(key=like.key)
