r"""The operations of a network, each as `f`, `f_fwd` and `f_bwd`, written by hand and standing next to each other.

`f_fwd(*args) -> (f(*args), residuals)` and `f_bwd(residuals, g) -> cotangents`, one cotangent an argument and in the
arguments' order, have `jax.custom_vjp`'s signatures, so each rule plugs into JAX as it stands. `g` is the cotangent of
the output, $\partial J / \partial f$. Options (a stride, a rate) are keyword arguments and the same in all three.
"""

from jaxnn.ops.activations import heaviside as heaviside
from jaxnn.ops.activations import heaviside_bwd as heaviside_bwd
from jaxnn.ops.activations import heaviside_fwd as heaviside_fwd
from jaxnn.ops.activations import relu as relu
from jaxnn.ops.activations import relu_bwd as relu_bwd
from jaxnn.ops.activations import relu_fwd as relu_fwd
from jaxnn.ops.activations import sigmoid as sigmoid
from jaxnn.ops.activations import sigmoid_bwd as sigmoid_bwd
from jaxnn.ops.activations import sigmoid_fwd as sigmoid_fwd
from jaxnn.ops.activations import softplus as softplus
from jaxnn.ops.activations import softplus_bwd as softplus_bwd
from jaxnn.ops.activations import softplus_fwd as softplus_fwd
from jaxnn.ops.activations import tanh as tanh
from jaxnn.ops.activations import tanh_bwd as tanh_bwd
from jaxnn.ops.activations import tanh_fwd as tanh_fwd
from jaxnn.ops.convolution import conv2d as conv2d
from jaxnn.ops.convolution import conv2d_bwd as conv2d_bwd
from jaxnn.ops.convolution import conv2d_fwd as conv2d_fwd
from jaxnn.ops.dense import dense as dense
from jaxnn.ops.dense import dense_bwd as dense_bwd
from jaxnn.ops.dense import dense_fwd as dense_fwd
from jaxnn.ops.dense import dropout as dropout
from jaxnn.ops.dense import dropout_bwd as dropout_bwd
from jaxnn.ops.dense import dropout_fwd as dropout_fwd
from jaxnn.ops.dense import flatten as flatten
from jaxnn.ops.dense import flatten_bwd as flatten_bwd
from jaxnn.ops.dense import flatten_fwd as flatten_fwd
from jaxnn.ops.pooling import max_pool as max_pool
from jaxnn.ops.pooling import max_pool_bwd as max_pool_bwd
from jaxnn.ops.pooling import max_pool_fwd as max_pool_fwd
