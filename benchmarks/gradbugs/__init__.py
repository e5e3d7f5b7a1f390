"""How gradient checkers judge the gradients of other people: mistakes that were really made, wrong and mended.

`cases` has gradients of a loss, `rules` those of a function, a file each; `variants` reads them. `trial` is one try by
one checker in a process of its own, `runner` starts them all, and `summary` adds up what they say.
"""
