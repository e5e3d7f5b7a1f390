"""Tests for `diagnosis/search.py`: the change of one line, or of several, found by running the function again."""

import ast

import numpy as np

from jaxnn.verify.diagnosis.patches import unified
from jaxnn.verify.diagnosis.programs import Program
from jaxnn.verify.diagnosis.search import Tried, by_running, in_copies, in_lines_alike, in_two_places
from jaxnn.verify.diagnosis.steps import record

RNG = np.random.default_rng(5)
X, G = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 2))


def wrong(output):
    return ~np.isclose(output, X.T @ G)


class Sums:
    def backward(self, x, g):
        self.d = np.zeros((3, 2))
        for row, seed in zip(x, g, strict=True):
            self.d = np.outer(row, seed)
        return self.d


def far_from_its_line(x, g):
    turned = x[::-1]
    d = turned.T @ g
    return d


def a_loop_the_wrong_way_round(x, g):
    d = np.zeros((3, 2))
    for k, row in enumerate(reversed(list(x))):
        d += np.outer(row, g[k])
    return d


def a_loop_that_may_not_end(x, g):
    d, k = np.zeros((3, 2)), 0
    while k < len(x):
        d -= np.outer(x[k], g[k])
        k += 1
    return d


def found_by_running(f, name="d"):
    steps = [step for step in record(f, X, G) if step.name == name or step.name.endswith(f".{name}")]
    return by_running(Program(f, [((X, G), wrong)]), steps[-1:])


def test_a_line_in_a_loop_is_changed_by_running_it_again():
    found = found_by_running(Sums().backward)
    assert found.line.text == "self.d = np.outer(row, seed)" and "`+=`" in found.why


def test_a_loop_is_walked_the_other_way_round():
    found = found_by_running(a_loop_the_wrong_way_round)
    assert found.line.text.startswith("for k, row in") and found_by_running(a_loop_that_may_not_end) is None


def test_lines_before_are_tried_too():
    steps = [step for step in record(far_from_its_line, X, G) if step.name in ("turned", "d")]
    found = by_running(Program(far_from_its_line, [((X, G), wrong)]), steps[:1])
    assert found.line.text == "turned = x[::-1]"


def test_the_function_is_left_as_it_was():
    code = far_from_its_line.__code__
    test_lines_before_are_tried_too()
    assert far_from_its_line.__code__ is code


def two_mistakes(x, g):
    upper = x.T[:2] @ -g
    lower = 2 * x.T[2:] @ g
    d = np.concatenate([upper, lower])
    return d


def test_several_mistakes_that_put_other_entries_wrong_have_one_repair():
    steps = record(two_mistakes, X, G)
    found = by_running(Program(two_mistakes, [((X, G), wrong)]), steps)
    assert {change.line.text for change in found.changes} == {"upper = x.T[:2] @ -g", "lower = 2 * x.T[2:] @ g"}
    assert "; and " in found.why and found.proven


def both_in_one_statement(x, g):
    upper, lower = x.T[:2] @ g, x.T[2:] @ g
    return np.concatenate((-upper, 2 * lower))


def test_two_changes_of_one_statement_become_one():
    found = by_running(Program(both_in_one_statement, [((X, G), wrong)]), record(both_in_one_statement, X, G)[-1:])
    (change,) = found.changes
    assert change.line.text.startswith("return") and found.proven


def two_names(x, g):
    d = np.zeros((3, 2))
    first = d
    d += x.T @ g
    return first + d


def test_an_array_with_two_names_is_copied():
    found = in_copies(Program(two_names, [((X, G), wrong)]), record(two_names, X, G))
    assert found.line.text == "first = d" and "two names" in found.why


def test_where_no_copy_helps_there_is_none():
    assert in_copies(Program(two_mistakes, [((X, G), wrong)]), record(two_mistakes, X, G)) is None


def ends_too_early(x, g):
    d = np.zeros((3, 2))
    for row, seed in zip(x, g, strict=True):
        d += np.outer(row, seed)
        return d


def test_a_return_within_a_loop_goes_behind_it():
    found = by_running(Program(ends_too_early, [((X, G), wrong)]), record(ends_too_early, X, G))
    (change,) = found.changes
    assert "belongs after the loop" in found.why and ast.unparse(change.new).endswith("\nreturn d")
    patch = unified([(change.line.file, change.old, change.new)])
    assert [row[1:] for row in patch.splitlines() if row[0] in "+-"][2:] == ["        return d", "    return d"]


def skips(x, g):
    d, k = np.zeros((3, 2)), 0
    for row in np.concatenate([np.zeros((1, 3)), x]):
        if not row.any():
            continue
        d += np.outer(row, np.concatenate([np.zeros((1, 2)), g])[k])
        k += 1
    return d


def test_what_a_continue_leaves_out_goes_before_it():
    found = by_running(Program(skips, [((X, G), wrong)]), record(skips, X, G), inside=True)
    assert "`continue` leaves out `k += 1`" in found.why
    patch = unified([(change.line.file, change.old, change.new) for change in found.changes])
    assert [row for row in patch.splitlines() if row[0] in "+-"][2:] == ["+            k += 1"]


def updates_too_early(x, g):
    d = np.zeros((3, 2))
    moved = np.zeros((1, 3))
    for row, seed in zip(x, np.concatenate([g[1:], g[:1]]), strict=True):
        moved = 0.5 * moved
        d = d + moved.T * seed
        moved = moved + row
    return d


def in_the_right_order(x, g):
    d = np.zeros((3, 2))
    moved = np.zeros((1, 3))
    for row, seed in zip(x, np.concatenate([g[1:], g[:1]]), strict=True):
        d = d + moved.T * seed
        moved = 0.5 * moved
        moved = moved + row
    return d


def test_two_statements_in_the_wrong_order_are_exchanged():
    right = in_the_right_order(X, G)
    steps = record(updates_too_early, X, G)
    found = by_running(Program(updates_too_early, [((X, G), lambda output: ~np.isclose(output, right))]), steps)
    assert found.line.text == "moved = 0.5 * moved" and "has to come after" in found.why


def two_things_in_one_line(x, g):
    d = np.zeros((3, 2))
    for k in range(len(x)):
        part = x[k, :, None] @ (g[0][None] * 2) / len(x)
        d = d + part
    return 2 * d


def test_two_things_in_one_line_are_changed_together():
    # The index g[0] is one thing, the divisor another: neither alone makes an entry right.
    def wrong(output):
        return ~np.isclose(output, 4 * X.T @ G)

    program = Program(two_things_in_one_line, [((X, G), wrong)])
    steps = [step for step in record(two_things_in_one_line, X, G) if step.name in ("part", "d")]
    assert by_running(program, steps) is None
    (change,) = in_two_places(program, steps).changes
    assert "g[k][None]" in ast.unparse(change.new)


def not_a_mean(x, g):
    return x.T @ g


def test_a_number_that_is_right_at_one_size_alone_is_not_written_out():
    def points(n):
        return [((X[:n], G[:n]), lambda output: ~np.isclose(output, X[:n].T @ G[:n] / n))]

    (step,) = [step for step in record(not_a_mean, X[:3], G[:3]) if step.name == "return"]
    (change,) = by_running(Program(not_a_mean, points(3)), [step], inside=False).changes
    assert ast.unparse(change.new) == "return x.T @ g / x.shape[0]"
    by_chance = change._replace(new=ast.parse("return x.T @ g / 3").body[0])
    program = Program(not_a_mean, points(3), elsewhere=lambda: points(2))
    assert program.is_right_with([change]) and not program.is_right_with([by_chance])
    assert program._replace(elsewhere=tuple).is_right_with([by_chance])


def the_same_twice(x, g):
    first, last = np.zeros((3, 2)), np.zeros((3, 2))
    for row, seed in zip(x, g, strict=True):
        first = np.outer(row, seed)
        last = np.outer(row, seed)
    return first + last


def test_lines_side_by_side_are_changed_alike():
    program = Program(the_same_twice, [((X, G), lambda output: ~np.isclose(output, 2 * X.T @ G))])
    steps = [step for step in record(the_same_twice, X, G) if step.name in ("first", "last")]
    found = in_lines_alike(program, steps)
    assert [ast.unparse(change.new) for change in found.changes] == [
        "first += np.outer(row, seed)",
        "last += np.outer(row, seed)",
    ]


def moved_too_late(x, g):
    d, scale = np.zeros((3, 2)), np.ones(2)
    for row, seed in zip(x, g, strict=True):
        d = d + np.outer(row, seed * scale)
        d = 1.0 * d
        scale = 0.5 * scale
    return d


def moved_in_time(x, g):
    return sum(0.5 ** (k + 1) * np.outer(row, seed) for k, (row, seed) in enumerate(zip(x, g, strict=True)))


def test_a_statement_is_moved_over_several_others():
    right = moved_in_time(X, G)
    program = Program(moved_too_late, [((X, G), lambda output: ~np.isclose(output, right))])
    found = by_running(program, [step for step in record(moved_too_late, X, G) if step.name == "scale"])
    assert found.line.text == "scale = 0.5 * scale" and "has to come before `d = d +" in found.why


def test_what_the_loss_runs_too_is_left_as_it_is():
    steps = [step for step in record(far_from_its_line, X, G) if step.name in ("turned", "d")]
    program = Program(far_from_its_line, [((X, G), wrong)])
    assert by_running(program._replace(defines=lambda line: line in {step.line for step in steps}), steps) is None


def test_what_was_tried_and_is_no_repair_is_not_run_again():
    runs, tried = [], Tried.nothing()

    def run(x, g):
        runs.append(1)
        return far_from_its_line(x, g)

    program = Program(run, [((X, G), lambda output: ~np.isclose(output, 7 * X.T @ G + 1))])
    step = next(step for step in record(far_from_its_line, X, G) if step.name == "turned")
    assert by_running(program, [step], tried=tried) is None
    first, runs[:] = len(runs), []
    assert by_running(program, [step], tried=tried) is None
    assert len(runs) < first / 2 and tried.changes
