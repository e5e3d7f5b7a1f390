"""Source: the manner of time-series code (local level model, sensitivities run beside the filter), written anew
True wrong line: dP = (1 - K) * dPp
True cause: the gain depends on the parameters too; the product rule's second part, - dK * Pp, is missing."""
import numpy as np

def loss(theta, y):
    q, r = np.exp(theta[0]), np.exp(theta[1])
    m, P, nll = 0.0, 1.0, 0.0
    for yt in y:
        Pp = P + q
        S = Pp + r
        v = yt - m
        nll = nll + 0.5 * (np.log(S) + v ** 2 / S)
        K = Pp / S
        m = m + K * v
        P = (1 - K) * Pp
    return nll

def grad(theta, y):
    q, r = np.exp(theta[0]), np.exp(theta[1])
    dq, dr = np.array([q, 0.0]), np.array([0.0, r])
    m, P = 0.0, 1.0
    dm, dP, dnll = np.zeros(2), np.zeros(2), np.zeros(2)
    for yt in y:
        Pp, dPp = P + q, dP + dq
        S, dS = Pp + r, dPp + dr
        v, dv = yt - m, -dm
        dnll = dnll + 0.5 * (dS / S + 2 * v * dv / S - v ** 2 * dS / S ** 2)
        K = Pp / S
        dK = dPp / S - Pp * dS / S ** 2
        m, dm = m + K * v, dm + dK * v + K * dv
        P = (1 - K) * Pp
        dP = (1 - K) * dPp
    return dnll

def make_args():
    import numpy
    r = numpy.random.default_rng(8)
    return numpy.array([-0.5, 0.2]), r.standard_normal(7)

FIX = [("dP = (1 - K) * dPp", "dP = (1 - K) * dPp - dK * Pp")]
LINE = ["dP = (1 - K) * dPp"]
CAUSE = [r"missing", r"dK", r"product rule", r"path"]
