"""Source: the manner of questions about the gradient of a Gaussian mixture's likelihood, written anew
True wrong line: dls = -np.sum(resp[:, :, None] * diff ** 2 / sig ** 2, axis=0)
True cause: the derivative of the normalising constant, -log sigma, is missing (the -1 in (z ** 2 - 1))."""
import numpy as np

def parts(p, X):
    sig = np.exp(p["logsig"])
    diff = X[:, None, :] - p["mu"][None]
    logn = -0.5 * np.sum((diff / sig) ** 2, axis=2) - np.sum(p["logsig"], axis=1)
    logpi = p["logit"] - np.log(np.sum(np.exp(p["logit"])))
    return sig, diff, logn + logpi

def loss(p, X):
    _, _, joint = parts(p, X)
    m = joint.max(axis=1)
    return -np.sum(m + np.log(np.sum(np.exp(joint - m[:, None]), axis=1)))

def grad(p, X):
    sig, diff, joint = parts(p, X)
    resp = np.exp(joint - joint.max(axis=1, keepdims=True))
    resp = resp / resp.sum(axis=1, keepdims=True)
    pi = np.exp(p["logit"]) / np.sum(np.exp(p["logit"]))
    dmu = -np.sum(resp[:, :, None] * diff / sig ** 2, axis=0)
    dls = -np.sum(resp[:, :, None] * diff ** 2 / sig ** 2, axis=0)
    dlogit = len(X) * pi - resp.sum(axis=0)
    return {"mu": dmu, "logsig": dls, "logit": dlogit}

def make_args():
    import numpy
    r = numpy.random.default_rng(7)
    n = lambda *s: r.standard_normal(s)
    return {"mu": n(3, 2), "logsig": 0.3 * n(3, 2), "logit": n(3)}, n(8, 2)

FIX = [("dls = -np.sum(resp[:, :, None] * diff ** 2 / sig ** 2, axis=0)", "dls = -np.sum(resp[:, :, None] * (diff ** 2 / sig ** 2 - 1), axis=0)")]
LINE = ["dls = -np.sum(resp"]
CAUSE = [r"missing|lacks|left out", r"sigma \*\* 2 - 1|- 1\b"]
