"""Source: the manner of survival analysis in NumPy, written anew
True wrong line: weighted = np.cumsum(w[:, None] * X, axis=0)
True cause: the sum over those still at risk runs from the wrong end: it has to be reversed as the denominator is."""
import numpy as np

def risk(w):
    return np.cumsum(w[::-1])[::-1]

def loss(beta, X, event):
    # rows are sorted by time, the earliest first
    eta = X @ beta
    return -np.sum(event * (eta - np.log(risk(np.exp(eta))))) / np.sum(event)

def grad(beta, X, event):
    eta = X @ beta
    w = np.exp(eta)
    denominator = risk(w)
    weighted = np.cumsum(w[:, None] * X, axis=0)
    expected = weighted / denominator[:, None]
    return -np.sum(event[:, None] * (X - expected), axis=0) / np.sum(event)

def make_args():
    import numpy
    r = numpy.random.default_rng(10)
    return r.standard_normal(3), r.standard_normal((8, 3)), numpy.array([1.0, 0, 1, 1, 0, 1, 0, 1])

FIX = [("weighted = np.cumsum(w[:, None] * X, axis=0)", "weighted = np.cumsum((w[:, None] * X)[::-1], axis=0)[::-1]")]
LINE = ["weighted = np.cumsum(w[:, None] * X, axis=0)"]
CAUSE = [r"revers", r"\[::-1\]", r"(wrong|other) end|from the end"]
