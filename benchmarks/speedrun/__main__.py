"""`python -m benchmarks.speedrun [SEEDS]`: how well the recipe does on training digits that it does not train on.

For tuning, so that the test digits are looked at once, when a recipe is done: it trains on some of the first 50,000
training digits and is judged by the last 10,000.
"""

import sys
import time

import jax
import numpy as np

import jaxnn
from benchmarks.speedrun import recipe

HELD_OUT = 10_000


def main(seeds: str = "5") -> None:
    """Print each seed's accuracy and seconds, of the wall's clock and the processor's, and the mean."""
    mnist, accuracies = jaxnn.load_mnist(), []
    x, y = mnist.x_train, mnist.y_train
    for seed in range(int(seeds)):
        start, worked = time.perf_counter(), time.process_time()
        params = jax.block_until_ready(recipe.train(x[:-HELD_OUT], y[:-HELD_OUT], seed))
        times = f"{time.perf_counter() - start:.2f} s, {time.process_time() - worked:.2f} s of the processor"
        accuracies.append(recipe.accuracy(params, x[-HELD_OUT:], y[-HELD_OUT:]))
        print(f"seed {seed}: {100 * accuracies[-1]:.2f} %, {times}", flush=True)
    print(f"mean {100 * np.mean(accuracies):.3f} %, standard deviation {100 * np.std(accuracies):.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
