"""Optimizers by hand, as optax's gradient transformations: RMSprop of Keras, and the rprop family of R's neuralnet."""

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

from jaxnn.errors import check_positive, check_share, require

if TYPE_CHECKING:  # optax takes a tenth of the time of `import jax`: imported where it is called
    import optax


def rmsprop(learning_rate: float = 1e-3, rho: float = 0.9, epsilon: float = 1e-7) -> "optax.GradientTransformation":
    r"""Return RMSprop exactly as Keras runs it, $\epsilon$ inside the root, no bias correction, $v_0 = 0$.

    $v \leftarrow \rho v + (1 - \rho) g^2$, $w \leftarrow w - \lambda g / \sqrt{v + \epsilon}$ (lecture section 8.3;
    Keras 3.15).
    """
    check_positive("learning_rate", learning_rate)
    check_share("rho", rho)
    check_positive("epsilon", epsilon)
    return _rmsprop(float(learning_rate), float(rho), float(epsilon))


# One object for the same settings: a fit finds its compiled program by the optimizer, so a second one compiles nothing.
@cache
def _rmsprop(learning_rate: float, rho: float, epsilon: float) -> "optax.GradientTransformation":
    import optax

    def init(params):
        return jax.tree.map(jnp.zeros_like, params)

    def update(updates, state, params=None):
        del params
        v = jax.tree.map(lambda v, g: (1 - rho) * g**2 + rho * v, state, updates)
        # In optax's order of operations, so that both round alike.
        return jax.tree.map(lambda v, g: -learning_rate * (lax.rsqrt(v + epsilon) * g), v, updates), v

    return optax.GradientTransformation(init, update)


class RpropState(NamedTuple):
    """One entry a weight: the step size and the sign of the last gradient, 0 after a step was taken back."""

    steps: Any
    signs: Any


def rprop_plus(
    initial_step: float = 0.1,
    decrease: float = 0.5,
    increase: float = 1.2,
    smallest: float = 1e-10,
    largest: float = 0.1,
) -> "optax.GradientTransformation":
    r"""Return rprop+, resilient backpropagation with weight backtracking, as in R's neuralnet 1.44.2.

    For each weight with gradient $g$, step size $\Delta$ and last sign $s$ (0 at the start), let
    $t = s \cdot \mathrm{sign}(g)$:

    - $t > 0$: $\Delta \leftarrow \min(1.2 \Delta, \Delta_{max})$, then a step as below;
    - $t = 0$: a step, $w \leftarrow w - \mathrm{sign}(g) \Delta$, and $s \leftarrow \mathrm{sign}(g)$;
    - $t < 0$: the last step is taken back, $w \leftarrow w + s \Delta$, then
      $\Delta \leftarrow \max(\Delta / 2, \Delta_{min})$ and $s \leftarrow 0$.

    With the package's defaults the largest step is the first one, so steps never grow above 0.1 (lecture section 7;
    Riedmiller and Braun 1993). `optax.rprop` is the same rule one step late: it takes a step once the next gradient
    has agreed to it, where rprop+ takes it at once and takes it back.
    """
    return _rprop_plus(*_checked(initial_step, decrease, increase, smallest, largest))


@cache
def _rprop_plus(
    initial_step: float, decrease: float, increase: float, smallest: float, largest: float
) -> "optax.GradientTransformation":
    import optax

    def init(params):
        return RpropState(
            jax.tree.map(lambda p: jnp.full_like(p, initial_step), params), jax.tree.map(jnp.zeros_like, params)
        )

    def of_leaf(gradient, step, sign):
        now = jnp.sign(gradient)
        agreement = sign * now  # of signs: a product of two tiny gradients would be 0
        grown = jnp.where(agreement > 0, jnp.minimum(step * increase, largest), step)
        back = agreement < 0
        # Back by the step as it was taken, not yet halved, so that the weight is where it was before.
        change = jnp.where(back, sign * step, -now * grown)
        # Sign 0 makes the next gradient agree with neither direction: a step is taken back once, never twice running.
        return change, jnp.where(back, jnp.maximum(step * decrease, smallest), grown), jnp.where(back, 0, now)

    def update(updates, state, params=None):
        del params
        by_leaf = jax.tree.map(of_leaf, updates, state.steps, state.signs)
        changes, steps, signs = jax.tree.transpose(jax.tree.structure(updates), jax.tree.structure((0, 0, 0)), by_leaf)
        return changes, RpropState(steps, signs)

    return optax.GradientTransformation(init, update)


class RpropMinusState(NamedTuple):
    """One entry a weight: the step size and the last gradient."""

    steps: Any
    gradients: Any


def rprop_minus(
    initial_step: float = 0.1,
    decrease: float = 0.5,
    increase: float = 1.2,
    smallest: float = 1e-10,
    largest: float = 0.1,
    balanced: str | None = None,
) -> "optax.GradientTransformation":
    r"""Return rprop-, resilient backpropagation without weight backtracking, as in R's neuralnet 1.44.2.

    For each weight, with $t = g_{old} g$ ($g_{old} = 0$ at the start): $\Delta \leftarrow \min(1.2 \Delta,
    \Delta_{max})$ where $t > 0$, $\Delta \leftarrow \max(\Delta / 2, \Delta_{min})$ where $t < 0$; then, whatever
    $t$, $w \leftarrow w - \mathrm{sign}(g) \Delta$ (Riedmiller 1994).

    `balanced` makes it the globally convergent form of neuralnet's algorithm of that name: before the step one weight
    $i$ gets $\Delta_i \leftarrow -(\sum_{j \ne i} \Delta_j g_j + 10^{-6}) / g_i$, kept within `smallest` and
    `largest`. Among the weights whose gradient is not 0 it is that of the smallest $|g|$ for "sag", of the smallest
    $\Delta$ for "slr"; of several alike, the first in the order of the leaves (Anastasiadis et al. 2005).
    """
    require(balanced in (None, "sag", "slr"), "balanced", repr(balanced), 'None, "sag" or "slr"')
    return _rprop_minus(*_checked(initial_step, decrease, increase, smallest, largest), balanced)


@cache
def _rprop_minus(
    initial_step: float, decrease: float, increase: float, smallest: float, largest: float, balanced: str | None
) -> "optax.GradientTransformation":
    import optax

    def init(params):
        return RpropMinusState(
            jax.tree.map(lambda p: jnp.full_like(p, initial_step), params), jax.tree.map(jnp.zeros_like, params)
        )

    def adapted(step, before, gradient):
        agreement = before * gradient  # as R has it, of the gradients themselves: 0 where the product is too small
        grown, shrunk = jnp.minimum(step * increase, largest), jnp.maximum(step * decrease, smallest)
        return jnp.where(agreement > 0, grown, jnp.where(agreement < 0, shrunk, step))

    def with_one_changed(steps, gradients):
        """Return the steps with one changed, so that the sum of all `step * gradient` is just below 0."""
        step, unravel = ravel_pytree(steps)
        g, _ = ravel_pytree(gradients)
        # A weight whose gradient is 0, such as one that is kept fixed, can balance nothing: it is never the chosen one.
        i = jnp.argmin(jnp.where(g == 0, jnp.inf, jnp.abs(g) if balanced == "sag" else step))
        others = jnp.sum(jnp.where(jnp.arange(g.size) == i, 0, step * g))
        fitting = jnp.clip(-(others + 1e-6) / g[i], smallest, largest)
        return unravel(step.at[i].set(jnp.where(g[i] == 0, step[i], fitting)))

    def update(updates, state, params=None):
        del params
        steps = jax.tree.map(adapted, state.steps, state.gradients, updates)
        if balanced is not None:
            steps = with_one_changed(steps, updates)
        return jax.tree.map(lambda g, step: -jnp.sign(g) * step, updates, steps), RpropMinusState(steps, updates)

    return optax.GradientTransformation(init, update)


def _checked(
    initial_step: float, decrease: float, increase: float, smallest: float, largest: float
) -> tuple[float, float, float, float, float]:
    for name, value in {"initial_step": initial_step, "smallest": smallest, "largest": largest}.items():
        check_positive(name, value)
    require(0 < decrease < 1, "decrease", decrease, "a factor in (0, 1)")
    require(increase > 1, "increase", increase, "a factor above 1")
    require(smallest <= largest, "smallest", smallest, f"at most largest = {largest}")
    return float(initial_step), float(decrease), float(increase), float(smallest), float(largest)
