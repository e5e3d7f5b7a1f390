"""Section 8.5: the convolutional network on MNIST, on raw pixels as in the lecture and beside it on pixels / 255."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments import digits
from experiments.record import Number, Options, Result, Table
from jaxnn import draw, models
from jaxnn.data import Mnist
from jaxnn.networks import cnn
from jaxnn.ops import dense, relu
from jaxnn.train import Fit

SECTION = "8.5"
TITLE = "MNIST with a convolutional network"
DEFAULT_SEEDS = 1  # a run takes some five minutes on two cores
SCALED_EPOCHS = 5


def run(options: Options) -> Result:
    """Return figures 23 and 24, the numbers of the section, and what the scale of the pixels does to the training."""
    mnist = digits.digits(options.quick)
    raw, scaled = images(mnist, 1), images(mnist, 255)
    starts = [models.CNN(rngs=nnx.Rngs(seed)) for seed in range(options.seeds or DEFAULT_SEEDS)]
    params = models.to_params(starts[0])
    runs = []
    for seed, model in enumerate(starts):
        title = f"CNN by hand, seed {seed}"
        fitted = digits.train(cnn, cnn.metrics_and_grad, models.to_params(model), raw, seed, title)
        runs.append(digits.tested(cnn, fitted, raw))
    options.say(digits.accuracies_in_words(runs))
    by_autodiff = jax.value_and_grad(cnn.loss_and_metrics, has_aux=True)
    # One epoch: the orders of the batches are drawn epoch by epoch, so it is the first epoch of the long run.
    witness = digits.train(cnn, by_autodiff, params, raw, 0, "CNN by jax.grad, first epoch", epochs=1)
    epochs = 1 if options.quick else SCALED_EPOCHS
    others = {
        f"pixels / 255, learning rate {rate}": digits.train(
            cnn, cnn.metrics_and_grad, params, scaled, 0, f"CNN, pixels / 255, rate {rate}", epochs, rate
        )
        for rate in (1e-3, 1e-4)
    }
    rows = models.summary(starts[0], (28, 28, 1))
    shapes = {row.layer: row.shape for row in rows}
    weights = [row.parameters for row in rows if row.parameters]
    numbers = {
        "cnn.params": Number([*weights, sum(weights)]),
        "cnn.shapes": Number([shapes[name] for name in ("conv2d", "conv2d_1", "max_pooling2d", "flatten")]),
        **digits.numbers("cnn", runs, mnist.y_test, options.quick),
    }
    first = runs[0]
    figures = {
        23: (
            draw.learning_curves(first.history),
            "Loss and accuracy on training and validation digits, convolutional network.",
        ),
        24: (digits.errors(mnist.x_test, first.predicted, mnist.y_test), "Test digits that the network gets wrong."),
    }
    tables = [
        digits.summary_table("The model", rows),
        first_epoch(first, witness),
        scaling_table({"raw pixels, learning rate 0.001": (first, raw), **{k: (v, scaled) for k, v in others.items()}}),
    ]
    return Result(numbers, figures, tables, [digits.accuracies_in_words(runs) + ".", REMARK])


REMARK = (
    "The lecture forgot to divide these pixels by 255, and was lucky: after softplus all 3,136 features are positive, "
    "and RMSprop's first step moves every weight by lr / √0.1, all those of a node mostly the same way. With pixels in "
    "[0, 1] the features hardly differ from image to image, so that one step can push a hidden node below 0 for every "
    "digit, where ReLU passes no gradient. The table counts the hidden nodes that still answer to any test digit."
)


def images(mnist: Mnist, scale: float) -> Mnist:
    """Return the digits as `(n, 28, 28, 1)` images of floats, divided by `scale`."""
    x_train, x_test = ((x[..., None] / np.float32(scale)).astype(np.float32) for x in (mnist.x_train, mnist.x_test))
    return Mnist(x_train, mnist.y_train, x_test, mnist.y_test)


def first_epoch(run: digits.Run, witness: Fit) -> Table:
    """Return loss and accuracy of the first epoch, by hand and by `jax.grad`."""
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    rows = [[name, f"{run.history[name][0]:.6f}", f"{witness.history[name][0]:.6f}"] for name in names]
    return Table(
        "The first epoch with either gradient, same start, batches and dropout", ["", "by hand", "jax.grad"], rows
    )


def scaling_table(runs: dict[str, tuple[digits.Run | Fit, Mnist]]) -> Table:
    """Return for each run, with the digits it was trained on, the validation accuracies and how many nodes answer."""
    rows = []
    for name, (run, mnist) in runs.items():
        accuracies = [f"{value:.4f}" for value in run.history["val_accuracy"][:SCALED_EPOCHS]]
        accuracies += [""] * (SCALED_EPOCHS - len(accuracies))
        alive = answering_nodes(run.params, mnist.x_test[:1000])
        rows.append([name, *accuracies, f"{alive} of {len(run.params['b3'])}"])
    header = ["", *(f"epoch {i}" for i in range(1, SCALED_EPOCHS + 1)), "nodes that answer"]
    return Table("Validation accuracy by the scale of the pixels; hidden nodes at the end of the run", header, rows)


def answering_nodes(params: cnn.Params, x: np.ndarray) -> int:
    """Return how many nodes of the dense hidden layer are above 0 for at least one image."""
    features, _ = cnn.features_fwd(params, jnp.asarray(x))
    return int((relu(dense(features, params["W3"], params["b3"])) > 0).any(axis=0).sum())
