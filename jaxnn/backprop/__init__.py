"""Write the backward pass yourself: a page on which every line of a derivative is judged while it is typed."""
