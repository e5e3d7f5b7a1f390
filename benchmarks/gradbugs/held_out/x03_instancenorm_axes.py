"""Source: the manner of style transfer code (instance norm made from batch norm), written anew
True wrong line: dx = ... np.mean(dxhat, axis=(0, 2, 3), keepdims=True) ...
True cause: the mean of the adjoint is taken over the batch too; instance norm's statistics are one image's, axes (2, 3)."""
import numpy as np

EPS = 1e-5

def instance_norm_forward(x, gamma, beta):
    mu = np.mean(x, axis=(2, 3), keepdims=True)
    var = np.var(x, axis=(2, 3), keepdims=True)
    inv_std = 1.0 / np.sqrt(var + EPS)
    xhat = (x - mu) * inv_std
    out = gamma[None, :, None, None] * xhat + beta[None, :, None, None]
    return out, (xhat, inv_std, gamma)

def instance_norm_backward(dout, cache):
    xhat, inv_std, gamma = cache
    dgamma = np.sum(dout * xhat, axis=(0, 2, 3))
    dbeta = np.sum(dout, axis=(0, 2, 3))
    dxhat = dout * gamma[None, :, None, None]
    m1 = np.mean(dxhat, axis=(0, 2, 3), keepdims=True)
    m2 = np.mean(dxhat * xhat, axis=(2, 3), keepdims=True)
    dx = inv_std * (dxhat - m1 - xhat * m2)
    return dx, dgamma, dbeta

def loss(p, t):
    out, _ = instance_norm_forward(p["x"], p["gamma"], p["beta"])
    return np.sum(np.tanh(out) * t)

def grad(p, t):
    out, cache = instance_norm_forward(p["x"], p["gamma"], p["beta"])
    dx, dgamma, dbeta = instance_norm_backward((1 - np.tanh(out) ** 2) * t, cache)
    return {"x": dx, "gamma": dgamma, "beta": dbeta}

def make_args():
    import numpy
    r = numpy.random.default_rng(3)
    return {"x": r.standard_normal((3, 2, 3, 4)), "gamma": r.standard_normal(2), "beta": r.standard_normal(2)}, r.standard_normal((3, 2, 3, 4))

FIX = [("m1 = np.mean(dxhat, axis=(0, 2, 3), keepdims=True)", "m1 = np.mean(dxhat, axis=(2, 3), keepdims=True)")]
LINE = ["m1 = np.mean(dxhat, axis=(0, 2, 3), keepdims=True)"]
CAUSE = [r"(wrong|other|different|over|along) (the )?(axis|axes)", r"batch", r"\(2, 3\)"]
