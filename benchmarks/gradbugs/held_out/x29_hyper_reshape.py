"""Source: the manner of hypernetworks by hand, written anew
True wrong line: dflat = dW.flatten(order="F")
True cause: the generated weights are taken apart in the other order than they were put together."""
import numpy as np

def make_weights(p, c, shape):
    h = np.maximum(0, p["A"] @ c + p["a"])
    flat = p["B"] @ h + p["b"]
    return h, flat.reshape(shape)

def loss(p, c, X, y):
    _, W = make_weights(p, c, (X.shape[1], y.shape[1]))
    return np.mean((X @ W - y) ** 2)

def grad(p, c, X, y):
    h, W = make_weights(p, c, (X.shape[1], y.shape[1]))
    dW = X.T @ (2 * (X @ W - y) / y.size)
    dflat = dW.flatten(order="F")
    dh = (p["B"].T @ dflat) * (h > 0)
    return {"A": np.outer(dh, c), "a": dh, "B": np.outer(dflat, h), "b": dflat}

def make_args():
    import numpy
    r = numpy.random.default_rng(29)
    n = lambda *s: r.standard_normal(s)
    return {"A": n(5, 2), "a": n(5), "B": n(6, 5), "b": n(6)}, n(2), n(7, 3), n(7, 2)

FIX = [('dflat = dW.flatten(order="F")', "dflat = dW.flatten()")]
LINE = ['dflat = dW.flatten(order="F")']
CAUSE = [r"row.?major|column.?major|(other|wrong|different|same) order|order of", r"order=.C", r"transpos", r"flatten\(\)", r"without .?order"]
