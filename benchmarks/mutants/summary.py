"""What the rows of the mutation benchmark add up to: the table, and what jaxnn missed."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

Rows = Sequence[dict]

HEADERS = ("killed at one point", "killed in all", "line named", "cause right", "patch holds", "false alarms")
EXPLAINED = ("line_ok", "cause_ok", "patch_ok")


def totals(rows: Rows, peers: Sequence[str]) -> list[dict[str, str]]:
    """Return a row a checker: mutants killed; of those the line, the cause and the patch; false alarms."""
    mutants, right, found = of(rows, "mutant"), of(rows, "correct"), []
    for checker in ("jaxnn", *peers):
        killed = [row for row in mutants if row["killed_by"][checker]]
        at_once = [row for row in killed if row["killed_by"][checker] == "std"]
        explained = [""] * len(EXPLAINED)
        if checker == "jaxnn":
            wrong = [row for row in killed if not row["subgradient"]]  # the others have no wrong line
            explained = [share([row for row in wrong if row[name]], wrong) for name in EXPLAINED]
        alarms = [row for row in right if checker in row["alarms"]]
        shares = [share(at_once, mutants), share(killed, mutants), *explained, share(alarms, right)]
        found.append({"checker": checker, **dict(zip(HEADERS, shares, strict=True))})
    return found


def table(found: Sequence[dict[str, str]]) -> Table:
    """Return the totals of at least one checker as a table."""
    shown = Table(box=box.MARKDOWN)
    for header in found[0]:
        shown.add_column(header, justify="left" if header == "checker" else "right", no_wrap=True)
    for row in found:
        shown.add_row(*row.values())
    return shown


def remarks(rows: Rows) -> list[str]:
    """Return the parts of jaxnn's result and everything that it missed, one line each."""
    mutants = of(rows, "mutant")
    lines = [
        "killed in all: jaxnn by `check` at one point or `survey` over `grid`; the others at the place, given to them"
    ]
    for initials, what in (("abcd", "four models"), ("w", "wiring"), ("r", "jaxnn's own code")):
        group = [row for row in mutants if row["id"][0] in initials]
        if group:
            lines.append(f"{what}: {share([row for row in group if row['killed_by']['jaxnn']], group)} killed by jaxnn")
    lines += [
        f"missed: {row['id']} {row['what']}: {row['kind']} {first(row['message'])}"
        for row in mutants
        if not row["killed_by"]["jaxnn"]
    ]
    wrong = [row for row in mutants if row["killed_by"]["jaxnn"] and not row["subgradient"]]
    lines += [f"line: {row['id']} {row['new']!r}: {row['line']!r}" for row in wrong if not row["line_ok"]]
    lines += [f"cause: {row['id']} {row['what']}: {row['cause']!r}" for row in wrong if not row["cause_ok"]]
    lines += [f"patch: {row['id']} {row['what']}" for row in wrong if not row["patch_ok"]]
    lines += [
        f"false alarm: {row['id']}: {row['kind']} {first(row['message'])}"
        for row in of(rows, "correct")
        if "jaxnn" in row["alarms"]
    ]
    return lines


def failed(rows: Rows) -> bool:
    """Return whether jaxnn missed a mutant or raised a false alarm."""
    missed = any(not row["killed_by"]["jaxnn"] for row in of(rows, "mutant"))
    return missed or any("jaxnn" in row["alarms"] for row in of(rows, "correct"))


def of(rows: Rows, kind: str) -> list[dict]:
    """Return the rows of mutants, or those of correct cases."""
    return [row for row in rows if row["row"] == kind]


def share(some: Sequence, all_of_them: Sequence) -> str:
    """Return how many of how many, nothing where there are none."""
    return f"{len(some)} of {len(all_of_them)}" if all_of_them else ""


def first(message: str) -> str:
    """Return a message in one line, cut where it is long."""
    text = " ".join(message.split())
    return text if len(text) <= 300 else text[:297] + "..."
