"""Source: the manner of binary focal losses for boosting, written anew
True wrong line: dmod = GAMMA * (1 - pt) ** GAMMA * np.log(pt)
True cause: the derivative of (1 - pt) ** gamma keeps the power gamma; it is gamma - 1."""
import numpy as np

ALPHA, GAMMA = 0.25, 2.0

def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def loss(p, X, y):
    prob = sigmoid(X @ p["w"] + p["b"])
    pt = y * prob + (1 - y) * (1 - prob)
    at = y * ALPHA + (1 - y) * (1 - ALPHA)
    return np.mean(-at * (1 - pt) ** GAMMA * np.log(pt))

def grad(p, X, y):
    prob = sigmoid(X @ p["w"] + p["b"])
    pt = y * prob + (1 - y) * (1 - prob)
    at = y * ALPHA + (1 - y) * (1 - ALPHA)
    dmod = GAMMA * (1 - pt) ** GAMMA * np.log(pt)
    dlog = (1 - pt) ** GAMMA / pt
    dpt = at * (dmod - dlog)
    dz = dpt * (2 * y - 1) * prob * (1 - prob) / len(y)
    return {"w": X.T @ dz, "b": np.sum(dz)}

def make_args():
    import numpy
    r = numpy.random.default_rng(13)
    return {"w": r.standard_normal(4), "b": numpy.array(0.3)}, r.standard_normal((9, 4)), numpy.array([1.0, 0, 0, 1, 1, 0, 1, 0, 0])

FIX = [("dmod = GAMMA * (1 - pt) ** GAMMA * np.log(pt)", "dmod = GAMMA * (1 - pt) ** (GAMMA - 1) * np.log(pt)")]
LINE = ["dmod = GAMMA * (1 - pt) ** GAMMA * np.log(pt)"]
CAUSE = [r"power|exponent", r"GAMMA - 1"]
