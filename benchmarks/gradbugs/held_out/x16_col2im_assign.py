"""Source: the manner of convolution assignments (im2col with loops), written anew
True wrong line: dx[n, :, i * s:i * s + kh, j * s:j * s + kw] = cols[r].reshape(C, kh, kw)
True cause: overlapping windows overwrite one another; their parts have to be added."""
import numpy as np

def im2col(x, kh, kw, s):
    N, C, H, W = x.shape
    oh, ow = (H - kh) // s + 1, (W - kw) // s + 1
    rows = []
    for n in range(N):
        for i in range(oh):
            for j in range(ow):
                rows.append(x[n, :, i * s:i * s + kh, j * s:j * s + kw].reshape(-1))
    return np.array(rows), oh, ow

def col2im(cols, shape, kh, kw, s):
    N, C, H, W = shape
    oh, ow = (H - kh) // s + 1, (W - kw) // s + 1
    dx, r = np.zeros(shape), 0
    for n in range(N):
        for i in range(oh):
            for j in range(ow):
                dx[n, :, i * s:i * s + kh, j * s:j * s + kw] = cols[r].reshape(C, kh, kw)
                r += 1
    return dx

def loss(p, y):
    F, C, kh, kw = p["w"].shape
    cols, oh, ow = im2col(p["x"], kh, kw, 2)
    out = cols @ p["w"].reshape(F, -1).T + p["b"]
    return 0.5 * np.sum((out - y) ** 2)

def grad(p, y):
    F, C, kh, kw = p["w"].shape
    cols, oh, ow = im2col(p["x"], kh, kw, 2)
    w = p["w"].reshape(F, -1)
    dout = cols @ w.T + p["b"] - y
    return {"w": (dout.T @ cols).reshape(p["w"].shape), "b": dout.sum(axis=0), "x": col2im(dout @ w, p["x"].shape, kh, kw, 2)}

def make_args():
    import numpy
    r = numpy.random.default_rng(16)
    n = lambda *s: r.standard_normal(s)
    return {"w": n(3, 2, 3, 3), "b": n(3), "x": n(2, 2, 5, 5)}, n(8, 3)

FIX = [("j * s:j * s + kw] = cols[r].reshape(C, kh, kw)", "j * s:j * s + kw] += cols[r].reshape(C, kh, kw)")]
LINE = ["dx[n, :, i * s:i * s + kh, j * s:j * s + kw] = cols[r]"]
CAUSE = [r"\+=", r"overwr", r"add(ed|s)?\b", r"accumul"]
NPONLY = True
