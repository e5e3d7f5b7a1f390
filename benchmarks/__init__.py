"""Honest times of the core loops, beside peers: `python -m benchmarks`."""
