"""Runs that are interrupted, killed and damaged, against the same run undisturbed: equal bit for bit."""

import re
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import fit, rmsprop
from jaxnn.errors import CheckpointError, InvalidArgument
from jaxnn.networks import mlp

# What orbax leaves behind in its threads when a file is not what it was.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
SCRIPT = Path(__file__).with_name("killed.py")
rng = np.random.default_rng(0)
DATA = rng.normal(size=(60, 4)).astype(np.float32), rng.integers(0, 3, 60)
SETTINGS = {
    "epochs": 4,
    "batch_size": 16,
    "key": jax.random.key(1),
    "with_key": True,
    "validation_split": 0.2,
    "metrics": mlp.metrics,
    "progress_every": 1,
}


def run(folder=None, *, hidden=5, optimizer=None, data=DATA, **settings):
    params = mlp.init(jax.random.key(0), 4, hidden, 3, dtype=jnp.float32)
    return fit(mlp.metrics_and_grad, params, optimizer or rmsprop(), data, checkpoint=folder, **(SETTINGS | settings))


@pytest.fixture(scope="module")
def undisturbed():
    return run()


@pytest.fixture
def saved(tmp_path):
    """Return a folder with the checkpoints of epochs 2 and 3 of 4."""
    for epochs in (2, 3):
        run(tmp_path / "run", epochs=epochs)
    shutil.rmtree(tmp_path / "run" / "1", ignore_errors=True)
    return tmp_path / "run"


def assert_equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_a_run_in_parts_is_the_run_in_one(tmp_path, undisturbed):
    assert_equal(run(tmp_path / "a" / "b", epochs=1).history, {k: v[:1] for k, v in undisturbed.history.items()})
    run(tmp_path / "a" / "b", epochs=3)
    assert_equal(run(tmp_path / "a" / "b"), undisturbed)


def test_a_finished_run_is_not_run_again(tmp_path, undisturbed):
    run(tmp_path)
    seen = []
    assert_equal(run(tmp_path, progress=lambda *_: seen.append(1)), undisturbed)
    assert not seen


@pytest.mark.slow
@pytest.mark.parametrize(
    "optimizer",
    [
        pytest.param(optax.sgd(0.1), marks=pytest.mark.slow),
        pytest.param(optax.adam(1e-2), marks=pytest.mark.slow),
        optax.chain(optax.add_noise(0.1, 0.5, jax.random.key(3)), optax.sgd(0.1, momentum=0.9)),
        pytest.param(optax.adamw(optax.cosine_decay_schedule(0.1, 20)), marks=pytest.mark.slow),
    ],
    ids=["sgd", "adam", "noise", "schedule"],
)
def test_the_optimizers_state_goes_on_too(optimizer, tmp_path):
    run(tmp_path, optimizer=optimizer, epochs=2)
    assert_equal(run(tmp_path, optimizer=optimizer), run(optimizer=optimizer))


def test_labels_of_any_whole_dtype_are_data_and_no_key(tmp_path):
    data = DATA[0], DATA[1].astype(np.uint32)
    run(tmp_path, data=data, epochs=1)
    assert_equal(run(tmp_path, data=data), run(data=data))
    about = next((tmp_path / "4" / "about").iterdir()).read_text()
    assert '"y": "uint32[60]"' in about


def test_no_more_than_three_are_kept_and_they_end_with_the_last(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxnn.checkpoints.SHARE", 1e9)
    run(tmp_path, epochs=5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3", "4", "5"]


def kill_at_random_moments(folder, kills, seed):
    """Kill the run again and again, let it end, return the digest that it leaves and the one of it undisturbed."""
    moments = np.random.default_rng(seed).uniform(0, 1.5, kills)
    for moment in moments:
        with subprocess.Popen([sys.executable, SCRIPT, folder], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moment)
            process.kill()
    asked = {"capture_output": True, "text": True, "check": True}
    last = [subprocess.run([sys.executable, SCRIPT, *given], **asked).stdout for given in ([folder], [])]
    assert len(last[0].splitlines()) < len(last[1].splitlines()), "nothing was there to go on from"
    return [text.splitlines()[-1] for text in last]


@pytest.mark.slow
def test_a_run_killed_at_twenty_moments_ends_as_the_undisturbed(tmp_path):
    killed, undisturbed = kill_at_random_moments(tmp_path, 20, 1)
    assert killed == undisturbed


def damage(file, how):
    content = file.read_bytes()
    if how == "gone":
        file.unlink()
    elif how == "cut":
        file.write_bytes(content[: len(content) // 2])
    else:
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 0x10]) + content[middle + 1 :])


@pytest.mark.parametrize("how", ["gone", "cut", "a bit flipped"])
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(saved, how, undisturbed):
    files = [path for path in (saved / "3" / "state").rglob("*") if path.is_file() and path.stat().st_size]
    damage(max(files, key=lambda path: path.stat().st_size), how)
    with pytest.warns(UserWarning, match=r"epoch 3 in .* is damaged .* goes on from epoch 2, the checkpoint before it"):
        assert_equal(run(saved), undisturbed)
    assert any(path.name.startswith("damaged-3-") for path in saved.iterdir())


@pytest.mark.slow
def test_whichever_file_is_damaged_the_result_is_right(saved, undisturbed):
    names = [path.relative_to(saved) for path in (saved / "3").rglob("*") if path.is_file() and path.stat().st_size]
    assert len(names) > 4
    for name in names:
        copy = saved.with_name("copy")
        shutil.copytree(saved, copy)
        damage(copy / name, "cut")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert_equal(run(copy), undisturbed)
        shutil.rmtree(copy)


def test_where_all_are_damaged_it_says_so_and_leaves_them(saved):
    for file in saved.rglob("*"):
        if file.is_file():
            file.write_bytes(b"?")
    names = sorted(path.name for path in saved.iterdir())
    for _ in range(2):  # nor does the second call start anew
        with pytest.raises(CheckpointError, match="damaged, expected one that can be read"):
            run(saved)
        assert sorted(path.name for path in saved.iterdir()) == names


@pytest.mark.parametrize(
    "other, message",
    [
        ({"hidden": 6}, r"params\['W1'\]: float32\[4, 5\] there, float32\[4, 6\] here"),
        ({"optimizer": optax.adam(1e-2)}, r"optimizer\[0\].count: nothing there, int32\[\] here"),
        ({"batch_size": 20}, "batch_size: 16 there, 20 here"),
        ({"key": jax.random.key(2)}, r"key: \[0, 1\] there, \[0, 2\] here"),
        ({"data": (DATA[0][:50], DATA[1][:50])}, r"x: float32\[60, 4\] there, float32\[50, 4\] here"),
        ({"validation_split": 0.1}, "trained_on: 48 there, 54 here"),
    ],
)
def test_another_runs_checkpoint_is_refused_with_what_differs(saved, other, message, undisturbed):
    with pytest.raises(CheckpointError, match=f"of another run .*{message}"):
        run(saved, **other)
    assert_equal(run(saved), undisturbed)


def test_fewer_epochs_than_were_run_and_other_metrics_are_refused(saved, undisturbed):
    with pytest.raises(InvalidArgument, match="epochs: got 2, expected at least the 3 of the checkpoint"):
        run(saved, epochs=2)

    def others(*arguments):
        return {"loss": mlp.metrics(*arguments)["loss"]}

    with pytest.raises(InvalidArgument, match=re.escape("metrics: got ['accuracy', 'loss', 'val_loss'], expected")):
        run(saved, metrics=others)
    assert_equal(run(saved), undisturbed)


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/none"])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_runs(place, tmp_path):
    (tmp_path / "file").write_text("mine")
    seen = []
    with pytest.raises(CheckpointError, match="expected a folder that can be written"):
        run(tmp_path / place, progress=lambda *_: seen.append(1))
    assert not seen and (tmp_path / "file").read_text() == "mine"


def test_no_room_is_an_error_and_what_was_saved_is_kept(saved, undisturbed):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))  # no file longer than 100 bytes
    try:
        with pytest.raises(CheckpointError, match="error when saving epoch 4 .* expected room"):
            run(saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert_equal(run(saved), undisturbed)
    assert not list(saved.glob("*tmp*"))


def test_a_full_disk_is_an_error_and_what_was_saved_is_kept(tmp_path, undisturbed):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(disk)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"no small disk can be made here: {error}")
    if done.returncode:
        pytest.skip(f"no small disk can be made here: {done.stderr}")
    try:
        run(disk / "run", epochs=2)
        with (disk / "rest").open("wb", buffering=0) as file, pytest.raises(OSError):
            while True:
                file.write(bytes(1000))
        with pytest.raises(CheckpointError, match=r"error when saving epoch 3 .*No space left on device"):
            run(disk / "run", epochs=3)
        (disk / "rest").unlink()
        assert_equal(run(disk / "run"), undisturbed)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
