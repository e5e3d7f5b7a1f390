"""Other people's ways to do the same; each is imported only when it is asked for."""

import importlib
import importlib.util

KERAS = {f"keras-{backend}": backend for backend in ("tensorflow", "jax", "torch")}
HOW_TO_GET = {
    "numpy": "pip install numpy",
    "torch": "pip install torch, or pip install 'jaxnn[peers]'",
    "torch-compiled": "pip install torch, or pip install 'jaxnn[peers]'; and g++, from the system's packages",
    "keras-tensorflow": "pip install keras tensorflow-cpu, or pip install 'jaxnn[peers]'",
    "keras-jax": "pip install keras, or pip install 'jaxnn[peers]'",
    "keras-torch": "pip install keras torch, or pip install 'jaxnn[peers]'",
    "sklearn": "pip install scikit-learn, or pip install 'jaxnn[peers]'",
    "c": "a C compiler: gcc, from the system's packages",
    "r": "R, from the system's packages: r-base-core",
    "neuralnet": "install.packages('neuralnet') in R",
}
# What to import where it is not the peer's own name.
MODULES = {
    "torch-compiled": ("torch",),
    **{peer: ("keras", backend) for peer, backend in KERAS.items()},
    **{peer: (f"benchmarks.peers.{peer}_peer",) for peer in ("c", "r", "neuralnet")},
}
# The packages whose versions matter, likewise.
PACKAGES = {
    "torch-compiled": ("torch",),
    "keras-tensorflow": ("keras", "tensorflow-cpu"),
    "keras-jax": ("keras",),
    "keras-torch": ("keras", "torch"),
    "sklearn": ("scikit-learn",),
    "c": (),
    "r": (),
    "neuralnet": (),
}


def cannot_import(peer: str) -> str | None:
    """Return why the peer cannot be had, None if it can."""
    for module in MODULES.get(peer, (peer,)):
        if peer in KERAS:  # imported in a process of its own, where it can choose its backend
            if importlib.util.find_spec(module) is None:
                return f"there is no module {module}"
            continue
        try:
            importlib.import_module(module)
        except (ImportError, OSError) as error:  # an OSError is a shared library that is missing
            return f"{type(error).__name__}: {error}"
    return None
