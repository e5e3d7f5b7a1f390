"""Source: the manner of a course's minimal gated unit, written anew
True wrong line: df = dh * (h - c)
True cause: the forget gate also enters the candidate through f * h; that path is missing."""
import numpy as np

def sigmoid(a):
    return 1 / (1 + np.exp(-a))

def forward(p, xs):
    h = np.zeros(p["Uf"].shape[0])
    caches = []
    for x in xs:
        f = sigmoid(p["Wf"] @ x + p["Uf"] @ h + p["bf"])
        c = np.tanh(p["Wc"] @ x + p["Uc"] @ (f * h) + p["bc"])
        caches.append({"x": x, "h": h, "f": f, "c": c})
        h = f * h + (1 - f) * c
    return h, caches

def loss(p, xs, y):
    h, _ = forward(p, xs)
    return 0.5 * np.sum((h - y) ** 2)

def grad(p, xs, y):
    hT, caches = forward(p, xs)
    g = {k: np.zeros_like(v) for k, v in p.items()}
    dh = hT - y
    for cache in reversed(caches):
        x, h, f, c = cache["x"], cache["h"], cache["f"], cache["c"]
        dac = dh * (1 - f) * (1 - c ** 2)
        dr = p["Uc"].T @ dac
        df = dh * (h - c)
        daf = df * f * (1 - f)
        g["Wc"] += np.outer(dac, x)
        g["Uc"] += np.outer(dac, f * h)
        g["bc"] += dac
        g["Wf"] += np.outer(daf, x)
        g["Uf"] += np.outer(daf, h)
        g["bf"] += daf
        dh = dh * f + dr * f + p["Uf"].T @ daf
    return g

def make_args():
    import numpy
    r = numpy.random.default_rng(2)
    n = lambda *s: 0.7 * r.standard_normal(s)
    return {"Wf": n(4, 3), "Uf": n(4, 4), "bf": n(4), "Wc": n(4, 3), "Uc": n(4, 4), "bc": n(4)}, n(5, 3), n(4)

FIX = [("df = dh * (h - c)", "df = dh * (h - c) + dr * h")]
LINE = ["df = dh * (h - c)"]
CAUSE = [r"path", r"dr \* h|h \* dr", r"missing", r"candidate"]
