"""Source: the manner of inverse heat conduction by finite differences, written anew
True wrong line: down = np.concatenate([w[:-1], zero])
True cause: the zero stands at the wrong end, so the weights are not moved by one to their other neighbour."""
import numpy as np

def step(u, kappa, r):
    flux = kappa[1:-1] * (u[2:] - 2 * u[1:-1] + u[:-2])
    return np.concatenate([u[:1], u[1:-1] + r * flux, u[-1:]])

def march(kappa, u0, nt, r):
    us = [u0]
    for _ in range(nt):
        us.append(step(us[-1], kappa, r))
    return us

def loss(p, data, nt, r):
    u = march(p["kappa"], p["u0"], nt, r)[-1]
    return 0.5 * np.sum((u - data) ** 2)

def grad(p, data, nt, r):
    kappa = p["kappa"]
    us = march(kappa, p["u0"], nt, r)
    lam = us[-1] - data
    zero = np.zeros(1)
    dkappa = np.zeros_like(kappa)
    for t in range(nt - 1, -1, -1):
        u = us[t]
        inner = lam[1:-1] * r * (u[2:] - 2 * u[1:-1] + u[:-2])
        dkappa = dkappa + np.concatenate([zero, inner, zero])
        w = np.concatenate([zero, r * kappa[1:-1] * lam[1:-1], zero])
        up = np.concatenate([w[1:], zero])
        down = np.concatenate([w[:-1], zero])
        lam = lam + up - 2 * w + down
    return {"kappa": dkappa, "u0": lam}

def make_args():
    import numpy
    r = numpy.random.default_rng(22)
    return {"kappa": 0.5 + r.random(7), "u0": r.standard_normal(7)}, r.standard_normal(7), 3, 0.2

FIX = [("down = np.concatenate([w[:-1], zero])", "down = np.concatenate([zero, w[:-1]])")]
LINE = ["down = np.concatenate([w[:-1], zero])"]
CAUSE = [r"order|swap", r"shift", r"zero, w\[:-1\]", r"argument"]
