"""`python -m jaxnn`, the same as the command `jaxnn`."""

import sys

from jaxnn.cli import main

sys.exit(main())
