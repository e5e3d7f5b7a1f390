"""Tests for `diagnosis/edits/loops.py`: what a backward pass through time forgets to hand on is found in the source."""

import ast

import numpy as np

from jaxnn.verify.diagnosis.edits.loops import carried
from jaxnn.verify.diagnosis.steps import record


def forgets(xs):
    later, sums = np.zeros(3), np.zeros(3)
    for x in xs:
        d = x + later
        earlier = 0.5 * d  # noqa: F841
        sums += d
    return sums


def hands_on(xs):
    later, sums = np.zeros(3), np.zeros(3)
    for x in xs:
        d = x + later
        later = 0.5 * d
        sums += d
    return sums


def line_of(f, name):
    return next(step.line for step in record(f, np.ones((2, 3))) if step.name == name)


def test_a_variable_that_nothing_reads_is_the_one_that_the_next_round_takes():
    ((changes, why), *_) = carried(line_of(forgets, "d"), forgets.__code__)
    assert [ast.unparse(new) for _, _, new in changes] == ["later = 0.5 * d"]
    assert "`later`, not `earlier`" in why


def test_what_is_handed_on_is_left_alone():
    assert list(carried(line_of(hands_on, "d"), hands_on.__code__)) == []
