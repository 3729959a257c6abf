"""Open a model in OpenVINO, for the other templates."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent


# <openvino>
def start() -> tuple[set[str], Callable[[dict[str, np.ndarray]], np.ndarray]]:
    """Open the model: the names of its inputs, and a function from inputs to logits."""
    import openvino

    threads = int(os.environ.get("OMP_NUM_THREADS", "0"))  # 0 for one per core
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    model = openvino.Core().compile_model(FOLDER / "model.xml", "CPU", settings)
    return {each.any_name for each in model.inputs}, lambda inputs: np.array(model(inputs)[0])


# </openvino>
