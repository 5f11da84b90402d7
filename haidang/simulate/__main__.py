"""The simulator alone, without the other commands of `haidang`."""

from __future__ import annotations

import argparse
import sys

from .command import declare


def main() -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m haidang.simulate")
    declare(parser)
    args = parser.parse_args()
    code: int = args.func(args)
    return code


if __name__ == "__main__":
    sys.exit(main())
