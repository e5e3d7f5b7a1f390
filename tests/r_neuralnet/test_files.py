"""Networks in files: all of it comes back, and what is no such file is refused."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import neuralnet
from jaxnn.errors import DataFileError, InvalidArgument
from jaxnn.r_neuralnet import load

rng = np.random.default_rng(0)
DATA = {"x": rng.normal(size=30), "k": ["u", "v"] * 15, "g": ["a", "b", "c"] * 10, "ok": [True, False] * 15}
DATA["y"] = (DATA["x"] > 0) * 1.0
SETTINGS = {"hidden": 2, "threshold": 0.5, "linear_output": False, "seed": 1, "rep": 2}


@pytest.fixture(scope="module")
def net():
    return neuralnet('y + (k == "u") ~ x + ok + factor(g)', DATA, exclude=[2], constant_weights=[0.3], **SETTINGS)


def test_everything_comes_back(net, tmp_path):
    net.save(tmp_path / "net.npz")
    again = load(tmp_path / "net.npz")
    assert str(again) == str(net) and again.settings.design == net.settings.design
    assert again.settings._replace(constants=None) == net.settings._replace(constants=None)
    np.testing.assert_array_equal(again.predict(DATA), net.predict(DATA))
    np.testing.assert_array_equal(again.generalized_weights, net.generalized_weights)
    for name in ("error", "steps", "converged", "reached_threshold", "covariate", "response", "starts"):
        np.testing.assert_array_equal(getattr(again, name), getattr(net, name))
    np.testing.assert_array_equal(again.restarts.curves, net.restarts.curves)
    with pytest.raises(InvalidArgument, match="expected the levels of the fit: a, b, c"):
        again.predict(DATA | {"g": ["d"] * 30})
    assert [file.name for file in tmp_path.iterdir()] == ["net.npz"]


def test_there_is_no_pickle_in_it(net, tmp_path):
    net.save(tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz", allow_pickle=False) as file:
        header = json.loads(str(file["header"]))
        assert header["format"] == "jaxnn.neuralnet" and header["version"] == 2
        assert all(file[name].dtype.kind in "fibU" for name in file.files)


def rewritten(net, path, change):
    net.save(path)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(str(arrays.pop("header")))
    change(header, arrays)
    np.savez(path, header=np.array(json.dumps(header)), **arrays)


def test_a_file_of_version_1_is_read(net, tmp_path):
    """As the release of version 1 wrote the design."""
    term = {"levels": None, "comparison": None}
    covariates = [term | {"name": "x"}, term | {"name": "ok"}, term | {"name": "g", "levels": ["a", "b", "c"]}]
    responses = [term | {"name": "y"}, term | {"name": "k", "comparison": ["k", "==", "u"]}]
    design = {"covariates": covariates, "responses": responses}
    rewritten(net, tmp_path / "net.npz", lambda header, arrays: header.update(version=1, design=design))
    again = load(tmp_path / "net.npz")
    assert again.weight_names == net.weight_names
    np.testing.assert_array_equal(again.predict(DATA), net.predict(DATA))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header, arrays: header.update(format="other"), "holds something else"),
        (lambda header, arrays: header.update(version=3), "of version 3, expected version 2"),
        (lambda header, arrays: header.pop("design"), "incomplete"),
        (lambda header, arrays: arrays.pop("covariate"), "incomplete"),
        (lambda header, arrays: arrays.update({"found.params": np.zeros((2, 3))}), "incomplete"),
    ],
)
def test_other_files_of_the_kind_are_refused(net, tmp_path, change, message):
    rewritten(net, tmp_path / "net.npz", change)
    with pytest.raises(DataFileError, match=message):
        load(tmp_path / "net.npz")


def test_what_is_no_such_file_is_refused(net, tmp_path):
    with pytest.raises(DataFileError, match="does not exist"):
        load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(DataFileError, match="damaged or no .npz file"):
        load(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(DataFileError, match="holds something else"):
        load(tmp_path / "other.npz")
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(DataFileError, match="damaged or no .npz file"):
        load(tmp_path / "one.npy")
    net.save(tmp_path / "cut.npz")
    whole = (tmp_path / "cut.npz").read_bytes()
    for share in (0.1, 0.5, 0.9):
        (tmp_path / "cut.npz").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DataFileError):
            load(tmp_path / "cut.npz")


def test_what_cannot_be_saved_leaves_the_file_that_is_there(net, tmp_path):
    net.save(tmp_path / "net.npz")
    before = (tmp_path / "net.npz").read_bytes()
    own = neuralnet("y ~ x", DATA, act_fct=jnp.sin, threshold=5, seed=1, linear_output=False)
    with pytest.raises(InvalidArgument, match="the function .* as its activation"):
        own.save(tmp_path / "net.npz")
    assert (tmp_path / "net.npz").read_bytes() == before
    with pytest.raises(InvalidArgument, match="ends in .npz"):
        net.save(tmp_path / "net.pkl")
    with pytest.raises(InvalidArgument, match="cannot be written"):
        net.save(tmp_path / "nowhere" / "net.npz")
