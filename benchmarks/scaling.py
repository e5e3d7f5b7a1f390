"""How the cost of a step grows as the work grows, and what the ways of running it cost: sweeps, each in one run."""

import time
from collections.abc import Callable, Collection
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxnn
from benchmarks import digits, ensemble, hidden, results, statistics
from benchmarks.agreement import agree
from benchmarks.timing import Block, Side, Timing, fit_side, peer_side
from jaxnn.ensembles import fit_ensemble
from jaxnn.formatting import duration
from jaxnn.networks import hidden_layer, mlp

WHAT = "an update of the MLP, or of all networks of the hidden-layer loop, as one thing changes and all else stays"
SIZES = {
    "batch": (16, 32, 64, 128, 256, 512, 1024),
    "width": (32, 64, 128, 256, 512, 1024, 2048),
    "networks": (1, 4, 16, 64, 256),
}
WAYS = {
    "precision": ("float64", "float32", "float32 exact", "float32 TF32", "bfloat16"),
    "loop": ("one program", "a call a step", "a call a step, nothing donated", "a call a step, waited for"),
}
VARIANTS = (*SIZES, *WAYS, "devices")
PEERS = ()
SAMPLES = 20
UPDATES = 50  # an epoch of batches of 128
MATMUL = {"float32 exact": "highest", "float32 TF32": "tensorfloat32"}
TOLERANCE = {"float64": 1e-4, "bfloat16": 0.05, "float32 TF32": 5e-3}


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what runs a block of updates at each point of the sweep, once those known to be equal are."""
    del peers
    images, y = digits.first_digits(UPDATES)
    x = images.reshape(len(images), -1) / np.float32(255)
    if variant == "batch":
        return {str(size): update(x, y, batch=size) for size in SIZES["batch"]}
    if variant == "width":
        return {str(size): update(x, y, width=size) for size in SIZES["width"]}
    if variant == "networks":
        return {str(size): networks(size) for size in SIZES["networks"]}
    if variant == "precision":
        check_precisions(x[: 5 * digits.BATCH], y[: 5 * digits.BATCH])
        return {way: update(x, y, precision=way) for way in WAYS["precision"]}
    if variant == "loop":
        check_loops(x[: 5 * digits.BATCH], y[: 5 * digits.BATCH])
        one, donated, copied, waited = WAYS["loop"]
        calls = {way: partial(a_call_a_step, x, y, way == donated, jax.random.key(0)) for way in (donated, copied)}
        found = {one: update(x, y), **{way: peer_side(begin, UPDATES) for way, begin in calls.items()}}
        return {**found, waited: waited_for(x, y)}
    return {str(size): update(x, y, batch=1024, devices=size) for size in counts_of_devices()}


def counts_of_devices() -> list[int]:
    """Return 1, 2, 4 and so on, as many as there are."""
    return [2**power for power in range(jax.device_count().bit_length())]


def update(
    x: digits.Examples,
    y: digits.Examples,
    *,
    batch: int = digits.BATCH,
    width: int = 512,
    precision: str = "float32",
    devices: int = 0,
) -> Side:
    """Return jaxnn's side of training an MLP of that width, in that precision, on so many devices (0: no mesh)."""
    dtype = precision.split()[0]
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:devices]), ("batch",)) if devices else None

    def run(units: int) -> Block:
        with jax.enable_x64(dtype == "float64"), jax.default_matmul_precision(MATMUL.get(precision)):
            return timed(units)

    with jax.enable_x64(dtype == "float64"):
        params = mlp.init(jax.random.key(0), n_hidden=width, dtype=dtype)
        timed = digits.jaxnn_side(mlp, params, jnp.asarray(x, dtype), jnp.asarray(y), batch=batch, mesh=mesh)
    return run


def networks(count: int) -> Side:
    """Return jaxnn's side of training so many networks side by side: a step is one of all of them."""
    _, data = hidden.start("float32")
    keys = jax.random.split(jax.random.key(0), count)
    starts = jax.vmap(lambda key: hidden_layer.init(key, 2, 4, 1, dtype=np.float32))(keys)
    settings = {"epochs": ensemble.STEPS, "updates": 1, "fit": fit_ensemble}
    return fit_side(hidden_layer.value_and_grad, starts, optax.sgd(hidden.RATE), data, **settings)


def a_call_a_step(
    x: digits.Examples,
    y: digits.Examples,
    donate: bool,
    key: jax.Array | None,
    call: Callable = lambda step, *args: step(*args),
) -> Callable[[], list]:
    """Return what runs an epoch as a Python loop does, a compiled step called for each batch, and gives the losses.

    Without a key nothing drops out and the batches are taken as they come. `call(step, *args)` calls a step.
    """
    optimizer, params = jaxnn.rmsprop(), mlp.init(jax.random.key(0))

    def step(state, x, y, key):
        params, optimizer_state = state
        (loss, _), grads = mlp.metrics_and_grad(params, x, y, key)
        changes, optimizer_state = optimizer.update(grads, optimizer_state, params)
        return (optax.apply_updates(params, changes), optimizer_state), loss

    compiled = jax.jit(step, donate_argnums=0 if donate else ())
    state = [jax.tree.map(jnp.array, (params, optimizer.init(params)))]
    x, y, rng = jnp.asarray(x), jnp.asarray(y), np.random.default_rng(0)

    def epoch():
        order = np.arange(len(x)) if key is None else rng.permutation(len(x))
        losses = []
        for number, some in enumerate(np.split(order, len(x) // digits.BATCH)):
            some_key = None if key is None else jax.random.fold_in(key, number)
            state[0], loss = call(compiled, state[0], x[some], y[some], some_key)
            losses.append(loss)
        return jax.block_until_ready(losses)

    return epoch


def waited_for(x: digits.Examples, y: digits.Examples) -> Side:
    """Return the side that calls each step with arrays that are ready and waits for its result: dispatch and execution.

    A CPU may run what is small before the call returns.
    """
    dispatch = []

    def call(step, *args):
        jax.block_until_ready(args)
        start = time.perf_counter()
        out = step(*args)
        dispatch.append(time.perf_counter() - start)
        return jax.block_until_ready(out)

    timed = peer_side(partial(a_call_a_step, x, y, True, jax.random.key(0), call), UPDATES)

    def side(units: int) -> Block:
        dispatch.clear()
        block = timed(units)
        return block._replace(dispatch=sum(dispatch[UPDATES:]))

    return side


def check_precisions(x: digits.Examples, y: digits.Examples) -> None:
    """Raise `Different` unless the mean loss of the first updates agrees with float32's, dropout switched off."""
    reference = first_loss(x, y, "float32")
    for way in WAYS["precision"]:
        agree(f"the loss in {way}", reference, first_loss(x, y, way), TOLERANCE.get(way, 1e-4))


def first_loss(x: digits.Examples, y: digits.Examples, precision: str) -> float:
    """Return the mean loss of the first epoch over those digits, in that precision."""
    dtype = precision.split()[0]
    with jax.enable_x64(dtype == "float64"), jax.default_matmul_precision(MATMUL.get(precision)):
        params = mlp.init(jax.random.key(0), dtype=jnp.float32)
        params = jax.tree.map(lambda leaf: leaf.astype(dtype), params)
        data = jnp.asarray(x, dtype), jnp.asarray(y)
        done = jaxnn.fit(mlp.metrics_and_grad, params, jaxnn.rmsprop(), data, epochs=1, batch_size=digits.BATCH)
    return float(done.history["loss"][0])


def check_loops(x: digits.Examples, y: digits.Examples) -> None:
    """Raise `Different` unless a call a step gives the losses of one program."""
    for donate in (True, False):
        mean = float(np.mean(a_call_a_step(x, y, donate, None)()))
        agree(f"the loss of a call a step, donated: {donate}", first_loss(x, y, "float32"), mean, 1e-5)


def rows(variant: str, timings: dict[str, Timing]) -> list[dict]:
    """Return one row for each point of the sweep, its variant the sweep's name and the point."""
    return [
        row | ({"dispatch": timing.dispatch} if timing.dispatch else {})
        for point, timing in timings.items()
        for row in results.rows("scaling", f"{variant} {point}", {"jaxnn": timing})
    ]


def sweeps(all_rows: list[dict]) -> dict[str, dict[str, dict]]:
    """Return the rows of this case, by sweep and by point."""
    found = {}
    for row in all_rows:
        if row["case"] == "scaling":
            sweep, _, point = row["variant"].partition(" ")
            found.setdefault(sweep, {})[point] = row
    return found


def conclusions(all_rows: list[dict]) -> list[str]:
    """Return what the sweeps say: how time grows with a size, what one way costs beside the first."""
    lines = []
    for sweep, points in sweeps(all_rows).items():
        if sweep in SIZES and len(points) > 1:
            half = len(points) // 2
            for part, where in (("", slice(None)), (", the larger half", slice(half, None))):
                some = dict(list(points.items())[where])
                if len(some) > 1:
                    grows = statistics.exponent([int(n) for n in some], [row["samples"] for row in some.values()])
                    lines.append(
                        f"scaling {sweep}: time grows as {sweep}^{grows.value:.2f} "
                        f"({grows.low:.2f} to {grows.high:.2f}){part}"
                    )
        elif len(points) > 1:
            (first, base), *others = points.items()
            for point, row in others:
                beside = results.interval(statistics.ratio(row["samples"], base["samples"])._asdict())
                called = f"; its call returns after {duration(row['dispatch'])}" if "dispatch" in row else ""
                lines.append(f"scaling {sweep}: {point} takes {beside} of the time of {first}{called}")
        elif sweep == "devices":
            lines.append(
                "scaling devices: there is one; XLA_FLAGS=--xla_force_host_platform_device_count=2 makes two of a CPU"
            )
    return lines
