"""What a check says: its kind, where and why, and what each witness saw."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["PASS", "FAIL", "KINK", "NOISE", "RANDOM", "NONFINITE"]
SEVERITY: tuple[Kind, ...] = ("PASS", "NOISE", "KINK", "FAIL", "RANDOM", "NONFINITE")


@dataclass(frozen=True)
class Report:
    """What one witness saw: whether it `agrees` (None: it could not tell), how far off at most and its error bar.

    `difference` and `error` are absolute, at the entry where the difference is largest beside its error bar.
    """

    witness: str
    agrees: bool | None
    difference: float = 0.0
    error: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """The outcome of a check. True where the gradient is right as far as can be seen: PASS, KINK and NOISE.

    PASS: all witnesses agree. FAIL: the gradient is wrong. KINK: the value lies between the one-sided slopes, another
    valid subgradient. NOISE: the difference is below what the witnesses can resolve, which is `resolution` of the
    leaf's largest entry. RANDOM: the function is not deterministic. NONFINITE: NaN or infinity.

    `leaf` is the path of the worst leaf, `index` its worst entry, `expected` and `actual` the two values there, `error`
    the error bar of `witness`, `cause` one sentence, `line` the first wrong line of the hand-written code, `case` the
    arguments' name in a survey. `patch` is a unified diff of the source that makes the whole gradient right, tried at
    two points; it is empty where no change of one thing was found to do that.
    """

    kind: Kind
    leaf: str = ""
    index: tuple[int, ...] = ()
    expected: float = float("nan")
    actual: float = float("nan")
    witness: str = ""
    error: float = 0.0
    cause: str = ""
    line: str = ""
    case: str = ""
    note: str = ""
    resolution: float = 0.0
    witnesses: tuple[Report, ...] = ()
    patch: str = ""

    def __bool__(self) -> bool:
        return self.kind in ("PASS", "KINK", "NOISE")

    def __str__(self) -> str:
        return "\n".join(message(self))


def message(verdict: Verdict) -> list[str]:
    """Return the lines of a verdict's message: the verdict, where, why, and the witnesses."""
    place = verdict.leaf + (str(list(verdict.index)) if verdict.index else "")
    lines = [f"{verdict.kind}{': ' + place if place else ''}{' (' + verdict.case + ')' if verdict.case else ''}"]
    if verdict.witness:
        bar = f" +- {verdict.error:.1e}" if verdict.error else ""
        lines.append(f"  by hand {verdict.actual:.12g}, {verdict.witness} {verdict.expected:.12g}{bar}")
    if verdict.cause:
        lines.append(f"  why:   {verdict.cause}")
    if verdict.line:
        lines.append(f"  where: {verdict.line}")
    if verdict.patch:
        lines += [
            "  patch (tried: the whole gradient is right with it):",
            *(f"    {r}" for r in verdict.patch.splitlines()),
        ]
    if verdict.note:
        lines.append(f"  {verdict.note}")
    lines += [f"  {line}" for line in table(verdict.witnesses)]
    if verdict and verdict.resolution:
        lines.append(f"  an error of {verdict.resolution:.0e} of a leaf's largest entry would have been seen")
    return lines


def table(reports: Sequence[Report]) -> list[str]:
    """Return one line a witness: its name, what it says, the difference and its error bar."""
    width = max((len(report.witness) for report in reports), default=0)
    says = {True: "agrees", False: "DISAGREES", None: "cannot tell"}
    return [
        f"{report.witness:<{width}}  {says[report.agrees]:<11}"
        + (f"  {report.difference:.1e} +- {report.error:.1e}" if report.error else "")
        + (f"  {report.note}" if report.note else "")
        for report in reports
    ]


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the gravest of several verdicts, the first among equals."""
    return max(verdicts, key=lambda verdict: SEVERITY.index(verdict.kind))


def overall(verdicts: Sequence[Verdict], skipped: str = "") -> Verdict:
    """Return what verdicts without a failure say together: KINK, PASS, or NOISE where nothing could be resolved."""
    kinds = Counter(verdict.kind for verdict in verdicts)
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    chosen = next((v for v in verdicts if v.kind == "KINK" and v.leaf), None)
    chosen = chosen or next((v for v in verdicts if v.kind == "PASS"), verdicts[0])
    share = max((v.resolution for v in verdicts if v.kind == chosen.kind), default=0.0)
    case = chosen.case if chosen.kind != "PASS" else ""
    return replace(chosen, case=case, resolution=share, note=joined(chosen.note, f"cases: {counted}{skipped}"))


def joined(*notes: str) -> str:
    """Return the notes that say something, as one."""
    return "; ".join(note for note in notes if note)
