"""The signs of life that R prints while it trains, on standard error."""

import sys
import time
from typing import Any

import numpy as np

from jaxnn.r_neuralnet.fitted import Fitted, Settings


class Lifesign:
    """Prints R's lines of a fit that begins now; restarts run side by side, so the lines of all come together.

    Restarts have their places from 0 here, as everywhere else; R counts them from 1.
    """

    def __init__(self, settings: Settings, rep: int):
        self.begun, self.settings, self.rep = time.perf_counter(), settings, rep
        self.hidden = ", ".join(map(str, settings.architecture.sizes[1:-1])) or "0"

    def _head(self, number: Any) -> str:
        count = f"{number:>{len(str(self.rep))}}/{self.rep}"
        return f"hidden: {self.hidden}    thresh: {self.settings.threshold:g}    rep: {count}    steps: "

    def step(self, steps: np.ndarray, smallest: np.ndarray) -> None:
        """Print the steps and the smallest largest gradient so far of each restart that is still running."""
        for i in np.flatnonzero(steps == steps.max()):
            if smallest[i] > self.settings.threshold:
                print(f"{self._head(i)}{steps[i]:>7}\tmin thresh: {smallest[i]:.10g}", file=sys.stderr, flush=True)

    def end(self, fitted: Fitted) -> None:
        """Print where each restart stopped, and the seconds of them all."""
        seconds, restarts = time.perf_counter() - self.begun, fitted.restarts
        for i in range(self.rep):
            if not restarts.converged[i]:
                print(f"{self._head(i)}stepmax\tmin thresh: {restarts.largest_gradient[i]:.10g}", file=sys.stderr)
                continue
            criteria = "".join(f"\t{name}: {values[i]:.5f}" for name, values in fitted.criteria.items())
            print(f"{self._head(i)}{restarts.steps[i]:>7}\terror: {restarts.loss[i]:.5f}{criteria}", file=sys.stderr)
        print(f"time: {seconds:.2f} secs", file=sys.stderr, flush=True)
