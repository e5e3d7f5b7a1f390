"""The language by what it is to say and what it is to refuse; the values are NumPy's own, by the same formula."""

import ast
import string

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxnn.backprop.interpreter import ENTRIES, evaluate, run
from jaxnn.backprop.language import FORMS, FUNCTIONS, LINES, read
from jaxnn.errors import InvalidArgument

RNG = np.random.default_rng(1)
A, B, C, V = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2)), RNG.normal(size=(1, 4)), RNG.normal(size=4)
GIVEN = {"A": A, "B": B, "C": C, "V": V, "k": 2}
WORDS = (
    "A",
    "B",
    "q",
    "import",
    "lambda",
    "eval",
    "open",
    "print",
    "self",
    "None",
    "True",
    "sum",
    "zeros",
    "reshape",
    "np",
)


def ran(text):
    scope = dict(GIVEN)
    run(read(text), scope)
    return scope


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("q = A @ B - 1", A @ B - 1),
        ("q = -A ** 2 / k + 3 * C", -(A**2) / 2 + 3 * C),
        ("q = sum(A, axis=0, keepdims=True) - np.mean(A)", np.sum(A, axis=0, keepdims=True) - np.mean(A)),
        ("q = A.max(axis=1, keepdims=True) * A.sum(0)", A.max(axis=1, keepdims=True) * A.sum(0)),
        ("q = max(A, axis=(0, 1))", A.max()),
        (
            "q = exp(A) + log(A * A) + sqrt(abs(A)) + sin(A) + cos(A) + tanh(A)",
            np.exp(A) + np.log(A * A) + np.sqrt(np.abs(A)) + np.sin(A) + np.cos(A) + np.tanh(A),
        ),
        ("q = where(A > 0, 1, maximum(A, -1))", np.where(A > 0, 1, np.maximum(A, -1))),
        ("q = (A >= 0) + (A < 1) - (A != 0)", 1.0 * (A >= 0) + (A < 1) - (A != 0)),
        ("q = reshape(A, (2, 6)).T", A.reshape(2, 6).T),
        ("q = A.reshape(2, -1) @ A.reshape((6, 2))", A.reshape(2, -1) @ A.reshape(6, 2)),
        ("q = A[0:2, ::2] + A[-1, 0] + V[None, 0:2]", A[0:2, ::2] + A[-1, 0] + V[None, 0:2]),
        ("q = A[1] + V[::-1]", A[1] + V[::-1]),
        ("q = pad(B, 1) / A.shape[0]", np.pad(B, 1) / 3),
        ("q = V @ V + A @ V", V @ V + A @ V),
        (
            "q = zeros((2, 3))\nq[0, 1:] = 5  # a comment\nq[1] += C[0, 0:3]\nq -= 1",
            np.array([[-1, 4, 4], C[0, :3] - 1]),
        ),
    ],
)
def test_it_says_what_numpy_says(text, expected):
    np.testing.assert_allclose(ran(text)["q"], expected, rtol=1e-14)
    assert ran(text)["q"].dtype == np.float64


def test_writing_into_a_part_leaves_other_names_alone():
    scope = ran("q = A\nr = q[0:2]\nq[0, 0] = 9\nr[0, 0] += 1")
    assert scope["q"][0, 0] == 9 and scope["A"] is A and scope["r"][0, 0] == A[0, 0] + 1 and A[0, 0] != 9


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("q = __import__('os')", "the character"),
        ("q = A.__class__", "an underscore"),
        ("q = A.tobytes", "`.tobytes`"),
        ("q = open(A)", "calls `open`"),
        ("q = A.sum.real", "`.real`"),
        ("q = (A.sum)(0)[B]", "index `B`"),
        ("q = sum(A)(B)", "calls `sum(A)(B)`"),
        ("q = sum(*A)", "a star"),
        ("q = sum(A, dtype=B)", "the option dtype"),
        ("q = sum(A, **B)", "the option None"),
        ("q = lambda: A", "not in this language"),
        ("q = [A]", "not in this language"),
        ("q = A if A else B", "not in this language"),
        ("q = A and B", "not in this language"),
        ("q = (r := A)", "not in this language"),
        ("q = 1 < A < 2", "compares in a way"),
        ("q = ~A", "`~A`"[:0] + "the character"),
        ("q = A // 2", "an operator"),
        ("q = 1j * A", "`1j`"),
        ("q = True", "`True`"),
        ("q = 1e999", "`inf`"),
        ("q = sum", "`sum` without brackets"),
        ("sum = A", "which is a function"),
        ("q, r = A", "assigns to"),
        ("q = r = A", "one =, += or -="),
        ("q *= A", "one =, += or -="),
        ("A.T = B", "assigns to"),
        ("q: A = B", "no assignment"),
        ("import os", "no assignment"),
        ("q = A; r = B", "the character"),
        ("q = zeros((9999999, 9))", "a shape of whole numbers"),
        ("q = zeros(A)", "a shape of whole numbers"),
        ("q = A[0:B]", "the index `0:B`"),
        ("q = é", "the character"),
        ("q = A − B", "'−': expected the minus sign -"),
        ("q = A·B", "'·': expected * for a product"),
        ("q = A^2", "'^': expected ** for a power"),
        ("q = A' @ B", "expected .T for the transpose"),
        ("q = A %*% B", "'%': expected @ for the product"),
        ("q = 2A", "`2A`: expected a sign between a number and a name, as in `2 * A`"),
        ("q = sigmoid(A)", "`sigmoid`, which is not in this language: expected 1 / (1 + exp(-Z))"),
        ("q = A.dot(B)", "`dot`, which is not in this language: expected the sign @"),
        ("q = Ａ", "the character"),
        ("q = (A", "no formula"),
        ("q = " + "(" * 80 + "A" + ")" * 80, "nested too deep"),
        ("q = " + "-" * 200 + "A", "nested too deep"),
        ("q = " + "A+" * 148 + "A", "has 301 characters"),
        ("q = " + "A+" * 140 + "A", "nested too deep or too long"),
    ],
)
def test_what_is_not_of_the_language_is_refused_by_name(text, says):
    with pytest.raises(InvalidArgument, match="^line 1 .*expected") as refused:
        read(text)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("q = A @ A", r"\(3, 4\) and \(3, 4\), expected 4 and 3 to be equal; A.T @ A would go"),
        ("q = k @ A", "expected matrices"),
        ("q = A + B", "expected equal ones, or axes of 1"),
        ("q = 9 ** 9 ** 9", "the exponent"),
        ("q = zeros((999, 999))", f"{ENTRIES} numbers"),
        ("q = zeros((100, 100)).reshape(10000, 1) + zeros((1, 9999))", f"{ENTRIES} numbers"),
        ("q = zeros((2, 0, 2, 2, 2))", "at most 4 axes"),
        ("q = zeros((140, 140)) @ zeros((140, 140))", "expected smaller ones"),
        ("q = A[3]", "the index 3, expected 0 to 2"),
        ("q = A[0, 0, 0]", "3 indices, expected at most 2"),
        ("q = A[::0]", "a step of 0"),
        ("q = A.shape[2]", "axis 2"),
        ("q = sum(A, axis=2)", "axis 2"),
        ("q = sum(A, axis=(0, 0))", "axis"),
        ("q = reshape(A, (5, 2))", "12 numbers"),
        ("q = max(zeros((0, 2)), axis=0)", "got nothing"),
        ("q = nothing + 1", "nothing: got no value"),
        ("q[0] = 1", "no value yet"),
        ("q = A\nq[0] = B", "expected"),
        ("q = ", "nothing behind the ="),
    ],
)
def test_what_cannot_be_computed_is_refused_by_its_shapes(text, says):
    with pytest.raises(InvalidArgument, match=says):
        ran(text)


def test_a_program_has_an_end():
    with pytest.raises(InvalidArgument, match=f"at most {LINES}"):
        read("q = A\n" * LINES)


NAMES = st.sampled_from(WORDS) | st.text(string.ascii_letters + string.digits + "_é", min_size=1, max_size=6)
LEAVES = (
    NAMES
    | st.integers(-(10**40), 10**40).map(str)
    | st.floats().map(repr)
    | st.sampled_from(["'x'", "...", "{}", "f'{A}'"])
)


def larger(parts):
    """Return formulas made of formulas: of the language and not of it."""
    forms = [
        "({0}){0}",
        "{0}.{1}",
        "{0}({1})",
        "{0}[{1}]",
        "{0}**{1}**{1}",
        "-{0}",
        "({0}, {1})",
        "[{0} for q in {1}]",
        "{0}.T @ {1}",
    ]
    forms += [
        "zeros(({0}, {1}))",
        "reshape({0}, ({1}, 2))",
        "sum({0}, axis={1})",
        "{0}[{1}:{0}]",
        "lambda {0}: {1}",
        "pad({0}, {1})",
    ]
    forms += [
        "({0} if {1} else {0})",
        "{0} < {1}",
        "where({0}, {1}, {0})",
        "{0}; {1}",
        "{0} = {1}",
        "{0}.__class__({1})",
        "await {0}",
    ]
    return st.builds(lambda form, a, b: form.format(a, b), st.sampled_from(forms), parts, parts)


HOSTILE = st.one_of(
    st.recursive(LEAVES, larger, max_leaves=30).map("q = {}".format),
    st.text(max_size=300),
    st.text("q=()[]-+*@.,: 19AT", max_size=300),
    st.tuples(st.sampled_from(["(", "[", "-", "A[", "sum(", "A**"]), st.integers(1, 5000)).map(
        lambda p: f"q = {p[0] * p[1]}A"
    ),
)


@given(HOSTILE)
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
def test_hostile_lines_are_refused_with_a_message_or_are_harmless(text):
    try:
        lines = read(text)
    except InvalidArgument as error:
        assert str(error) and len(str(error)) < 400
        return
    for line in lines:  # what is let through has nothing in it but what the table of forms has
        for node in ast.walk(line.value) if line.value is not None else ():
            allowed = isinstance(
                node,
                (*FORMS, ast.operator, ast.unaryop, ast.cmpop, ast.expr_context, ast.keyword, ast.Slice, ast.Tuple),
            )
            assert allowed and "_" not in getattr(node, "id", "") + getattr(node, "attr", "")
            assert not isinstance(node, ast.Attribute) or node.attr in ("T", "shape", *FUNCTIONS)
    scope = dict(GIVEN)
    try:
        run(lines, scope)
    except InvalidArgument as error:
        assert str(error)
    assert all(
        np.size(value) <= ENTRIES and np.asarray(value).dtype in (np.float64, np.int64) for value in scope.values()
    )


def test_of_a_formula_in_which_one_name_is_changed_the_rest_may_be_known_already():
    (line,) = read("y = exp(a) * b")
    known = {line.value.left: np.float64(5.0), "b": np.float64(2.0)}  # `a` itself is not there
    assert evaluate(line.value, known) == 10.0
    with pytest.raises(InvalidArgument, match="^a: got no value, expected one of b or a line"):
        evaluate(line.value.left.args[0], known)
