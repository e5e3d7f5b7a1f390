"""Source: the manner of whitening by a Cholesky factor, written anew
True wrong line: dx = np.linalg.solve(L, dz)
True cause: the adjoint of a solve is the solve with the transposed factor."""
import numpy as np

def unpack(p):
    L = np.tril(p["L"], -1) + np.diag(np.exp(np.diag(p["L"])))
    return L, p["m"]

def loss(p, X):
    L, m = unpack(p)
    z = np.linalg.solve(L, (X - m).T)
    return 0.5 * np.sum(z ** 2) + len(X) * np.sum(np.diag(p["L"]))

def grad(p, X):
    L, m = unpack(p)
    z = np.linalg.solve(L, (X - m).T)
    s = np.linalg.solve(L, z)
    dL = -s @ z.T
    dm = -s.sum(axis=1)
    diag = np.diag(dL) * np.diag(L) + len(X)
    return {"L": np.tril(dL, -1) + np.diag(diag), "m": dm}

def make_args():
    import numpy
    r = numpy.random.default_rng(27)
    return {"L": 0.5 * r.standard_normal((3, 3)), "m": r.standard_normal(3)}, r.standard_normal((6, 3))

FIX = [("s = np.linalg.solve(L, z)", "s = np.linalg.solve(L.T, z)")]
LINE = ["s = np.linalg.solve(L, z)"]
CAUSE = [r"transpos", r"\.T"]
