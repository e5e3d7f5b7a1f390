"""R's function `neuralnet` in JAX: what is asked for is checked, then all restarts are trained by compiled programs."""

import inspect
import secrets
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import jax
import numpy as np

from jaxnn.data.rrandom import RRandom
from jaxnn.errors import Diverged, InvalidArgument, check_positive_int, require
from jaxnn.r_neuralnet import algorithms
from jaxnn.r_neuralnet.algorithms import name_of
from jaxnn.r_neuralnet.checks import (
    architecture_of,
    check_functions,
    check_memory,
    check_numbers,
    check_response,
    outside,
)
from jaxnn.r_neuralnet.fitted import Fitted, Settings
from jaxnn.r_neuralnet.formulas.columns import Columns, array_of, columns_of, find, named_columns
from jaxnn.r_neuralnet.formulas.design import data_warnings, design_of, many_levels
from jaxnn.r_neuralnet.formulas.expressions import Column
from jaxnn.r_neuralnet.formulas.formula import Formula, Variable, parse
from jaxnn.r_neuralnet.formulas.syntax import names_in, tree_of
from jaxnn.r_neuralnet.lifesign import Lifesign
from jaxnn.r_neuralnet.net import NO_LIKELIHOOD, NeuralNet
from jaxnn.r_neuralnet.network import Architecture, Function, objective
from jaxnn.r_neuralnet.rows import held_out_rows, row_weights, rows_of, weighed
from jaxnn.r_neuralnet.scaling import scaling_of
from jaxnn.r_neuralnet.weights import constant_values, depth, excluded_indices, normal_draws, start_weights
from jaxnn.restarts import fit_until

if TYPE_CHECKING:
    import optax


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
    scale: bool = False,
    weights: Any = None,
    decay: float = 0.0,
    subset: Any = None,
    na_action: str = "fail",
    validation: Any = None,
    patience: int = 500,
) -> NeuralNet:
    r"""Return the network that R's `neuralnet` fits, one for each of `rep` restarts, in float64 whatever JAX is set to.

    Training goes on over all rows until $\max |\partial E / \partial w| \le$ `threshold`, $E$ and its gradient being
    sums over the rows, or for `stepmax` steps. A restart that does not get there keeps the weights of its lowest error,
    with `converged` False. Arguments and defaults are R's; those that it has not, and those that take more:

    - `formula` such as `"y ~ x1 + x2"`, `"a + b ~ ."`, `'Species == "setosa" ~ . - id'`, `"log(y) ~ x * z + I(x^2) +
      factor(k)"`; texts are factors, their levels sorted, categories of pandas factors in their own order. `data` is a
      dict of arrays, a structured array or a data frame. Or arrays, `X (n, p)` and `y (n,)` or `(n, k)`, in place of
      both.
    - `hidden`: the nodes of each hidden layer; 0 or an empty sequence for none.
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
    - `scale`: inputs and, of linear outputs, responses that are numbers are brought to mean 0 and standard deviation 1
      inside the fit, which `threshold`, `error` and `weights` are those of then; predictions, slopes and pictures of
      them are in the units of the data.
    - `weights`: what each row weighs in the error, numbers or the name of a column; `decay`: adds
      $\frac{\lambda}{2} \sum w^2$ over the trained weights to the error.
    - `subset`: the rows to take, R's condition as text such as `"age > 30 & sex == 'f'"`, truth values, or places from
      0; `na_action`: rows with missing values are refused, "fail", or left out, "omit".
    - `validation`: the rows to hold out, a share such as 0.2 (those of R's `sample` after `set.seed(seed)`), truth
      values, or places from 0. A restart ends early once `patience` steps have not lowered their error, and keeps the
      weights of its lowest; `best` is the restart with the lowest.
    - `seed`: starts are drawn as R draws them after `set.seed(seed)`; `rng`: "R", an `RRandom` or a JAX key.

    Raises `InvalidArgument` for what cannot be right, before anything is compiled, and where the error is no number at
    the start. Warns of columns that hinder training and of restarts that did not converge, with R's words, the reason
    and what to try. The steps are R's own but for sag, slr and backprop on unscaled columns, which magnify rounding: of
    a long fit by those they are not, nor are R's own once its start is moved by 1e-15. R package neuralnet 1.44.2;
    lecture section 7.
    """
    call = _call(dict(locals()))  # first of all, while the arguments are the only local variables
    also = set(names_in(tree_of("subset", subset))) if isinstance(subset, str) else set()
    columns, parsed = _columns_and_formula(
        formula, data, X, y, also | ({weights} if isinstance(weights, str) else set())
    )
    n = max(len(column.values) for column in columns.values() if column is not None)
    row_weight = row_weights(weights, columns, n)
    check_positive_int("patience", patience)
    used = parsed.columns | (set(columns) - set(parsed.dropped) if parsed.dot else set())
    rows, inside = (rows_of(columns, used, subset, action) for action in (na_action, "fail"))
    omitted = len(inside) - len(rows)
    held_out = None
    if validation is not None:
        seed = (
            secrets.randbelow(2**31) if seed is None and isinstance(rng, str) else seed
        )  # kept, as that of the starts
        held_out = held_out_rows(validation, rows, n, rng if isinstance(rng, RRandom) else RRandom(seed or 0))
    columns = {name: column and Column(column.values[rows], column.levels) for name, column in columns.items()}
    row_weight = None if row_weight is None else row_weight[rows]
    design = design_of(parsed, columns)
    for warning in many_levels(parsed, design, len(rows)):
        warnings.warn(warning, stacklevel=2)
    x, targets = design.covariate_matrix(columns), design.response_matrix(columns)
    if len(design.responses) > 1 and not ((targets == 1).sum(axis=1) == 1).all():  # not one class a row
        design = design._replace(responses=tuple(part._replace(labels=None) for part in design.responses))
    optimizer = algorithms.optimizer(algorithm, learningrate, learningrate_limit, learningrate_factor)
    architecture = architecture_of(design, hidden, act_fct, output_act_fct, err_fct, linear_output)
    check_numbers(threshold, stepmax, rep, lifesign, lifesign_step)
    said = check_response(targets, design, architecture)
    check_memory(architecture, rep, len(x))
    number = isinstance(decay, int | float | np.number) and not isinstance(decay, bool) and 0 <= decay < np.inf
    require(number, "decay", repr(decay), "a finite number of at least 0")
    require(isinstance(scale, bool | np.bool), "scale", repr(scale), "True or False")
    scaling = None
    if scale:
        inputs, responses = design.numeric
        linear = architecture.output == "linear" and architecture.error != "ce"
        of_rows = np.ones(len(x)) if row_weight is None else row_weight
        of_rows = of_rows if held_out is None else np.where(held_out, 0, of_rows)
        scaling = scaling_of(x, targets, inputs, [linear and numeric for numeric in responses], of_rows)
    excluded = excluded_indices(exclude, architecture)
    constants = constant_values(constant_weights, excluded)
    said += algorithms.without_effect(algorithm, learningrate, learningrate_limit, learningrate_factor)
    if startweights is not None and (seed is not None or rng != "R"):
        said.append(f"{'seed' if rng == 'R' else 'rng'} has no effect: the startweights are given")
    if act_fct != "logistic" and len(architecture.sizes) == 2 and (linear_output or output_act_fct is not None):
        said.append("act_fct has no effect: there is no hidden layer, and the output has a function of its own")
    if lifesign_step != 1000 and lifesign in ("none", "minimal"):
        said.append(f"lifesign_step has no effect with lifesign={lifesign!r}: it is for 'full' or a function")
    if patience != 500 and validation is None:
        said.append("patience has no effect: no rows are held out by validation")
    with jax.enable_x64(True):  # R computes in float64, and its steps are to be taken one for one
        if startweights is None:
            draw, seed = normal_draws(rng, seed)
            startweights = draw(rep * (architecture.n_weights - len(excluded)))  # R draws for what is trained alone
        else:
            seed = None
        starts = start_weights(startweights, rep, architecture, excluded, constants)
        settings = Settings(
            call=call,
            design=design,
            architecture=architecture,
            excluded=excluded,
            constants=constants,
            threshold=float(threshold),
            stepmax=int(stepmax),
            algorithm=name_of(algorithm),
            likelihood=likelihood,
            seed=seed,
            scaling=scaling,
            decay=float(decay),
            omitted=omitted,
            patience=None if held_out is None else int(patience),
        )
        trained = (x, targets) if scaling is None else scaling.standardised(x, targets)
        check_functions(architecture, trained[1])
        names = design.variables, design.outputs if architecture.output == "linear" else []
        for warning in said + data_warnings(*trained, *names) + [NO_LIKELIHOOD] * (likelihood and err_fct != "ce"):
            warnings.warn(warning, stacklevel=2)
        life = Lifesign(settings, rep)
        try:
            inputs, outputs, behind = weighed(*trained, row_weight, architecture, held_out)
            restarts = fit_until(
                objective(architecture, excluded, behind, float(decay)),
                starts,
                optimizer,
                (inputs, outputs),
                patience=settings.patience,
                threshold=max(threshold, np.finfo(float).tiny),  # R takes 0 as well, which no gradient need reach
                stepmax=int(stepmax),
                progress=life.step if lifesign == "full" else lifesign if callable(lifesign) else None,
                every=_steps_per_program(architecture, len(x)) if lifesign in ("none", "minimal") else lifesign_step,
            )
        except Diverged as error:
            cure = f"; {outside(architecture)}" if outside(architecture) else ""
            raise InvalidArgument(f"'err.fct' does not fit 'data' or 'act.fct': {error}{cure}") from None
    trained_rows = len(x) if held_out is None else int((~held_out).sum())
    net = NeuralNet(Fitted(settings, (x, targets), starts, restarts, trained_rows, row_weight, held_out))
    if lifesign in ("minimal", "full"):
        life.end(net.fitted)
    if not restarts.converged.all():
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
        plain = plain and depth(value) < 2
        text = repr(value) if plain else name_of(value) if callable(value) or name == "algorithm" else "..."
        shown.append(text if name == "formula" else f"{name}={text}")
    return f"neuralnet({', '.join(shown)})"


def _columns_and_formula(formula: str | None, data: Any, X: Any, y: Any, also: set[str]) -> tuple[Columns, Formula]:
    """Return the columns and the formula; of arrays, those that stand for them."""
    if X is None and y is None:
        expected = 'one such as "y ~ x1 + x2", or X and y'
        require(formula is not None, "formula", "none: Missing 'formula' argument", expected)
        require(data is not None, "data", "none: Missing 'data' argument", "a dict of arrays or a data frame")
        parsed = parse(cast(str, formula))
        named = named_columns(data)
        others = [str(name) for name in named or () if str(name) not in parsed.dropped] if parsed.dot else []
        columns = columns_of("data", data, wanted=parsed.columns | set(others) | also)
        for variable in (variable for part in (parsed.responses, *parsed.covariates) for variable in part):
            for name in variable.columns:
                find(columns, name, "formula")
        return columns, parsed
    no_formula = formula is None and data is None
    require(no_formula, "X, y", "both arrays and a formula or data", "X and y, or formula and data, not both")
    for name, given in (("X", X), ("y", y)):
        require(given is not None, name, "none", "both, X and y")
    inputs, responses = _with_names("X", X, "x"), _with_names("y", y, "y")
    twice = set(inputs) & set(responses)
    require(not twice, "y", f"the name {', '.join(twice)}, which X has too", "names of its own")
    columns = columns_of("X, y", inputs | responses)
    return columns, Formula(tuple(map(Variable, responses)), tuple((Variable(name),) for name in inputs))


def _with_names(argument: str, given: Any, letter: str) -> dict[str, Any]:
    """Return the columns of an array by name: their own, else the letter and their place from 1."""
    named = named_columns(given)
    if named is not None:
        return named
    array = array_of(given)
    require(array.ndim in ((2,) if letter == "x" else (1, 2)), argument, f"shape {array.shape}", "(n, columns)")
    if array.ndim == 1:
        return {letter: array}
    return {f"{letter}{j}": column for j, column in enumerate(array.T, 1)}


def _steps_per_program(architecture: Architecture, n: int) -> int:
    """Return the steps that one call of the compiled program takes: so few that an interrupt is heard within seconds.

    They are those of 2e9 products of a row and a weight, and at most 10,000.
    """
    return int(np.clip(2e9 / (n * architecture.n_weights), 1, 10_000))
