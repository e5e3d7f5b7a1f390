"""Other people's ways to do the same; each is imported only when it is asked for."""

import importlib

HOW_TO_GET = {
    "numpy": "pip install numpy",
    "torch": "pip install torch, or pip install 'jaxnn[peers]'",
    "c": "a C compiler: gcc, from the system's packages",
}
MODULES = {"c": "benchmarks.peers.c_peer"}  # what to import where it is not the peer's own name


def cannot_import(peer: str) -> str | None:
    """Return why the peer cannot be had, None if it can."""
    try:
        importlib.import_module(MODULES.get(peer, peer))
    except (ImportError, OSError) as error:  # an OSError is a shared library that is missing
        return f"{type(error).__name__}: {error}"
    return None
