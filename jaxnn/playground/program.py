r"""The playground's network and its training as one compiled program for every architecture.

Every layer is padded to `WIDTH` nodes and the layers to `LAYERS`; `depth`, the activations and all rates are arguments.
`alive` marks the links that are there and that L1 has not killed; all others have weight 0. So nothing that a user can
change makes the compiler run again.

The network: $a_0$ the features, $z_l = (m_l a_l) W_l + b_l$, $a_{l+1} = f_l(z_l)$, with dropout's masks $m_l$, the
error $\frac{1}{2} (a_{depth} - y)^2$. Training is that of TensorFlow Playground: the points in a fixed order, an
update each `batch` of them with their mean gradient, what is left over at an epoch's end carried into the next; then
the penalty, $w \leftarrow w - \lambda \rho\, r'(w_{before})$; a weight that L1 carries through 0 is 0 from then on.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key, UInt8

from jaxnn.ops import relu, sigmoid, softplus, tanh
from jaxnn.playground.optimizers import Menu, menu

LAYERS, WIDTH = 11, 16  # 10 hidden layers and the output's
ROWS = 32  # points of one pass: a batch that the page's slider can set, at most 30, takes one, a larger batch several
BLOCK = 256  # points of one pass where nothing is learned
EPOCHS = 64  # the most that one call trains
GRID, CELLS = 100, 10  # the output map has GRID x GRID pixels, a node's CELLS x CELLS

# Each with its derivative as a function of its own value a, which is what the forward pass leaves to the backward one.
ACTIVATIONS = {
    "relu": (relu, lambda a: (a > 0).astype(a.dtype)),
    "tanh": (tanh, lambda a: 1 - a * a),
    "sigmoid": (sigmoid, lambda a: a * (1 - a)),
    "linear": (lambda z: z, jnp.ones_like),
    "softplus": (softplus, lambda a: -jnp.expm1(-a)),
}
PENALTIES = {"none": jnp.zeros_like, "L1": jnp.sign, "L2": lambda w: w}  # r'(w)


class Params(NamedTuple):
    """Weights `(layer, input, output)` and biases `(layer, output)`."""

    W: Float[Array, "l h h"]
    b: Float[Array, "l h"]


class Network(NamedTuple):
    """A network in training: `sums` and `count` are of the gradients since the last update."""

    params: Params
    alive: Bool[Array, "l h h"]
    sums: Params
    count: Int[Array, ""]
    optimizer: Float[Array, " s"]
    key: Key[Array, ""]
    epoch: Int[Array, ""]
    updates: Int[Array, ""]


class Settings(NamedTuple):
    """All that may change between two calls; `activation`, `penalty` and `optimizer` are places in their tables."""

    depth: Int[Array, ""]
    activation: Int[Array, " l"]
    batch: Int[Array, ""]
    learning_rate: Float[Array, ""]
    penalty: Int[Array, ""]
    penalty_rate: Float[Array, ""]
    optimizer: Int[Array, ""]
    dropout: Float[Array, ""]


class Points(NamedTuple):
    """Features and targets, padded with rows that count for nothing: the first `n` are real."""

    x: Float[Array, "m h"]
    y: Float[Array, " m"]
    n: Int[Array, ""]


class Report(NamedTuple):
    """What a call has to show: `history[0]` before its first epoch, `history[i]` after its i-th, `epochs` of them.

    A row of it is the loss and the accuracy, `[train loss, test loss, train accuracy, test accuracy]`.
    """

    epochs: Int[Array, ""]
    history: Float[Array, "epochs 4"]
    diverged: Int[Array, ""]  # the update that made the error NaN or infinite, or -1
    solved: Bool[Array, ""]
    nodes: UInt8[Array, "layer cells cells node"]
    chosen: UInt8[Array, "grid grid"]
    output: Float[Array, "grid grid"]


def forward(
    params: Params, settings: Settings, x: Float[Array, "n h"], masks: Float[Array, "l n h"] | None = None
) -> Float[Array, "l+1 n h"]:
    """Return every layer's values, `a[0] = x`; `masks` multiply what a layer takes in."""
    layers, width = params.b.shape
    functions = [function for function, _ in ACTIVATIONS.values()]

    def layer(l, a):  # noqa: E741
        inputs = a[l] if masks is None else a[l] * masks[l]
        return a.at[l + 1].set(lax.switch(settings.activation[l], functions, inputs @ params.W[l] + params.b[l][None]))

    # Only as many layers as there are: a shallow network does not pay for the padding of a deep one.
    return lax.fori_loop(0, settings.depth, layer, jnp.zeros((layers + 1, len(x), width), x.dtype).at[0].set(x))


def backward(
    params: Params,
    settings: Settings,
    a: Float[Array, "l+1 n h"],
    masks: Float[Array, "l n h"],
    da: Float[Array, "n h"],
) -> tuple[Params, Float[Array, "l+1 n h"], Float[Array, "l n h"]]:
    r"""Return the gradient, and every $\bar a_l$ and $\bar z_l$, from `da` of the output.

    $\bar z_l = \bar a_{l+1} f_l'(z_l)$, $\bar W_l = (m_l a_l)' \bar z_l$, $\bar b_l = \sum \bar z_l$,
    $\bar a_l = m_l\, (\bar z_l W_l')$.
    """
    slopes = [slope for _, slope in ACTIVATIONS.values()]

    def layer(i, carry):
        dW, db, das, dzs = carry
        l = settings.depth - 1 - i  # noqa: E741
        dz = das[l + 1] * lax.switch(settings.activation[l], slopes, a[l + 1])
        dW, db = dW.at[l].set((a[l] * masks[l]).T @ dz), db.at[l].set(dz.sum(0))
        return dW, db, das.at[l].set((dz @ params.W[l].T) * masks[l]), dzs.at[l].set(dz)

    das = jnp.zeros_like(a).at[settings.depth].set(da)
    start = jnp.zeros_like(params.W), jnp.zeros_like(params.b), das, jnp.zeros_like(masks)
    dW, db, das, dzs = lax.fori_loop(0, settings.depth, layer, start)
    return Params(dW, db), das, dzs


def value_and_grad(
    params: Params,
    alive: Bool[Array, "l h h"] | bool,
    settings: Settings,
    points: Points,
    masks: Float[Array, "l m h"] | None = None,
) -> tuple[Float[Array, ""], Params]:
    r"""Return the sum $\frac{1}{2} \sum (a - y)^2$ over the first `n` points, and its gradient by hand.

    The gradient of a weight that is not `alive` is 0.
    """
    masks = jnp.ones((len(params.b), *points.x.shape), points.x.dtype) if masks is None else masks
    a = forward(params, settings, points.x, masks)
    # An error of 0 for the padding: all that comes back from it is 0, so the gradient needs no mask of its own.
    errors = jnp.where(jnp.arange(len(points.y)) < points.n, a[settings.depth, :, 0] - points.y, 0)
    grads, _, _ = backward(params, settings, a, masks, jnp.zeros_like(points.x).at[:, 0].set(errors))
    return jnp.sum(errors**2) / 2, grads._replace(W=grads.W * alive)


def update(network: Network, settings: Settings, optimizers: Menu) -> Network:
    """Return the network after one update with the mean of the gradients gathered.

    The penalty is applied after the optimizer's step, to the weights alone and by the slope of what they were before:
    the original's order (tensorflow/playground, `nn.ts`), with every optimizer.
    """
    params, alive = network.params, network.alive
    grads = jax.tree.map(lambda total: total / network.count, network.sums)
    changes, state = lax.switch(
        settings.optimizer, optimizers.branches, network.optimizer, grads, params, settings.learning_rate
    )
    moved = params.W + changes.W
    slope = lax.switch(settings.penalty, list(PENALTIES.values()), params.W)
    shrunk = moved - settings.learning_rate * settings.penalty_rate * slope
    killed = alive & (settings.penalty == list(PENALTIES).index("L1")) & (moved * shrunk < 0)
    return network._replace(
        params=Params(jnp.where(killed, 0, jnp.where(alive, shrunk, params.W)), params.b + changes.b),
        alive=alive & ~killed,
        sums=jax.tree.map(jnp.zeros_like, params),
        count=jnp.zeros_like(network.count),
        optimizer=state,
        updates=network.updates + 1,
    )


def dropout_masks(
    network: Network, settings: Settings, turn: int | Int[Array, ""], like: Float[Array, "l n h"]
) -> Float[Array, "l n h"]:
    """Return what multiplies a layer's inputs: 1 for the features, `1 / (1 - rate)` or 0 for the nodes of a layer.

    Of the epoch's pass `turn`, from the network's key: the same run drops the same nodes.
    """

    def drawn():
        key = jax.random.fold_in(jax.random.fold_in(network.key, network.epoch), turn)
        kept = jax.random.bernoulli(key, 1 - settings.dropout, like.shape)
        return (kept / (1 - settings.dropout)).astype(like.dtype).at[0].set(1)

    # A branch of its own: drawing random numbers for every pass is not for those who drop nothing.
    return lax.cond(settings.dropout > 0, drawn, lambda: jnp.ones_like(like))


def train_epoch(
    network: Network, settings: Settings, train: Points, optimizers: Menu
) -> tuple[Network, Int[Array, ""]]:
    """Return the network after one pass over the points, and the update at which the error was not finite, or -1."""
    passes = -(-settings.batch // ROWS)  # of one batch
    whole, rest = train.n // settings.batch, train.n % settings.batch
    like = jnp.zeros((len(network.params.b), ROWS, train.x.shape[1]), train.x.dtype)

    def one_pass(turn, carry):
        network, diverged = carry
        end = (turn // passes + 1) * settings.batch
        start = end - settings.batch + turn % passes * ROWS
        stop = jnp.minimum(start + ROWS, jnp.minimum(end, train.n))
        x, y = (lax.dynamic_slice_in_dim(t, start, ROWS) for t in (train.x, train.y))
        rows = Points(x, y, stop - start)
        masks = dropout_masks(network, settings, turn, like)
        error, grads = value_and_grad(network.params, network.alive, settings, rows, masks)
        diverged = jnp.where((diverged < 0) & ~jnp.isfinite(error), network.updates, diverged)
        network = network._replace(
            sums=jax.tree.map(jnp.add, network.sums, grads), count=network.count + (stop - start)
        )
        step = partial(update, settings=settings, optimizers=optimizers)
        return lax.cond(stop == end, step, lambda network: network, network), diverged

    turns = whole * passes + -(-rest // ROWS)
    network, diverged = lax.fori_loop(0, turns, one_pass, (network, jnp.full_like(network.updates, -1)))
    return network._replace(epoch=network.epoch + 1), diverged


def evaluate(params: Params, settings: Settings, points: Points) -> tuple[Float[Array, ""], Float[Array, ""]]:
    r"""Return the mean of $\frac{1}{2} (a - y)^2$ and the share on the right side of 0; NaN without points."""

    def block(i, sums):
        x, y = (lax.dynamic_slice_in_dim(t, i * BLOCK, BLOCK) for t in (points.x, points.y))
        real = i * BLOCK + jnp.arange(BLOCK) < points.n
        a = forward(params, settings, x)[settings.depth, :, 0]
        right = (a >= 0) == (y >= 0)
        return sums + jnp.stack([jnp.sum(jnp.where(real, (a - y) ** 2, 0)) / 2, jnp.sum(real & right)])

    sums = lax.fori_loop(0, -(-points.n // BLOCK), block, jnp.zeros(2, points.x.dtype))
    return tuple(sums / points.n)


def maps(
    params: Params,
    settings: Settings,
    grid: Float[Array, "pixels h"],
    layer: int | Int[Array, ""],
    node: int | Int[Array, ""],
) -> tuple[UInt8[Array, "layer cells cells node"], UInt8[Array, "grid grid"], Float[Array, "grid grid"]]:
    """Return all nodes' maps as block means and the map of one node, in shades (see `shades`), and the output itself.

    The output stays a float, because of several networks the mean is shown.
    """
    a = forward(params, settings, grid)
    side = GRID // CELLS
    blocks = a.reshape(len(a), CELLS, side, CELLS, side, a.shape[-1]).mean((2, 4))
    chosen, output = a[layer, :, node], a[settings.depth, :, 0]
    return shades(blocks), shades(chosen).reshape(GRID, GRID), output.reshape(GRID, GRID)


def shades(values: Array) -> UInt8[Array, "..."]:
    """Return 0 for -1 and below, 255 for 1 and above; 128 and more for what is not negative. NaN is 0's shade.

    Bytes, because a frame with the maps of the largest network is four times as long with floats.
    """
    return jnp.rint((jnp.clip(jnp.nan_to_num(values), -1, 1) + 1) * 127.5).astype(jnp.uint8)


@jax.jit
def advance(
    network: Network,
    settings: Settings,
    train: Points,
    test: Points,
    grid: Float[Array, "pixels h"],
    epochs: Int[Array, ""],
    enough: Float[Array, ""],
    layer: Int[Array, ""],
    node: Int[Array, ""],
) -> tuple[Network, Report]:
    """Return the network after at most `epochs` epochs (and at most `EPOCHS`), and what there is to show.

    It ends early once the test accuracy (without test points, the training accuracy) is `enough`, and before an epoch
    after which an error or a weight is not finite: that epoch is taken back.
    """
    optimizers = menu(network.params)

    def scores(network):
        ours, theirs = (evaluate(network.params, settings, points) for points in (train, test))
        return jnp.stack([ours[0], theirs[0], ours[1], theirs[1]])

    def go_on(carry):
        _, done, _, diverged, solved = carry
        return (done < jnp.minimum(epochs, EPOCHS)) & (diverged < 0) & ~solved

    def epoch(carry):
        before, done, history, _, _ = carry
        after, diverged = train_epoch(before, settings, train, optimizers)
        row = scores(after)
        finite = jnp.isfinite(row[0]) & jnp.isfinite(after.params.W).all()
        diverged = jnp.where((diverged < 0) & ~finite, after.updates, diverged)
        kept = lax.cond(diverged < 0, lambda: after, lambda: before)
        solved = jnp.where(test.n > 0, row[3], row[2]) >= enough
        return kept, done + (diverged < 0), history.at[done + 1].set(row), diverged, solved & (diverged < 0)

    history = jnp.zeros((EPOCHS + 1, 4), network.params.W.dtype).at[0].set(scores(network))
    start = network, jnp.int32(0), history, jnp.int32(-1), jnp.bool(False)
    network, done, history, diverged, solved = lax.while_loop(go_on, epoch, start)
    return network, Report(done, history, diverged, solved, *maps(network.params, settings, grid, layer, node))
