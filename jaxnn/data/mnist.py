"""The MNIST digits: the project's own, or those of a folder that the caller names. Nothing is ever fetched."""

import functools
import gzip
import hashlib
import importlib.resources
import lzma
import math
import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from jaxnn.errors import DataFileError, require


class Mnist(NamedTuple):
    """Images of 28 x 28 pixels, 0 to 255, and the digit that each shows. The arrays are read-only."""

    x_train: UInt8[np.ndarray, "n_train 28 28"]
    y_train: UInt8[np.ndarray, " n_train"]
    x_test: UInt8[np.ndarray, "n_test 28 28"]
    y_test: UInt8[np.ndarray, " n_test"]


_DIGITS = importlib.resources.files("jaxnn.data") / "digits"
_SHA256 = {
    "train-images-idx3-ubyte": "7ff28fd295f802eefc6d40e461175dfe4b969b1842b2abc8c6dc8c20711cf79f",
    "train-labels-idx1-ubyte": "81a978ae83d39ffdba0db3ce2fcaf80a8921e9629e874428996a2b03242d4b2a",
    "t10k-images-idx3-ubyte": "197e111ae341b0770be9011ac5e622d0e6cd1c640b32eb0de5dc1dd26cc6e182",
    "t10k-labels-idx1-ubyte": "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b",
}
_NAMES = tuple(_SHA256)  # in the order of Mnist's fields
# The project's own files are `.gz`: they are unpacked in 0.25 s, where `.xz` takes 0.85.
_UNPACK = {"": bytes, ".gz": gzip.decompress, ".xz": lzma.decompress}
# What the standard library and NumPy raise on damaged files, between them.
_DAMAGE = (OSError, EOFError, ValueError, RuntimeError, MemoryError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_AGAIN = "get a fresh copy of the file"


def load_mnist(path: str | os.PathLike | None = None) -> Mnist:
    """Return the digits: `x_train (60000, 28, 28)`, `y_train (60000,)`, `x_test (10000, 28, 28)`, `y_test (10000,)`.

    All are uint8, pixels from 0 (white) to 255 (black). Without `path` they are the project's own, checked against
    their checksums, unpacked once and kept.
    `path` is a folder with the four IDX files (`train-images-idx3-ubyte` or `train-images.idx3-ubyte` and so on, plain,
    `.gz` or `.xz`) or, where it has none of them, Keras' `mnist.npz`; or that `.npz` file itself. Fewer images will do.
    Raises `DataFileError` for a file that is missing, damaged or not what it should be.
    Source: LeCun and Cortes, the MNIST database (CC BY-SA 3.0). Lecture, section 8.3.
    """
    if path is None:
        return _own_digits()
    require(isinstance(path, str | os.PathLike), "path", repr(path), "the name of a folder or of an .npz file, or None")
    path = Path(path).expanduser()
    _expect(path.exists(), path, "no such file or folder", "a folder with the MNIST files", "name an existing one")
    if path.is_file():
        return _from_npz(path)
    found = [_find_file(path, name) for name in _NAMES]
    if not any(found) and (path / "mnist.npz").is_file():
        return _from_npz(path / "mnist.npz")
    return _from_idx(path, found)


@functools.cache
def _own_digits() -> Mnist:
    with ThreadPoolExecutor() as pool:  # zlib lets go of the interpreter's lock
        arrays = list(pool.map(_own_array, _NAMES))
    return _checked(_NAMES, arrays)


def _own_array(name: str) -> np.ndarray:
    packed = _read(_DIGITS / f"{name}.gz", bytes)
    seen = hashlib.sha256(packed).hexdigest()
    _expect(seen == _SHA256[name], f"{name}.gz", f"SHA-256 {seen}", _SHA256[name], "install jaxnn again")
    return _parse_idx(name, gzip.decompress(packed), _n_dims(name))


def _from_idx(folder: Path, found: list[Path | None]) -> Mnist:
    missing = ", ".join(name for name, file in zip(_NAMES, found, strict=True) if file is None)
    expected = "the four IDX files (plain, .gz or .xz) or mnist.npz"
    _expect(not missing, folder, f"no {missing}", expected, "copy them there or leave path out for the project's own")
    files = [file for file in found if file is not None]
    contents = [_read(file, _UNPACK[file.suffix if file.suffix in _UNPACK else ""]) for file in files]
    named = zip(files, contents, _NAMES, strict=True)
    return _checked(files, [_parse_idx(file, content, _n_dims(name)) for file, content, name in named])


def _from_npz(path: Path) -> Mnist:
    _expect(zipfile.is_zipfile(path), path, "no .npz file", "Keras' mnist.npz", "for IDX files name their folder")
    try:  # without pickle, which runs whatever a file's author put into it
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in Mnist._fields if key in archive}
    except _DAMAGE as damage:
        raise _error(path, f"cannot be read ({damage})", "an .npz file of plain arrays", _AGAIN) from damage
    missing = ", ".join(key for key in Mnist._fields if key not in arrays)
    _expect(not missing, path, f"no array {missing}", f"the arrays {', '.join(Mnist._fields)}", _AGAIN)
    return _checked([f"{path}, array {key}" for key in arrays], list(arrays.values()))


def _find_file(folder: Path, name: str) -> Path | None:
    spellings = (name, name.replace("-idx", ".idx"))
    files = (folder / (spelling + suffix) for suffix in _UNPACK for spelling in spellings)
    return next((file for file in files if file.is_file()), None)


def _read(file: Any, unpack: Callable[[bytes], bytes]) -> bytes:
    try:
        return unpack(file.read_bytes())
    except _DAMAGE as damage:
        raise _error(file, f"cannot be read ({damage})", "a whole, undamaged file", _AGAIN) from damage


def _n_dims(name: str) -> int:
    return 3 if "images" in name else 1


def _parse_idx(where: object, data: bytes, n_dims: int) -> np.ndarray:
    """The array of an IDX file: bytes 0, 0, 8, n_dims; each dimension as 4 bytes, big end first; the values."""
    header = 4 + 4 * n_dims
    magic = (0x800 + n_dims).to_bytes(4, "big")
    seen, expected = (f"0x{word.hex()}" for word in (data[:4], magic))
    # A file of fewer than four bytes passes here: it is called truncated below, not of another kind.
    _expect(magic.startswith(data[:4]), where, f"magic number {seen}", f"{expected} of such an IDX file", _AGAIN)
    _expect(len(data) >= header, where, f"truncated: {len(data)} bytes", f"a header of {header}", _AGAIN)
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, header, 4))
    size = header + math.prod(shape)
    fault = "truncated" if len(data) < size else "extra bytes"
    _expect(len(data) == size, where, f"{fault}: {len(data)} bytes", f"{size} for its shape {shape}", _AGAIN)
    return np.frombuffer(data, np.uint8)[header:].reshape(shape)


def _checked(where: Sequence, arrays: Sequence[np.ndarray]) -> Mnist:
    """The arrays as they should be, images and labels of the same number, made read-only."""
    for place, array, n_dims in zip(where, arrays, (3, 1, 3, 1), strict=True):
        _expect(array.dtype == np.uint8, place, f"dtype {array.dtype}", "uint8", "convert it")
        shape, expected = ("n, 28, 28", (28, 28)) if n_dims == 3 else ("n,", ())
        ok = array.ndim == n_dims and array.shape[1:] == expected and len(array) > 0
        _expect(ok, place, f"shape {array.shape}", f"({shape}) with n of at least 1", "use MNIST's own format")
        array.flags.writeable = False  # the own digits are kept: a change would reach everyone who loads them later
    for images, labels in ((0, 1), (2, 3)):
        _check_labels(where[labels], arrays[labels], len(arrays[images]))
    return Mnist(*arrays)


def _check_labels(where: object, labels: np.ndarray, n_images: int) -> None:
    _expect(len(labels) == n_images, where, f"{len(labels)} labels", f"{n_images}, one an image", "use one set's files")
    where_largest = int(labels.argmax())
    largest = int(labels[where_largest])
    _expect(largest <= 9, where, f"label {largest} at index {where_largest}", "labels in 0..9", _AGAIN)


def _expect(ok: bool, where: object, seen: str, expected: str, remedy: str) -> None:
    if not ok:
        raise _error(where, seen, expected, remedy)


def _error(where: object, seen: str, expected: str, remedy: str) -> DataFileError:
    return DataFileError(f"{where}: {seen}, expected {expected}; {remedy}")
