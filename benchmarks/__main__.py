"""Run every benchmark that needs no folder, or those named: ``python -m benchmarks [accuracy ... | cases DIR]``."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys

import benchmarks

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
names = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))
asked = sys.argv[1:] or [name for name in names if name != "cases"]
if asked[0] == "cases":  # the one that takes a folder
    importlib.import_module("benchmarks.cases").main(*asked[1:2])
    asked = asked[2:]
for name in asked:
    if name not in names:
        sys.exit(f"no benchmark '{name}'; known: {', '.join(names)}.")
    importlib.import_module(f"benchmarks.{name}").main()
