"""All levels by name, in the order in which the page offers them."""

from jaxnn.backprop.level import Level
from jaxnn.backprop.levels import bugs_layers, bugs_networks, first, images, networks, sequences
from jaxnn.errors import InvalidArgument

GROUPS = (first, networks, images, sequences, bugs_networks, bugs_layers)
LEVELS: dict[str, Level] = {level.name: level for group in GROUPS for level in group.LEVELS}


def level_of(name: str) -> Level:
    """Return the level of that name."""
    if name not in LEVELS:
        raise InvalidArgument(f"level: got {name!r:.40}, expected one of {', '.join(LEVELS)}")
    return LEVELS[name]
