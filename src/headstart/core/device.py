"""The machine a run happens on: which device, how many threads, and the facts that change results."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

from headstart.core.errors import UsageError

PACKAGES = ("headstart", "torch", "numpy", "scikit-learn", "scipy", "tokenizers", "safetensors")


def choose(device: str = "auto") -> str:
    """Turn 'auto' into the fastest device at hand; check that a named one exists.

    Raises:
        UsageError: the device named is not on this machine.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" or (device == "cuda" and torch.cuda.is_available()):
        return device
    raise UsageError(f"device '{device}' is not on this machine; use 'auto' or 'cpu'.")


def describe(device: str = "cpu") -> dict[str, Any]:
    """Collect what changes results or timings: processor, cores, threads, load, versions.

    The load average is that of the last minute: timings under load are not comparable.
    """
    import torch

    return {
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "wait_policy": os.environ.get("OMP_WAIT_POLICY", "default"),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
