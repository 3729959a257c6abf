"""Parts of programs that predict by OpenVINO."""

import os
from pathlib import Path

import numpy as np
import openvino
import tokenizers

FOLDER = Path(__file__).parent


# <runtime>
class Model:
    """The model in OpenVINO, called as in onnxruntime."""

    def __init__(self) -> None:
        threads = int(os.environ.get("OMP_NUM_THREADS", "0"))  # 0 for one per core
        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        self.model = openvino.Core().compile_model(FOLDER / "model.xml", "CPU", settings)

    def run(self, _: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [np.array(each) for each in self.model(inputs).values()]


MODEL = Model()


# </runtime>
TOKENIZER = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
