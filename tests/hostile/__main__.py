"""Run every hostile case, or those of the areas named: ``python -m tests.hostile [AREA ...]``."""

import sys

from tests.hostile import _runner

if __name__ == "__main__":  # the processes that run the cases import this module too
    sys.exit(_runner.main(sys.argv[1:]))
