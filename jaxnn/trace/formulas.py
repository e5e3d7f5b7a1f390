"""What every operation does and its local derivatives, as formulas: the table of rules that a textbook has.

Operands are called x, y, z, w in their order, the result `out`; a text in quotes is words, with operands in braces.
What is not here is written as a function of its operands, and its local derivatives are there as numbers only.
"""

from typing import Any

OPERANDS = "xyzwuvstrqponmlk"
TIES = "'1 where {{{}}} is the {}, 1/2 in a tie, else 0'"
LARGEST = "'1 at the {} (shared in a tie), else 0'"

# primitive, or function of JAX: the result, then its derivative with respect to each operand
RULES = {
    "add": ("x + y", "1", "1"),
    "add_any": ("x + y", "1", "1"),
    "sub": ("x - y", "1", "-1"),
    "mul": ("x * y", "y", "x"),
    "div": ("x / y", "1 / y", "-x / y**2"),
    "rem": ("rem(x, y)", "1", "-trunc(x / y)"),
    "neg": ("-x", "-1"),
    "pow": ("x**y", "y * x**(y - 1)", "x**y * log(x)"),
    "square": ("x**2", "2 * x"),
    "sqrt": ("sqrt(x)", "1 / (2 * sqrt(x))"),
    "rsqrt": ("1 / sqrt(x)", "-1 / (2 * x * sqrt(x))"),
    "cbrt": ("cbrt(x)", "1 / (3 * out**2)"),
    "exp": ("exp(x)", "exp(x)"),
    "exp2": ("2**x", "log(2) * 2**x"),
    "expm1": ("exp(x) - 1", "exp(x)"),
    "log": ("log(x)", "1 / x"),
    "log1p": ("log(1 + x)", "1 / (1 + x)"),
    "sin": ("sin(x)", "cos(x)"),
    "cos": ("cos(x)", "-sin(x)"),
    "tan": ("tan(x)", "1 + out**2"),
    "asin": ("asin(x)", "1 / sqrt(1 - x**2)"),
    "acos": ("acos(x)", "-1 / sqrt(1 - x**2)"),
    "atan": ("atan(x)", "1 / (1 + x**2)"),
    "atan2": ("atan2(x, y)", "y / (x**2 + y**2)", "-x / (x**2 + y**2)"),
    "sinh": ("sinh(x)", "cosh(x)"),
    "cosh": ("cosh(x)", "sinh(x)"),
    "tanh": ("tanh(x)", "1 - out**2"),
    "asinh": ("asinh(x)", "1 / sqrt(x**2 + 1)"),
    "acosh": ("acosh(x)", "1 / sqrt(x**2 - 1)"),
    "atanh": ("atanh(x)", "1 / (1 - x**2)"),
    "logistic": ("sigmoid(x)", "out * (1 - out)"),
    "erf": ("erf(x)", "2 / sqrt(pi) * exp(-x**2)"),
    "erfc": ("erfc(x)", "-2 / sqrt(pi) * exp(-x**2)"),
    "erf_inv": ("erf_inv(x)", "sqrt(pi) / 2 * exp(out**2)"),
    "lgamma": ("lgamma(x)", "digamma(x)"),
    "digamma": ("digamma(x)", "polygamma(1, x)"),
    "abs": ("abs(x)", "sign(x)"),
    "sign": ("sign(x)", "0"),
    "floor": ("floor(x)", "0"),
    "ceil": ("ceil(x)", "0"),
    "round": ("round(x)", "0"),
    "max": ("max(x, y)", TIES.format("x", "larger"), TIES.format("y", "larger")),
    "min": ("min(x, y)", TIES.format("x", "smaller"), TIES.format("y", "smaller")),
    "clamp": (
        "clamp(x, y, z)",
        "'1 where it holds, else 0'",
        "'1 inside, 1/2 at a bound, else 0'",
        "'1 where it holds'",
    ),
    # Of `select_n` the case for False comes first.
    "select_n": ("where(x, z, y)", "", "'0 where {x}, else 1'", "'1 where {x}, else 0'"),
    "stop_gradient": ("stop_gradient(x)", "0"),
    "reduce_sum": ("sum(x)", "1"),
    "reduce_max": ("max(x)", LARGEST.format("largest")),
    "reduce_min": ("min(x)", LARGEST.format("smallest")),
    "reduce_prod": ("prod(x)", "out / x"),
    "cumsum": ("cumsum(x)", "'1 up to here, else 0'"),
    "cumprod": ("cumprod(x)", "'{out}/{x} up to here, else 0'"),
    "cummax": ("cummax(x)", "'1 at the largest so far, else 0'"),
    "cummin": ("cummin(x)", "'1 at the smallest so far, else 0'"),
    "cumlogsumexp": ("cumlogsumexp(x)", "'exp({x} - {out}) up to here, else 0'"),
    "dot_general": ("x @ y", "y", "x"),
    "reduce_window_max": ("max_pool(x)", "'1 at the first largest of the window, else 0'"),
    "reduce_window_min": ("min_pool(x)", "'1 at the first smallest of the window, else 0'"),
    "reduce_window_sum": ("window_sum(x)", "'1 inside the window, else 0'"),
    "conv_general_dilated": ("conv(x, y)", "'the weight that links them'", "'the input that it meets'"),
    "transpose": ("x.T", "1"),
    "reshape": ("reshape(x)", "1"),
    "broadcast_in_dim": ("broadcast(x)", "1"),
    "squeeze": ("squeeze(x)", "1"),
    "expand_dims": ("expand_dims(x)", "1"),
    "rev": ("reverse(x)", "1"),
    "convert_element_type": ("cast(x)", "1"),
    "copy": ("copy(x)", "1"),
    "copy_p": ("copy(x)", "1"),
    "reduce_precision": ("reduce_precision(x)", "1"),
    "name": ("x", "1"),
    "slice": ("slice(x)", "'1 where it is taken, else 0'"),
    "dynamic_slice": ("slice(x)", "'1 where it is taken, else 0'"),
    "dynamic_update_slice": ("update(x, y)", "'1 where it is kept, else 0'", "1"),
    "gather": ("take(x, y)", "'1 where it is taken, else 0'"),
    "scatter-add": ("add_at(x, y, z)", "1", "", "1"),
    "scatter_add": ("add_at(x, y, z)", "1", "", "1"),
    "scatter": ("set_at(x, y, z)", "'1 where it is kept, else 0'", "", "1"),
    "pad": ("pad(x)", "1", "'1 in the padding'"),
    "sort": ("sort(x)", "'1 where it came from, else 0'"),
    "stack": ("stack(x)", "1"),
    "jax.relu": ("relu(x)", "'1 where {x} > 0, else 0'"),
    "jax.relu6": ("relu6(x)", "'1 where 0 < {x} < 6, else 0'"),
    "jax.logaddexp": ("logaddexp(x, y)", "exp(x - out)", "exp(y - out)"),
    "jax.silu": ("silu(x)", "sigmoid(x) * (1 + x * (1 - sigmoid(x)))"),
    "real": ("real(x)", "1"),
}
COMPARED = {"gt": ">", "lt": "<", "ge": ">=", "le": "<=", "eq": "==", "ne": "!="}


def rule(name: str, params: dict[str, Any], n: int) -> tuple[str, tuple[str, ...]]:
    """Return the formula of a primitive with `n` operands, and those of its local derivatives ("" where none is known).

    A function without a formula of its own is named `call`.
    """
    if name == "integer_pow":
        power = params["y"]
        lower = {2: "x", 1: "1"}.get(power, f"x**{power - 1}" if power > 1 else f"x**({power - 1})")
        return (f"x**{power}" if power > 0 else f"x**({power})"), (f"{power} * {lower}",)
    if name == "cond":
        return _call(OPERANDS[1:n], n), ("",) * n  # the first operand is the number of the branch
    if name == "item":
        return f"x[{', '.join(map(str, params['index']))}]", ("1",)
    if name in COMPARED:
        return f"x {COMPARED[name]} y", ()
    if name == "concatenate":
        return _call(OPERANDS[:n], n), ("'1 where it is taken from, else 0'",) * n
    if name in RULES and n <= len(RULES[name]) + 1:
        result, *slopes = RULES[name]
        return result, (*slopes, *("",) * (n - len(slopes)))
    return _call(OPERANDS[:n], n), ("",) * n


def _call(operands, n):
    return f"call({', '.join(operands)}{', ' + repr('...') if n > len(OPERANDS) else ''})"
