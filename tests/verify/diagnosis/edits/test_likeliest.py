"""Tests for `diagnosis/edits/likeliest.py`: what was left out or mixed up in an expression is among its changes."""

import ast

import pytest

from jaxnn.verify.diagnosis.edits.likeliest import edits

ARRAYS, NUMBERS = ["a", "b", "z", "p['W']"], ["m"]


def changes(expression):
    root = ast.parse(expression, mode="eval").body
    return {ast.unparse(edit.tree): edit.why for edit in reversed(list(edits(root, ARRAYS, NUMBERS)))}


@pytest.mark.parametrize(
    ("wrong", "right", "why"),
    [
        ("a * (1 - b)", "a * (1 - b ** 2)", "b ** 2"),
        ("a + b", "a - b", "sign"),
        ("-a", "a", "sign"),
        ("a", "-a", "sign"),
        ("a", "a / m", "divided by `m`"),
        ("a", "a / b.shape[0]", "divided by"),
        ("a / m", "a", "divisor `m` is too much"),
        ("a @ b", "a @ b.T", "transposed"),
        ("a.T @ b", "a @ b", "not be transposed"),
        ("b @ a", "a @ b", "swapped"),
        ("a", "a * (z > 0)", "factor"),
        ("a", "a * (b * (1 - b))", "factor"),
        ("a", "a + p['W']", "term `p['W']` is missing"),
        ("a + b", "a", "term `b` is too much"),
        ("np.sum(a, axis=0)", "np.sum(a, axis=1)", "wrong axis"),
        ("a.sum(1)", "a.sum(0)", "wrong axis"),
        ("np.mean(a)", "np.sum(a)", "in place of `sum`"),
        ("a[1:]", "a[:]", "left out"),
        ("a[m]", "a[m - 1]", "off by one"),
        ("a[m + 1]", "a[m]", "off by one"),
        ("a[m - 1] * b[m]", "a[m - 2] * b[m]", "off by one"),
        ("np.concatenate([a, b])", "np.concatenate([b, a])", "wrong order"),
        ("{'W': a, 'b': b}", "{'W': b, 'b': a}", "wrong order"),
        ("(z, a, b)", "(z, b, a)", "wrong order"),
        ("f(a) * b", "f(np.conj(a)) * b", "conjugate"),
        ("a[::-1]", "a", "too much"),
        ("a[1:-1]", "a[:-2]", "off by one"),
        ("a[:, b[m + 1]] * z[m]", "a[:, b[m]] * z[m]", "off by one"),
        ("a * b / z ** 2", "a * b / z ** 3", "the power of `z`"),
        ("a[1:-1]", "a[2:]", "off by one"),
        ("a[2:5]", "a[3:6]", "off by one"),
        ("np.sum(a, axis=0)", "np.sum(a @ b.T, axis=0)", "the factor `b.T` is missing, a matrix"),
        ("np.expand_dims(a, (0, 1))", "np.expand_dims(a, (2, 3))", "wrong axes"),
        ("a[0] * z + a[:, 1] * b[:, 1]", "a[0] * z + a[:, 2] * b[:, 2]", "in all of `a[:, 1] * b[:, 1]`"),
        ("a * (z < 0)", "a * (z > 0)", "mask"),
        ("a * p['V']", "a * p['W']", ""),
        ("np.einsum('ij,jk->ik', a, b)", "np.einsum('ji,jk->ik', a, b)", "transposed"),
        ("a.at[0].set(b)", "a.at[0].add(b)", "`set` in place of `add`"),
        ("f(a, b)", "f(b, a)", "swapped"),
        ("a.astype(t)", "a", "`astype` is a cast, which rounds, and is too much"),
        ("a * b", "a * b[..., None]", "a column"),
        ("a[i]", "a[np.argsort(i)]", "inverse of the permutation"),
        ("np.cumsum(a, axis=0)", "np.cumsum(a[::-1], axis=0)[::-1]", "in reverse"),
        ("sum(a for k in range(m))", "sum((a for k in range(1, m)))", "first round is too much"),
        ("sum(a for k in range(m, -1, -1))", "sum((a for k in range(m - 1, -1, -1)))", "first round is too much"),
        ("sum(a for k in range(m - 2))", "sum((a for k in range(m - 1)))", "a round is missing, its last one"),
        ("a * b", "a * (b / b.sum(axis=1, keepdims=True))", "shared out"),
    ],
)
def test_what_was_meant_is_among_the_changes(wrong, right, why):
    arrays = [*ARRAYS, "p['V']"] if "'V'" in wrong else ARRAYS
    root = ast.parse(wrong, mode="eval").body
    found = {ast.unparse(edit.tree): edit.why for edit in reversed(list(edits(root, arrays, NUMBERS)))}
    assert why in found[right]


@pytest.mark.parametrize(
    ("wrong", "right", "why"),
    [
        ("a * b * (1 - b)", "b * (a - (b * a).sum(axis=-1, keepdims=True))", "Jacobian is not diagonal"),
        ("a", "(a) - b * (b * (a)).sum(axis=-1, keepdims=True)", "normalised"),
        ("a", "np.triu((a)) + np.tril((a), -1).T", "upper triangle"),
        ("f(a) * b", "f(a * b)", "parentheses"),
        ("f(a * b)", "f(a) * b", "parentheses"),
        ("a[m + i]", "a[m + i + m * k]", "offset `m * k`"),
        ("a", "a + b * z", "term `b * z` is missing"),
        ("a[m - 1]", "a[max(m - 1, 0)]", "at the border"),
        ("a[m - 1]", "a[min(m - 1, k - 1)]", "at the border"),
        ("m - k", "m - k * i", "the factor `i`"),
        ("a", "np.cumsum((a))", "all before"),
        ("a[:, i::4]", "a[:, i * m:i * m + m]", "layout"),
        ("a[:, i * 4:i * 4 + 4]", "a[:, i::m]", "layout"),
        ("k * k", "b[0, i:m].size", "fewer at the border"),
        ("a", "g(a)", "should be"),
        ("g(a)", "h(a)", "in place of"),
    ],
)
def test_what_takes_more_than_a_token_is_among_the_changes(wrong, right, why):
    root, given = ast.parse(wrong, mode="eval").body, {"functions": ["g", "h"], "parts": ["b[:, i:m]"]}
    fixed = [root] if wrong == "k * k" else []  # a whole number
    fixed += [root.right] if wrong == "m - k" else []
    every = edits(root, ARRAYS, ["m", "i", "k"], fixed=fixed, **given)
    found = {ast.dump(edit.tree): edit.why for edit in reversed(list(every))}
    assert why in found[ast.dump(ast.parse(right, mode="eval").body)]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("a, b = a.T, b.T", "pass"),
        ("if k == 1:\n    a = b", "if k == 1 and m == 1:\n    a = b"),
        ("a = b", "a = jnp.tril(b)"),
    ],
)
def test_statements_too_are_changed(wrong, right):
    (root,) = ast.parse(wrong).body
    found = {ast.unparse(edit.tree) for edit in edits(root, ARRAYS, NUMBERS, library="jnp")}
    assert right in found


def test_an_expression_is_left_as_it_was():
    root = ast.parse("np.sum(a * (1 - b), axis=(0, 1))[1:, m]", mode="eval").body
    before = ast.dump(root)
    assert len(list(edits(root, ARRAYS, NUMBERS))) > 100
    assert ast.dump(root) == before


def test_every_change_is_an_expression_that_python_takes():
    for edited in changes("x.at[i].set(np.einsum('ij,jk->ik', a, b[::-1]) * (z > 0) - 2.0 * a.T)"):
        compile(edited, "test", "eval")


def test_a_list_of_one_object_is_made_of_as_many():
    root = ast.parse("grads = [{'W': 0.0}] * n").body[0]
    found = {ast.unparse(edit.tree): edit.why for edit in edits(root, [], [])}
    assert "alias" in found["grads = [{'W': 0.0} for _ in range(n)]"]


@pytest.mark.parametrize(
    ("wrong", "right", "why"),
    [
        ("c, r = divmod(k, n)", "r, c = divmod(k, n)", "swapped"),
        ("d = a[k:k + m]", "d = a[k * n:k * n + m]", "factor `n`"),
        ("d = a[:, :m]", "d = a[:, n:n + m]", "offset `n`"),
        ("d = a / b", "d = a / b / 2", "factor 1/2"),
        ("a, b = z", "b, a = z", "`a` and `b` are swapped"),
        ("a = [b[i, k] for m, (k, i) in z]", "a = [b[i, k] for m, (i, k) in z]", "`k` and `i` are swapped"),
        ("a = np.tril(b)", "a = np.triu(b)", "`tril` in place of `triu`"),
    ],
)
def test_what_was_meant_by_a_statement_is_among_the_changes(wrong, right, why):
    root = ast.parse(wrong).body[0]
    found = {ast.unparse(edit.tree): edit.why for edit in reversed(list(edits(root, ARRAYS, ["k", "n", "m"])))}
    assert why in found[right]
