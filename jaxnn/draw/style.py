"""The colours and the resolution of every picture."""

BLUE, ORANGE = "#377EB8", "#FF7F00"  # class 0 and class 1, as in the lecture
DARK_BLUE, DARK_ORANGE = "#22557F", "#B35900"  # the same two for text
INK, GREY = "#222222", "#8A8A8A"
DPI = 150
