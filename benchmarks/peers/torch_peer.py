"""The two MNIST networks in eager PyTorch on the CPU, as its users would write them, images channels first."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch  # pyright: ignore[reportMissingImports] (an optional peer)
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]

from benchmarks.timing import Side, peer_side
from jaxnn.environment import cores


class Peer(NamedTuple):
    """A network of jaxnn as PyTorch has it."""

    build: Callable[[], nn.Module]
    inputs: Callable[[np.ndarray], torch.Tensor]
    layout: Callable[[dict], list[np.ndarray]]  # jaxnn's parameters, or gradient, in the order of `model.parameters()`

    def start(self, params: dict) -> nn.Module:
        """Return the network with jaxnn's parameters, for training."""
        model = self.build()
        with torch.no_grad():
            for parameter, array in zip(model.parameters(), self.layout(params), strict=True):
                parameter.copy_(torch.tensor(np.asarray(array)))
        return model

    def value_and_grad(self, params: dict, x: np.ndarray, y: np.ndarray) -> tuple[float, list[np.ndarray]]:
        """Return the loss and the gradient, without dropout."""
        model = self.start(params).eval()
        loss = functional.cross_entropy(model(self.inputs(x)), labels(y))
        loss.backward()
        return loss.item(), [p.grad.numpy() for p in model.parameters() if p.grad is not None]

    def first_epoch(self, params: dict, x: np.ndarray, y: np.ndarray, batch: int) -> tuple[float, float]:
        """Return the mean loss and accuracy of an epoch without dropout and with the examples in order."""
        model = self.start(params).eval()
        return epoch(model, rmsprop(model, eps=1e-15), self.inputs(x), labels(y), torch.arange(len(x)), batch)


def training_side(peer: Peer, params: dict, x: np.ndarray, y: np.ndarray, batch: int) -> Side:
    """Return what runs a block of epochs, shuffled, with dropout, from the same start, on as many threads as JAX."""
    torch.set_num_threads(cores())
    inputs, targets = peer.inputs(x), labels(y)

    def begin():
        model = peer.start(params)
        optimizer = rmsprop(model)
        return lambda: epoch(model, optimizer, inputs, targets, torch.randperm(len(inputs)), batch)

    return peer_side(begin, -(-len(x) // batch))


def evaluation(peer: Peer, params: dict, x: np.ndarray, y: np.ndarray, batch: int) -> Callable[[], dict[str, float]]:
    """Return what takes loss and accuracy of all examples, `batch` at a time."""
    torch.set_num_threads(cores())
    model, inputs, targets = peer.start(params).eval(), peer.inputs(x), labels(y)

    def run():
        loss_sum, hits = 0.0, 0
        with torch.inference_mode():
            for chosen, wanted in zip(inputs.split(batch), targets.split(batch), strict=True):
                z = model(chosen)
                loss_sum += len(wanted) * functional.cross_entropy(z, wanted).item()
                hits += (z.argmax(dim=1) == wanted).sum().item()
        return {"loss": loss_sum / len(targets), "accuracy": hits / len(targets)}

    return run


def epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: torch.Tensor,
    y: torch.Tensor,
    order: torch.Tensor,
    batch: int,
) -> tuple[float, float]:
    """Return the mean loss and accuracy over the epoch's batches, which train the model."""
    loss_sum, hits = torch.zeros(()), torch.zeros((), dtype=torch.int64)
    for chosen in order.split(batch):
        inputs, targets = x[chosen], y[chosen]
        optimizer.zero_grad()
        z = model(inputs)
        loss = functional.cross_entropy(z, targets)
        loss.backward()
        optimizer.step()
        loss_sum += len(chosen) * loss.detach()
        hits += (z.detach().argmax(dim=1) == targets).sum()
    return loss_sum.item() / len(order), hits.item() / len(order)


def rmsprop(model: nn.Module, eps: float = 1e-7) -> torch.optim.Optimizer:
    """Return PyTorch's own RMSprop with Keras' settings; its epsilon is added outside the root, at the same cost."""
    return torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, eps=eps)


def labels(y: np.ndarray) -> torch.Tensor:
    """Return labels as PyTorch's loss takes them, which has no bytes."""
    return torch.tensor(y.astype(np.int64))


def build_mlp() -> nn.Module:
    """Return the network of lecture section 8.3."""
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, 10))


def build_cnn() -> nn.Module:
    """Return the network of lecture section 8.5; the 2 x 2 kernel has its zeros at the bottom and right, as Keras'."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.ZeroPad2d((0, 1, 0, 1)),
        nn.Conv2d(32, 16, 2),
        nn.Softplus(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(14 * 14 * 16, 1000),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(1000, 10),
    )


def mlp_layout(params: dict) -> list[np.ndarray]:
    """Return weights `(outputs, inputs)`."""
    w1, b1, w2, b2 = (np.asarray(params[name]) for name in ("W1", "b1", "W2", "b2"))
    return [w1.T, b1, w2.T, b2]


def cnn_layout(params: dict) -> list[np.ndarray]:
    """Return kernels `(k, c, kh, kw)` and dense weights `(outputs, inputs)`, the features with the channels first."""
    w1, w2, w3, w4 = (np.asarray(params[name]) for name in ("W1", "W2", "W3", "W4"))
    b1, b2, b3, b4 = (np.asarray(params[name]) for name in ("b1", "b2", "b3", "b4"))
    kernels = [w.transpose(3, 2, 0, 1) for w in (w1, w2)]
    w3 = w3.reshape(14, 14, 16, -1).transpose(2, 0, 1, 3).reshape(w3.shape)
    return [kernels[0], b1, kernels[1], b2, w3.T, b3, w4.T, b4]


MODELS = {
    "mlp": Peer(build_mlp, torch.tensor, mlp_layout),
    "cnn": Peer(build_cnn, lambda x: torch.tensor(x.transpose(0, 3, 1, 2).copy()), cnn_layout),
}


def compiled(peer: Peer) -> Peer:
    """Return the same network, its forward and backward pass compiled when it is first called."""
    return peer._replace(build=lambda: torch.compile(peer.build()))


COMPILED = {name: compiled(peer) for name, peer in MODELS.items()}
