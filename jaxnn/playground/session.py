"""What one tab plays with: a set-up, its points, its networks. Every request of the tab is a method.

Every public method can be asked for over the socket (`jaxnn.playground.requests` reads their signatures), so what is
not for the tab is private or a function of the module; and each method itself refuses, with `InvalidArgument` and
before it changes anything, an argument that has the right type but cannot be.
"""

import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxnn.data.seedrandom import SeedRandom
from jaxnn.errors import require
from jaxnn.formatting import null, plain
from jaxnn.playground import config as configs
from jaxnn.playground import engine, export
from jaxnn.playground import points as point_sets
from jaxnn.playground.chain import evidence, table
from jaxnn.playground.config import FIELDS, OWN, Config
from jaxnn.playground.engine import OUTPUT
from jaxnn.playground.frames import Losses, packed
from jaxnn.playground.kept import as_text, from_text
from jaxnn.playground.program import EPOCHS, GRID, WIDTH, Report, advance, shades

SOLVED = 0.99  # of the test points on their side
BUDGET = 0.03  # seconds that one request may train, once it has trained a network for an epoch


class Session:
    """A tab's playground. Methods return what is to be sent: a dict as JSON, bytes as they are."""

    def __init__(self, link: str = "", draw_seed: Callable[[], str] = lambda: f"{secrets.randbelow(10**5) / 1e5:.5f}"):
        self.draw_seed = draw_seed
        self.open(link)

    def open(self, link: str) -> dict:
        """Take the set-up of a link; what it gets wrong is said and left at its default."""
        config, messages = configs.from_hash(link)
        self.config: Config = config | {"seed": point_sets.seed_after(config, config, self.draw_seed)}
        self._make("data")
        return setup_of(self, messages, points=True)

    def set(self, name: str, value: str) -> dict:
        """Change one setting to the value of a text, as a link would have it; what it resets starts anew."""
        return self._change(configs.changed(self.config, name, value), FIELDS[name].resets)

    def reset(self) -> dict:
        """Go back to the start weights, the same ones."""
        return self._change(self.config, "network")

    def restart(self) -> dict:
        """Draw other start weights, for the same points; a reset then goes back to these."""
        return self._change(self.config | {"start": self.draw_seed()}, "network")

    def regenerate(self) -> dict:
        """Draw new points from a new seed; a network that was trained or edited stays, as in the original."""
        return self._change(self.config | {"seed": self.draw_seed()}, "points" if self.touched else "data")

    def own(self, text: str) -> dict:
        """Take a table of points, as `points.from_table` reads it."""
        points, notes = point_sets.from_table(text, self.config["problem"])
        return self._use_own(points) | {"notes": notes}

    def draw(self, points: list[list[float]]) -> dict:
        """Add points `[x1, x2, label]` that were drawn by hand to the own ones, all for training; the network stays.

        They are moved onto the plane, and rounded to keep the link short.
        """
        wrong = next((point for point in points if len(point) != 3), None)
        require(wrong is None, "points", f"{wrong!r:.80}", "[x1, x2, label]")
        bounds = (6.0, 6.0, 1.0)
        new = [[max(-m, min(m, round(float(v), 3))) for v, m in zip(point, bounds, strict=True)] for point in points]
        every = [*self.config["points"], *new]
        require(len(every) <= configs.POINTS, "points", str(len(every)), f"at most {configs.POINTS}")
        return self._use_own(every, self.config["drawn"] + len(new), "points")

    def shuffle(self) -> dict:
        """Shuffle the own points, and split them anew into those for training and those for the test."""
        return self._use_own(self.config["points"], 0, "points")

    def clear(self) -> dict:
        """Throw the own points away."""
        return self._use_own([])

    def keep(self) -> dict:
        """Return the networks with all that their training goes on from, as text for `resume`, and their link."""
        text = as_text(self.networks, self.turn, self.losses.rows)
        return {"kept": text, "epoch": self.epoch, "hash": configs.to_hash(self.config)}

    def resume(self, link: str, kept: str) -> dict:
        """Take the set-up of a link and the networks that `keep` has given, and go on where they were."""
        setup = self.open(link)
        with self._floats():
            self.networks, self.turn, rows = from_text(kept, self.networks)
        self.losses.add(rows)
        self.touched = True
        return setup | {"rows": plain(rows, null)}

    def edit(self, layer: int, node: int, source: int | None, value: float) -> dict:
        """Give a weight, or with no `source` a bias, another value; a link that L1 had killed lives again."""
        self._check_place(layer, node, source)
        require(abs(value) <= 1e6, "value", repr(value), "a number from -1e6 to 1e6")
        network = self.networks[0]
        params, alive = network.params, network.alive
        with self._floats():
            if source is None:
                params = params._replace(b=params.b.at[layer, node].set(value))
            else:
                params = params._replace(W=params.W.at[layer, source, node].set(value))
                alive = alive.at[layer, source, node].set(True)
        self.networks[0] = network._replace(params=params, alive=alive)
        self.touched = True
        return {"edited": [layer, node, source, float(value)]}

    def frame(self, epochs: int, layer: int | None = None, node: int = 0, chain: list[int] | None = None) -> bytes:
        """Train at most `epochs` epochs, within the time of a frame, and return what there is to see (see `packed`).

        `layer` and `node` choose the large map, 0 the features and else the output's; `chain` a weight of which to tell
        the gradient, `[layer, node, source, training point]`. The header has the epoch, the updates, the network
        that trains next (0: all have had as many epochs), the scores now and after each new epoch, and the sizes, and
        of several networks the scores of each and how many have diverged; the floats are the weights
        `[layer][node][input]`, then the biases; the bytes say which links are alive, then the nodes' maps, the large
        map and, of several networks, the share of them whose output is not negative, pixel by pixel.
        """
        sizes = self._sizes
        layer = len(sizes) - 1 if layer is None else layer
        require(0 <= epochs <= EPOCHS, "epochs", repr(epochs), f"0 to {EPOCHS}")
        require(0 <= layer < len(sizes), "layer", repr(layer), f"0 to {len(sizes) - 1}")
        require(0 <= node < sizes[layer], "node", repr(node), f"0 to {sizes[layer] - 1}")
        if chain is not None:
            require(len(chain) == 4, "chain", f"{chain!r:.80}", "[layer, node, source, point]")
            self._check_place(*chain[:3])
            require(0 <= chain[3] < len(self.split.train), "point", repr(chain[3]), f"0 to {len(self.split.train) - 1}")
        with self._floats():
            rows = self._advance(self._left(epochs), layer, node)
            return packed(self._header(rows, layer, node, chain), *self._picture(layer))

    def export(self, form: str) -> dict:
        """Return the playground as Python code or as JSON."""
        require(form in export.FORMS, "form", repr(form), f"one of {', '.join(export.FORMS)}")
        network = self.networks[0]
        weights = engine.weights_of(network.params, len(self.features), self.config["networkShape"])
        config = configs.for_engine(self.config) | {"epochs": self.epoch}
        link = configs.to_hash(self.config)
        run = export.Run(config, link, self.split.train, self.split.test, self.start, weights, self.losses.rows)
        return {"export": export.FORMS[form](run), "name": f"playground.{'py' if form == 'python' else 'json'}"}

    @property
    def epoch(self) -> int:
        """The epochs that the first network has trained."""
        return int(self.networks[0].epoch)

    @property
    def _sizes(self) -> list[int]:
        """The nodes of every layer, from the features to the output."""
        return [len(self.features), *self.config["networkShape"], 1]

    def _floats(self) -> AbstractContextManager:
        """Return the context in which JAX computes as precisely as the set-up says."""
        return jax.enable_x64(self.config["precision"] == "float64")

    def _use_own(self, points: list[list[float]], drawn: int = 0, resets: str = "data") -> dict:
        name = "dataset" if self.config["problem"] == "classification" else "regDataset"
        return self._change(self.config | {"points": points, "drawn": drawn, name: OWN}, resets)

    def _change(self, config: Config, resets: str) -> dict:
        """Take a set-up; `resets` is what starts anew with it, as in `config.Field`."""
        self.config = config | {"seed": point_sets.seed_after(self.config, config, self.draw_seed)}
        self._make(resets)
        return setup_of(self, points=resets in ("data", "points")) | {"reset": resets in ("data", "network")}

    def _make(self, resets: str) -> None:
        """Make anew what the set-up says, as far as it `resets` (see `config.Field`)."""
        with self._floats():
            self._set_settings()
            if resets in ("data", "points"):
                self.split = point_sets.split(self.config)
            if resets in ("data", "network"):
                self._start()
            if resets in ("data", "points", "network"):
                self.data = [
                    engine.points_of(name, rows, self.features, WIDTH)
                    for name, rows in (("train", self.split.train), ("test", self.split.test))
                ]
                self.grid = jnp.asarray(grid(self.features), float)
                self.reports: list[Report | None] = [None] * len(self.networks)  # none is scored on these points yet
            if resets == "optimizer":
                start = engine.start_of(self.networks[0].params, self.settings.optimizer)
                self.networks = [network._replace(optimizer=start) for network in self.networks]

    def _start(self) -> None:
        """Set everything to the start: the weights come from the stream as it is after the points, always the same."""
        config, hidden = self.config, self.config["networkShape"]
        # The first network's start is the original's own, of the points' stream; the others have streams of their own,
        # so that one network more or less leaves the starts of those before it what they are.
        seed = config["start"] or config["seed"]
        streams = [SeedRandom(seed) if config["start"] else self.split.stream.copy()]
        streams += [SeedRandom(f"{seed}+{i}") for i in range(1, config["networks"])]
        starts = [start_weights(stream, self._sizes, config["initZero"]) for stream in streams]
        self.start, self.losses = starts[0], Losses()
        self.networks = [
            engine.network_of(start, len(self.features), hidden, self.settings.optimizer, seed=i)
            for i, start in enumerate(starts)
        ]
        self.touched = False  # neither trained nor edited
        self.turn, self.round, self.pace = 0, 1, 1.0  # whose turn it is; epochs of a turn; seconds an epoch takes

    def _set_settings(self) -> None:
        self.features = configs.features(self.config)
        self.settings = engine.settings_of(configs.for_engine(self.config))

    def _advance(self, epochs: int, layer: int, node: int) -> list[list[float]]:
        """Return the first network's new rows `[epoch, losses, accuracies]`, after as much training as the time allows.

        The networks take turns; each has as many epochs as the others before the next round. What a frame has no time
        for is left to the next ones.
        """
        began, rows = time.perf_counter(), []
        if epochs and self.turn == 0:
            self.round = max(1, min(epochs, int(BUDGET / (self.pace * len(self.networks)))))
        places = range(self.turn, len(self.networks)) if epochs else self._stale()
        if self.reports[0] is None and self.turn:
            self._train(0, 0, layer, node)  # what is shown is the first network's
        for place in places:
            trained = self.round if epochs else 0
            rows += self._train(place, trained, layer, node)
            if epochs:
                self.turn = (place + 1) % len(self.networks)
            # Without training less of it: a hand waits for this answer, and the page asks again for what is missing.
            if time.perf_counter() - began > (BUDGET if epochs else BUDGET / 3) and place:
                break
        return rows

    def _stale(self) -> list[int]:
        """Return the networks that have nothing to show yet, and the first, of which another map may be asked for."""
        return [place for place, report in enumerate(self.reports) if place == 0 or report is None]

    def _train(self, place: int, epochs: int, layer: int, node: int) -> list[list[float]]:
        # Of several networks none stops by itself: they are solved when all are, and train equally long.
        one = len(self.networks) == 1 and self.config["stopSolved"] and self.config["problem"] == "classification"
        began = time.perf_counter()
        network, report = advance(
            self.networks[place], self.settings, *self.data, self.grid, epochs, SOLVED if one else np.inf, layer, node
        )
        done = int(report.epochs)  # waits for the program, whose time is taken
        if done:
            self.touched = True
            self.pace = (time.perf_counter() - began) / done
        self.networks[place], self.reports[place] = network, (report := jax.device_get(report))
        if place:
            return []
        first = 0 if self.losses.empty else 1
        history = report.history[first : done + 1].astype(float).tolist()
        rows = [[int(network.epoch) - done + first + i, *row] for i, row in enumerate(history)]
        self.losses.add(rows)
        return rows

    def _left(self, epochs: int) -> int:
        """Return how many of the epochs that are asked for may still be trained."""
        if not len(self.split.train):
            return 0
        left = self.config["stopEpoch"] - self.epoch if self.config["stopEpoch"] else epochs
        return max(0, min(epochs, max(left, 1 if self.turn else 0)))  # a round that has begun is ended

    def _shown(self) -> list[Report]:
        """Return the reports of the networks that have had a turn since the start."""
        return [report for report in self.reports if report is not None]

    def _header(self, rows: list[list[float]], layer: int, node: int, chain: list[int] | None) -> dict:
        network, reports = self.networks[0], self._shown()
        scores = np.array([report.history[report.epochs] for report in reports])
        several = {"scores": plain(scores, null), "diverged": sum(int(report.diverged >= 0) for report in reports)}
        return {
            "epoch": self.epoch,
            "updates": int(network.updates),
            "turn": self.turn,
            "now": plain(scores[0], null),
            "rows": plain(rows, null),
            "diverged": int(reports[0].diverged),
            "solved": self._solved(scores),
            "sizes": self._sizes,
            "map": [layer, node],
            "networks": several if len(self.networks) > 1 else None,
            "chain": None if chain is None else self._chain(*chain),
        }

    def _picture(self, layer: int) -> tuple[Float[np.ndarray, " w"], list[np.ndarray]]:
        """Return the floats and the bytes of a frame, in its order."""
        network, reports, sizes = self.networks[0], self._shown(), self._sizes
        weights = engine.weights_of(network.params, sizes[0], sizes[1:-1])
        floats = np.concatenate([np.ravel(part) for name in "Wb" for part in weights[name]])
        links, alive, nodes = list(enumerate(itertools.pairwise(sizes))), network.alive, np.asarray(reports[0].nodes)
        maps = [np.asarray(alive)[i, :before, :after].T for i, (before, after) in links]
        maps += [nodes[i + 1, :, :, :after].transpose(2, 0, 1) for i, (_, after) in links]
        outputs = np.stack([report.output for report in reports])
        if len(self.networks) == 1:
            return floats, [*maps, np.asarray(reports[0].chosen)]
        mean = layer == len(sizes) - 1  # the large map is the output's
        large = shades(jnp.asarray(outputs.mean(0))) if mean else reports[0].chosen
        small = np.asarray(shades(jnp.asarray(outputs[:, ::2, ::2])))
        return floats, [*maps, np.asarray(large), np.rint(255 * (outputs >= 0).mean(0)), small]

    def _check_place(self, layer: int, node: int, source: int | None) -> None:
        sizes = self._sizes
        require(0 <= layer < len(sizes) - 1, "layer", repr(layer), f"0 to {len(sizes) - 2}")
        require(0 <= node < sizes[layer + 1], "node", repr(node), f"0 to {sizes[layer + 1] - 1}")
        require(source is None or 0 <= source < sizes[layer], "source", repr(source), f"0 to {sizes[layer] - 1}")

    def _chain(self, layer: int, node: int, source: int, index: int) -> dict:
        found = jax.device_get(evidence(self.networks[0], self.settings, self.data[0], index))
        config, hidden = self.config, self.config["networkShape"]
        functions = [*(config["activations"] or [config["activation"]] * len(hidden)), OUTPUT[config["problem"]]]
        return plain(
            table(found, self.split.train[index], [layer, node, source], self.features, hidden, functions), null
        )

    def _solved(self, scores: Float[np.ndarray, "networks 4"]) -> bool:
        """Whether every network has 99 % of the test points, or without such the training points, on their side."""
        accuracy = scores[:, 3 if len(self.split.test) else 2]
        return self.config["problem"] == "classification" and bool((accuracy >= SOLVED).all())


def setup_of(session: Session, messages: Sequence[str] = (), points: bool = False) -> dict:
    """Return a session's set-up, its link, the points where they are asked for, and what is to be said."""
    shown = {name: value for name, value in session.config.items() if name != "points"}
    data = {name: np.round(getattr(session.split, name), 4).tolist() for name in ("train", "test")}
    return {
        "setup": shown,
        "hash": configs.to_hash(session.config),
        "features": session.features,
        "own": len(session.config["points"]),
        "messages": list(messages),
        "points": data if points else None,
    }


def start_weights(stream: SeedRandom, sizes: list[int], zero: bool) -> dict[str, list]:
    """Return the original's start: weights uniform on [-0.5, 0.5) off the stream, node by node, biases 0.1.

    `sizes` are those of all layers, the features and the output included; with `zero` all is 0, and nothing is drawn.
    """
    layers = list(itertools.pairwise(sizes))
    draw = (lambda: 0.0) if zero else (lambda: stream() - 0.5)
    return {
        "W": [[[draw() for _ in range(before)] for _ in range(after)] for before, after in layers],
        "b": [[0.0 if zero else 0.1] * after for _, after in layers],
    }


def grid(features: list[str]) -> Float[np.ndarray, "pixels h"]:
    """Return the features at the pixels of the map, `(pixels, WIDTH)`: rows from x2 = 6 down, in a row from x1 = -6."""
    axis = np.linspace(-6, 6, GRID)
    x1, x2 = np.meshgrid(axis, axis[::-1])
    values = engine.features_of(x1.ravel(), x2.ravel(), features)
    return np.pad(values, ((0, 0), (0, WIDTH - len(features))))
