"""Tests for `diagnosis/rewrite.py`: a statement is put in the place of another, in any function, and taken back."""

import ast

import pytest

from jaxnn.trace.jaxprs import source_line
from jaxnn.verify.diagnosis.rewrite import (
    blocks_around,
    functions_of,
    made_from,
    may_not_end,
    merged,
    only_assembles,
    put,
    rewritten,
    statement_at,
)


def plain(x):
    y = x + 1
    return y


class Kind:
    def method(self, x):
        y = x + 1
        return super().__hash__() * 0 + y


def outer(factor):
    def inner(x):
        y = factor * x
        return y

    return inner


def looping(x):
    for i in range(3):
        for j in range(2):
            x = x + i * j
    while x < 0:
        x += 1
    return x


def line_of(function, offset):
    code = function.__code__
    return source_line(code.co_filename, code.co_firstlineno + offset, code.co_name)


def put_in(function, text):
    """A context in which the first line of a function is another one."""
    line = line_of(function, 1)
    changes = [(statement_at(line), ast.parse(text).body[0])]
    return rewritten(functions_of(function.__code__), line.file, changes)


@pytest.mark.parametrize("function", [plain, Kind().method, outer(1)], ids=["function", "method", "closure"])
def test_a_function_runs_with_another_statement_and_then_with_its_own(function):
    line = line_of(function, 1)
    with put_in(function, "y = 10 * x"):
        assert function(2) == 20
    assert function(2) == (2 if line.text == "y = factor * x" else 3)


def test_a_statement_that_needs_another_variable_of_an_outer_function_is_refused():
    hidden = 5

    def inner(x):
        y = x + 1
        return y

    change = statement_at(line_of(inner, 1)), ast.parse("y = x + hidden").body[0]
    with pytest.raises(ValueError, match="cannot be run with another line"):
        with rewritten([inner], __file__, [change]):
            pass
    assert inner(3) == 4 and hidden == 5


def makes_it_anew(x):
    def inner(x):
        y = x + 1
        return y

    return inner(x), inner


def test_a_function_that_every_call_makes_anew_is_changed_through_the_one_around_it():
    _, inner = makes_it_anew(0)
    with put_in(inner, "y = 10 * x"):
        assert makes_it_anew(2)[0] == 20 and inner(2) == 20
    assert makes_it_anew(2)[0] == 3 and inner(2) == 3


def test_an_error_inside_leaves_the_function_as_it_was():
    with pytest.raises(ZeroDivisionError):
        with put_in(plain, "y = x / 0"):
            plain(1)
    assert plain(1) == 2


def test_the_blocks_around_a_line_are_found_from_the_inside():
    found = blocks_around(line_of(looping, 3), looping.__code__)
    assert [loop.text for loop in found] == ["for j in range(2):", "for i in range(3):"]
    assert blocks_around(line_of(plain, 1), plain.__code__) == []


def test_the_lines_that_made_what_is_in_a_line_are_found():
    def padded(x):
        low = 3 // 2
        size = len(x)
        high = low + size
        return x[low:high]

    found = made_from(line_of(padded, 4), padded.__code__)
    assert [line.text for line in found] == ["high = low + size", "low = 3 // 2"]


def test_what_only_stacks_what_others_made_is_known_from_what_computes_or_cuts():
    def assembled(parts, np):
        rows = [np.stack(parts[k : k + 2]) for k in range(2)]
        grid = np.stack(rows).reshape(4, -1)
        cut = np.stack(rows)[:, 1:]
        doubled = np.exp(grid)
        return cut, doubled

    lines = [line_of(assembled, k) for k in range(1, 5)]
    assert [only_assembles(line) for line in lines] == [True, True, False, False]


def test_a_list_of_sums_is_computed_and_a_tuple_is_judged_by_its_part():
    def shared(parts, np, cut):
        parts.append(parts[0] / 2)
        return parts[0][:, cut:], np.stack(parts)

    halved, both = (line_of(shared, k) for k in (1, 2))
    assert not only_assembles(halved) and not only_assembles(both)
    assert not only_assembles(both, "return[0]") and only_assembles(both, "return[1]['W']")


def test_what_may_not_end_is_known():
    assert may_not_end(line_of(looping, 3)) and not may_not_end(line_of(plain, 1))


def test_a_statement_is_found_by_its_line():
    assert ast.unparse(statement_at(line_of(plain, 1))) == "y = x + 1"
    assert statement_at(line_of(plain, 1)._replace(file="/nowhere.py")) is None


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("a, b = f(x), -y", "a, b = x, y", "a, b = f(x), y"),
        ("a, b = x, -y + 1", "a, b = x, -z + 1", None),  # each is a sum in the place of -y, with another operand
        ("a, b = x, -y", "a, b = x, y", "a, b = x, y"),
    ],
)
def test_two_changes_of_one_statement_are_made_together(one, other, both):
    old, *new = (ast.parse(text).body[0] for text in ("a, b = x, -y", one, other))
    found = merged(old, *new)
    assert (found and ast.unparse(found)) == (both and ast.unparse(ast.parse(both)))


def test_a_change_in_a_part_that_another_change_kept_is_made_with_it():
    old = ast.parse("d = f(a + b) / n").body[0]
    quotient = old.value
    without_divisor = put(quotient, quotient.left, old)
    inside = put(quotient.left.args[0], ast.parse("a - b", mode="eval").body, old)
    assert ast.unparse(merged(old, without_divisor, inside)) == "d = f(a - b)"
    assert ast.unparse(merged(old, inside, without_divisor)) == "d = f(a - b)"
