"""Other people's ways to do the same; each is imported only when it is asked for."""

import importlib

HOW_TO_GET = {"numpy": "pip install numpy", "torch": "pip install torch, or pip install 'jaxnn[peers]'"}


def cannot_import(peer: str) -> str | None:
    """Return why the peer cannot be had, None if it can."""
    try:
        importlib.import_module(peer)
    except (ImportError, OSError) as error:  # an OSError is a shared library that is missing
        return f"{type(error).__name__}: {error}"
    return None
