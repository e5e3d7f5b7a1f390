"""Where a result was made: versions, device, settings; what a number or a timing needs to be understood later."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import jax

PACKAGES = ("jax", "jaxlib", "optax", "flax", "numpy")
CPUINFO = Path("/proc/cpuinfo")


def environment() -> dict[str, str | int | bool | None]:
    """Return the versions, device and settings in use, as plain values; only what is listed here, None where unknown.

    Asking for the device starts JAX's backend. The package versions are read from their metadata: nothing is imported.
    """
    devices = jax.devices()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(Path(__file__)),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "platform": jax.default_backend(),
        "device": devices[0].device_kind,
        "devices": len(devices),
        "x64": jax.config.jax_enable_x64,
        "matmul_precision": jax.config.jax_default_matmul_precision,
        "xla_flags": os.environ.get("XLA_FLAGS"),
        "cpu": cpu_model(),
        "cores": cores(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def version(package: str) -> str | None:
    """Return the installed version of a package, None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def cpu_model() -> str:
    """Return the processor's name as Linux knows it, elsewhere what Python says."""
    lines = CPUINFO.read_text(errors="replace").splitlines() if CPUINFO.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def commit(file: Path) -> str | None:
    """Return the git commit of a tracked `file`, "-dirty" added where something is changed; else None.

    A copy installed below somebody else's repository is not tracked there, so their commit is not taken for ours.
    """
    if git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return None
    return git(file.parent, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints in `folder`, None if there is no git, or no repository, or it says no."""
    try:
        done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
