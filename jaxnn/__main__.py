"""`python -m jaxnn`, the same as the command `jaxnn`."""

import sys

from jaxnn.cli import main

if __name__ == "__main__":  # not in the processes that `verify` starts, which import this module too
    sys.exit(main())
