"""Which text model should you use? Headstart trains contenders on your data and reports which is best."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headstart.api import Comparison, check, compare, demo, open_model, predict, pretrain, read_result
    from headstart.estimator import TextClassifier, TextRegressor
    from headstart.reading import read
    from headstart.saved.upload import push
    from headstart.updating import update

    __version__: str

__all__ = [
    "Comparison",
    "TextClassifier",
    "TextRegressor",
    "check",
    "compare",
    "demo",
    "open_model",
    "predict",
    "pretrain",
    "push",
    "read",
    "read_result",
    "update",
]

_HOMES = {
    "TextClassifier": "headstart.estimator",
    "TextRegressor": "headstart.estimator",
    "push": "headstart.saved.upload",
    "read": "headstart.reading",
    "update": "headstart.updating",
}


def __getattr__(name: str) -> Any:
    # Names are resolved on first use, since torch and scikit-learn take seconds to load (PEP 562).
    if name == "__version__":
        return import_module("importlib.metadata").version("headstart")
    if name not in __all__:
        raise AttributeError(f"module 'headstart' has no attribute '{name}'")
    return getattr(import_module(_HOMES.get(name, "headstart.api")), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
