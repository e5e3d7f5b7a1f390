"""Tests for `jaxnn/environment.py`."""

import json
import platform
import subprocess
import sys
from importlib import metadata

import jax
import pytest

from jaxnn import environment as module
from jaxnn.environment import environment


def test_versions_and_device_are_those_in_use():
    found = environment()
    assert found["jax"] == jax.__version__ and found["python"] == platform.python_version()
    assert found["numpy"] == metadata.version("numpy")
    assert found["device"] == jax.devices()[0].device_kind and found["devices"] == jax.device_count()
    assert found["x64"] == jax.config.jax_enable_x64 and found["cores"] >= 1
    assert found["date"].endswith("+00:00")
    json.dumps(found, allow_nan=False)


def test_of_the_environment_variables_only_xla_flags_is_told(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dummy")
    monkeypatch.setenv("SOME_PASSWORD", "hunter2")
    found = environment()
    assert found["xla_flags"] == "--xla_dummy" and "hunter2" not in str(found)


def test_flax_is_not_imported():
    code = "import sys; from jaxnn.environment import environment; sys.exit('flax' in (environment(), sys.modules)[1])"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_not_installed_has_no_version():
    assert module.version("no-such-package-of-ours") is None


def test_cpu_model_of_linux(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: Some CPU @ 3 GHz\n")
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "cpuinfo")
    assert module.cpu_model() == "Some CPU @ 3 GHz"
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "nothing")
    assert module.cpu_model()


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


def test_commit_of_a_tracked_file_only(tmp_path):
    if module.git(tmp_path, "--version") is None:
        pytest.skip("no git")
    mine, other = tmp_path / "mine.py", tmp_path / "other.py"
    mine.write_text("1")
    other.write_text("1")
    assert module.commit(mine) is None
    git(tmp_path, "init")
    git(tmp_path, "add", "mine.py")
    git(tmp_path, "commit", "-m", "first")
    head = module.git(tmp_path, "rev-parse", "HEAD")
    assert module.commit(mine) == head and module.commit(other) is None
    mine.write_text("2")
    assert module.commit(mine) == f"{head}-dirty"


def test_no_git_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert module.commit(tmp_path / "file") is None
