r"""Neural networks from first principles in JAX, every gradient by hand.

Notation, the same everywhere, and the lecture's where they differ:

| here | meaning | in the lecture |
| --- | --- | --- |
| `x (n, d)` | the inputs, one example a row | `X`, one example a column |
| `W1 (inputs, outputs)`, `b1 (outputs,)` | the first layer's weights and biases | `W1 = W1.T`, `b1` as a column |
| `Z1 = x W1 + b1`, `A1` | a layer's linear combinations and their activations | `Z1`, `A1`, transposed |
| `y`, `y_hat` | targets and predictions, one row an example | `y`, `A2`, one column an example |
| `J` | the loss: a sum in `jaxnn.losses`, its mean over examples in the networks | `J` (a sum), `cost` (the mean) |
| `g`, `dW1`, `dZ1` | cotangents: derivatives of J by the output, by `W1`, by `Z1` | $\partial J / \partial W$, `dW1` |
| `f`, `f_fwd`, `f_bwd` | a function, the same with what the backward needs, and the backward | |
| images `(n, h, w, c)`, kernels `(kh, kw, c, k)` | NHWC and HWIO | |
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from jaxnn import losses as losses
    from jaxnn import networks as networks
    from jaxnn import ops as ops
    from jaxnn import optimizers as optimizers
    from jaxnn.data.mnist import load_mnist as load_mnist
    from jaxnn.data.rrandom import RRandom as RRandom
    from jaxnn.errors import CheckpointError as CheckpointError
    from jaxnn.errors import DataFileError as DataFileError
    from jaxnn.errors import Diverged as Diverged
    from jaxnn.errors import InvalidArgument as InvalidArgument
    from jaxnn.optimizers import rmsprop as rmsprop
    from jaxnn.optimizers import rprop_plus as rprop_plus
    from jaxnn.r_neuralnet import neuralnet as neuralnet
    from jaxnn.train import evaluate as evaluate
    from jaxnn.train import fit as fit
    from jaxnn.train import predict as predict

# Where each name is, taken from there when it is first asked for: the pytest plugin, which every run of pytest loads,
# imports this package, and must not import JAX before the user's own settings are made.
PLACES = {
    **dict.fromkeys(("losses", "networks", "ops", "optimizers"), ""),
    "load_mnist": "data.mnist",
    "RRandom": "data.rrandom",
    **dict.fromkeys(("CheckpointError", "DataFileError", "Diverged", "InvalidArgument"), "errors"),
    **dict.fromkeys(("rmsprop", "rprop_plus"), "optimizers"),
    "neuralnet": "r_neuralnet",
    **dict.fromkeys(("evaluate", "fit", "predict"), "train"),
}


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    place = PLACES[name]
    if not place:
        return importlib.import_module(f"{__name__}.{name}")
    globals()[name] = value = getattr(importlib.import_module(f"{__name__}.{place}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *PLACES})
