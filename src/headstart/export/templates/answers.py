"""Answer questions: `python run.py < questions.jsonl > predictions.jsonl`, or `run.predict([...])` from Python.

A line is JSON: `{"question": "Who?", "context": "A text."}`. Needs onnxruntime, tokenizers and numpy.
"""

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import openvino
import tokenizers

FOLDER = Path(__file__).parent
TASK = json.loads((FOLDER / "task.json").read_text("utf-8"))
# <runtime>
TOKENIZER = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
# <split>
TOKENIZER.encode_special_tokens = True  # the name of a special token is text too
# </split>
OPTIONS = onnxruntime.SessionOptions()
OPTIONS.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))  # 0 for one per core
MODEL = onnxruntime.InferenceSession(FOLDER / "model.onnx", OPTIONS, ["CPUExecutionProvider"])


# </runtime>
# <candidates>
def encoded(text: str) -> Any:
    """Return the tokens of a text with their places in it."""
    return TOKENIZER.encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False)


def candidates(value: dict[str, str]) -> dict[str, float]:
    """Return the best answers in all windows of a context, '' for none, with their probabilities, falling."""
    opening, between, closing = TASK["opening"], TASK["between"], TASK["closing"]
    room = max(2, TASK["window"] - len(opening) - len(between) - len(closing))
    question = encoded(TASK["prefix"] + value["question"][: TASK["characters"]]).ids[: room // 2]
    context = encoded(value["context"])
    left = room - len(question)
    stride = min(TASK["stride"], left // 2)
    scores = {"": 0.0} if TASK["unanswerable"] else {}
    for start in range(0, max(1, len(context.ids) - stride), left - stride):
        spans = context.offsets[start : start + left]
        parts = [opening, question, between, context.ids[start : start + left], closing]
        ids = [number for part in parts for number in part]
        first = len(opening) + len(question) + len(between)
        readable = np.zeros((1, len(ids)), np.float32)  # tokens at which an answer may begin and end
        readable[0, first : first + len(spans)] = [end > begin for begin, end in spans]
        inputs = {
            "input_ids": np.array([ids]),
            "attention_mask": np.ones((1, len(ids)), np.int64),
            "readable": readable,
        }
        # <segments>
        inputs["token_type_ids"] = np.array([TASK["segments"]]).repeat([len(part) for part in parts], axis=1)
        # </segments>
        found = (each[0].tolist() for each in MODEL.run(None, inputs))
        for score, begin, end in zip(*found, strict=True):
            if score > TASK["hidden"]:
                text = value["context"][spans[begin - first][0] : spans[end - first][1]].strip()
                if text:
                    scores[text] = max(scores.get(text, -np.inf), score)
    best = sorted(scores.items(), key=lambda item: -item[1])[: TASK["candidates"]] or [("", 0.0)]
    if TASK["unanswerable"] and "" not in dict(best):
        best[-1] = ("", 0.0)
    powers = np.exp(np.array([score for _, score in best]) - best[0][1])
    return dict(zip([text for text, _ in best], (powers / powers.sum()).tolist(), strict=True))


# </candidates>
def answer(shares: dict[str, float]) -> dict[str, Any]:
    """Return the best candidate, or '' where that is enough more probable."""
    found, nothing = next((text for text in shares if text), ""), shares.get("", 0.0)
    odds = np.inf if nothing else -np.inf
    if shares.get(found) and nothing:
        odds = np.log(nothing) - np.log(shares[found])
    chosen = "" if odds > TASK["threshold"] else found
    return {"answer": chosen, "confidence": shares.get(chosen, 0.0)}


def predict(values: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Answer questions, each with its context."""
    return [answer(candidates(value)) for value in values]


if __name__ == "__main__":
    for predicted in predict([json.loads(line) for line in sys.stdin]):
        print(json.dumps(predicted, ensure_ascii=False))
