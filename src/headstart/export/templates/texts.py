"""Predict texts: `python run.py < texts.txt > predictions.jsonl`, or `run.predict([...])` from Python.

A line is a text. Needs onnxruntime, tokenizers and numpy.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import openvino
import tokenizers

FOLDER = Path(__file__).parent
TASK = json.loads((FOLDER / "task.json").read_text("utf-8"))
TOKENIZER = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))  # it truncates and pads texts
# <split>
TOKENIZER.encode_special_tokens = True  # the name of a special token is text too
# </split>
# <runtime>
OPTIONS = onnxruntime.SessionOptions()
OPTIONS.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))  # 0 for one per core
MODEL = onnxruntime.InferenceSession(FOLDER / "model.onnx", OPTIONS, ["CPUExecutionProvider"])


# </runtime>
# <columns>
def features(cells: dict[str, Any]) -> list[float]:
    """Stand for the function of `columns.py`."""
    return []


def worded(value: dict[str, Any]) -> Any:
    """Stand for the function of `columns.py`."""
    return value["text"]


# </columns>
# <parts>
# </parts>
# <encoded>
def encoded(texts: list[Any]) -> dict[str, np.ndarray]:
    """Turn texts into inputs of the model."""
    # <single>
    clear = [text[: TASK["characters"]].encode("utf-8", "replace").decode() for text in texts]
    # <prefix>
    clear = [TASK["prefix"] + text for text in clear]
    # </prefix>
    encodings = TOKENIZER.encode_batch(clear)
    # </single>
    # <pair>
    pairs = [[text[: TASK["characters"]].encode("utf-8", "replace").decode() for text in pair] for pair in texts]
    encodings = TOKENIZER.encode_batch([(TASK["prefix"] + one, other) for one, other in pairs])
    # </pair>
    return {
        "input_ids": np.array([each.ids for each in encodings], np.int64),
        "attention_mask": np.array([each.attention_mask for each in encodings], np.int64),
        # <segments>
        "token_type_ids": np.array([each.type_ids for each in encodings], np.int64),
        # </segments>
    }


# </encoded>
def predict(values: list[Any]) -> list[dict[str, Any]]:
    """Predict inputs, in batches of similar length."""
    answers: list[dict[str, Any]] = [{}] * len(values)
    order = sorted(range(len(values)), key=lambda row: len(str(values[row])))
    for start in range(0, len(order), TASK["batch"]):
        rows = order[start : start + TASK["batch"]]
        # <plain>
        inputs = encoded([values[row] for row in rows])
        # </plain>
        # <worded>
        inputs = encoded([worded(values[row]) for row in rows])
        # </worded>
        # <unread>
        inputs = encoded([values[row]["text"] for row in rows])
        # </unread>
        # <beside>
        inputs = encoded([values[row]["text"] for row in rows])
        inputs["features"] = np.array([features(values[row]["columns"]) for row in rows], np.float32)
        # </beside>
        for row, output in zip(rows, MODEL.run(None, inputs)[0].tolist(), strict=True):
            # <label>
            probabilities = dict(zip(TASK["classes"], output, strict=True))
            answers[row] = {"label": max(probabilities, key=probabilities.__getitem__), "probabilities": probabilities}
            # </label>
            # <decided>
            exact = np.array(output)
            merits = np.log(np.maximum(exact, np.finfo(np.float32).tiny))
            # <costs>
            merits = -(exact @ np.array(TASK["costs"]))  # negative expected costs
            # </costs>
            answers[row]["label"] = TASK["classes"][int((merits + TASK["offsets"]).argmax())]
            # </decided>
            # <labels>
            shares = dict(zip(TASK["classes"], output, strict=True))
            above = [name for name, limit in zip(shares, TASK["thresholds"], strict=True) if shares[name] > limit]
            answers[row] = {"labels": above, "probabilities": shares}
            # </labels>
            # <number>
            answers[row] = {"number": output[0] * TASK["scale"] + TASK["mean"]}
            # </number>
    return answers


if __name__ == "__main__":
    # <lines>
    given = [line.rstrip("\n") for line in sys.stdin]
    # </lines>
    # <json>
    given = [json.loads(line) for line in sys.stdin]
    # </json>
    for predicted in predict(given):
        print(json.dumps(predicted, ensure_ascii=False))
