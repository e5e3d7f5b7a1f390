"""The lecture's networks and one for the record, each a module of pure functions with its gradient by hand.

All five have `init(key, ...) -> params`, `apply(params, x) -> prediction` (values, or probabilities where the network
ends in a sigmoid or softmax), `loss(params, x, y) -> scalar`, a mean over examples, and
`value_and_grad(params, x, y) -> (loss, gradient)` by hand, for which autodiff of `loss` can stand in anywhere.
Parameters are dicts `{"W1", "b1", ...}` of arrays, weights `(inputs, outputs)`, one example a row.
"""

from jaxnn.networks import cnn as cnn
from jaxnn.networks import hidden_layer as hidden_layer
from jaxnn.networks import linear as linear
from jaxnn.networks import mlp as mlp
from jaxnn.networks import whitened as whitened
