"""Combine what members predict: `python run.py < texts.txt > predictions.jsonl`, or `run.predict([...])` from Python.

A line is a text. Each folder of a member predicts by itself, too.
"""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
TASK = json.loads((FOLDER / "task.json").read_text("utf-8"))
# Programs of this folder, which are trusted as this one is.
MEMBERS = [runpy.run_path(str(FOLDER / name / "run.py"))["predict"] for name in TASK["members"]]


# <tempered>
def tempered(shares: np.ndarray) -> np.ndarray:
    """Divide the logits of probabilities by the temperature."""
    logits = np.log(np.maximum(shares, np.finfo(np.float32).tiny))
    powers = np.exp((logits - logits.max(-1, keepdims=True)) / TASK["temperature"])
    changed: np.ndarray = powers / powers.sum(-1, keepdims=True)
    return changed


# </tempered>
# <members>
def predict(values: list[Any]) -> list[dict[str, Any]]:
    """Average what the members predict."""
    answers = [member(values) for member in MEMBERS]
    predictions: list[dict[str, Any]] = []
    # <number>
    numbers = np.array([[each["number"] for each in member] for member in answers])
    predictions += [{"number": number} for number in (np.array(TASK["weights"]) @ numbers).tolist()]
    # </number>
    # <shares>
    named = [[each["probabilities"] for each in member] for member in answers]
    shares = np.array([[[each[name] for name in TASK["classes"]] for each in member] for member in named])
    shares = shares.reshape(len(MEMBERS), len(values), len(TASK["classes"]))
    # <vote>
    votes = np.eye(shares.shape[-1])[shares.argmax(-1)]
    shares = (1 - TASK["tie"]) * votes + TASK["tie"] * shares
    # </vote>
    # <mean>
    mixed = np.einsum("m,mnc->nc", TASK["weights"], shares)
    # </mean>
    # <stacked>
    logarithms = np.log(np.maximum(shares, TASK["least"])).transpose(1, 0, 2)
    columns, intercept = np.array(TASK["stacked"][:-1]), TASK["stacked"][-1]
    logits = logarithms.reshape(len(values), len(columns)) @ columns + intercept
    powers = np.exp(logits - logits.max(1, keepdims=True))
    mixed = powers / powers.sum(1, keepdims=True)
    # </stacked>
    # <tempered>
    mixed = tempered(mixed)
    # </tempered>
    for row in mixed.astype(np.float32).tolist():
        probabilities = dict(zip(TASK["classes"], row, strict=True))
        # <label>
        label = max(probabilities, key=probabilities.__getitem__)
        # <decided>
        exact = np.array(row)
        merits = np.log(np.maximum(exact, np.finfo(np.float32).tiny))
        # <costs>
        merits = -(exact @ np.array(TASK["costs"]))  # negative expected costs
        # </costs>
        label = TASK["classes"][int((merits + TASK["offsets"]).argmax())]
        # </decided>
        predictions.append({"label": label, "probabilities": probabilities})
        # </label>
        # <labels>
        limits = zip(probabilities, TASK["thresholds"], strict=True)
        above = [name for name, limit in limits if probabilities[name] > limit]
        predictions.append({"labels": above, "probabilities": probabilities})
        # </labels>
    # </shares>
    return predictions


# </members>
if __name__ == "__main__":
    # <lines>
    given = [line.rstrip("\n") for line in sys.stdin]
    # </lines>
    # <json>
    given = [json.loads(line) for line in sys.stdin]
    # </json>
    for predicted in predict(given):
        print(json.dumps(predicted, ensure_ascii=False))
