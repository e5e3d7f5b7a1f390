"""Source: the manner of graph convolutions in NumPy (row-normalised adjacency), written anew
True wrong line: dH1 = A @ (dZ2 @ W2.T)
True cause: a row-normalised adjacency is not symmetric; going back needs A.T."""
import numpy as np

class GCN:
    def __init__(self, W1, W2, A):
        self.W1, self.W2 = W1, W2
        A = A + np.eye(len(A))
        self.A = A / A.sum(axis=1, keepdims=True)

    def forward(self, X):
        self.X = X
        self.Z1 = self.A @ X @ self.W1
        self.H1 = np.maximum(self.Z1, 0)
        Z2 = self.A @ self.H1 @ self.W2
        e = np.exp(Z2 - Z2.max(axis=1, keepdims=True))
        self.P = e / e.sum(axis=1, keepdims=True)
        return self.P

    def backward(self, Y, train):
        dZ2 = (self.P - Y) * train[:, None] / train.sum()
        dW2 = (self.A @ self.H1).T @ dZ2
        dH1 = self.A @ dZ2 @ self.W2.T
        dZ1 = dH1 * (self.Z1 > 0)
        dW1 = (self.A @ self.X).T @ dZ1
        return dW1, dW2

def loss(W, A, X, Y, train):
    P = GCN(*W, A).forward(X)
    return -np.sum(train[:, None] * Y * np.log(P)) / train.sum()

def grad(W, A, X, Y, train):
    net = GCN(*W, A)
    net.forward(X)
    return net.backward(Y, train)

def make_args():
    import numpy
    r = numpy.random.default_rng(23)
    A = numpy.zeros((6, 6))
    for i, j in [(0, 1), (1, 2), (0, 3), (3, 4), (4, 5), (0, 5)]:
        A[i, j] = A[j, i] = 1.0
    return (r.standard_normal((4, 5)), r.standard_normal((5, 3))), A, r.standard_normal((6, 4)), numpy.eye(3)[[0, 1, 2, 0, 1, 1]], numpy.array([1.0, 1, 0, 1, 1, 0])

FIX = [("dH1 = self.A @ dZ2 @ self.W2.T", "dH1 = self.A.T @ dZ2 @ self.W2.T")]
LINE = ["dH1 = self.A @ dZ2 @ self.W2.T"]
CAUSE = [r"transpos", r"A\.T"]
