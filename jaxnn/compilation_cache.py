"""What XLA has compiled, kept from one command to the next in the user's cache folder.

Only the commands ask for it. The library leaves JAX's settings to its caller, and benchmarks measure compilation.
"""

import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import jax

CPUINFO = Path("/proc/cpuinfo")
MOST = 2**30  # bytes
# Of a quarter of a second that a small program takes to compile, reading it takes a hundredth: all are kept.
SETTINGS = {"jax_persistent_cache_min_compile_time_secs": 0.0, "jax_persistent_cache_min_entry_size_bytes": -1}


def keep_compiled() -> None:
    """Let JAX keep what it compiles, here and in the processes that this one starts.

    Nothing is changed where `JAXNN_CACHE=0` is set, where a cache of JAX's was set up already
    (`JAX_COMPILATION_CACHE_DIR`), and where the folder cannot be written. A folder of more than 1 GiB starts anew.
    """
    if os.environ.get("JAXNN_CACHE") == "0" or jax.config.jax_compilation_cache_dir is not None:
        return
    folder = folder_of_user(os.environ, sys.platform) / "jaxnn" / f"{jax.__version__}-{processor()}"
    try:
        if folder.is_dir() and sum(file.stat().st_size for file in folder.iterdir()) > MOST:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: a user without a home
        return
    if not os.access(folder, os.W_OK):
        return
    for name, value in {"jax_compilation_cache_dir": str(folder), **SETTINGS}.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)


def folder_of_user(environment: Mapping[str, str], system: str) -> Path:
    """Return where the user's programs keep what they can make again: XDG's folder, macOS' or Windows' own."""
    if system == "win32" and environment.get("LOCALAPPDATA"):
        return Path(environment["LOCALAPPDATA"])
    if system == "darwin":
        return Path.home() / "Library" / "Caches"
    named = Path(environment.get("XDG_CACHE_HOME", ""))
    return named if named.is_absolute() else Path.home() / ".cache"  # XDG: a relative one is to be ignored


def processor() -> str:
    """Return a short name for what this processor can do: a home shared by several has what each can run."""
    lines = CPUINFO.read_text(errors="replace").splitlines() if CPUINFO.is_file() else []
    told = {line.partition(":")[0].strip(): line for line in reversed(lines)}
    can = [told[name] for name in ("model name", "flags", "Features") if name in told] or [platform.processor()]
    return hashlib.sha256("\n".join([platform.machine(), *can]).encode()).hexdigest()[:12]
