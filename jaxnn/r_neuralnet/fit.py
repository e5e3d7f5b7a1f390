"""R's function `neuralnet` in JAX: what is asked for is checked, then all restarts are trained by compiled programs."""

import inspect
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

import jax
import numpy as np

from jaxnn.errors import Diverged, InvalidArgument, check_positive, check_positive_int, require
from jaxnn.optimizers import rprop_minus, rprop_plus
from jaxnn.r_neuralnet import design as designs
from jaxnn.r_neuralnet import formula as formulas
from jaxnn.r_neuralnet import weights as starting
from jaxnn.r_neuralnet.formula import Formula, Variable
from jaxnn.r_neuralnet.net import NO_LIKELIHOOD, NeuralNet, Settings
from jaxnn.r_neuralnet.network import ACTIVATIONS, Architecture, Function, objective
from jaxnn.restarts import fit_until

if TYPE_CHECKING:
    import optax

RPROP = {"rprop+": rprop_plus, "rprop-": rprop_minus}
RPROP |= {name: partial(rprop_minus, balanced=name) for name in ("sag", "slr")}
ALGORITHMS = (*RPROP, "backprop", "lbfgs")
ERRORS = ("sse", "ce")
LIFESIGNS = ("none", "minimal", "full")


def neuralnet(
    formula: str | None = None,
    data: Any = None,
    hidden: int | Sequence[int] = 1,
    threshold: float = 0.01,
    stepmax: int = 100_000,
    rep: int = 1,
    startweights: Any = None,
    learningrate_limit: Sequence[float] | Mapping[str, float] | None = None,
    learningrate_factor: Sequence[float] | Mapping[str, float] | None = None,
    learningrate: float | None = None,
    lifesign: str | Callable[[np.ndarray, np.ndarray], Any] = "none",
    lifesign_step: int = 1000,
    algorithm: "str | optax.GradientTransformation" = "rprop+",
    err_fct: str | Function = "sse",
    act_fct: str | Function = "logistic",
    linear_output: bool = True,
    exclude: Any = None,
    constant_weights: Any = None,
    likelihood: bool = False,
    *,
    output_act_fct: str | Function | None = None,
    X: Any = None,
    y: Any = None,
    seed: int | None = None,
    rng: Any = "R",
) -> NeuralNet:
    r"""Return the network that R's `neuralnet` fits, one for each of `rep` restarts, in float64 whatever JAX is set to.

    Training goes on over all rows until $\max |\partial E / \partial w| \le$ `threshold`, $E$ and its gradient being
    sums over the rows, or for `stepmax` steps. A restart that does not get there keeps the weights of its lowest error,
    with `converged` False. Arguments and defaults are R's; those that it has not, and those that take more:

    - `formula` such as `"y ~ x1 + x2"`, `"a + b ~ ."`, `'Species == "setosa" ~ . - id'`, `"factor(k) ~ x"`; texts are
      factors. `data` is a dict of arrays, a structured array or a data frame. Or arrays, `X (n, p)` and `y (n,)` or
      `(n, k)`, in place of both.
    - `hidden`: the nodes of each hidden layer; 0 for none.
    - `startweights`: a list over restarts of lists of matrices `(inputs + 1, nodes)`, or R's vector of them all.
    - `learningrate_limit`: least and largest step size of the rprop family, 1e-10 and 0.1; `learningrate_factor`: by
      what a step size shrinks and grows, 0.5 and 1.2.
    - `algorithm`: "rprop+", "rprop-", "sag", "slr", "backprop", "lbfgs", or a gradient transformation of optax.
    - `err_fct`: "sse", $\frac{1}{2} \sum (y - o)^2$; "ce", $-\sum y \log o + (1 - y) \log (1 - o)$; or a JAX function
      `f(output, target)`, whose values are added up. `act_fct`: "logistic", "tanh", "relu", "softplus" or any
      elementwise JAX function. With `linear_output=False` the output nodes have it too, or `output_act_fct`, of which
      "softmax" with "ce" gives the probabilities of classes.
    - `exclude`: the weights that stay at 0, or at `constant_weights`, by their places in R's `unlist(weights)`, from 1,
      or as rows (layer, from, to); or a list of matrices of truth values.
    - `lifesign`: "none", "minimal" or "full", on standard error; or a function that is told the steps and the smallest
      largest gradient of each restart, every `lifesign_step` steps.
    - `seed`: starts are drawn as R draws them after `set.seed(seed)`; `rng`: "R", an `RRandom` or a JAX key.

    Raises `InvalidArgument` for what cannot be right, before anything is compiled, and where the error is no number at
    the start. Warns of columns that hinder training and of restarts that did not converge, with R's words, the reason
    and what to try. R package neuralnet 1.44.2; lecture section 7.
    """
    call = _call(dict(locals()))
    columns, asked = _data(formula, data, X, y)
    plan = designs.design(asked, columns)
    x, targets = designs.matrix(columns, plan.covariates, False), designs.matrix(columns, plan.responses, True)
    optimizer = _optimizer(algorithm, learningrate, learningrate_limit, learningrate_factor)
    architecture = _architecture(plan, hidden, act_fct, output_act_fct, err_fct, linear_output)
    _check_numbers(threshold, stepmax, rep, lifesign, lifesign_step)
    _check_response(targets, plan, architecture)
    _check_memory(architecture, rep, len(x))
    excluded = starting.excluded_places(exclude, architecture)
    fixed = starting.constants(constant_weights, excluded)
    with jax.enable_x64(True):
        draw, seed = (None, None) if startweights is not None else starting.normals(rng, seed)
        starts = starting.starts(startweights, rep, architecture, excluded, fixed, draw)
        settings = Settings(
            call,
            plan,
            architecture,
            excluded,
            fixed,
            float(threshold),
            int(stepmax),
            _name(algorithm),
            likelihood,
            seed,
        )
        for said in designs.hindrances(x, plan.variables) + [NO_LIKELIHOOD] * (likelihood and err_fct != "ce"):
            warnings.warn(said, stacklevel=2)
        life = _Life(settings, rep)
        try:
            found = fit_until(
                objective(architecture, excluded),
                starts,
                optimizer,
                (x, targets),
                threshold=max(threshold, np.finfo(float).tiny),
                stepmax=int(stepmax),
                progress=life.step if lifesign == "full" else lifesign if callable(lifesign) else None,
                every=_steps_of_seconds(architecture, len(x)) if lifesign in ("none", "minimal") else lifesign_step,
            )
        except Diverged as error:
            raise InvalidArgument(f"'err.fct' does not fit 'data' or 'act.fct': {error}") from None
        net = NeuralNet(settings, x, targets, starts, found)
    if lifesign in ("minimal", "full"):
        life.end(net)
    if not found.converged.all():
        warnings.warn(net.not_converged(), stacklevel=2)
    return net


def _call(given: dict[str, Any]) -> str:
    """Return the call in one line: what is not the default, arrays by the names of their arguments."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(neuralnet).parameters.items()}
    shown = []
    for name, value in given.items():
        if value is defaults[name]:
            continue
        plain = isinstance(value, str | int | float | np.number) or (isinstance(value, tuple | list) and len(value) < 9)
        plain = plain and starting.depth(value) < 2
        text = repr(value) if plain else _name(value) if callable(value) or name == "algorithm" else "..."
        shown.append(text if name == "formula" else f"{name}={text}")
    return f"neuralnet({', '.join(shown)})"


def _data(formula, data, X, y) -> tuple[designs.Columns, Formula]:
    """Return the columns and the formula; of arrays, those that stand for them."""
    if X is None and y is None:
        require(
            formula is not None, "formula", "none", "Missing 'formula' argument: such as \"y ~ x1 + x2\", or X and y"
        )
        require(data is not None, "data", "none", "Missing 'data' argument: a dict of arrays or a data frame")
        asked = formulas.parse(formula)
        named = designs.raw_columns(data)
        others = [str(name) for name in named or () if str(name) not in asked.dropped] if asked.dot else []
        wanted = {part.name for part in (*asked.responses, *asked.covariates)} | set(others)
        return designs.columns_of("data", data, wanted=wanted), asked
    require(
        formula is None and data is None, "X, y", "both arrays and a formula or data", "X and y, or formula and data"
    )
    for name, given in (("X", X), ("y", y)):
        require(given is not None, name, "none", "both X and y")
    inputs, responses = _named("X", X, "x"), _named("y", y, "y")
    twice = set(inputs) & set(responses)
    require(not twice, "y", f"the name {', '.join(twice)}, which X has too", "other names")
    columns = designs.columns_of("X, y", inputs | responses)
    return columns, Formula(tuple(map(Variable, responses)), tuple(map(Variable, inputs)), False, ())


def _named(argument: str, given: Any, letter: str) -> dict[str, Any]:
    named = designs.raw_columns(given)
    if named is not None:
        return named
    matrix = np.asarray(given)
    require(matrix.ndim in ((2,) if letter == "x" else (1, 2)), argument, f"shape {matrix.shape}", "(n, columns)")
    if matrix.ndim == 1:
        return {letter: matrix}
    return {f"{letter}{j}": column for j, column in enumerate(matrix.T, 1)}


def _architecture(plan, hidden, act_fct, output_act_fct, err_fct, linear_output) -> Architecture:
    nodes: Any = [hidden] if np.ndim(hidden) == 0 else hidden
    whole = np.ndim(nodes) == 1 and len(nodes) > 0
    whole = whole and all(isinstance(h, int | np.integer) and not isinstance(h, bool) and h >= 0 for h in nodes)
    expected = "Argument 'hidden' must be an integer vector or a single integer: the nodes of each hidden layer"
    require(whole, "hidden", repr(hidden), expected)
    nodes = [] if list(nodes) == [0] else [int(h) for h in nodes]
    require(0 not in nodes, "hidden", f"{hidden}: Argument 'hidden' contains at least one 0.", "0 alone for no layer")
    _known("act_fct", act_fct, ("logistic", "tanh", "relu", "softplus"), "Unknown activation function.")
    _known("err_fct", err_fct, ERRORS, "Unknown error function.")
    require(isinstance(linear_output, bool | np.bool), "linear_output", repr(linear_output), "True or False")
    if output_act_fct is not None:
        _known("output_act_fct", output_act_fct, (*ACTIVATIONS, "softmax"), "Unknown activation function.")
        contradicts = linear_output and output_act_fct != "linear"
        require(not contradicts, "output_act_fct", f"{_name(output_act_fct)} with linear_output=True",
                "linear_output=False, for output nodes that are not linear")  # fmt: skip
    output = "linear" if linear_output else act_fct if output_act_fct is None else output_act_fct
    outputs = len(plan.outputs)
    require(
        output != "softmax" or outputs > 1, "output_act_fct", "softmax of one output", "a response of two classes on"
    )
    return Architecture((len(plan.variables), *nodes, outputs), act_fct, output, err_fct)


def _known(argument: str, given: Any, names: Sequence[str], words: str) -> None:
    known = callable(given) or (isinstance(given, str) and given in names)
    require(known, argument, f"{given!r}: {words}", f"{', '.join(names)} or a JAX function")


def _name(function: Any) -> str:
    return function if isinstance(function, str) else getattr(function, "__name__", type(function).__name__)


def _optimizer(algorithm, learningrate, limit, factor) -> "optax.GradientTransformation":
    if isinstance(algorithm, tuple) and hasattr(algorithm, "update"):
        return cast("optax.GradientTransformation", algorithm)
    known = isinstance(algorithm, str) and algorithm in ALGORITHMS
    require(known, "algorithm", f"{_name(algorithm)}: Unknown algorithm.", f"{', '.join(ALGORITHMS)} or one of optax's")
    least, largest = _two("learningrate_limit", limit, ("min", "max"), (1e-10, 0.1))
    minus, plus = _two("learningrate_factor", factor, ("minus", "plus"), (0.5, 1.2))
    if algorithm in RPROP:
        return RPROP[algorithm](decrease=minus, increase=plus, smallest=least, largest=largest)
    if algorithm == "lbfgs":
        return _lbfgs()
    words = "Argument 'learningrate' must be a numeric value, if the backpropagation algorithm is used."
    require(learningrate is not None, "learningrate", f"none: {words}", "such as 0.01")
    check_positive("learningrate", learningrate)
    return _backprop(float(learningrate))


def _two(argument: str, given: Any, names: tuple[str, str], default: tuple[float, float]) -> tuple[float, float]:
    if given is None:
        return default
    values: Any = [given.get(name) for name in names] if isinstance(given, Mapping) else np.atleast_1d(given).tolist()
    words = f"Argument '{argument.replace('_', '.')}' must consist of two components."
    numbers = len(values) == 2 and all(isinstance(v, int | float) for v in values)
    require(numbers, argument, f"{given!r}: {words}", f"two numbers, {names[0]} and {names[1]}")
    return float(values[0]), float(values[1])


@cache
def _backprop(learningrate):
    import optax

    return optax.sgd(learningrate)


@cache
def _lbfgs():
    import optax

    return optax.lbfgs()


def _check_numbers(threshold, stepmax, rep, lifesign, lifesign_step) -> None:
    number = isinstance(threshold, int | float | np.number) and not isinstance(threshold, bool)
    words = "Argument 'threshold' must be a numeric value."
    require(number and 0 <= threshold < np.inf, "threshold", f"{threshold!r}: {words}", "a number of at least 0")
    check_positive_int("rep", rep)
    check_positive_int("stepmax", int(stepmax) if isinstance(stepmax, float) and stepmax.is_integer() else stepmax)
    check_positive_int("lifesign_step", lifesign_step)
    words = "Argument 'lifesign' must be one of 'none', 'minimal', 'full'."
    require(callable(lifesign) or lifesign in LIFESIGNS, "lifesign", f"{lifesign!r}: {words}", ", ".join(LIFESIGNS))


def _check_response(y, plan, architecture: Architecture) -> None:
    binary = np.isin(y, (0, 1)).all()
    if architecture.error == "ce":
        other = np.argwhere(~np.isin(y, (0, 1)))
        if other.size:
            row, column = other[0]
            require(False, plan.outputs[column], f"{y[row, column]} in row {row} (from 0): Error function 'ce' only "
                    "implemented for binary response.", "0 or 1; err_fct='sse' takes any number")  # fmt: skip
        if architecture.output == "linear":
            warnings.warn("'ce' takes the logarithm of the output, which linear_output=True lets be negative: use "
                          "linear_output=False", stacklevel=3)  # fmt: skip
    elif binary and architecture.output == "linear" and architecture.error == "sse":
        warnings.warn("the response is 0 or 1 and the output linear: use linear_output=False to classify", stacklevel=3)


def _check_memory(architecture: Architecture, rep: int, n: int) -> None:
    """The weights with gradients, step sizes and copies, and the nodes of all rows with theirs, must find room."""
    wanted = 8 * (8 * rep * architecture.n_weights + 4 * n * sum(architecture.sizes))
    if not hasattr(os, "sysconf"):  # Windows does not say
        return
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    seen = f"{architecture.n_weights:,} weights for {rep} restarts and {n:,} rows, which take {wanted / 2**30:,.0f} GiB"
    require(wanted < there, "hidden", seen, f"what fits into the machine's {there / 2**30:,.0f} GiB: fewer nodes")


def _steps_of_seconds(architecture: Architecture, n: int) -> int:
    """Return the steps of a program: so few that an interrupt is heard within seconds."""
    return int(np.clip(2e9 / (n * architecture.n_weights), 1, 10_000))


class _Life:
    """The signs of life that R prints, on standard error; restarts run side by side, so a line is of all of them."""

    def __init__(self, settings: Settings, rep: int):
        self.begun, self.settings, self.rep = time.perf_counter(), settings, rep
        self.hidden = ", ".join(map(str, settings.architecture.sizes[1:-1])) or "0"

    def head(self, number: Any) -> str:
        count = f"{number:>{len(str(self.rep))}}/{self.rep}"
        return f"hidden: {self.hidden}    thresh: {self.settings.threshold:g}    rep: {count}    steps: "

    def step(self, steps: np.ndarray, smallest: np.ndarray) -> None:
        for i in np.flatnonzero(steps == steps.max()):
            if smallest[i] > self.settings.threshold:
                print(f"{self.head(i + 1)}{steps[i]:>7}\tmin thresh: {smallest[i]:.10g}", file=sys.stderr, flush=True)

    def end(self, net: NeuralNet) -> None:
        seconds = time.perf_counter() - self.begun
        for i in range(self.rep):
            if not net.converged[i]:
                print(f"{self.head(i + 1)}stepmax\tmin thresh: {net.reached_threshold[i]:.10g}", file=sys.stderr)
                continue
            criteria = "".join(f"\t{name}: {values[i]:.5f}" for name, values in net.criteria.items())
            print(f"{self.head(i + 1)}{net.steps[i]:>7}\terror: {net.error[i]:.5f}{criteria}", file=sys.stderr)
        print(f"time: {seconds:.2f} secs", file=sys.stderr, flush=True)
