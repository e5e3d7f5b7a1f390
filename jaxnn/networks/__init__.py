"""The lecture's networks, each a module of pure functions with its gradient by hand.

All four have `init(rng_or_key, ...) -> params`, `apply(params, x) -> prediction`, `loss(params, x, y) -> scalar`, a
mean over examples, and `value_and_grad(params, x, y) -> (loss, gradient)` by hand, which `jax.value_and_grad(loss)` can
stand in for anywhere. Parameters are dicts `{"W1", "b1", ...}` of arrays, weights `(inputs, outputs)`, one example a
row.
"""

from jaxnn.networks import cnn as cnn
from jaxnn.networks import hidden_layer as hidden_layer
from jaxnn.networks import linear as linear
from jaxnn.networks import mlp as mlp
