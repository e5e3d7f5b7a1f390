"""The record before ours in eager PyTorch on the CPU: the network and recipe of tuomaso/train_mnist_fast, one epoch."""

import numpy as np
import torch  # pyright: ignore[reportMissingImports] (an optional peer)
from torch import nn  # pyright: ignore[reportMissingImports]

from benchmarks.peers.torch_peer import labels
from jaxnn.environment import cores

BATCH, PEAK, BETAS = 256, 0.01, (0.7, 0.9)


def build() -> nn.Module:
    """Return the network, of 215,194 parameters: it pools before the activation."""
    return nn.Sequential(
        nn.Conv2d(1, 24, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(24, 32, 3),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 5 * 5, 256),
        nn.ReLU(),
        nn.Linear(256, 10),
    )


def train(x: np.ndarray, y: np.ndarray, seed: int) -> nn.Module:
    """Return the network after one epoch: Adam, its rate in one cycle, on as many threads as JAX."""
    torch.set_num_threads(cores())
    torch.manual_seed(seed)
    images, targets = inputs(x), labels(y)
    model, loss = build(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=PEAK, betas=BETAS)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=PEAK, total_steps=-(-len(x) // BATCH), cycle_momentum=False
    )
    for chosen in torch.randperm(len(images)).split(BATCH):
        optimizer.zero_grad()
        loss(model(images[chosen]), targets[chosen]).backward()
        optimizer.step()
        cycle.step()
    return model


def accuracy(model: nn.Module, x: np.ndarray, y: np.ndarray) -> float:
    """Return the share of the digits that are recognised."""
    with torch.inference_mode():
        return (model(inputs(x)).argmax(dim=1) == labels(y)).float().mean().item()


def inputs(x: np.ndarray) -> torch.Tensor:
    """Return digits of bytes, channels first, with the mean and standard deviation of MNIST's pixels taken out."""
    return (torch.tensor(x)[:, None].float() / 255 - 0.1307) / 0.3081
