"""Source: the manner of tutorials on recommenders (alternating updates of users and items), written anew
True wrong line: Q[i] += lr * (e * P[u] - lam * Q[i])
True cause: the items' update reads the user's row after that row has been updated; the row from before is needed."""
import numpy as np

class MF:
    def __init__(self, P, Q, lam):
        self.P, self.Q, self.lam = P, Q, lam

    def cost(self, ratings):
        total = 0.0
        for u, i, r in ratings:
            e = r - self.P[u] @ self.Q[i]
            total = total + 0.5 * e ** 2 + 0.5 * self.lam * (self.P[u] @ self.P[u] + self.Q[i] @ self.Q[i])
        return total

    def one_step(self, rating, lr):
        P, Q, lam = self.P.copy(), self.Q.copy(), self.lam
        u, i, r = rating
        e = r - P[u] @ Q[i]
        P[u] += lr * (e * Q[i] - lam * P[u])
        Q[i] += lr * (e * P[u] - lam * Q[i])
        return P, Q

def loss(params, ratings, lam):
    return MF(params["P"], params["Q"], lam).cost(ratings)

def grad(params, ratings, lam):
    model, lr = MF(params["P"], params["Q"], lam), 0.5
    dP, dQ = np.zeros_like(params["P"]), np.zeros_like(params["Q"])
    for rating in ratings:
        P, Q = model.one_step(rating, lr)
        dP += (params["P"] - P) / lr
        dQ += (params["Q"] - Q) / lr
    return {"P": dP, "Q": dQ}

def make_args():
    import numpy
    r = numpy.random.default_rng(0)
    return {"P": r.standard_normal((4, 3)), "Q": r.standard_normal((5, 3))}, [(0, 1, 3.0), (2, 4, 1.0), (0, 3, 4.0), (3, 1, 2.0), (1, 0, 5.0)], 0.1

FIX = [("Q[i] += lr * (e * P[u] - lam * Q[i])", "Q[i] += lr * (e * self.P[u] - lam * Q[i])")]
LINE = ["Q[i] += lr * (e * P[u]", "P[u] += lr * (e * Q[i]"]
CAUSE = [r"updated|overwritten|before the|already", r"self\.P", r"in.?place", r"order"]
NPONLY = True
