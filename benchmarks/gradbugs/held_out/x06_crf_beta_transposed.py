"""Source: the manner of course code for a linear-chain CRF tagger, written anew
True wrong line: beta[t] = logsumexp(trans + (emit[t + 1] + beta[t + 1])[:, None], axis=0)
True cause: the backward recursion adds the next step's scores along the wrong axis, so the transitions are used transposed."""
import numpy as np

def logsumexp(a, axis):
    m = np.max(a, axis=axis, keepdims=True)
    return np.squeeze(m, axis) + np.log(np.sum(np.exp(a - m), axis=axis))

def alphas(emit, trans):
    alpha = np.zeros_like(emit)
    alpha[0] = emit[0]
    for t in range(1, len(emit)):
        alpha[t] = emit[t] + logsumexp(alpha[t - 1][:, None] + trans, axis=0)
    return alpha

def betas(emit, trans):
    beta = np.zeros_like(emit)
    for t in range(len(emit) - 2, -1, -1):
        beta[t] = logsumexp(trans + (emit[t + 1] + beta[t + 1])[:, None], axis=0)
    return beta

def loss(p, X, tags):
    emit = X @ p["W"]
    score = emit[0, tags[0]]
    for t in range(1, len(tags)):
        score = score + p["T"][tags[t - 1], tags[t]] + emit[t, tags[t]]
    return logsumexp(alphas(emit, p["T"])[-1], 0) - score

def grad(p, X, tags):
    emit = X @ p["W"]
    alpha, beta = alphas(emit, p["T"]), betas(emit, p["T"])
    logZ = logsumexp(alpha[-1], 0)
    demit = np.exp(alpha + beta - logZ)
    dT = np.zeros_like(p["T"])
    for t in range(1, len(tags)):
        pair = alpha[t - 1][:, None] + p["T"] + (emit[t] + beta[t])[None, :]
        dT += np.exp(pair - logZ)
        dT[tags[t - 1], tags[t]] -= 1
    demit[np.arange(len(tags)), tags] -= 1
    return {"W": X.T @ demit, "T": dT}

def make_args():
    import numpy
    r = numpy.random.default_rng(6)
    return {"W": r.standard_normal((4, 3)), "T": r.standard_normal((3, 3))}, r.standard_normal((5, 4)), numpy.array([0, 2, 1, 1, 0])

FIX = [("(emit[t + 1] + beta[t + 1])[:, None], axis=0)", "(emit[t + 1] + beta[t + 1])[None, :], axis=1)")]
LINE = ["beta[t] = logsumexp("]
CAUSE = [r"transpos", r"(wrong|other|different|over|along) (the )?ax[ei]s", r"axis=1", r"columns?|rows?"]
NPONLY = True
