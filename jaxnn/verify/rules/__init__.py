"""Rules in the form of `jax.custom_vjp`, `custom_jvp` and `custom_gradient`, judged as gradients are."""
