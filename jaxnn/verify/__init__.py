"""Gradients written by hand, judged by independent witnesses: right or wrong, and then where and why.

`check` takes a gradient of a scalar loss, `check_rule` a rule in the form of `jax.custom_vjp`, `survey` many argument
tuples, which `grid` builds from one. Each returns a `Verdict`.
"""

from jaxnn.verify.check import check as check
from jaxnn.verify.grids import grid as grid
from jaxnn.verify.rules.check import check_rule as check_rule
from jaxnn.verify.surveys import survey as survey
from jaxnn.verify.verdict import Report as Report
from jaxnn.verify.verdict import Verdict as Verdict
