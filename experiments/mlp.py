"""Section 8.3: the dense network on MNIST, 784-512-10, trained with the gradient by hand and by `jax.grad`."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments import digits
from experiments.record import Number, Options, Result
from jaxnn import draw, load_mnist, models
from jaxnn.data import Mnist
from jaxnn.networks import mlp

SECTION = "8.3"
TITLE = "MNIST with a dense network"
DEFAULT_SEEDS = 5


def run(options: Options) -> Result:
    """Return figures 19 to 22 and the numbers of the section, of one run a seed, and one by `jax.grad`."""
    mnist = digits.digits(options.quick)
    whole = load_mnist().x_train
    flat = Mnist(flatten(mnist.x_train), mnist.y_train, flatten(mnist.x_test), mnist.y_test)
    seeds = options.seeds or (1 if options.quick else DEFAULT_SEEDS)
    starts = [models.MLP(rngs=nnx.Rngs(seed)) for seed in range(seeds)]

    def train(gradient, seed, title) -> digits.Run:
        start = models.to_params(starts[seed])
        return digits.tested(mlp, digits.train(mlp, gradient, start, flat, seed, f"{title}, seed {seed}"), flat)

    runs = [train(mlp.metrics_and_grad, seed, "MLP by hand") for seed in range(seeds)]
    witness = train(jax.value_and_grad(mlp.loss_and_metrics, has_aux=True), 0, "MLP by jax.grad")
    options.say(digits.accuracies_in_words(runs))

    rows = models.summary(starts[0], (784,))
    updates = -(-int(len(whole) * (1 - digits.VALIDATION_SPLIT)) // digits.BATCH_SIZE)
    numbers = {
        "mnist.reshape": Number(small_images().reshape(3, 4)),
        "mnist.shape": Number(whole.shape),
        "mlp.params": Number([*(row.parameters for row in rows), sum(row.parameters for row in rows)]),
        "mlp.updates_per_epoch": Number(updates),
        **digits.numbers("mlp", runs, mnist.y_test, options.quick, witness),
    }
    first, titles = runs[0], mnist.y_train[25:50].tolist()
    figures = {
        19: (draw.digit(mnist.x_train[2], mnist.y_train[2]), "An example number 4 from the MNIST data."),
        20: (draw.digits(mnist.x_train[25:50], titles, 5, 5), "25 examples from the MNIST data."),
        21: (draw.learning_curves(first.history), "Loss and accuracy on training and validation digits."),
        22: (digits.errors(mnist.x_test, first.predicted, mnist.y_test), "Test digits that the network gets wrong."),
    }
    remarks = [
        digits.accuracies_in_words(runs)
        + ". The weights start from the Flax NNX module, the gradient is by hand; `jax.grad` has the same "
        "start, batches and dropout masks, and over thousands of steps rounding alone tells the two apart.",
        agreement(starts[0], first.params, flat.x_test),
    ]
    return Result(numbers, figures, [digits.summary_table("The model", rows)], remarks)


def flatten(images: np.ndarray) -> np.ndarray:
    """Return images `(n, 28, 28)` of bytes as rows of 784 numbers in [0, 1], the last index fastest."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


def small_images() -> np.ndarray:
    """Return the lecture's three 2 x 2 images, the numbers 1 to 12."""
    return np.stack([np.arange(4).reshape(2, 2) + 4 * i + 1 for i in range(3)])


def agreement(model: models.MLP, params: mlp.Params, x_test: np.ndarray) -> str:
    """Return in words how far the Flax NNX module's probabilities are from ours, with the same weights."""
    probabilities = nnx.softmax(models.from_params(model, params)(jnp.asarray(x_test)))
    largest = float(np.abs(np.asarray(probabilities) - digits.predict(mlp.apply, params, x_test)).max())
    return f"With the trained weights the Flax NNX module gives the same test probabilities, to {largest:.0e}."
