"""From a formula and data of any kind to the matrices of a network."""
