"""Source: the manner of policy gradient course code, written anew
True wrong line: dW += np.outer(s, dlogits) / len(ep)
True cause: divided by the length of the episode where the loss divides by the number of episodes."""
import numpy as np

def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()

def returns(rewards, gamma=0.9):
    out, G = [0.0] * len(rewards), 0.0
    for t in reversed(range(len(rewards))):
        G = rewards[t] + gamma * G
        out[t] = G
    return out

def loss(p, episodes):
    total = 0.0
    for ep in episodes:
        Gs = returns([r for _, _, r in ep])
        for (s, a, _), G in zip(ep, Gs):
            total = total - np.log(softmax(s @ p["W"] + p["b"])[a]) * G
    return total / len(episodes)

def grad(p, episodes):
    dW, db = np.zeros_like(p["W"]), np.zeros_like(p["b"])
    for ep in episodes:
        Gs = returns([r for _, _, r in ep])
        for (s, a, _), G in zip(ep, Gs):
            probs = softmax(s @ p["W"] + p["b"])
            onehot = np.eye(len(probs))[a]
            dlogits = (probs - onehot) * G
            dW += np.outer(s, dlogits) / len(ep)
            db += dlogits / len(episodes)
    return {"W": dW, "b": db}

def make_args():
    import numpy
    r = numpy.random.default_rng(20)
    eps = [[(r.standard_normal(3), int(r.integers(4)), float(r.standard_normal())) for _ in range(n)] for n in (3, 5)]
    return {"W": r.standard_normal((3, 4)), "b": r.standard_normal(4)}, eps

FIX = [("dW += np.outer(s, dlogits) / len(ep)", "dW += np.outer(s, dlogits) / len(episodes)")]
LINE = ["dW += np.outer(s, dlogits) / len(ep)"]
CAUSE = [r"len\(episodes\)", r"number of episodes"]
