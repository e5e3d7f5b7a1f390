"""The command line: `jaxnn info | verify | explain | play`, or `python -m jaxnn ...`, which is the same."""

import argparse
import json
import sys
from collections.abc import Sequence

from jaxnn import __version__
from jaxnn.compilation_cache import keep_compiled
from jaxnn.environment import environment
from jaxnn.playground import command as play
from jaxnn.trace import command as explain
from jaxnn.verify import command as verify


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    parser = argparse.ArgumentParser(prog="jaxnn", description="Neural networks from first principles in JAX.")
    parser.add_argument("--version", action="version", version=f"jaxnn {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    info = commands.add_parser("info", help="versions, device and settings")
    info.add_argument("--json", action="store_true", help="as JSON")
    info.set_defaults(run=print_info)
    verify.add_to(commands)
    explain.add_to(commands)
    play.add_to(commands)
    asked = parser.parse_args(arguments)
    keep_compiled()
    return asked.run(asked)


def print_info(asked: argparse.Namespace) -> int:
    found = environment()
    if asked.json:
        print(json.dumps(found, indent=1))
    else:
        print("\n".join(f"{name:<17} {'-' if value is None else value}" for name, value in found.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
