"""What a loop does with its rounds: a variable that the next one should get, a `return` or `continue` too early."""

import ast
import itertools
from collections.abc import Iterator
from types import CodeType

from jaxnn.trace.jaxprs import Line, source_line
from jaxnn.verify.diagnosis.edits.statements import renamed, text
from jaxnn.verify.diagnosis.rewrite import Written, assigned, blocks_around, function_around, statement_at

MOST = 24  # ways to match the variables of one loop


def carried(line: Line, code: CodeType) -> Iterator[tuple[list[tuple[Line, ast.stmt, ast.stmt]], str]]:
    """Yield other targets for what loops around a line assign and nobody reads: each `(line, old, new)`, and why.

    They are the variables that a loop reads, which had a value before it and get none in it.
    """
    function = function_around(line)
    read = [n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    for around in blocks_around(line, code):
        loop = statement_at(around)
        if not isinstance(loop, ast.For):
            continue
        statements = [n for part in loop.body for n in ast.walk(part) if isinstance(n, ast.Assign)]
        unread = [name for statement in statements for name in assigned(statement) if name not in read]
        inside = {name for part in loop.body for name in assigned(part)} | assigned(loop.target)
        used = {n.id for part in loop.body for n in ast.walk(part) if isinstance(n, ast.Name)}
        before = {
            name for n in ast.walk(function) if n is not loop and isinstance(n, ast.Assign) for name in assigned(n)
        }
        stale = sorted((used & before) - inside)
        for names in itertools.islice(itertools.permutations(stale, len(unread)) if unread else (), MOST):
            new_names, changes = dict(zip(unread, names, strict=True)), []
            stored = {old: ast.Name(new, ast.Store()) for old, new in new_names.items()}
            for old in statements:
                if assigned(old) & set(unread):
                    targets = [renamed(target, stored, ast.Store) for target in old.targets]
                    new = ast.copy_location(ast.Assign(targets, old.value), old)
                    changes.append((source_line(line.file, old.lineno, line.function), old, new))
            says = " and ".join(f"`{new}`, not `{old}`" for old, new in new_names.items())
            yield changes, f"{text(changes[0][1])}: the next round takes {says}, which nothing reads"


def ended(line: Line, code: CodeType) -> Iterator[tuple[list[tuple[Line, ast.stmt, Written]], str]]:
    """Yield a loop around a line with its last `return` after it, and `continue` with what ends a round before it.

    A `return` after a loop makes two statements, which stand in a module.
    """
    for around in blocks_around(line, code):
        block = statement_at(around)
        if isinstance(block, ast.For) and isinstance(block.body[-1], ast.Return) and len(block.body) > 1:
            whole = ast.For(block.target, block.iter, block.body[:-1], block.orelse)
            new = ast.Module([ast.copy_location(whole, block), block.body[-1]], [])
            at = source_line(line.file, block.body[-1].lineno, line.function)
            why = "stands too early: it ends the loop in its first round, and belongs after the loop"
            yield [(at, block, new)], f"{text(block.body[-1])} {why}"
        if isinstance(block, ast.For):
            for k, part in enumerate(block.body):
                if isinstance(part, ast.If) and isinstance(part.body[-1], ast.Continue):
                    for last in (other for other in block.body[k + 1 :] if isinstance(other, ast.AugAssign)):
                        body = [*part.body[:-1], last, part.body[-1]]
                        new = ast.copy_location(ast.If(part.test, body, part.orelse), part)
                        why = f"`continue` leaves out {text(last)}, which belongs before it too"
                        at = source_line(line.file, part.body[-1].lineno, line.function)
                        yield [(at, part, new)], why
