"""Source: the manner of autoencoder exercises with tied weights, written anew
True wrong line: dW = x.T @ da
True cause: the weights are used by the decoder too; that path's gradient is missing."""
import numpy as np

def sigmoid(a):
    return 1 / (1 + np.exp(-a))

def encode(W, b, x):
    return sigmoid(x @ W + b)

def decode(W, c, h):
    return h @ W.T + c

def loss(params, x):
    W, b, c = params
    return np.sum((decode(W, c, encode(W, b, x)) - x) ** 2) / len(x)

def grad(params, x):
    W, b, c = params
    h = encode(W, b, x)
    r = 2 * (decode(W, c, h) - x) / len(x)
    da = (r @ W) * h * (1 - h)
    dW = x.T @ da
    return dW, da.sum(axis=0), r.sum(axis=0)

def make_args():
    import numpy
    r = numpy.random.default_rng(18)
    n = lambda *s: r.standard_normal(s)
    return (n(5, 3), n(3), n(5)), n(6, 5)

FIX = [("dW = x.T @ da", "dW = x.T @ da + r.T @ h")]
LINE = ["dW = x.T @ da"]
CAUSE = [r"path", r"missing", r"r\.T @ h", r"decoder"]
