"""Any JAX function as the textbook's tables: values with local derivatives, then adjoints."""

from jaxnn.trace.explain import explain as explain
from jaxnn.trace.explanation import Explanation as Explanation
