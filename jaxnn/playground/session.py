"""What one tab plays with: a set-up, its points, its networks. Every request of the tab is a method."""

import itertools
import secrets
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.data.seedrandom import SeedRandom
from jaxnn.errors import require
from jaxnn.formatting import null, plain
from jaxnn.playground import config as configs
from jaxnn.playground import engine, export
from jaxnn.playground import points as point_sets
from jaxnn.playground.chain import evidence, table
from jaxnn.playground.config import FIELDS, OWN, Config
from jaxnn.playground.frames import Losses, packed
from jaxnn.playground.program import GRID, WIDTH, Report, advance, shades

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
        if not config["seed"]:
            config["seed"] = self.draw_seed()
        self.config = config
        self._draw()
        return self.setup(messages, points=True)

    def set(self, name: str, value: Any) -> dict:
        """Change one setting; what it resets starts anew."""
        config = configs.changed(self.config, name, value)
        lecture = name == "dataset" and config[name] in point_sets.LECTURE
        if lecture and self.config["dataset"] not in point_sets.LECTURE:
            config = configs.changed(config, "seed", point_sets.LECTURE_SEED)
        return self._take(config, FIELDS[name].resets)

    def reset(self) -> dict:
        """Go back to the start weights, the same ones."""
        return self._take(self.config, "network")

    def regenerate(self) -> dict:
        """Draw new points from a new seed, and new start weights."""
        return self._take(self.config | {"seed": self.draw_seed()}, "data")

    def own(self, text: str) -> dict:
        """Take a table of points, as `points.from_table` reads it."""
        points, notes = point_sets.from_table(text, self.config["problem"])
        setup = self._take(self.config | {"points": points, self._set_name(): OWN}, "data")
        return setup | {"notes": notes}

    def point(self, x: float, y: float, label: float) -> dict:
        """Add a point that was drawn by hand."""
        spot = [max(-6.0, min(6.0, round(float(v), 3))) for v in (x, y)]
        points = [*self.config["points"], [*spot, max(-1.0, min(1.0, round(float(label), 3)))]]
        require(len(points) <= configs.POINTS, "points", str(len(points)), f"at most {configs.POINTS}")
        return self._take(self.config | {"points": points, self._set_name(): OWN}, "data")

    def clear(self) -> dict:
        """Throw the own points away."""
        return self._take(self.config | {"points": [], self._set_name(): OWN}, "data")

    def edit(self, layer: int, node: int, source: int | None, value: float) -> dict:
        """Give a weight, or with no `source` a bias, another value; a link that L1 had killed lives again."""
        self._check_place(layer, node, source)
        require(abs(value) <= 1e6, "value", repr(value), "a number from -1e6 to 1e6")
        network = self.networks[0]
        params, alive = network.params, network.alive
        if source is None:
            params = params._replace(b=params.b.at[layer, node].set(value))
        else:
            params = params._replace(W=params.W.at[layer, source, node].set(value))
            alive = alive.at[layer, source, node].set(True)
        self.networks[0] = network._replace(params=params, alive=alive)
        return {"edited": [layer, node, source, float(value)]}

    def frame(self, epochs: int, layer: int | None = None, node: int = 0, chain: list[int] | None = None) -> bytes:
        """Train at most `epochs` epochs, within the time of a frame, and return what there is to see (see `packed`).

        `layer` and `node` choose the large map, 0 the features and else the output's; `chain` a weight of which to tell
        the gradient, `[layer, node, source, training point]`. The header has the epoch, the updates, the network
        that trains next (0: all have had as many epochs), the scores now and after each new epoch, and the sizes; the
        floats are the weights `[layer][node][input]`, then the biases; the bytes say which links are alive, then the
        nodes' maps, the large map and, of several networks, the share of them whose output is not negative, pixel by
        pixel.
        """
        config, hidden = self.config, self.config["networkShape"]
        sizes = [len(self.features), *hidden, 1]
        layer = len(hidden) + 1 if layer is None else layer
        require(0 <= layer < len(sizes), "layer", repr(layer), f"0 to {len(sizes) - 1}")
        require(0 <= node < sizes[layer], "node", repr(node), f"0 to {sizes[layer] - 1}")
        if chain is not None:
            self._check_place(*chain[:3])
            require(0 <= chain[3] < len(self.split.train), "point", repr(chain[3]), f"0 to {len(self.split.train) - 1}")
        left = config["stopEpoch"] - self.epoch if config["stopEpoch"] else epochs
        left = max(left, self.turn and 1)  # a round that has begun is ended
        rows = self._advance(max(0, min(epochs, left)) if len(self.split.train) else 0, layer, node)
        network = self.networks[0]
        weights = engine.weights_of(network.params, sizes[0], hidden)
        alive = np.asarray(network.alive)
        shown = [report for report in self.reports if report is not None]
        report = shown[0]
        outputs = np.stack([report.output for report in shown])
        several = len(self.networks) > 1
        large = shades(jnp.asarray(outputs.mean(0))) if several and layer == len(hidden) + 1 else report.chosen
        finals = np.array([report.history[report.epochs] for report in shown])
        header = {
            "epoch": int(network.epoch),
            "updates": int(network.updates),
            "turn": self.turn,
            "now": plain(finals[0], null),
            "rows": plain(rows, null),
            "diverged": int(report.diverged),
            "solved": self._solved(finals),
            "sizes": sizes,
            "map": [layer, node],
            "spread": {"finals": plain(finals, null), "diverged": sum(int(r.diverged >= 0) for r in shown)}
            if several
            else None,
            "chain": None if chain is None else self._chain(*chain),
        }
        links = list(enumerate(itertools.pairwise(sizes)))
        floats = np.concatenate([np.ravel(part) for name in "Wb" for part in weights[name]])
        maps = [alive[i, :before, :after].T for i, (before, after) in links]
        maps += [np.asarray(report.nodes)[i + 1, :, :, :after].transpose(2, 0, 1) for i, (_, after) in links]
        return packed(header, floats, [*maps, np.asarray(large), *([np.rint(255 * (outputs >= 0).mean(0))] * several)])

    def _solved(self, finals: np.ndarray) -> bool:
        """Whether every network has 99 % of the test points, or without such the training points, on their side."""
        accuracy = finals[:, 3 if len(self.split.test) else 2]
        return self.config["problem"] == "classification" and bool((accuracy >= SOLVED).all())

    def export(self, form: str) -> dict:
        """Return the playground as Python code or as JSON."""
        require(form in export.FORMS, "form", repr(form), f"one of {', '.join(export.FORMS)}")
        network = self.networks[0]
        weights = engine.weights_of(network.params, len(self.features), self.config["networkShape"])
        config = configs.for_engine(self.config) | {"epochs": self.epoch}
        link = configs.to_hash(self.config)
        text = export.FORMS[form](
            config, link, self.split.train, self.split.test, self.start, weights, self.losses.rows
        )
        return {"export": text, "name": f"playground.{'py' if form == 'python' else 'json'}"}

    def setup(self, messages: list[str] | tuple = (), points: bool = False) -> dict:
        """Return the set-up, its link, the points where they are asked for, and what is to be said."""
        shown = {name: value for name, value in self.config.items() if name != "points"}
        data = {"train": np.round(self.split.train, 4).tolist(), "test": np.round(self.split.test, 4).tolist()}
        return {
            "setup": shown,
            "hash": configs.to_hash(self.config),
            "features": self.features,
            "own": len(self.config["points"]),
            "messages": list(messages),
            "points": data if points else None,
        }

    @property
    def epoch(self) -> int:
        return int(self.networks[0].epoch)

    def _take(self, config: Config, resets: str) -> dict:
        self.config = config
        if resets == "data":
            self._draw()
        elif resets == "network":
            self._start()
        elif resets == "optimizer":
            self._settle()
            start = engine.start_of(self.networks[0].params, self.settings.optimizer)
            self.networks = [network._replace(optimizer=start) for network in self.networks]
        else:
            self._settle()
        return self.setup(points=resets == "data") | {"reset": resets in ("data", "network")}

    def _draw(self) -> None:
        self.split = point_sets.split(self.config)
        self._start()

    def _start(self) -> None:
        """Set everything to the start: the weights come from the stream as it is after the points, always the same."""
        config, hidden = self.config, self.config["networkShape"]
        self._settle()
        streams = [self.split.stream.copy()]
        streams += [SeedRandom(f"{config['seed']}+{i}") for i in range(1, config["networks"])]
        starts = [start_weights(stream, [len(self.features), *hidden, 1], config["initZero"]) for stream in streams]
        self.start, self.losses = starts[0], Losses()
        self.networks = [
            engine.network_of(start, len(self.features), hidden, self.settings.optimizer, seed=i)
            for i, start in enumerate(starts)
        ]
        self.data = [
            engine.points_of(name, rows, self.features, WIDTH)
            for name, rows in (("train", self.split.train), ("test", self.split.test))
        ]
        self.grid = jnp.asarray(grid(self.features), float)
        self.reports: list[Report | None] = [None] * len(starts)
        self.turn, self.round, self.pace = 0, 1, 1.0

    def _settle(self) -> None:
        self.features = configs.features(self.config)
        self.settings = engine.settings_of(engine.checked(configs.for_engine(self.config) | {"epochs": 0}))

    def _advance(self, epochs: int, layer: int, node: int) -> list[list[float]]:
        """Return the first network's new rows `[epoch, losses, accuracies]`, after as much training as the time allows.

        The networks take turns; each has as many epochs as the others before the next round. What a frame has no time
        for is left to the next ones.
        """
        began, rows = time.perf_counter(), []
        if epochs and self.turn == 0:
            self.round = max(1, min(epochs, int(BUDGET / (self.pace * len(self.networks)))))
        places = range(self.turn, len(self.networks)) if epochs else self._stale()
        for place in places:
            trained = self.round if epochs else 0
            rows += self._train(place, trained, layer, node)
            if epochs:
                self.turn = (place + 1) % len(self.networks)
            if time.perf_counter() - began > (BUDGET if epochs else BUDGET / 3) and place:
                break
        return rows

    def _stale(self) -> list[int]:
        """Return the networks that have nothing to show yet, and the first, of which another map may be asked for."""
        return [place for place, report in enumerate(self.reports) if place == 0 or report is None]

    def _train(self, place: int, epochs: int, layer: int, node: int) -> list[list[float]]:
        one = len(self.networks) == 1 and self.config["stopSolved"] and self.config["problem"] == "classification"
        began = time.perf_counter()
        network, report = advance(
            self.networks[place], self.settings, *self.data, self.grid, epochs, SOLVED if one else np.inf, layer, node
        )
        done = int(report.epochs)  # waits for the program
        if done:
            self.pace = (time.perf_counter() - began) / done
        self.networks[place], self.reports[place] = network, (report := jax.device_get(report))
        if place:
            return []
        first = 0 if self.losses.empty else 1
        history = report.history[first : done + 1].astype(float).tolist()
        rows = [[int(network.epoch) - done + first + i, *row] for i, row in enumerate(history)]
        self.losses.add(rows)
        return rows

    def _check_place(self, layer: int, node: int, source: int | None) -> None:
        sizes = [len(self.features), *self.config["networkShape"], 1]
        require(0 <= layer < len(sizes) - 1, "layer", repr(layer), f"0 to {len(sizes) - 2}")
        require(0 <= node < sizes[layer + 1], "node", repr(node), f"0 to {sizes[layer + 1] - 1}")
        require(source is None or 0 <= source < sizes[layer], "source", repr(source), f"0 to {sizes[layer] - 1}")

    def _chain(self, layer: int, node: int, source: int, index: int) -> dict:
        found = jax.device_get(evidence(self.networks[0], self.settings, self.data[0], index))
        return plain(table(found, layer, node, source, self.features, self.config["networkShape"]), null)

    def _set_name(self) -> str:
        return "dataset" if self.config["problem"] == "classification" else "regDataset"


def start_weights(stream: SeedRandom, sizes: list[int], zero: bool) -> dict[str, list]:
    """Return the original's start: weights uniform on [-0.5, 0.5) off the stream, node by node, biases 0.1."""
    layers = list(itertools.pairwise(sizes))
    draw = (lambda: 0.0) if zero else (lambda: stream() - 0.5)
    return {
        "W": [[[draw() for _ in range(before)] for _ in range(after)] for before, after in layers],
        "b": [[0.0 if zero else 0.1] * after for _, after in layers],
    }


def grid(features: list[str]) -> np.ndarray:
    """Return the features at the pixels of the map, `(pixels, WIDTH)`: rows from x2 = 6 down, in a row from x1 = -6."""
    axis = np.linspace(-6, 6, GRID)
    x1, x2 = np.meshgrid(axis, axis[::-1])
    values = engine.features_of(x1.ravel(), x2.ravel(), features)
    return np.pad(values, ((0, 0), (0, WIDTH - len(features))))
