"""Source: the manner of contrastive learning (similarities of all pairs in a batch), written anew
True wrong line: dZ = G @ Z / tau
True cause: every row stands on both sides of the similarity; the path through the other side, G.T @ Z, is missing."""
import numpy as np

def normalise(H):
    n = np.sqrt(np.sum(H ** 2, axis=1, keepdims=True))
    return H / n, n

def similarity(Z, tau):
    S = Z @ Z.T / tau
    return S - 1e4 * np.eye(len(Z))

def log_softmax(S):
    S = S - np.max(S, axis=1, keepdims=True)
    return S - np.log(np.sum(np.exp(S), axis=1, keepdims=True))

def loss(W, X, partner, tau):
    Z, _ = normalise(X @ W)
    logp = log_softmax(similarity(Z, tau))
    return -np.mean(logp[np.arange(len(Z)), partner])

def grad(W, X, partner, tau):
    H = X @ W
    Z, n = normalise(H)
    logp = log_softmax(similarity(Z, tau))
    G = (np.exp(logp) - np.eye(len(Z))[partner]) / len(Z)
    dZ = G @ Z / tau
    dH = (dZ - Z * np.sum(dZ * Z, axis=1, keepdims=True)) / n
    return X.T @ dH

def make_args():
    import numpy
    r = numpy.random.default_rng(30)
    return r.standard_normal((4, 3)), r.standard_normal((6, 4)), numpy.array([3, 4, 5, 0, 1, 2]), 0.5

FIX = [("dZ = G @ Z / tau", "dZ = (G + G.T) @ Z / tau")]
LINE = ["dZ = G @ Z / tau"]
CAUSE = [r"path", r"missing|lacks", r"G\.T"]
