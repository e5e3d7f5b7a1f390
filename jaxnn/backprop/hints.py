"""Three hints for a line: where to look, what is missing, the line itself."""

from jaxnn.backprop.language import names_in, read
from jaxnn.backprop.level import Level


def hints(level: Level, name: str) -> list[str]:
    """Return the hints for a derivative that a level asks for, from the least to the most."""
    return [_where(level, name), level.missing[name], _lines(level, name)]


def _where(level: Level, name: str) -> str:
    """Return where a variable goes forward, since from there its adjoint comes back."""
    of, by = level.meaning(name) or ("", "")
    if of != level.cost:
        line = next(line for line in level.forward if line.name == of)
        return f"look at the line {line.text}: how does {of} change with {by}, when all else in it stays?"
    uses = [line for line in level.forward if by in names_in(line.value)]
    said = "; ".join(line.text for line in uses)
    if len(uses) == 1:
        before = "" if uses[0].name == level.cost else f", so it comes back from d{uses[0].name}"
        return f"{by} is used once forward, in {said}{before}"
    return f"{by} is used {len(uses)} times forward, in {said}: what comes back from each is added"


def _lines(level: Level, name: str) -> str:
    """Return the lines of the solution for a name, with those of other names that only they need."""
    program = read(level.solution)
    wanted, kept = {name}, []
    for line in reversed(program):
        if line.name in wanted:
            kept.append(line.text)
            wanted |= {other for other in names_in(line.value) if level.meaning(other) is None}
    return "\n".join(reversed(kept))
