"""The lecture, section by section: every figure redrawn, every printed number computed again."""
