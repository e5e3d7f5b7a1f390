"""Source: the manner of sparse layers with row and column lists, written anew
True wrong line: dvals = np.sum(dz[cols] * h[rows], axis=1)
True cause: rows and columns are swapped: entry (row, col) takes z's row and h's column."""
import numpy as np

def spmm(vals, rows, cols, h, n):
    out = np.zeros((n, h.shape[1]))
    for v, i, j in zip(vals, rows, cols):
        out[i] = out[i] + v * h[j]
    return out

def spmm_t(vals, rows, cols, d, n):
    return spmm(vals, cols, rows, d, n)

def loss(p, x, y, rows, cols):
    h = np.tanh(x @ p["W"])
    z = spmm(p["vals"], rows, cols, h, len(y))
    return 0.5 * np.sum((z - y) ** 2)

def grad(p, x, y, rows, cols):
    h = np.tanh(x @ p["W"])
    dz = spmm(p["vals"], rows, cols, h, len(y)) - y
    dvals = np.sum(dz[cols] * h[rows], axis=1)
    dh = spmm_t(p["vals"], rows, cols, dz, len(h))
    return {"vals": dvals, "W": x.T @ (dh * (1 - h ** 2))}

def make_args():
    import numpy
    r = numpy.random.default_rng(26)
    rows, cols = numpy.array([0, 0, 1, 3, 4, 2, 4]), numpy.array([1, 4, 1, 0, 2, 2, 3])
    return {"vals": r.standard_normal(7), "W": r.standard_normal((3, 2))}, r.standard_normal((5, 3)), r.standard_normal((5, 2)), rows, cols

FIX = [("dvals = np.sum(dz[cols] * h[rows], axis=1)", "dvals = np.sum(dz[rows] * h[cols], axis=1)")]
LINE = ["dvals = np.sum(dz[cols] * h[rows], axis=1)"]
CAUSE = [r"swap", r"dz\[rows\]", r"h\[cols\]", r"ind(ex|ices)"]
NPONLY = True
