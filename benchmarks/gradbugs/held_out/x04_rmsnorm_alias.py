"""Source: the manner of llm-in-numpy repositories (in-place arithmetic to save memory), written anew
True wrong line: dn = dout
True cause: dn is the same array as dout, so dn *= g changes dout before dg is made from it."""
import numpy as np

class RMSNorm:
    def __init__(self, g, eps=1e-6):
        self.g, self.eps = g, eps

    def forward(self, x):
        self.x = x
        self.r = 1 / np.sqrt(np.mean(x ** 2, axis=-1, keepdims=True) + self.eps)
        return x * self.r * self.g

    def backward(self, dout):
        n = self.x * self.r
        dn = dout
        dn *= self.g
        dg = np.sum(dout * n, axis=0)
        dx = self.r * (dn - n * np.mean(dn * n, axis=-1, keepdims=True))
        return dx, dg

def loss(p, y):
    out = RMSNorm(p["g"]).forward(p["x"])
    return 0.5 * np.sum((out - y) ** 2)

def grad(p, y):
    layer = RMSNorm(p["g"])
    dx, dg = layer.backward(layer.forward(p["x"]) - y)
    return {"x": dx, "g": dg}

def make_args():
    import numpy
    r = numpy.random.default_rng(4)
    return {"x": r.standard_normal((5, 4)), "g": 1 + 0.5 * r.standard_normal(4)}, r.standard_normal((5, 4))

FIX = [("dn = dout\n", "dn = dout.copy()\n")]
LINE = ["dn = dout", "dn *= self.g"]
CAUSE = [r"copy", r"in.?place", r"same (array|buffer)", r"alias", r"overwritten|changed"]
NPONLY = True
