"""A level with the learner's backward pass as a Python file: NumPy, the loss in JAX, and the test that judges it."""

import ast
import pprint

import numpy as np

from jaxnn.backprop import language
from jaxnn.backprop.judge import parsed
from jaxnn.backprop.language import Line
from jaxnn.backprop.level import Level
from jaxnn.errors import InvalidArgument

FILE = '''"""{title} ({section}), from the page Backprop of jaxnn, with a backward pass of your own.

`python {name}` asks jaxnn whether the gradient is right, and trains with it; `pytest {name}` does the first as a test.
"""

import jax.numpy as jnp
import numpy as np

from jaxnn.verify import check

params = {{
{params}
}}
{data}


def loss({arguments}):
    {names} = {unpacked}
{size}{loss}
    return {cost}


def grad({arguments}):
    {names} = {unpacked}
{size}{forward}
{backward}
    return {{{gradient}}}


def test_gradient():
    verdict = check(loss, grad, {given})
    assert verdict, str(verdict)


if __name__ == "__main__":
    print(check(loss, grad, {given}))
    for step in range({steps} + 1):
        if step % {each} == 0:
            print(f"step {{step}}: loss {{float(loss({given})):.6f}}")
        gradient = grad({given})
        params = {{name: value - {rate:g} * gradient[name] for name, value in params.items()}}
'''


def as_python(level: Level, text: str) -> str:
    """Return the file; `InvalidArgument` where a line is not of the language or a gradient is missing."""
    program = checked(level, text)
    data = [name for name in level.data if name != "m"]
    names = list(level.params)
    read = {name for line in program for name in language.names_in(line.value)}
    said = {
        "title": level.title,
        "section": level.section,
        "name": f"{level.name}.py",
        "params": "\n".join(f"    {name!r}: {_array(value, 4)}," for name, value in level.params.items()).replace(
            "'", '"'
        ),
        "data": "\n".join(f"{name} = {_array(level.data[name], 0)}" for name in data),
        "arguments": ", ".join(["p", *data]),
        "given": ", ".join(["params", *data]),
        "names": ", ".join(names),
        "unpacked": ", ".join(f'p["{name}"]' for name in names),
        "size": f"    m = len({data[0]})\n" if "m" in level.data else "",
        "loss": _lines(level.forward, "jnp"),
        "forward": _lines([line for line in level.forward if line.name != level.cost or level.cost in read], "np"),
        "backward": _lines(program, "np"),
        "cost": level.cost,
        "gradient": ", ".join(f'"{name}": {level.gradient_name(name)}' for name in names),
        "steps": level.training.steps,
        "each": max(1, level.training.steps // 5),
        "rate": level.training.rate,
    }
    return FILE.format(**said)


def checked(level: Level, text: str) -> list[Line]:
    """Return the lines of a text that can be exported: none refused, none empty, a gradient for each parameter."""
    program = parsed(level, text)
    if program.refused:
        raise program.refused[0]
    empty = [line for line in program.lines if line.value is None]
    if empty:
        raise InvalidArgument(f"line {empty[0].number}: got nothing behind the =, expected a formula; write it first")
    missing = [name for name in map(level.gradient_name, level.params) if name not in program.last]
    if missing:
        raise InvalidArgument(f"{missing[0]}: got no line, expected one; write it first")
    return program.lines


def _array(value, indent: int) -> str:
    if isinstance(value, int) or not np.ndim(value):
        return f"np.float64({float(value)!r})" if not isinstance(value, int) else repr(value)
    text = pprint.pformat(np.asarray(value).tolist(), width=100, compact=True)
    return f"np.array({text})".replace("\n", "\n" + " " * (indent + 9))


def _lines(lines: list[Line], module: str) -> str:
    return "\n".join(f"    {_line(line, lines, module)}" for line in lines)


def _line(line: Line, lines: list[Line], module: str) -> str:
    assert line.value is not None
    value = ast.unparse(_ForModule(module).visit(ast.parse(ast.unparse(line.value), mode="eval").body))
    if line.index is not None:
        sign = {0: "=", 1: "+=", -1: "-="}[line.adds]
        return f"{line.name}[{ast.unparse(line.index).strip('()')}] {sign} {value}"
    if line.adds:  # in place, NumPy would change the other names of the array too
        return f"{line.name} = {line.name} {'+' if line.adds > 0 else '-'} ({value})"
    written = any(other.name == line.name and other.index is not None for other in lines)
    if written and not isinstance(line.value, ast.BinOp | ast.Call):
        value = f"np.array({value})"  # a copy: what is written into it stays its own
    return f"{line.name} = {value}"


class _ForModule(ast.NodeTransformer):
    """Puts a module before functions, and makes numbers of comparisons: NumPy's truth values add up otherwise."""

    def __init__(self, module: str):
        self.module = module

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name, before = language.function_of(node)
        condition = node.args[0] if name == "where" and isinstance(node.args[0], ast.Compare) else None
        self.generic_visit(node)
        if condition is not None:
            node.args[0] = condition
        if before is None:
            node.func = ast.Attribute(ast.Name(self.module, ast.Load()), name, ast.Load())
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        return ast.BinOp(ast.Constant(1.0), ast.Mult(), node)
