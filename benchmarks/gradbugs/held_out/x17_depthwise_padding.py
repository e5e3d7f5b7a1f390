"""Source: the manner of a depthwise convolution along time by hand, written anew
True wrong line: dx = dpad[:, :T]
True cause: the padding is cut off at the wrong end: the input stands behind the K - 1 zeros of causal padding."""
import numpy as np

def pad_left(x, K):
    return np.concatenate([np.zeros((x.shape[0], K - 1)), x], axis=1)

def depthwise(x, w):
    C, T = x.shape
    K = w.shape[1]
    xp = pad_left(x, K)
    out = np.zeros((C, T))
    for k in range(K):
        out = out + w[:, k:k + 1] * xp[:, k:k + T]
    return out

def depthwise_backward(dout, x, w):
    C, T = x.shape
    K = w.shape[1]
    xp = pad_left(x, K)
    dpad = np.zeros_like(xp)
    dw = np.zeros_like(w)
    for k in range(K):
        dw[:, k] = np.sum(dout * xp[:, k:k + T], axis=1)
        dpad[:, k:k + T] += w[:, k:k + 1] * dout
    dx = dpad[:, :T]
    return dx, dw

def loss(p, y):
    h = np.tanh(p["mix"] @ p["x"])
    return np.mean((depthwise(h, p["w"]) - y) ** 2)

def grad(p, y):
    h = np.tanh(p["mix"] @ p["x"])
    dout = 2 * (depthwise(h, p["w"]) - y) / y.size
    dh, dw = depthwise_backward(dout, h, p["w"])
    da = dh * (1 - h ** 2)
    return {"x": p["mix"].T @ da, "mix": da @ p["x"].T, "w": dw}

def make_args():
    import numpy
    r = numpy.random.default_rng(17)
    n = lambda *s: r.standard_normal(s)
    return {"x": n(2, 7), "mix": n(3, 2), "w": n(3, 3)}, n(3, 7)

FIX = [("dx = dpad[:, :T]", "dx = dpad[:, K - 1:]")]
LINE = ["dx = dpad[:, :T]"]
CAUSE = [r"slice|bound|index", r"K - 1", r"padd", r"end"]
NPONLY = True
