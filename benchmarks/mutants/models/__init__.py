"""Four networks with a gradient written by hand, one intermediate a line, plain enough to be wrong in one line.

Each module has `loss(params, *data)`, `grad(params, *data)` and `cases()`, the arguments of each scenario by name:
`std` is an ordinary point, the others are the places where some mistakes show that do not show there.
"""
