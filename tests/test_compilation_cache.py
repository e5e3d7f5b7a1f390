"""Tests for `jaxnn/compilation_cache.py`."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from jaxnn import compilation_cache
from jaxnn.cli import main
from jaxnn.compilation_cache import folder_of_user, keep_compiled

NAMES = "jax_compilation_cache_dir", *compilation_cache.SETTINGS


@pytest.fixture
def as_a_user_starts(monkeypatch, tmp_path):
    """JAX without a cache, and a cache folder of the user's that is empty; JAX's settings afterwards as before."""
    before = {name: getattr(jax.config, name) for name in NAMES}
    jax.config.update("jax_compilation_cache_dir", None)
    for name in NAMES:
        monkeypatch.setenv(name.upper(), "")  # so that it is put back, whatever is set meanwhile
        monkeypatch.delenv(name.upper())
    monkeypatch.delenv("JAXNN_CACHE", raising=False)
    monkeypatch.setattr(compilation_cache, "folder_of_user", lambda *_: tmp_path)
    yield tmp_path
    for name, value in before.items():
        jax.config.update(name, value)


def test_a_command_keeps_what_is_compiled_in_the_users_folder(as_a_user_starts, capsys):
    assert main(["info"]) == 0
    folder = Path(jax.config.jax_compilation_cache_dir)
    assert folder.is_dir() and folder.parent == as_a_user_starts / "jaxnn"
    assert jax.config.jax_persistent_cache_min_compile_time_secs == 0
    # The processes that it starts find the same.
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(folder)
    assert os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] == "0.0"


def test_it_is_switched_off_by_the_environment(as_a_user_starts, monkeypatch):
    monkeypatch.setenv("JAXNN_CACHE", "0")
    keep_compiled()
    assert jax.config.jax_compilation_cache_dir is None and not list(as_a_user_starts.iterdir())


def test_a_cache_that_was_set_up_already_is_left_alone(as_a_user_starts, tmp_path):
    jax.config.update("jax_compilation_cache_dir", "elsewhere")
    keep_compiled()
    assert jax.config.jax_compilation_cache_dir == "elsewhere" and not list(as_a_user_starts.iterdir())


def test_a_folder_that_cannot_be_made_changes_nothing(as_a_user_starts):
    (as_a_user_starts / "jaxnn").write_text("a file where the folder would be")
    keep_compiled()
    assert jax.config.jax_compilation_cache_dir is None


def test_what_grew_too_large_starts_anew(as_a_user_starts, monkeypatch):
    keep_compiled()
    program = Path(jax.config.jax_compilation_cache_dir) / "program"
    program.write_bytes(b"12345")
    for most, stays in ((5, True), (4, False)):
        monkeypatch.setattr(compilation_cache, "MOST", most)
        jax.config.update("jax_compilation_cache_dir", None)
        keep_compiled()
        assert program.exists() == stays and program.parent.is_dir()


@pytest.mark.parametrize(
    ("system", "environment", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/fast/cache"}, "/fast/cache"),
        ("linux", {"XDG_CACHE_HOME": "cache"}, "~/.cache"),
        ("linux", {"XDG_CACHE_HOME": ""}, "~/.cache"),
        ("linux", {}, "~/.cache"),
        ("darwin", {"XDG_CACHE_HOME": "/fast/cache"}, "~/Library/Caches"),
        ("win32", {"LOCALAPPDATA": "/users/me/local"}, "/users/me/local"),
    ],
)
def test_the_users_folder_is_where_the_system_has_it(system, environment, expected):
    # Linux: XDG Base Directory Specification 0.8, which has relative paths ignored; the others by their vendors.
    assert folder_of_user(environment, system) == Path(expected).expanduser()


def test_each_kind_of_processor_has_its_own(monkeypatch, tmp_path):
    names = set()
    for flags in ("fpu avx2", "fpu avx2 avx512f"):
        file = tmp_path / "cpuinfo"
        file.write_text(f"processor : 0\nmodel name : One\nflags : {flags}\nprocessor : 1\nflags : {flags}\n")
        monkeypatch.setattr(compilation_cache, "CPUINFO", file)
        names.add(compilation_cache.processor())
    monkeypatch.setattr(compilation_cache, "CPUINFO", tmp_path / "none")
    assert len({*names, compilation_cache.processor()}) == 3


@pytest.mark.slow
def test_a_second_command_compiles_nothing_and_the_library_leaves_settings_alone(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in {n.upper() for n in NAMES}}
    environment["XDG_CACHE_HOME"] = str(tmp_path)

    def run(*arguments):
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    told = run("-c", "import jax, jaxnn.cli; print(jax.config.jax_compilation_cache_dir)")
    assert told.split() == ["None"] and not list(tmp_path.iterdir())
    said = [run("-m", "jaxnn", "explain", "jax.nn:sigmoid", "--at", "1.0")]
    programs = sorted(tmp_path.rglob("*-cache"))
    said.append(run("-m", "jaxnn", "explain", "jax.nn:sigmoid", "--at", "1.0"))
    assert said[0] == said[1] and programs and sorted(tmp_path.rglob("*-cache")) == programs
