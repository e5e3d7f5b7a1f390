"""Other right solutions of the levels than their own: two for each, worked out by hand from the forward pass."""

import re

HIDDEN_EARLY = """
dZ2 = (A2 - {y}) / m
dW2 = A1.T @ dZ2
db2 = sum(dZ2, axis=0, keepdims=True)
dA1 = dZ2 @ W2.T
dZ1 = dA1 * {slope}
dW1 = X.T @ dZ1
db1 = sum(dZ1, axis=0, keepdims=True)
"""
HIDDEN_LONG = """
dA2 = (-{y} / A2 + (1 - {y}) / (1 - A2)) / m
dZ2 = dA2 * A2 * (1 - A2)
dW2 = (dZ2.T @ A1).T
db2 = dZ2.sum(axis=0, keepdims=True)
back = dZ2 @ W2.T
dZ1 = back * {slope}
dW1 = (dZ1.T @ X).T
db1 = reshape(sum(dZ1, axis=0), (1, 4))
"""
OTHERS: dict[str, tuple[str, str]] = {
    "chain": (
        """
        dadx = x + x
        dbda = b
        dcda = x / x
        dcdb = 1
        dddc = 0.5 / d
        dedc = -sqrt(1 - e ** 2) * sin(c) / abs(sin(c))
        dfdd = dcdb
        dfde = dcda
        dfdc = dddc + dedc
        dfdb = dfdc
        dfda = dfdc * (b + 1)
        dfdx = 2 * x * dfda
        """,
        """
        dfdx = (1 / (2 * sqrt(c)) - sin(c)) * (exp(a) + 1) * 2 * x
        dadx = 2 * a / x
        dbda = exp(x ** 2)
        dcda = 3 - 2
        dcdb = dcda ** 2
        dddc = c ** -0.5 / 2
        dedc = -sin(a + b)
        dfdd = 1.0
        dfde = dfdd
        dfdc = dddc * dfdd + dedc * dfde
        dfdb = dcdb * dfdc
        dfda = dfdb * b + dfdc
        """,
    ),
    "linear": (
        """
        dyhat = 2 * (yhat - y)
        dbeta = (dyhat.T @ X).T
        dbeta0 = dyhat.sum(axis=0, keepdims=True)
        """,
        """
        residual = X @ beta + beta0 - y
        dbeta = 2 * X.T @ residual
        dbeta0 = 2 * reshape(sum(residual), (1, 1))
        dyhat = residual + residual
        """,
    ),
    "activations": (
        """
        error = S + T + R + H - Y
        dP = error
        dZ1 = dP * exp(-Z1) / (1 + exp(-Z1)) ** 2
        dZ2 = dP * (1 - T) * (1 + T)
        dZ3 = where(Z3 >= 0, dP, 0)
        dZ4 = zeros((2, 3))
        """,
        """
        dP = P - Y
        dS = dP
        dT = dP
        dR = dP
        dH = dP
        dZ1 = dS * (S - S ** 2)
        dZ2 = 4 * dT / (exp(Z2) + exp(-Z2)) ** 2
        dZ3 = dR * ((Z3 > 0) + (Z3 >= 0)) / 2
        dZ4 = dH * 0
        """,
    ),
    "hidden": (HIDDEN_EARLY.format(y="y", slope="A1 * (1 - A1)"), HIDDEN_LONG.format(y="y", slope="(A1 - A1 ** 2)")),
    "several": (
        HIDDEN_EARLY.format(y="Y", slope="(1 - tanh(Z1) ** 2)"),
        HIDDEN_LONG.format(y="Y", slope="(1 + A1) * (1 - A1)"),
    ),
    "softmax": (
        """
        dP = -Y / P / m
        dZ = P * (dP - sum(dP * P, axis=1, keepdims=True))
        dW = X.T @ dZ
        db = sum(dZ, axis=0, keepdims=True)
        """,
        """
        total = sum(E, axis=1, keepdims=True)
        dE = (-Y / E + sum(Y, axis=1, keepdims=True) / total) / m
        dZ = dE * E
        dW = (dZ.T @ X).T
        db = dZ.sum(0).reshape(1, -1)
        """,
    ),
    "dropout": (
        """
        dZ2 = (Z2 - y) / m
        dW2 = D1.T @ dZ2
        db2 = sum(dZ2, axis=0, keepdims=True)
        dD1 = dZ2 @ W2.T
        dA1 = where(M == 1, dD1 / keep, 0)
        dZ1 = dA1 * (1 - tanh(Z1) ** 2)
        dW1 = X.T @ dZ1
        db1 = sum(dZ1, axis=0, keepdims=True)
        """,
        """
        dZ2 = Z2 - y
        dD1 = dZ2 @ W2.T
        dZ1 = dD1 * M * (1 - A1) * (1 + A1) / keep
        dA1 = M / keep * dD1
        dW1 = (dZ1.T @ X).T / m
        db1 = mean(dZ1, axis=0, keepdims=True)
        dW2 = (dZ2.T @ (A1 * M)).T / keep / m
        db2 = mean(dZ2, axis=0, keepdims=True)
        """,
    ),
    "deep": (
        """
        dZ3 = (A3 - y) / m
        dW3 = A2.T @ dZ3
        db3 = sum(dZ3, axis=0, keepdims=True)
        dA2 = dZ3 @ W3.T
        dZ2 = where(Z2 > 0, dA2, 0)
        dW2 = A1.T @ dZ2
        db2 = sum(dZ2, axis=0, keepdims=True)
        dA1 = dZ2 @ W2.T
        dZ1 = dA1 * (1 - A1 ** 2)
        dW1 = X.T @ dZ1
        db1 = sum(dZ1, axis=0, keepdims=True)
        """,
        """
        dZ3 = A3 - y
        dZ2 = (A2 > 0) * (dZ3 @ W3.T)
        dZ1 = (dZ2 @ W2.T) * (1 - A1) * (1 + A1)
        dW3 = A2.T @ dZ3 / m
        dW2 = A1.T @ dZ2 / m
        dW1 = X.T @ dZ1 / m
        db3 = mean(dZ3, axis=0, keepdims=True)
        db2 = mean(dZ2, axis=0, keepdims=True)
        db1 = mean(dZ1, axis=0, keepdims=True)
        """,
    ),
    "convolution": (
        """
        dyhat = yhat - t
        dW = A * dyhat
        dA = W * dyhat
        dZ = where(Z > 0, dA, 0)
        dK = zeros((2, 2))
        dK[0, 0] += dZ[0, 0] * X[0, 0] + dZ[0, 1] * X[0, 1] + dZ[1, 0] * X[1, 0] + dZ[1, 1] * X[1, 1]
        dK[0, 1] += dZ[0, 0] * X[0, 1] + dZ[0, 1] * X[0, 2] + dZ[1, 0] * X[1, 1] + dZ[1, 1] * X[1, 2]
        dK[1, 0] += sum(X[1:, :-1] * dZ)
        dK[1, 1] += sum(X[1:, 1:] * dZ)
        F = pad(dZ, 1)
        dX = K[0, 0] * F[1:4, 1:4] + K[0, 1] * F[1:4, 0:3] + K[1, 0] * F[0:3, 1:4] + K[1, 1] * F[0:3, 0:3]
        """,
        """
        dyhat = sum(A * W) - t
        dW = dyhat * A
        dA = dyhat * W
        dZ = dA * (A > 0)
        flat = reshape(dZ, (1, 4))
        dK = zeros((2, 2))
        dK[0, 0:1] = flat @ X[0:2, 0:2].reshape(4)
        dK[0, 1:2] = flat @ X[0:2, 1:3].reshape(4)
        dK[1, 0:1] = flat @ X[1:3, 0:2].reshape(4)
        dK[1, 1:2] = flat @ X[1:3, 1:3].reshape(4)
        dX = pad(K[0, 0] * dZ, 1)[1:, 1:][0:3, 0:3]
        dX[0:2, 1:3] += K[0, 1] * dZ
        dX[1:3, 0:2] += K[1, 0] * dZ
        dX[1:3, 1:3] += K[1, 1] * dZ
        """,
    ),
    "strided": (
        """
        dyhat = yhat - t
        dW = A * dyhat
        dA = W * dyhat
        dZ = where(Z > 0, dA, 0)
        dK = zeros((2, 2))
        dK[0, 0] = sum(P[:-1:2, :-1:2] * dZ)
        dK[0, 1] = sum(P[:-1:2, 1::2] * dZ)
        dK[1, 0] = sum(P[1::2, :-1:2] * dZ)
        dK[1, 1] = sum(P[1::2, 1::2] * dZ)
        dX = zeros((4, 4))
        dX[1::2, 1::2] = K[0, 0] * dZ[1:, 1:]
        dX[1::2, 0::2] = K[0, 1] * dZ[1:, 0:2]
        dX[0::2, 1::2] = K[1, 0] * dZ[0:2, 1:]
        dX[0::2, 0::2] = K[1, 1] * dZ[0:2, 0:2]
        dP = zeros((6, 6))
        dP[0::2, 0::2] = K[0, 0] * dZ
        dP[0::2, 1::2] = K[0, 1] * dZ
        dP[1::2, 0::2] = K[1, 0] * dZ
        dP[1::2, 1::2] = K[1, 1] * dZ
        """,
        """
        dyhat = yhat - t
        dW = dyhat * A
        dZ = dyhat * W * (A > 0)
        dK = zeros((2, 2))
        dK[0, 0] += sum(dZ * P[0:6:2, 0:6:2])
        dK[0, 1] += sum(dZ * P[0:6:2, 1:6:2])
        dK[1, 0] += sum(dZ * P[1:6:2, 0:6:2])
        dK[1, 1] += sum(dZ * P[1:6:2, 1:6:2])
        dP = zeros((6, 6))
        dP[::2, ::2] -= -K[0, 0] * dZ
        dP[::2, 1::2] -= -K[0, 1] * dZ
        dP[1::2, ::2] -= -K[1, 0] * dZ
        dP[1::2, 1::2] -= -K[1, 1] * dZ
        dX = dP[1:-1, 1:-1]
        """,
    ),
    "pooling": (
        """
        dM = M - Y
        first = X[0::2, 0::2] == M
        second = (X[0::2, 1::2] == M) * (1 - first)
        third = (X[1::2, 0::2] == M) * (1 - first) * (1 - second)
        fourth = 1 - first - second - third
        dX = zeros((4, 4))
        dX[0::2, 0::2] = dM * first
        dX[0::2, 1::2] = dM * second
        dX[1::2, 0::2] = dM * third
        dX[1::2, 1::2] = dM * fourth
        """,
        """
        dM = M - Y
        last = X[1::2, 1::2] == M
        third = (X[1::2, 0::2] == M) * (last == 0)
        second = (X[0::2, 1::2] == M) * (last + third == 0)
        dX = zeros((4, 4))
        dX[1::2, 1::2] += where(last, dM, 0)
        dX[1::2, 0::2] += where(third, dM, 0)
        dX[0::2, 1::2] += where(second, dM, 0)
        dX[0::2, 0::2] += where(last + third + second, 0, dM)
        """,
    ),
    "bug-overlapping": (
        """
        dM = M - Y
        dV = pad(dM * (V[0:2, 0:2] == M), 1)[1:, 1:]
        dV[0:2, 1:3] += where(V[0:2, 1:3] == M, dM, 0)
        dV[1:3, 0:2] += where(V[1:3, 0:2] == M, dM, 0)
        dV[1:3, 1:3] += where(V[1:3, 1:3] == M, dM, 0)
        dK = X * dV
        """,
        """
        dM = -(Y - M)
        dV = zeros((3, 3))
        dV[1:, 1:] = dM * (V[1:, 1:] >= M)
        dV[1:, :-1] += dM * (V[1:, :-1] >= M)
        dV[:-1, 1:] += dM * (V[:-1, 1:] >= M)
        dV[:-1, :-1] += dM * (V[:-1, :-1] >= M)
        dX = K * dV
        dK = X * dV
        """,
    ),
    "norm": (
        """
        dO = (O - Y) / m
        dg = sum(dO * N, axis=0, keepdims=True)
        db = sum(dO, axis=0, keepdims=True)
        dN = g * dO
        dH = (dN - mean(dN, axis=1, keepdims=True) - N * mean(dN * N, axis=1, keepdims=True)) / s
        dC = dN / s - C * mean(dN * C, axis=1, keepdims=True) / s ** 3
        dW = X.T @ dH
        """,
        """
        dO = O - Y
        dN = dO * g
        ds = -sum(dN * C, axis=1, keepdims=True) / s ** 2
        dC = dN / s + ds * C / (3 * s)
        dH = dC - sum(dC, axis=1, keepdims=True) / 3
        dW = (dH.T @ X).T / m
        dg = mean(dO * N, axis=0, keepdims=True)
        db = mean(dO, axis=0, keepdims=True)
        """,
    ),
    "attention": (
        """
        dO = A @ V - Y
        dA = (V @ dO.T).T
        dV = (dO.T @ A).T
        total = sum(E, axis=1, keepdims=True)
        dE = (dA - sum(dA * A, axis=1, keepdims=True)) / total
        dS = dE * E
        dQ = dS @ K * h ** -0.5
        dK = (Q.T @ dS).T / sqrt(h)
        dWq = X.T @ dQ
        dWk = X.T @ dK
        dWv = X.T @ dV
        """,
        """
        dO = O - Y
        dWv = X.T @ A.T @ dO
        dV = A.T @ dO
        dA = dO @ V.T
        dS = A * dA - A * sum(A * dA, axis=1, keepdims=True)
        scaled = dS / sqrt(h)
        dQ = scaled @ K
        dK = scaled.T @ Q
        dWq = (dQ.T @ X).T
        dWk = (dK.T @ X).T
        """,
    ),
    "recurrent": (
        """
        dP = (P - y) / m
        dV = H3.T @ dP
        dc = sum(dP, axis=0, keepdims=True)
        dH3 = dP @ V.T
        dZ3 = dH3 * (1 - H3 ** 2)
        dH2 = dZ3 @ W.T
        dZ2 = dH2 * (1 - H2 ** 2)
        dH1 = dZ2 @ W.T
        dZ1 = dH1 * (1 - H1 ** 2)
        dU = X3.T @ dZ3
        dU += X2.T @ dZ2
        dU += X1.T @ dZ1
        dW = H2.T @ dZ3 + H1.T @ dZ2
        db = sum(dZ3, axis=0, keepdims=True) + sum(dZ2, axis=0, keepdims=True) + sum(dZ1, axis=0, keepdims=True)
        """,
        """
        dP = P - y
        dV = (dP.T @ H3).T / m
        dc = mean(dP, axis=0, keepdims=True)
        dZ3 = (V @ dP.T).T * (1 - H3) * (1 + H3)
        dZ2 = (W @ dZ3.T).T * (1 - H2) * (1 + H2)
        dZ1 = (W @ dZ2.T).T * (1 - H1) * (1 + H1)
        dW = H1.T @ dZ2 / m + H2.T @ dZ3 / m + H0.T @ dZ1 / m
        dU = (X1.T @ dZ1 + X2.T @ dZ2) / m + X3.T @ dZ3 / m
        db = mean(dZ1 + dZ2 + dZ3, axis=0, keepdims=True)
        """,
    ),
}


def others(level):
    """Return two more right solutions of a level; those of a mistake to be found say the same in other words."""
    if level.name in OTHERS:
        return tuple("\n".join(line.strip() for line in text.strip().splitlines()) for text in OTHERS[level.name])
    turned = re.sub(r"\b(\w+)(\.T)? @ (\w+)(\.T)?", lambda m: _turned(*m.groups()), level.solution)
    summed = re.sub(r"sum\((\w+), axis=0, keepdims=True\)", r"\1.sum(axis=0)[None, :]", level.solution)
    return turned, re.sub(r"^(d\w+) = (.*)$", r"own\1 = \2\n\1 = 2 * own\1 - own\1", summed, flags=re.MULTILINE)


def _turned(left, left_turned, right, right_turned):
    """Return a product as the transpose of the product the other way round."""
    one, other = (name if turned else f"{name}.T" for name, turned in ((right, right_turned), (left, left_turned)))
    return f"({one} @ {other}).T"
