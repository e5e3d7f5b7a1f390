"""What may have been meant: a line of the source with one thing in it changed, or with what it lacks."""
