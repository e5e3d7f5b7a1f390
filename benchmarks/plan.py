"""What a step would take at best on chips that are not here: calculated from data sheets, nothing is measured.

`python -m benchmarks plan` prints the tables of `benchmarks/LOG.md`.
"""

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from rich import box
from rich.table import Table

from benchmarks.results import print_whole
from benchmarks.work import FLOAT, IMAGE, Work, convolutional, dense_mlp, hidden_layer_step
from jaxnn.formatting import duration


class Chip(NamedTuple):
    """Peak rates of one chip: of products of float32 as JAX makes them by default, of memory and of links."""

    name: str
    flops: float
    memory: float
    link: float  # to the other chips, one direction
    launch: float  # seconds to start one kernel: an assumption, in no data sheet


H100 = Chip("H100 SXM", 494.7e12, 3.35e12, 450e9, 3e-6)  # NVIDIA's data sheet: TF32 without sparsity, NVLink 900 GB/s
V5P = Chip("TPU v5p", 459e12, 2.765e12, 600e9, 2e-6)  # Google Cloud's page: bfloat16, ICI 1200 GB/s in both directions
CHIPS = (H100, V5P)
BATCHES = (128, 1024, 8192, 65_536)
DEVICES = (1, 8, 64)


class Loop(NamedTuple):
    """A training loop: its work at a batch, its parameters, the kernels of a step."""

    work: dict[int, Work]
    parameters: int
    kernels: int  # launched one after the other, as counted in the programs compiled for a GPU: rounded


MLP_PARAMETERS = IMAGE * 512 + 512 + 512 * 10 + 10
CNN_PARAMETERS = 3_149_394
HIDDEN_PARAMETERS = 17
LOOPS = {
    "hidden": Loop({n: hidden_layer_step(n) for n in BATCHES}, HIDDEN_PARAMETERS, 9),
    "mlp": Loop({n: dense_mlp(n) for n in BATCHES}, MLP_PARAMETERS, 20),
    "cnn": Loop({n: convolutional(n) for n in BATCHES}, CNN_PARAMETERS, 40),
}


class Step(NamedTuple):
    """Seconds of the parts of a step on each of some devices; the slowest of the first three is what it takes."""

    compute: float
    memory: float
    launches: float
    all_reduce: float

    @property
    def total(self) -> float:
        """Return the seconds of the step: products, memory and launches overlap, the sum over devices comes after."""
        return max(self[:3]) + self.all_reduce

    @property
    def limit(self) -> str:
        """Return the name of the longest part."""
        return max(self._fields, key=lambda name: getattr(self, name))


def all_reduce_bytes(parameters: int, devices: int) -> float:
    """Return the bytes that each device sends in a ring: twice all but its own share of one float32 vector."""
    return 2 * (devices - 1) / devices * FLOAT * parameters


def step(loop: Loop, batch: int, devices: int, chip: Chip) -> Step:
    """Return the parts of a step whose batch is shared out among devices that hold all parameters each.

    Parameters and optimizer state are moved whole by each device; the examples by the one that has them.
    """
    flops, moved = loop.work[batch]
    per_example = loop.work[BATCHES[1]].bytes - loop.work[BATCHES[0]].bytes
    examples = per_example / (BATCHES[1] - BATCHES[0]) * batch
    sent = all_reduce_bytes(loop.parameters, devices)
    hops = 2 * (devices - 1) * 1e-6  # a microsecond for each of a ring's messages: an assumption
    return Step(
        flops / devices / chip.flops,
        (moved - examples + examples / devices) / chip.memory,
        loop.kernels * chip.launch,
        sent / chip.link + hops,
    )


def stops(loop: Loop, batch: int, chip: Chip) -> int:
    """Return the power of two of devices beyond which twice as many are less than 1.5 times as fast."""
    devices = 1
    while devices < batch and step(loop, batch, devices, chip).total > 1.5 * step(loop, batch, 2 * devices, chip).total:
        devices *= 2
    return devices


def table(loop: Loop, chips: Sequence[Chip] = CHIPS) -> Table:
    """Return a loop's steps by batch and devices: work a device, and for each chip the time, its limit, how far."""
    shown = Table(box=box.MARKDOWN)
    for header in ("batch", "devices", "GFLOP", "MB moved", "MB summed"):
        shown.add_column(header, justify="right", no_wrap=True)
    for chip in chips:
        shown.add_column(chip.name, justify="right", no_wrap=True)
        shown.add_column("scales to", justify="right", no_wrap=True)
    for batch in BATCHES:
        for devices in DEVICES:
            steps = {chip: step(loop, batch, devices, chip) for chip in chips}
            flops, sent = loop.work[batch].flops / devices, all_reduce_bytes(loop.parameters, devices)
            moved = steps[chips[0]].memory * chips[0].memory
            cells = [str(batch), str(devices), f"{flops / 1e9:.3g}", f"{moved / 1e6:.3g}", f"{sent / 1e6:.3g}"]
            for chip, one in steps.items():
                cells += [f"{duration(one.total)}, {one.limit.replace('_', '-')}", str(stops(loop, batch, chip))]
            shown.add_row(*cells)
    return shown


def main(arguments: Sequence[str]) -> int:
    """Print the tables of all loops; return the exit status."""
    argparse.ArgumentParser(prog="python -m benchmarks plan", description=__doc__).parse_args(arguments)
    for name, loop in LOOPS.items():
        print(f"{name}, {loop.parameters} parameters:")
        print_whole(table(loop))
    return 0
