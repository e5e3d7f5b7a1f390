"""The pytest fixture `gradcheck`: a hand-written gradient checked in one line of a test.

    def test_mine(gradcheck):
        gradcheck(loss, grad, params, x, y)

A wrong gradient fails the test with the verdict as its message. At a kink, or where rounding hides what is left to be
seen, the test passes and the summary at the end says so.
"""

import importlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # the plugin is loaded by every run of pytest, and imports neither JAX nor the checker
    from jaxnn.verify import Verdict

Cases = Iterable[Sequence[Any]] | Mapping[str, Sequence[Any]]
CHECKER = ("jaxnn.verify.", "jaxnn.trace.", "jaxnn.errors")  # the modules of which no traceback shows a frame
__tracebackhide__ = True  # by pytest: a traceback leads from the test straight to the functions under test


class GradCheck:
    """What the fixture gives: called, it is `check`; `rule` is `check_rule`, `survey` is `survey`.

    Each returns its verdict where that is true, and fails the test with the verdict's message where it is not.
    """

    def __init__(self, notes: list[tuple[str, object]]):
        self._notes = notes

    def __call__(self, loss: Callable, grad: Callable, *args: Any, **options: Any) -> "Verdict":
        from jaxnn.verify import check

        return self._judged(check(loss, grad, *args, **options))

    def rule(self, rule: Callable, *args: Any, **options: Any) -> "Verdict":
        from jaxnn.verify import check_rule

        return self._judged(check_rule(rule, *args, **options))

    def survey(self, *given: Any, **options: Any) -> "Verdict":
        from jaxnn.verify import survey

        return self._judged(survey(*given, **options))

    def _judged(self, verdict):
        self._notes.append(("gradcheck", summary(verdict)))
        if not verdict:
            pytest.fail(str(verdict))
        return verdict


def summary(verdict: "Verdict") -> str:
    """Return a verdict in one line: its kind, and for one that is right only as far as can be seen, what was seen."""
    return verdict.kind if verdict.kind == "PASS" else " ".join(" ".join(str(verdict).splitlines()[:2]).split())


@pytest.fixture
def gradcheck(request: pytest.FixtureRequest) -> GradCheck:
    """Check hand-written gradients: `gradcheck(loss, grad, *args)`, `.rule(f, f_fwd, f_bwd, *args)`, `.survey(...)`."""
    importlib.import_module("jaxnn.verify")  # here and not above, so that pytest starts without it
    for name, module in list(sys.modules.items()):
        if name.startswith(CHECKER):
            vars(module)["__tracebackhide__"] = True
    return GradCheck(request.node.user_properties)  # which travel with the test's report, between processes too


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many gradients were checked, and name those that are right only as far as can be seen."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    notes = {  # by test; a test's last report has all of its notes
        report.nodeid: [text for name, text in report.user_properties if name == "gradcheck"]
        for report in reports
        if getattr(report, "when", None) == "teardown"
    }
    checked = [(nodeid, text) for nodeid, texts in notes.items() for text in texts]
    if not checked:
        return
    from jaxnn.verify.verdict import SEVERITY

    counts = Counter(text.split(":")[0].split()[0] for _, text in checked)
    found = ", ".join(f"{counts[kind]} {kind}" for kind in SEVERITY if counts[kind])
    terminalreporter.section("gradients")
    terminalreporter.line(f"{len(checked)} checked by gradcheck: {found}")
    for nodeid, text in checked:
        if text.startswith(("KINK", "NOISE")):
            terminalreporter.line(f"{nodeid}: {text}")
