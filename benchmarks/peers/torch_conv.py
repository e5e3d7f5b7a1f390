"""A convolution's result and cotangents in eager PyTorch on the CPU, images channels first, as its users have them."""

from collections.abc import Callable

import numpy as np
import torch  # pyright: ignore[reportMissingImports] (an optional peer)
from torch.nn import functional  # pyright: ignore[reportMissingImports]

from jaxnn.environment import cores

Tensors = tuple[torch.Tensor, ...]


def forward_backward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, g: np.ndarray, stride: int, padding: tuple[int, int]
) -> Callable[[], Tensors]:
    """Return what computes y, dx, dw and db, on as many threads as JAX; an uneven padding is one of its own there."""
    torch.set_num_threads(cores())
    x, w, g = x.transpose(0, 3, 1, 2), w.transpose(3, 2, 0, 1), g.transpose(0, 3, 1, 2)
    inputs, cotangent = [torch.tensor(a.copy(), requires_grad=True) for a in (x, w, b)], torch.tensor(g.copy())
    low, high = padding

    def run():
        for tensor in inputs:
            tensor.grad = None
        images, kernels, bias = inputs
        padded = images if low == high else functional.pad(images, (low, high, low, high))
        y = functional.conv2d(padded, kernels, bias, stride=stride, padding=low if low == high else 0)
        y.backward(cotangent)
        return y, *(tensor.grad for tensor in inputs if tensor.grad is not None)

    return run


def arrays(results: Tensors) -> list[np.ndarray]:
    """Return what `run` returned in jaxnn's order of axes."""
    y, dx, dw, db = (tensor.detach().numpy() for tensor in results)
    return [y.transpose(0, 2, 3, 1), dx.transpose(0, 2, 3, 1), dw.transpose(2, 3, 1, 0), db]
