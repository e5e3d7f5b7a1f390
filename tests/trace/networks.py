"""A small network with dropout, as users write one: a loop over layers, a key, a loss from logits."""

import jax
import jax.numpy as jnp
import numpy as np

RNG = np.random.default_rng(0)
PARAMS = [(RNG.normal(size=(3, 3)), RNG.normal(size=3)) for _ in range(2)]  # of one shape, which is compiled once
X = RNG.normal(size=(6, 3))


def network(params, x, key):
    h = x
    for w, b in params:
        h = jnp.tanh(h @ w + b[None])
    h = jnp.where(jax.random.bernoulli(key, 0.5, h.shape), h / 0.5, 0.0)
    return -jnp.mean(jax.nn.log_softmax(h)[:, 0])
