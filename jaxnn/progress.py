"""The progress bar: one line with epochs, time left and the last metrics, as Keras prints them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def progress_bar(title: str, epochs: int) -> Iterator[Callable[[int, Mapping[str, float]], None]]:
    """Give a function for `fit(..., progress=...)` that draws the bar on the terminal while training runs.

    It is called once an epoch, between compiled programs, with numbers that are already on the host: the loop loses
    nothing.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        BarColumn(10),
        TimeRemainingColumn(),
        TextColumn("{task.fields[metrics]}"),
    )
    with Progress(*columns) as progress:
        task = progress.add_task(title, total=epochs, metrics="")

        def update(done: int, last: Mapping[str, float]) -> None:
            metrics = ", ".join(f"{name} {value:.4f}" for name, value in last.items())
            progress.update(task, completed=done, metrics=metrics)

        yield update
