"""Source: the manner of packages for ordered logit, written anew
True wrong line: dcut[k - 1] += pdf(hi) / prob
True cause: the lower cut's gradient takes the density at the upper cut."""
import numpy as np

def cdf(z):
    return 1 / (1 + np.exp(-z))

def pdf(z):
    return cdf(z) * (1 - cdf(z))

def loss(p, X, y):
    eta, cuts = X @ p["beta"], p["cuts"]
    total = 0.0
    for e, k in zip(eta, y):
        upper = cdf(cuts[k] - e) if k < len(cuts) else 1.0
        lower = cdf(cuts[k - 1] - e) if k > 0 else 0.0
        total = total - np.log(upper - lower)
    return total

def grad(p, X, y):
    eta, cuts = X @ p["beta"], p["cuts"]
    dcut, dbeta = [0.0] * len(cuts), np.zeros_like(p["beta"])
    for x, e, k in zip(X, eta, y):
        hi = cuts[k] - e if k < len(cuts) else np.inf
        lo = cuts[k - 1] - e if k > 0 else -np.inf
        prob = cdf(hi) - cdf(lo)
        if k < len(cuts):
            dcut[k] -= pdf(hi) / prob
        if k > 0:
            dcut[k - 1] += pdf(hi) / prob
        dbeta = dbeta + (pdf(hi) - pdf(lo)) / prob * x
    return {"beta": dbeta, "cuts": np.array(dcut)}

def make_args():
    import numpy
    r = numpy.random.default_rng(9)
    return {"beta": r.standard_normal(3), "cuts": numpy.array([-1.0, 0.3, 1.4])}, r.standard_normal((7, 3)), [0, 3, 1, 2, 2, 1, 0]

FIX = [("dcut[k - 1] += pdf(hi) / prob", "dcut[k - 1] += pdf(lo) / prob")]
LINE = ["dcut[k - 1] += pdf(hi) / prob"]
CAUSE = [r"\blo\b|lower"]
