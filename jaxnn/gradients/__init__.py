"""Every gradient of this project that is written by hand, in one table: who checks them all reads it here.

`jaxnn verify` brings each row before its witnesses, the tests compare each with autodiff entry by entry, and the
benchmarks' mutants put mistakes into the functions of its modules. A new operation or network is one more row in
`table`.
"""

from jaxnn.gradients.table import Gradient as Gradient
from jaxnn.gradients.table import Problem as Problem
from jaxnn.gradients.table import Rule as Rule
from jaxnn.gradients.table import rows as rows
