"""Source: the manner of Gaussian process code (log marginal likelihood with ARD), written anew
True wrong line: dl.append(0.5 * np.sum(M * K * D[d] / ls[d] ** 2))
True cause: by the length itself the derivative has its third power; the second belongs to the derivative by its logarithm."""
import numpy as np

def kernel(X, ls, sf):
    D = [(X[:, d, None] - X[None, :, d]) ** 2 for d in range(X.shape[1])]
    S = sum(D[d] / ls[d] ** 2 for d in range(len(D)))
    return sf ** 2 * np.exp(-0.5 * S), D

def loss(theta, X, y):
    ls, sf, sn = theta["ls"], theta["sf"], theta["sn"]
    K, _ = kernel(X, ls, sf)
    Ky = K + sn ** 2 * np.eye(len(y))
    return 0.5 * y @ np.linalg.solve(Ky, y) + 0.5 * np.linalg.slogdet(Ky)[1]

def grad(theta, X, y):
    ls, sf, sn = theta["ls"], theta["sf"], theta["sn"]
    K, D = kernel(X, ls, sf)
    Kinv = np.linalg.inv(K + sn ** 2 * np.eye(len(y)))
    alpha = Kinv @ y
    M = Kinv - np.outer(alpha, alpha)
    dl = []
    for d in range(len(D)):
        dl.append(0.5 * np.sum(M * K * D[d] / ls[d] ** 2))
    dsf = np.sum(M * K) / sf
    dsn = sn * np.trace(M)
    return {"ls": np.array(dl), "sf": dsf, "sn": dsn}

def make_args():
    import numpy
    r = numpy.random.default_rng(28)
    return {"ls": numpy.array([0.8, 1.7]), "sf": numpy.array(1.3), "sn": numpy.array(0.4)}, r.standard_normal((6, 2)), r.standard_normal(6)

FIX = [("D[d] / ls[d] ** 2))\n", "D[d] / ls[d] ** 3))\n")]
LINE = ["dl.append(0.5 * np.sum(M * K * D[d] / ls[d] ** 2))"]
CAUSE = [r"power|exponent", r"\*\* 3", r"factor"]
