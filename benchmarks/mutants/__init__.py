"""How many wrong gradients a checker finds: known mistakes in hand-written backward passes, each in one line.

`listed.toml` has the mistakes in four small networks (`models`), `wiring.toml` those in how a rule is plugged into
JAX, `project.toml` those in the real code of jaxnn. `correct` has the correct gradients, which no checker may reject.
`runner` asks the checkers, `by_tests` asks the project's own tests about the mistakes in its code.
"""
