"""Source: the manner of a highway network of several layers, written anew
True wrong line: dt = dy * h
True cause: the carry gate is 1 - t, so the gate's adjoint lacks - dy * x."""
import numpy as np

sigmoid = lambda a: 1 / (1 + np.exp(-a))

def forward(layers, x):
    caches = []
    for Wh, bh, Wt, bt in layers:
        h = np.tanh(x @ Wh + bh)
        t = sigmoid(x @ Wt + bt)
        caches.append((x, h, t))
        x = t * h + (1 - t) * x
    return x, caches

def loss(layers, x, y):
    return np.sum((forward(layers, x)[0] - y) ** 2)

def grad(layers, x, y):
    out, caches = forward(layers, x)
    dy = 2 * (out - y)
    grads = []
    for (Wh, bh, Wt, bt), (x, h, t) in zip(layers[::-1], caches[::-1]):
        dh = dy * t
        dt = dy * h
        dah = dh * (1 - h * h)
        dat = dt * t * (1 - t)
        grads.append((x.T @ dah, dah.sum(axis=0), x.T @ dat, dat.sum(axis=0)))
        dy = dah @ Wh.T + dat @ Wt.T + dy * (1 - t)
    return grads[::-1]

def make_args():
    import numpy
    r = numpy.random.default_rng(24)
    n = lambda *s: 0.7 * r.standard_normal(s)
    return [(n(3, 3), n(3), n(3, 3), n(3)) for _ in range(3)], n(5, 3), n(5, 3)

FIX = [("dt = dy * h\n", "dt = dy * (h - x)\n")]
LINE = ["dt = dy * h"]
CAUSE = [r"missing|lacks", r"h - x|- ?dy \* x", r"carry|path"]
