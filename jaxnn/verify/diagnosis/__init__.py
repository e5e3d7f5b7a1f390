"""Where and why a gradient is wrong, and what would put it right: each answer is tried before it is given."""
