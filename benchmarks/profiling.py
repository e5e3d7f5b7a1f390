"""What JAX's profiler sees of a case: every operation of the compiled programs, when and on which thread it ran."""

from pathlib import Path

import jax

from benchmarks.timing import Side


def write(folder: Path, side: Side) -> None:
    """Write one block of a side that has run before, two units, for xprof and, as `perfetto_trace.json.gz`, Perfetto.

    Python's own functions are left out: following each of their calls would slow down what is looked at.
    """
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    with jax.profiler.trace(folder, create_perfetto_trace=True, profiler_options=options):
        side(1)
