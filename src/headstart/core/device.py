"""The machine of a run: which device, how many threads, and the facts that affect results."""

from __future__ import annotations

import functools
import os
import platform
import statistics
import time
import types
from collections.abc import Mapping
from typing import Any

from headstart.core.errors import UsageError, did_you_mean, shown

DEVICES = ("auto", "cpu", "cuda")
PACKAGES = ("headstart", "torch", "numpy", "scikit-learn", "scipy", "tokenizers", "safetensors")


def check(device: str) -> None:
    """Make sure that a device can have that name, without loading torch.

    Raises:
        UsageError: it cannot.
    """
    if device not in DEVICES:
        raise UsageError(f"no device {shown(device)}; {did_you_mean(device, DEVICES)}")


def choose(device: str = "auto") -> str:
    """Turn 'auto' into the fastest available device; check that a named one exists.

    Raises:
        UsageError: the named device is not available.
    """
    check(device)
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" or (device == "cuda" and torch.cuda.is_available()):
        return device
    raise UsageError(f"device {shown(device)} is not on this machine; use 'auto' or 'cpu'.")


def describe(device: str = "cpu") -> dict[str, Any]:
    """Collect what affects results or timings: processor, cores, threads, load, versions.

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
        "packages": dict(versions()),
    }


@functools.cache
def versions() -> Mapping[str, str]:
    """Return the versions of the packages that results depend on, read once per process: the imported code stays."""
    import importlib.metadata

    return types.MappingProxyType({name: importlib.metadata.version(name) for name in PACKAGES})


def matrix_rate(device: str = "cpu") -> float:
    """Measure the current rate of matrix products of an encoder's shape, in GFLOP/s (takes half a second).

    float32 on a CPU, bfloat16 on a GPU, as in training.
    """
    import torch

    kind = torch.bfloat16 if device == "cuda" else torch.float32
    rows, width, wide = (2048 if device == "cpu" else 32_768), 384, 1536
    left, right = (torch.randn(*shape, dtype=kind, device=device) for shape in ((rows, width), (width, wide)))
    products = 1 if device == "cpu" else 20  # a GPU's products are queued, or their launch would be measured
    rates = []
    for _ in range(25):
        began = time.perf_counter()
        for _ in range(products):
            torch.mm(left, right)
        if device == "cuda":
            torch.cuda.synchronize()
        rates.append(2e-9 * products * rows * width * wide / (time.perf_counter() - began))
    return statistics.median(rates[5:])


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
