"""What the tries add up to: a line for each checker and form, and what jaxnn missed."""

from collections.abc import Sequence
from statistics import median

from benchmarks.gradbugs.trial import FORMS, JAXNN
from benchmarks.gradbugs.variants import RIGHT, RULE
from benchmarks.mutants.summary import first, share

FOUND, ACCEPTED = ("FAIL", "NONFINITE"), ("PASS", "KINK", "NOISE")
ANSWERS = {"line named": "line_ok", "cause right": "cause_ok"}

Rows = Sequence[dict]


def totals(rows: Rows) -> list[dict[str, str]]:
    """Return for each checker and form how many mistakes it finds, how many right ones it rejects, and its times."""
    found = []
    for checker, form in [(checker, form) for checker, forms in FORMS.items() for form in forms]:
        wrong, right = parts(rows, checker, form)
        if not wrong:
            continue
        small = [row for row in wrong if row.get("small")]
        cannot = [] if checker == JAXNN else unable(right)
        mine = wrong if checker == JAXNN else []  # peers name no line
        judged = {header: [row for row in mine if row.get(name) is not None] for header, name in ANSWERS.items()}
        told = {header: [row for row in some if row[ANSWERS[header]]] for header, some in judged.items()}
        seconds = [row["seconds"] for row in wrong]
        of_patch = checker == JAXNN and form != RULE
        found.append(
            {
                "checker": checker,
                "form": form,
                "found": share([row for row in wrong if row["id"] not in cannot and is_found(row)], wrong),
                **{header: share(some, judged[header]) for header, some in told.items()},
                "patch, small": share([row for row in small if row.get("patch_ok")], small) if of_patch else "",
                "patch, all": share([row for row in wrong if row.get("patch_ok")], wrong) if of_patch else "",
                "false alarms": share([row for row in right if is_alarm(row)], right),
                "cannot": "" if checker == JAXNN else share(cannot, right),
                "median s": f"{median(seconds):.1f}",
                "most s": f"{max(seconds):.1f}",
            }
        )
    return found


def parts(rows: Rows, checker: str, form: str) -> tuple[list[dict], list[dict]]:
    """Return the wrong and the right ones that a checker tried in a form."""
    own = [row for row in rows if (row["checker"], row["form"]) == (checker, form)]
    return [row for row in own if row["tag"] != RIGHT], [row for row in own if row["tag"] == RIGHT]


def is_found(row: dict) -> bool:
    """Return whether a mistake is seen; a peer may say so by raising what it does not raise of the right one."""
    return row["kind"] in FOUND or (row["checker"] != JAXNN and row["kind"] == "RAISED")


def is_alarm(row: dict) -> bool:
    """Return whether a right one is rejected: jaxnn has to accept it, a peer not to call it wrong."""
    return row["kind"] not in ACCEPTED if row["checker"] == JAXNN else row["kind"] == "FAIL"


def unable(right: Rows) -> list[str]:
    """Return what a peer has no verdict of, even where it is right."""
    return [row["id"] for row in right if row["kind"] not in (*FOUND, *ACCEPTED)]


def remarks(rows: Rows) -> list[str]:
    """Return what jaxnn missed and rejected, a line each, and the files whose line, cause or patch is not right."""
    lines = []
    for form in FORMS[JAXNN]:
        wrong, right = parts(rows, JAXNN, form)
        bad = [("missed", row) for row in wrong if not is_found(row)]
        bad += [("false alarm", row) for row in right if is_alarm(row)]
        lines += [
            f"{what}: {form} {row['id']} {row['tag']}: {row['kind']} {first(row['message'])}" for what, row in bad
        ]
        for what in ("line", "cause") if form == RULE else ("line", "cause", "patch"):
            names = dict.fromkeys(row["id"] for row in wrong if is_found(row) and row[f"{what}_ok"] is False)
            lines += [f"{what} not right, {form}: {', '.join(names)}"] if names else []
    return lines


def failed(rows: Rows) -> bool:
    """Return whether jaxnn missed a mistake or rejected a right gradient."""
    ours = [row for row in rows if row["checker"] == JAXNN]
    return any(is_alarm(row) if row["tag"] == RIGHT else not is_found(row) for row in ours)
