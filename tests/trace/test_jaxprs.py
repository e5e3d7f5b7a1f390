"""Tests for `jaxnn/trace/jaxprs.py`: the flat program computes what the function does, and knows its source lines."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnn.trace import jaxprs

X = jnp.array([0.3, -1.2, 2.0])


def plain(x):
    return jnp.sin(x) * x + 1.0


def nested_calls(x):
    return jax.nn.relu(jax.jit(lambda y: jax.nn.softplus(y) - 1)(x))


def with_remat(x):
    return jax.checkpoint(lambda y: jnp.tanh(y) ** 2)(x)


@jax.custom_vjp
def cubed(x):
    return x**3


cubed.defvjp(lambda x: (x**3, x), lambda x, g: (3 * x**2 * g,))


def with_loop(x):
    return lax.fori_loop(0, 3, lambda i, y: y * 1.5, x)


def with_while(x):
    return lax.while_loop(lambda y: jnp.sum(y) < 10, lambda y: y + 1, x)


def with_cond(x):
    return lax.cond(jnp.sum(x) > 0, jnp.sin, jnp.cos, x)


def captured(x):
    return x * jnp.asarray(np.arange(3.0)) + X


def same_value_twice(x):
    y = jnp.exp(x)
    return y, y, x, 2.0


FUNCTIONS = [plain, nested_calls, with_remat, cubed, with_loop, with_while, with_cond, captured, same_value_twice]


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: getattr(f, "__name__", "cubed"))
def test_the_program_computes_what_the_function_does(f, opened):
    program, structure = jaxprs.program(f, X, opened=lambda eqn: opened)
    env = jaxprs.run(program, [X])
    found = jax.tree.unflatten(structure, [jaxprs.read(env, atom) for atom in program.outputs])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-15), found, f(X))


def names(f, *args, **more):
    return [equation.name for equation in jaxprs.program(f, *args, **more)[0].equations]


def test_calls_are_opened_all_the_way_or_left_closed():
    assert "max" in names(nested_calls, X) and "jit" not in names(nested_calls, X)
    assert "custom_jvp_call" not in names(nested_calls, X)
    closed = names(nested_calls, X, opened=lambda eqn: False)
    assert set(closed) <= {"jit", "custom_jvp_call"}
    assert [name.split("_call")[0] for name in names(cubed, X, opened=lambda eqn: False)] == ["custom_vjp"]
    assert set(names(cubed, X)) <= {"integer_pow", "mul", "square"}


def test_loops_and_branches_stay_one_equation_each():
    assert names(with_loop, X) == ["scan"] or names(with_loop, X) == ["while"]
    assert names(with_while, X) == ["while"]
    assert names(with_cond, X).count("cond") == 1


def test_a_choice_by_platform_is_opened_to_what_runs_here():
    def chosen(x):
        return lax.platform_dependent(x, cpu=jnp.sin, default=jnp.cos)

    program, _ = jaxprs.program(chosen, X)
    expected = jnp.sin(X) if jax.default_backend() == "cpu" else jnp.cos(X)
    env = jaxprs.run(program, [X])
    np.testing.assert_array_equal(jaxprs.read(env, program.outputs[0]), expected)
    assert "cond" not in [e.name for e in program.equations]


def test_each_equation_knows_the_calls_it_was_reached_through():
    program, _ = jaxprs.program(nested_calls, X)
    (largest,) = [e for e in program.equations if e.name == "max" and "relu" in e.calls]
    assert largest.calls[0] == "relu" or "relu" in largest.calls


def test_each_equation_knows_its_line_and_what_is_assigned_there():
    def first(x):
        z = jnp.sin(x)
        return second(z)

    def second(z):
        half, rest = z / 2, z
        return (
            half
            + rest
        )  # fmt: skip

    program, _ = jaxprs.program(first, X)
    start, inner = (inspect.getsourcelines(f)[1] for f in (first, second))
    by_name = {equation.name: equation for equation in program.equations}
    sine, half, total = by_name["sin"].lines, by_name["div"].lines, by_name["add"].lines
    assert (sine[0].text, sine[0].names, sine[0].function.split(".")[-1]) == ("z = jnp.sin(x)", ("z",), "first")
    assert sine[0].number == start + 1 and sine[0].file == __file__
    assert half[0].names == ("half", "rest") and half[0].number == inner + 1
    assert [line.number for line in half[:2]] == [inner + 1, start + 2]  # the line it was called from follows
    assert total[0].number == inner + 2 and total[0].text.startswith("return ( half + rest )")


def test_a_file_that_cannot_be_read_gives_a_line_without_text():
    assert jaxprs.source_line("/nowhere/at/all.py", 3, "f") == jaxprs.Line("/nowhere/at/all.py", 3, "f", (), "")


def test_replacing_a_slot_changes_what_follows_from_it():
    program, _ = jaxprs.program(lambda x: jnp.exp(x) + x, X)
    (exp,) = [e for e in program.equations if e.name == "exp"]
    env = jaxprs.run(program, [X], lambda slot, value: jnp.zeros(3) if slot == exp.outputs[0] else value)
    np.testing.assert_array_equal(jaxprs.read(env, program.outputs[0]), X)


def test_inputs_are_the_leaves_in_order_and_literals_can_be_outputs():
    program, _ = jaxprs.program(lambda p, x: (p["b"], 3.0, x), {"a": 1.0, "b": 2.0}, 5.0)
    env = jaxprs.run(program, [1.0, 2.0, 5.0])
    assert [float(jaxprs.read(env, atom)) for atom in program.outputs] == [2.0, 3.0, 5.0]


def test_the_equations_can_be_differentiated_and_mapped():
    program, _ = jaxprs.program(nested_calls, X)

    def again(x):
        return jaxprs.read(jaxprs.run(program, [x]), program.outputs[0])

    np.testing.assert_allclose(jax.grad(lambda x: again(x).sum())(X), jax.grad(lambda x: nested_calls(x).sum())(X))
    np.testing.assert_allclose(jax.vmap(again)(jnp.stack([X, 2 * X]))[1], nested_calls(2 * X))


def test_how_many_inputs_of_a_scan_are_constants_and_carry():
    def f(x):
        return lax.scan(lambda carry, row: ((carry[0] + row * x[0], carry[1] * row), row), (x[1], x[2]), x)

    scan = next(e.eqn for e in jaxprs.program(f, X)[0].equations if e.name == "scan")
    assert jaxprs.scan_sizes(scan) == (1, 2)  # x[0]; the sum and the product
