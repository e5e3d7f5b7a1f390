"""All levels by name, in the order in which the page offers them."""

from jaxnn.backprop.level import Level
from jaxnn.backprop.levels import first, images, networks, sequences
from jaxnn.errors import InvalidArgument

LEVELS: dict[str, Level] = {
    level.name: level for group in (first, networks, images, sequences) for level in group.LEVELS
}


def level_of(name: str) -> Level:
    """Return the level of that name."""
    if name not in LEVELS:
        raise InvalidArgument(f"level: got {name!r:.40}, expected one of {', '.join(LEVELS)}")
    return LEVELS[name]
