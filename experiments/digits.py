"""What the two MNIST sections share: training on the lecture's terms, testing, and showing what came out."""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments.record import Number, Table
from jaxnn import draw, load_mnist, rmsprop
from jaxnn.data import Mnist, RRandom
from jaxnn.models import Row
from jaxnn.progress import progress_bar
from jaxnn.train import Fit, History, evaluate, fit, predict

BATCH_SIZE, VALIDATION_SPLIT, EPOCHS = 128, 0.2, 20
QUICK_DIGITS = 2560


class Run(NamedTuple):
    """One training: what it learned, its history, and how it does on the test digits."""

    params: Any
    history: History
    test: dict[str, float]
    predicted: np.ndarray


def tested(network: ModuleType, fitted: Fit, mnist: Mnist) -> Run:
    """Return a training with its loss, accuracy and predictions on the test digits."""
    test = evaluate(network.metrics, fitted.params, (mnist.x_test, mnist.y_test.astype(np.int32)))
    return Run(*fitted, test, predict(network.apply, fitted.params, mnist.x_test).argmax(axis=1))


def digits(quick: bool) -> Mnist:
    """Return the real digits; in a quick run the first 2,560 of the training digits, all test digits."""
    mnist = load_mnist()
    n = QUICK_DIGITS if quick else len(mnist.x_train)
    return mnist._replace(x_train=mnist.x_train[:n], y_train=mnist.y_train[:n])


def train(
    network: ModuleType,
    gradient: Callable,
    params: Any,
    mnist: Mnist,
    seed: int,
    title: str,
    epochs: int = EPOCHS,
    learning_rate: float = 1e-3,
) -> Fit:
    """Return a training of `network` as the lecture has Keras do it: RMSprop, batches of 128, a fifth held out."""
    with progress_bar(title, epochs) as progress:
        return fit(
            gradient,
            params,
            rmsprop(learning_rate),
            (mnist.x_train, mnist.y_train.astype(np.int32)),
            epochs=epochs,
            batch_size=BATCH_SIZE,
            key=jax.random.key(seed),
            with_key=True,
            validation_split=VALIDATION_SPLIT,
            metrics=network.metrics,
            progress=progress,
        )


def numbers(
    name: str, runs: list[Run], actual: np.ndarray, quick: bool, witness: Run | None = None
) -> dict[str, Number]:
    """Return the rows of section `name`: history, confusion matrix and test, the first run's beside those of all."""

    def row(value: Callable[[Run], Any]) -> Number:
        samples = None if quick or len(runs) < 2 else [value(run) for run in runs]
        note = f"quick: the first {QUICK_DIGITS:,} training digits only" if quick else ""
        return Number(value(runs[0]), witness and value(witness), samples, note)

    rows = {
        f"{name}.history.{key}": row(lambda run, key=key: run.history[key])
        for key in ("accuracy", "loss", "val_accuracy")
    }
    rows[f"{name}.confusion"] = row(lambda run: confusion(run.predicted, actual))
    for key in ("accuracy", "loss"):
        rows[f"{name}.test.{key}"] = row(lambda run, key=key: run.test[key])
    return rows


def confusion(predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return how often each digit was taken for each, `(10, 10)`: rows predicted, columns actual, as in the lecture."""
    table = np.zeros((10, 10), int)
    np.add.at(table, (predicted, actual), 1)
    return table


def errors(images: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> Figure:
    """Return the drawing of 12 misclassified digits, sampled as in the lecture after `set.seed(20240408)`."""
    wrong = np.flatnonzero(predicted != actual)
    chosen = RRandom(20240408).sample(wrong, min(12, len(wrong)))
    titles = [f"predicted {p}, is {a}" for p, a in zip(predicted[chosen], actual[chosen], strict=True)]
    return draw.digits(images[chosen], titles, 3, 4)


def summary_table(title: str, rows: list[Row]) -> Table:
    """Return Keras' model summary: a row a layer, and the total."""
    lines = [[row.layer, f"(None, {', '.join(map(str, row.shape))})", f"{row.parameters:,}"] for row in rows]
    total = sum(row.parameters for row in rows)
    lines.append(["total", "", f"{total:,} ({total * 4 / 2**20:.2f} MB)"])
    return Table(title, ["layer", "output shape", "parameters"], lines)


def accuracies_in_words(runs: list[Run]) -> str:
    """Return the test accuracies of all runs in words."""
    accuracies = np.array([run.test["accuracy"] for run in runs])
    if len(runs) == 1:
        return f"test accuracy {accuracies[0]:.4f} in one run"
    return f"test accuracy {accuracies.mean():.4f} ± {accuracies.std(ddof=1):.4f} (mean ± sd of {len(runs)} runs)"
