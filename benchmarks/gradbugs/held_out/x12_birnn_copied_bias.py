"""Source: the manner of a bidirectional RNN written as a course project, written anew
True wrong line: grads["bb"] = grads["bf"]
True cause: the backward direction's bias is given the forward direction's gradient."""
import numpy as np

def run(W, U, b, xs):
    h, hs = np.zeros(len(b)), []
    for x in xs:
        h = np.tanh(W @ x + U @ h + b)
        hs.append(h)
    return hs

def bptt(W, U, b, xs, hs, dhs):
    dW, dU, db, dnext = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b), np.zeros_like(b)
    for t in reversed(range(len(xs))):
        da = (dhs[t] + dnext) * (1 - hs[t] ** 2)
        prev = hs[t - 1] if t > 0 else np.zeros_like(b)
        dW = dW + np.outer(da, xs[t])
        dU = dU + np.outer(da, prev)
        db = db + da
        dnext = U.T @ da
    return dW, dU, db

def outputs(p, xs):
    f = run(p["Wf"], p["Uf"], p["bf"], xs)
    b = run(p["Wb"], p["Ub"], p["bb"], xs[::-1])
    return f, b, [p["V"] @ np.concatenate([hf, hb]) for hf, hb in zip(f, b[::-1])]

def loss(p, xs, ys):
    return sum(np.sum((o - y) ** 2) for o, y in zip(outputs(p, xs)[2], ys))

def grad(p, xs, ys):
    f, b, outs = outputs(p, xs)
    n = len(p["bf"])
    grads, dfs, dbs = {"V": np.zeros_like(p["V"])}, [], []
    for hf, hb, o, y in zip(f, b[::-1], outs, ys):
        do = 2 * (o - y)
        grads["V"] = grads["V"] + np.outer(do, np.concatenate([hf, hb]))
        d = p["V"].T @ do
        dfs.append(d[:n])
        dbs.append(d[n:])
    grads["Wf"], grads["Uf"], grads["bf"] = bptt(p["Wf"], p["Uf"], p["bf"], xs, f, dfs)
    grads["Wb"], grads["Ub"], dbb = bptt(p["Wb"], p["Ub"], p["bb"], xs[::-1], b, dbs[::-1])
    grads["bb"] = grads["bf"]
    return grads

def make_args():
    import numpy
    r = numpy.random.default_rng(12)
    n = lambda *s: 0.6 * r.standard_normal(s)
    return {"V": n(2, 6), "Wf": n(3, 2), "Uf": n(3, 3), "bf": n(3), "Wb": n(3, 2), "Ub": n(3, 3), "bb": n(3)}, n(4, 2), n(4, 2)

FIX = [('grads["bb"] = grads["bf"]', 'grads["bb"] = dbb')]
LINE = ['grads["bb"] = grads["bf"]']
CAUSE = [r"another leaf|other leaf|copied|of another", r"\bdbb\b", r"gradient of `?bf|`?bf`?'s? gradient|is (that|the gradient) of"]
