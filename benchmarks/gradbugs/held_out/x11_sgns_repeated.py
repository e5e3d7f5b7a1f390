"""Source: the manner of word2vec assignments with negative samples, written anew
True wrong line: dU[negs] += g_neg[:, None] * v
True cause: a word drawn twice among the negative samples is counted once: += with repeated indices; np.add.at."""
import numpy as np

def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))

def pair_loss(v, U, o, negs):
    return -np.log(sigmoid(U[o] @ v)) - np.sum(np.log(sigmoid(-U[negs] @ v)))

def loss(p, pairs):
    return sum(pair_loss(p["V"][c], p["U"], o, negs) for c, o, negs in pairs) / len(pairs)

def grad(p, pairs):
    dV, dU = np.zeros_like(p["V"]), np.zeros_like(p["U"])
    for c, o, negs in pairs:
        v = p["V"][c]
        g_pos = sigmoid(p["U"][o] @ v) - 1
        g_neg = sigmoid(p["U"][negs] @ v)
        dV[c] += g_pos * p["U"][o] + g_neg @ p["U"][negs]
        dU[o] += g_pos * v
        dU[negs] += g_neg[:, None] * v
    return {"V": dV / len(pairs), "U": dU / len(pairs)}

def make_args():
    import numpy
    r = numpy.random.default_rng(11)
    a = numpy.array
    return {"V": r.standard_normal((6, 3)), "U": r.standard_normal((6, 3))}, [(0, 1, a([2, 4, 2])), (3, 2, a([5, 0, 1])), (1, 5, a([4, 4, 3]))]

FIX = [("dU[negs] += g_neg[:, None] * v", "np.add.at(dU, negs, g_neg[:, None] * v)")]
LINE = ["dU[negs] += g_neg[:, None] * v"]
CAUSE = [r"repeat|twice|duplicate", r"add\.at"]
NPONLY = True
