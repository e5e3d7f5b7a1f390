"""The playground: a web page on which to watch and touch a network that JAX trains (lecture section 8.1)."""
