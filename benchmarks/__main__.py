"""Run every benchmark, or those named: ``python -m benchmarks [accuracy ...]``."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys

import benchmarks

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
names = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))
for name in sys.argv[1:] or names:
    if name not in names:
        sys.exit(f"no benchmark '{name}'; known: {', '.join(names)}.")
    importlib.import_module(f"benchmarks.{name}").main()
