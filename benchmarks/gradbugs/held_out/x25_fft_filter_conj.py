"""Source: the manner of spectral filters in image restoration, written anew
True wrong line: dx = np.real(np.fft.ifft(H * np.fft.fft(r)))
True cause: the adjoint of a filter is the correlation: the transfer function has to be conjugated."""
import numpy as np

def filt(x, k):
    return np.real(np.fft.ifft(np.fft.fft(k) * np.fft.fft(x)))

def loss(p, y, lam):
    smooth = p["x"] - np.roll(p["x"], 1)
    return 0.5 * np.sum((filt(p["x"], p["k"]) - y) ** 2) + 0.5 * lam * np.sum(smooth ** 2)

def grad(p, y, lam):
    x, k = p["x"], p["k"]
    r = filt(x, k) - y
    H = np.fft.fft(k)
    smooth = x - np.roll(x, 1)
    dx = np.real(np.fft.ifft(H * np.fft.fft(r)))
    dx = dx + lam * (smooth - np.roll(smooth, -1))
    dk = np.real(np.fft.ifft(np.conj(np.fft.fft(x)) * np.fft.fft(r)))
    return {"x": dx, "k": dk}

def make_args():
    import numpy
    r = numpy.random.default_rng(25)
    return {"x": r.standard_normal(8), "k": r.standard_normal(8)}, r.standard_normal(8), 0.3

FIX = [("dx = np.real(np.fft.ifft(H * np.fft.fft(r)))", "dx = np.real(np.fft.ifft(np.conj(H) * np.fft.fft(r)))")]
LINE = ["dx = np.real(np.fft.ifft(H * np.fft.fft(r)))"]
CAUSE = [r"conj", r"correlation|adjoint"]
