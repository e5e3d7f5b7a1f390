"""Tests for `jaxnn/cli.py`, run as users run it."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import jax
import pytest

import jaxnn
from jaxnn.cli import main


def test_info_names_versions_and_device(capsys):
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["jax"] == jax.__version__
    assert found["device"] == jax.devices()[0].device_kind


def test_python_m_jaxnn_is_the_command():
    done = subprocess.run([sys.executable, "-m", "jaxnn", "info"], capture_output=True, text=True, check=True)
    assert jax.__version__ in done.stdout


@pytest.mark.parametrize("arguments", [[], ["nonsense"]])
def test_an_unknown_command_exits_with_2(arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


def test_the_version_is_the_installed_one_and_the_one_to_cite(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0 and capsys.readouterr().out == f"jaxnn {jaxnn.__version__}\n"
    citation = (Path(__file__).parents[1] / "CITATION.cff").read_text()
    assert f"\nversion: {jaxnn.__version__}\n" in citation and metadata.version("jaxnn") == jaxnn.__version__
