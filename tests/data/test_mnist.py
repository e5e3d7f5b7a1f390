"""The digits: the project's own by their published checksums, small files of every kind, every kind of damage."""

import gzip
import hashlib
import lzma
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxnn.data import mnist
from jaxnn.data.mnist import Mnist, load_mnist
from jaxnn.errors import DataFileError, InvalidArgument

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
PACK = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}
RNG = np.random.default_rng(0)
SMALL = Mnist(
    RNG.integers(0, 256, (5, 28, 28), dtype=np.uint8),
    np.array([5, 0, 4, 1, 9], dtype=np.uint8),
    RNG.integers(0, 256, (3, 28, 28), dtype=np.uint8),
    np.array([7, 2, 1], dtype=np.uint8),
)


def idx_bytes(array):
    """The IDX format as its authors describe it: magic number, sizes as big-endian 32-bit integers, values."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes() + array.tobytes()


def write_idx(folder, digits=SMALL, suffix="", spelling="-idx"):
    for name, array in zip(NAMES, digits, strict=True):
        (folder / (name.replace("-idx", spelling) + suffix)).write_bytes(PACK[suffix](idx_bytes(array)))
    return folder


def write_npz(file, **changes):
    np.savez_compressed(file, **(SMALL._asdict() | changes))
    return file


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)
        assert not a.flags.writeable


def assert_refused(path, *parts):
    with pytest.raises(DataFileError) as refusal:
        load_mnist(path)
    for part in (*parts, "expected"):
        assert part in str(refusal.value)


# The project's own digits


@pytest.mark.parametrize(
    "field, md5",
    [  # as published with the database
        ("x_train", "6bbc9ace898e44ae57da46a324031adb"),
        ("y_train", "a25bea736e30d166cdddb491f175f624"),
        ("x_test", "2646ac647ad5339dbf082846283269ea"),
        ("y_test", "27ae3e4e09519cfbb04c329615203637"),
    ],
)
def test_own_digits_are_the_published_files(field, md5):
    array = getattr(load_mnist(), field)
    assert hashlib.md5(idx_bytes(array)).hexdigest() == md5
    assert array.dtype == np.uint8 and not array.flags.writeable


def test_own_digits_have_the_known_shapes_and_moments():
    digits = load_mnist()
    assert [a.shape for a in digits] == [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    assert digits.y_train[:5].tolist() == [5, 0, 4, 1, 9]
    # 0.1307 and 0.3081: the moments that PyTorch's examples normalise with
    counts = np.bincount(digits.x_train.ravel(), minlength=256) / digits.x_train.size
    pixels = np.arange(256) / 255
    mean = counts @ pixels
    assert round(mean, 4) == 0.1307
    assert round(np.sqrt(counts @ (pixels - mean) ** 2), 4) == 0.3081


def test_own_digits_are_decoded_once():
    assert load_mnist() is load_mnist()


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_own_file_is_refused(name, tmp_path, monkeypatch):
    own = Path(str(mnist._DIGITS)) / f"{name}.gz"
    packed = bytearray(own.read_bytes())
    packed[len(packed) // 2] ^= 1
    (tmp_path / own.name).write_bytes(packed)
    monkeypatch.setattr(mnist, "_DIGITS", tmp_path)
    with pytest.raises(DataFileError, match=f"{name}.gz: SHA-256 .*, expected {mnist._SHA256[name]}; install"):
        mnist._own_array(name)


def test_a_missing_own_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "_DIGITS", tmp_path)
    with pytest.raises(DataFileError, match="train-images-idx3-ubyte.gz: cannot be read"):
        mnist._own_digits.__wrapped__()


def test_the_readme_beside_the_digits_gives_the_checksums():
    text = (mnist._DIGITS / "README.md").read_text(encoding="utf-8")
    assert all(f"| {name}.gz | {digest} |" in text for name, digest in mnist._SHA256.items())


# Folders and files that the caller names


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("spelling", ["-idx", ".idx"])
def test_idx_files_are_read(tmp_path, suffix, spelling):
    assert_same(load_mnist(write_idx(tmp_path, suffix=suffix, spelling=spelling)), SMALL)


def test_kinds_may_be_mixed_and_the_path_be_a_string(tmp_path):
    write_idx(tmp_path, suffix=".gz")
    (tmp_path / f"{NAMES[1]}.gz").unlink()
    (tmp_path / NAMES[1]).write_bytes(idx_bytes(SMALL.y_train))
    assert_same(load_mnist(str(tmp_path)), SMALL)


def test_keras_npz_is_read_by_its_folder_and_by_its_name(tmp_path):
    file = write_npz(tmp_path / "mnist.npz")
    assert_same(load_mnist(tmp_path), SMALL)
    assert_same(load_mnist(file), SMALL)


def test_idx_files_go_before_an_npz_beside_them(tmp_path):
    (tmp_path / "mnist.npz").write_bytes(b"not read")
    assert_same(load_mnist(write_idx(tmp_path)), SMALL)


# Damage


def test_a_missing_folder_is_refused(tmp_path):
    assert_refused(tmp_path / "nowhere", "nowhere", "no such file or folder")


def test_an_empty_folder_is_refused(tmp_path):
    assert_refused(tmp_path, str(tmp_path), *NAMES, "mnist.npz")


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(tmp_path, name):
    (write_idx(tmp_path) / name).unlink()
    assert_refused(tmp_path, f"no {name},")


def test_a_path_of_another_type_is_refused():
    with pytest.raises(InvalidArgument, match="^path: got 5"):
        load_mnist(5)


def damaged(file, change):
    file.write_bytes(change(file.read_bytes()))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "change, seen",
    [
        (lambda data: b"", "truncated: 0 bytes"),
        (lambda data: data[:7], "truncated: 7 bytes"),
        (lambda data: data[:-1], "truncated"),
        (lambda data: data + b"\0", "extra bytes"),
        (lambda data: b"\0\0\x0d" + data[3:], "magic number 0x00000d0"),
        (lambda data: b"\x1f\x8b\x08\0" + data[4:], "magic number 0x1f8b0800"),
        (lambda data: data[:4] + b"\xff\xff\xff\xff" + data[8:], "truncated"),
    ],
)
def test_a_damaged_idx_file_is_refused(tmp_path, name, change, seen):
    damaged(write_idx(tmp_path) / name, change)
    assert_refused(tmp_path, name, seen)


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
@pytest.mark.parametrize("change", [lambda d: b"", lambda d: d[:-1], lambda d: d[: len(d) // 2], lambda d: b"x" + d])
def test_a_damaged_packed_file_is_refused(tmp_path, suffix, change):
    file = write_idx(tmp_path, suffix=suffix) / (NAMES[0] + suffix)
    damaged(file, change)
    assert_refused(tmp_path, str(file))


@pytest.mark.parametrize(
    "field, array, seen",
    [
        ("x_train", np.zeros((5, 28, 27), np.uint8), "shape (5, 28, 27)"),
        ("x_train", np.zeros((0, 28, 28), np.uint8), "shape (0, 28, 28)"),
        ("y_test", np.zeros(0, np.uint8), "shape (0,)"),
        ("y_test", np.zeros(4, np.uint8), "4 labels, expected 3"),
        ("y_train", np.array([0, 1, 2, 10, 3], np.uint8), "label 10 at index 3"),
    ],
)
def test_arrays_that_cannot_be_mnist_are_refused_in_both_formats(tmp_path, field, array, seen):
    name = NAMES[Mnist._fields.index(field)]
    assert_refused(write_idx(tmp_path, SMALL._replace(**{field: array})), name, seen)
    assert_refused(write_npz(tmp_path / "mnist.npz", **{field: array}), f"mnist.npz, array {field}", seen)


@pytest.mark.parametrize(
    "field, array, seen",
    [
        ("x_train", SMALL.x_train / 255, "dtype float64"),
        ("y_train", SMALL.y_train.astype(np.int64), "dtype int64"),
        ("x_test", SMALL.x_test.reshape(3, 784), "shape (3, 784)"),
        ("y_test", np.array(7, np.uint8), "shape ()"),
        ("x_train", np.array([{"a": 1}], dtype=object), "cannot be read"),
    ],
)
def test_other_arrays_in_an_npz_are_refused(tmp_path, field, array, seen):
    assert_refused(write_npz(tmp_path / "mnist.npz", **{field: array}), "mnist.npz", seen)


def test_labels_in_the_place_of_images_are_refused(tmp_path):
    shutil.copy(write_idx(tmp_path) / NAMES[1], tmp_path / NAMES[0])
    assert_refused(tmp_path, NAMES[0], "magic number 0x00000801, expected 0x00000803")


def test_a_missing_array_is_named(tmp_path):
    np.savez(tmp_path / "mnist.npz", x_train=SMALL.x_train, y_train=SMALL.y_train, x_test=SMALL.x_test)
    assert_refused(tmp_path, "no array y_test")


@pytest.mark.parametrize("content", [b"", b"junk" * 100, pickle.dumps(tuple(SMALL)), idx_bytes(SMALL.x_train)], ids=len)
def test_a_file_that_is_no_npz_is_refused(tmp_path, content):
    file = tmp_path / "mnist.npz"
    file.write_bytes(content)
    assert_refused(file, "no .npz file")


@pytest.mark.parametrize("kind", [*PACK, ".npz"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_byte_raises_anything_else(tmp_path, kind, data):
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    file = write_npz(tmp_path / "mnist.npz") if kind == ".npz" else write_idx(tmp_path, suffix=kind) / (NAMES[0] + kind)
    content = bytearray(file.read_bytes())
    where = data.draw(st.integers(0, len(content) - 1) | st.integers(0, 40) | st.integers(1, 60).map(lambda i: -i))
    content[where] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    try:
        digits = load_mnist(tmp_path)
    except DataFileError:
        return
    assert [a.shape for a in digits] == [a.shape for a in SMALL]
