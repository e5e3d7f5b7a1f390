"""Source: the manner of a variational autoencoder by hand, written anew
True wrong line: dlogvar = dz * eps * np.exp(logvar) * 0.5 + ...
True cause: z holds exp(logvar / 2) eps, so its derivative has the standard deviation, not the variance."""
import numpy as np

def forward(p, x, eps):
    h = np.tanh(x @ p["We"])
    mu, logvar = h @ p["Wm"], h @ p["Ws"]
    z = mu + np.exp(0.5 * logvar) * eps
    return {"h": h, "mu": mu, "logvar": logvar, "z": z, "xr": z @ p["Wd"]}

def loss(p, x, eps):
    c = forward(p, x, eps)
    kl = -0.5 * np.sum(1 + c["logvar"] - c["mu"] ** 2 - np.exp(c["logvar"]))
    return (0.5 * np.sum((c["xr"] - x) ** 2) + kl) / x.shape[0]

def grad(p, x, eps):
    c = forward(p, x, eps)
    N = x.shape[0]
    dxr = (c["xr"] - x) / N
    dz = dxr @ p["Wd"].T
    dmu = dz + c["mu"] / N
    dlogvar = dz * eps * np.exp(c["logvar"]) * 0.5 + 0.5 * (np.exp(c["logvar"]) - 1) / N
    dh = dmu @ p["Wm"].T + dlogvar @ p["Ws"].T
    return {"We": x.T @ (dh * (1 - c["h"] ** 2)), "Wm": c["h"].T @ dmu, "Ws": c["h"].T @ dlogvar, "Wd": c["z"].T @ dxr}

def make_args():
    import numpy
    r = numpy.random.default_rng(19)
    n = lambda *s: 0.7 * r.standard_normal(s)
    return {"We": n(4, 5), "Wm": n(5, 2), "Ws": n(5, 2), "Wd": n(2, 4)}, n(6, 4), n(6, 2)

FIX = [('dz * eps * np.exp(c["logvar"]) * 0.5', 'dz * eps * np.exp(0.5 * c["logvar"]) * 0.5')]
LINE = ["dlogvar = dz * eps * np.exp("]
CAUSE = [r"standard deviation|sqrt", r"exp\(0\.5|exp\(.{0,20}/ 2", r"half"]
