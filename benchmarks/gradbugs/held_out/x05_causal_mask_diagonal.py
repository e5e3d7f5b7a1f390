"""Source: the manner of questions about masked attention's backward, written anew
True wrong line: mask = np.tril(np.ones((T, T)), k=-1)
True cause: the backward pass's mask leaves out the diagonal that the forward pass keeps."""
import numpy as np

def softmax(s):
    s = np.exp(s - s.max(axis=-1, keepdims=True))
    return s / s.sum(axis=-1, keepdims=True)

def attend(x, Wq, Wk, Wv):
    T, d = x.shape[0], Wq.shape[1]
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    scores = q @ k.T / np.sqrt(d)
    scores = np.where(np.tril(np.ones((T, T))) == 1, scores, -1e9)
    w = softmax(scores)
    return w @ v, (q, k, v, w)

def loss(p, x, y):
    out, _ = attend(x, p["Wq"], p["Wk"], p["Wv"])
    return np.mean((out - y) ** 2)

def grad(p, x, y):
    out, (q, k, v, w) = attend(x, p["Wq"], p["Wk"], p["Wv"])
    T, d = x.shape[0], q.shape[1]
    dout = 2 * (out - y) / y.size
    dv = w.T @ dout
    dw = dout @ v.T
    mask = np.tril(np.ones((T, T)), k=-1)
    ds = w * (dw - (dw * w).sum(axis=-1, keepdims=True)) * mask
    ds = ds / np.sqrt(d)
    return {"Wq": x.T @ (ds @ k), "Wk": x.T @ (ds.T @ q), "Wv": x.T @ dv}

def make_args():
    import numpy
    r = numpy.random.default_rng(5)
    n = lambda *s: r.standard_normal(s)
    return {"Wq": n(3, 4), "Wk": n(3, 4), "Wv": n(3, 2)}, n(6, 3), n(6, 2)

FIX = [("mask = np.tril(np.ones((T, T)), k=-1)", "mask = np.tril(np.ones((T, T)))")]
LINE = ["mask = np.tril(np.ones((T, T)), k=-1)", "* mask"]
CAUSE = [r"diagonal", r"(the|other|wrong|different) mask", r"k=0|np\.tril\(np\.ones\(\(T, T\)\)\)", r"without .?k"]
