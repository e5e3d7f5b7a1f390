"""The levels of the page, in their order: the lecture's networks first, then mistakes that were really made."""
