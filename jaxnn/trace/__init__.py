"""Any JAX function as the textbook's tables: values with local derivatives, then adjoints."""
