"""Other people's gradient checkers, each as `peer(problem, args, argnums) -> bool`: whether it calls it wrong.

Each is called as its own documentation shows, with its own tolerances, at one point and in float64 where it can. What
it raises, other than its verdict, goes on to the caller.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

from jaxnn.gradients import Problem, Rule

TOO_FAR = 1e-5  # scipy returns a norm and leaves the judgement to its caller

Leaves = Sequence[np.ndarray]
Argnums = int | tuple[int, ...]
Peer = Callable[[Problem | Rule, tuple, Argnums], bool]


def objects(peer: Peer, problem: Problem | Rule, args: tuple, argnums: Argnums) -> bool:
    """Return whether a peer calls it wrong or raises anything."""
    try:
        return peer(problem, args, argnums)
    except Exception:
        return True


def jax_check_grads(problem: Problem | Rule, args: tuple, argnums: Argnums) -> bool:
    """Run `jax.test_util.check_grads`, on a rule up to the second order."""
    return fails_check_grads(*closed(problem, args, argnums), order=2 if isinstance(problem, Rule) else 1)


def fails_check_grads(f: Callable, variables: tuple, order: int) -> bool:
    """Run `jax.test_util.check_grads` in reverse mode."""
    from jax.test_util import check_grads

    try:
        check_grads(f, variables, order=order, modes=["rev"])
    except AssertionError:
        return True
    return False


def closed(problem: Problem | Rule, args: tuple, argnums: Argnums) -> tuple[Callable, tuple]:
    """Return a `custom_vjp` of the arguments that are differentiated, and those arguments."""
    if isinstance(problem, Rule):
        f = jax.custom_vjp(problem.f)
        f.defvjp(problem.f_fwd, problem.f_bwd)
        return f, tuple(jax.tree.map(jnp.asarray, args))
    places = argnums if isinstance(argnums, tuple) else (argnums,)

    def whole(variables):
        given = list(args)
        for place, variable in zip(places, variables, strict=True):
            given[place] = variable
        return given

    @jax.custom_vjp
    def loss(*variables):
        return problem.loss(*whole(variables))

    def bwd(variables, g):
        gradient = gradient_of(problem, whole(variables), argnums)
        return jax.tree.map(lambda leaf: g * leaf, gradient if isinstance(argnums, tuple) else (gradient,))

    loss.defvjp(lambda *variables: (loss(*variables), variables), bwd)
    return loss, tuple(jax.tree.map(jnp.asarray, args[place]) for place in places)


def gradient_of(problem: Problem, args: Sequence[Any], argnums: Argnums) -> Any:
    """Return the gradient by hand without its intermediates."""
    gradient = problem.grad(*args)
    named = isinstance(gradient, tuple) and len(gradient) == 2 and isinstance(gradient[1], dict)
    return gradient[0] if named and not isinstance(argnums, tuple) else gradient


def torch_slow(problem: Problem | Rule, args: tuple, argnums: Argnums) -> bool:
    """Run `torch.autograd.gradcheck`, every entry of the Jacobian."""
    return torch_gradcheck(problem, args, argnums, fast_mode=False)


def torch_fast(problem: Problem | Rule, args: tuple, argnums: Argnums) -> bool:
    """Run `torch.autograd.gradcheck(fast_mode=True)`, one projection of the Jacobian."""
    return torch_gradcheck(problem, args, argnums, fast_mode=True)


def torch_gradcheck(problem: Problem | Rule, args: tuple, argnums: Argnums, *, fast_mode: bool) -> bool:
    """Run gradcheck on an autograd.Function that calls the two functions, PyTorch's arrays in and out."""
    import torch  # pyright: ignore[reportMissingImports] (an optional peer)

    flat = Flat(problem, args, argnums)

    class Ours(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *leaves):
            ctx.leaves = leaves
            return torch.from_numpy(flat.value([leaf.detach().numpy() for leaf in leaves]))

        @staticmethod
        def backward(ctx, *cotangents):
            (g,) = cotangents
            found = flat.cotangents([leaf.detach().numpy() for leaf in ctx.leaves], g.numpy())
            return tuple(map(torch.from_numpy, found))

    leaves = [torch.tensor(leaf, requires_grad=True) for leaf in flat.leaves]
    return not torch.autograd.gradcheck(Ours.apply, leaves, fast_mode=fast_mode, raise_exception=False)


def scipy_check_grad(problem: Problem | Rule, args: tuple, argnums: Argnums) -> bool:
    """Run `scipy.optimize.check_grad` on all parameters in one vector, a rule's output weighted at random."""
    flat = Flat(problem, args, argnums)
    sizes = np.cumsum([leaf.size for leaf in flat.leaves])[:-1]
    weights = np.random.default_rng(0).normal(size=flat.value(flat.leaves).shape)
    if isinstance(problem, Problem):
        weights = np.ones(())

    def leaves(vector):
        parts = np.split(vector, sizes)
        return [part.reshape(leaf.shape) for part, leaf in zip(parts, flat.leaves, strict=True)]

    def value(vector):
        return float(np.sum(flat.value(leaves(vector)) * weights))

    def gradient(vector):
        return np.concatenate([leaf.ravel() for leaf in flat.cotangents(leaves(vector), weights)])

    start = np.concatenate([leaf.ravel() for leaf in flat.leaves])
    return not scipy.optimize.check_grad(value, gradient, start) < TOO_FAR


class Flat:
    """A problem as functions of a list of NumPy arrays in float64.

    Its own functions are called with JAX's arrays, and compiled; those of a problem of NumPy's arrays with copies of
    these, as it may write into them.
    """

    def __init__(self, problem: Problem | Rule, args: tuple, argnums: Argnums):
        self.problem, self.argnums = problem, argnums
        self.of_numpy = any(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(args))
        self.args = args if self.of_numpy else tuple(jax.tree.map(np.asarray, args))
        if isinstance(problem, Rule):
            places = tuple(range(len(args)))
        else:
            places = argnums if isinstance(argnums, tuple) else (argnums,)
        self.places = places
        leaves, self.structure = jax.tree.flatten(tuple(jax.tree.map(np.asarray, self.args[place]) for place in places))
        self.dtypes = [leaf.dtype for leaf in leaves]
        self.leaves = [np.asarray(leaf, np.float64) for leaf in leaves]

    def whole(self, leaves: Leaves) -> list:
        """Return all arguments with these leaves, in the arguments' own dtypes."""
        cast = [np.asarray(leaf, dtype) for leaf, dtype in zip(leaves, self.dtypes, strict=True)]
        given = list(self.args)
        for place, variable in zip(self.places, jax.tree.unflatten(self.structure, cast), strict=True):
            given[place] = variable
        return jax.tree.map(self.own, given)

    def own(self, leaf: Any) -> Any:
        """Return an array as the problem's functions take it, and what is none to NumPy's as it is."""
        if self.of_numpy:
            return leaf.copy() if isinstance(leaf, np.ndarray) else leaf
        return jnp.asarray(leaf)

    def value(self, leaves: Leaves) -> np.ndarray:
        """Return the loss, or a rule's output."""
        f = self.problem.f if isinstance(self.problem, Rule) else self.problem.loss
        return np.array((f if self.of_numpy else compiled(f))(*self.whole(leaves)), np.float64)

    def cotangents(self, leaves: Leaves, g: np.ndarray) -> list[np.ndarray]:
        """Return the gradient times `g`, or a rule's cotangents for `g`."""
        args = self.whole(leaves)
        if isinstance(self.problem, Rule):
            y, residuals = self.problem.f_fwd(*args)
            found = self.problem.f_bwd(residuals, self.own(np.asarray(g, y.dtype)))
            found = [jnp.zeros_like(a) if c is None else c for c, a in zip(found, args, strict=True)]
        else:
            found = jax.tree.leaves(gradient_of(self.problem, args, self.argnums))
        by = g if isinstance(self.problem, Problem) else 1.0
        return [np.array(by * np.asarray(leaf, np.float64)) for leaf in found]


@functools.lru_cache(maxsize=8)
def compiled(f: Callable) -> Callable:
    """Return `jax.jit(f)`, the same for the same function: each call of a checker would compile anew."""
    return jax.jit(f)


PEERS: dict[str, Peer] = {
    "jax check_grads": jax_check_grads,
    "torch gradcheck": torch_slow,
    "torch gradcheck, fast": torch_fast,
    "scipy check_grad": scipy_check_grad,
}
NEEDS = {name: name.split()[0] for name in PEERS}
