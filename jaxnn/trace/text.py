"""Tables as plain text."""
from jaxnn.trace.explanation import Explanation
def num(v): return f"{float(v):.7g}"
def text(e):
    out=[]
    for r in e.rows:
        out.append(f"{r.name} = {r.formula.text if r.formula else ''} = {num(r.value)}")
        for s in r.slopes:
            f = f"{s.formula.text} = " if s.formula and s.formula.text != num(s.value) else ""
            out.append(f"      d{r.name}/d{s.parent} = {f}{num(s.value)}")
    out.append("")
    f=e.output
    for r in reversed(e.rows):
        if r.terms:
            out.append(f"d{f}/d{r.name} = " + " + ".join(f"d{f}/d{t.child} d{t.child}/d{r.name}" for t in r.terms) + " = " + " + ".join(f"{num(t.child_adjoint)} * {num(t.slope)}" for t in r.terms) + f" = {num(r.adjoint)}")
    return "\n".join(out)
