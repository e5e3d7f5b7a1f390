"""Source: the manner of neural ODE demonstrations (Euler steps, discrete adjoint), written anew
True wrong line: h = np.tanh(zs[k + 1] @ p["A"] + p["b"])
True cause: the adjoint step is linearised at the state after the step; Euler's step used the one before, zs[k]."""
import numpy as np

def solve(p, z0, n, dt):
    zs = [z0]
    for k in range(n):
        zs.append(zs[-1] + dt * np.tanh(zs[-1] @ p["A"] + p["b"]) @ p["B"])
    return zs

def loss(p, z0, target, n, dt):
    return 0.5 * np.sum((solve(p, z0, n, dt)[-1] - target) ** 2)

def grad(p, z0, target, n, dt):
    zs = solve(p, z0, n, dt)
    lam = zs[-1] - target
    gA, gb, gB = np.zeros_like(p["A"]), np.zeros_like(p["b"]), np.zeros_like(p["B"])
    for k in range(n - 1, -1, -1):
        h = np.tanh(zs[k + 1] @ p["A"] + p["b"])
        gB += dt * h.T @ lam
        da = dt * (lam @ p["B"].T) * (1 - h ** 2)
        gA += zs[k].T @ da
        gb += da.sum(axis=0)
        lam = lam + da @ p["A"].T
    return {"A": gA, "b": gb, "B": gB}

def make_args():
    import numpy
    r = numpy.random.default_rng(21)
    n = lambda *s: r.standard_normal(s)
    return {"A": n(2, 4), "b": n(4), "B": n(4, 2)}, n(3, 2), n(3, 2), 4, 0.2

FIX = [('h = np.tanh(zs[k + 1] @ p["A"] + p["b"])', 'h = np.tanh(zs[k] @ p["A"] + p["b"])')]
LINE = ['h = np.tanh(zs[k + 1] @ p["A"] + p["b"])']
CAUSE = [r"zs\[k\]", r"(another|next|previous|other|wrong|earlier|later) (index|step|state|item|row|entry)", r"offset|one (step )?(too )?(early|late|further|before|behind)"]
