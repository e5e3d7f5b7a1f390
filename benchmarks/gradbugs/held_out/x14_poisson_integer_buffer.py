"""Source: the manner of a Poisson regression by hand on counts, written anew
True wrong line: resid = np.zeros_like(y)
True cause: the buffer has the counts' integer type, so the residuals lose what is behind the point."""
import numpy as np

class PoissonRegression:
    def __init__(self, coef, intercept, offset):
        self.coef, self.intercept, self.offset = coef, intercept, offset

    def rate(self, X):
        return np.exp(X @ self.coef + self.intercept + self.offset)

    def nll(self, X, y):
        mu = self.rate(X)
        return np.sum(mu - y * np.log(mu))

    def gradient(self, X, y):
        mu = self.rate(X)
        resid = np.zeros_like(y)
        for i in range(len(y)):
            resid[i] = mu[i] - y[i]
        return X.T @ resid, np.sum(resid)

def loss(p, X, y, offset):
    return PoissonRegression(p[0], p[1], offset).nll(X, y)

def grad(p, X, y, offset):
    return PoissonRegression(p[0], p[1], offset).gradient(X, y)

def make_args():
    import numpy
    r = numpy.random.default_rng(14)
    return (0.5 * r.standard_normal(3), numpy.array(0.7)), r.standard_normal((8, 3)), numpy.array([0, 3, 1, 2, 5, 0, 1, 4]), 0.2 * r.standard_normal(8)

FIX = [("resid = np.zeros_like(y)", "resid = np.zeros_like(mu)")]
LINE = ["resid = np.zeros_like(y)", "resid[i] = mu[i] - y[i]"]
CAUSE = [r"int(eger)?", r"dtype|type", r"cast|round|truncat", r"zeros_like\(mu\)"]
NPONLY = True
