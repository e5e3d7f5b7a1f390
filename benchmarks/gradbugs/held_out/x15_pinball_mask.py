"""Source: the manner of quantile regression networks, written anew
True wrong line: dpred = np.where(err < 0, -taus, 1 - taus) / err.size
True cause: the two slopes of the pinball loss belong to the other sign each: -tau where the target is above, 1 - tau below."""
import numpy as np

def net(p, X):
    h = np.tanh(X @ p["W1"] + p["b1"])
    return h, h @ p["W2"] + p["b2"]

def loss(p, X, y, taus):
    _, pred = net(p, X)
    err = y[:, None] - pred
    return np.mean(np.maximum(taus * err, (taus - 1) * err))

def grad(p, X, y, taus):
    h, pred = net(p, X)
    err = y[:, None] - pred
    dpred = np.where(err < 0, -taus, 1 - taus) / err.size
    dh = dpred @ p["W2"].T * (1 - h ** 2)
    return {"W1": X.T @ dh, "b1": dh.sum(axis=0), "W2": h.T @ dpred, "b2": dpred.sum(axis=0)}

def make_args():
    import numpy
    r = numpy.random.default_rng(15)
    n = lambda *s: r.standard_normal(s)
    return {"W1": n(3, 4), "b1": n(4), "W2": n(4, 3), "b2": n(3)}, n(10, 3), n(10), numpy.array([0.1, 0.5, 0.8])

FIX = [("np.where(err < 0, -taus, 1 - taus)", "np.where(err > 0, -taus, 1 - taus)")]
LINE = ["dpred = np.where(err < 0"]
CAUSE = [r"compar|condition", r"err >|err >=", r"swap|mask|branch"]
