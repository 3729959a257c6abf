"""Answer questions: `python run.py < questions.jsonl > predictions.jsonl`, or `run.predict([...])`.

A line is JSON: `{"question": "Who?", "context": "A text."}`. Needs onnxruntime, tokenizers and numpy.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
MOST = 2**22  # windows in a batch times their squared length
# Tokens, their segments, the place of the context, and the characters of its tokens.
Window = tuple[list[int], list[int], int, list[tuple[int, int]]]


# <onnx>
def start() -> tuple[set[str], Callable[[dict[str, np.ndarray]], np.ndarray]]:
    """Open the model: the names of its inputs, and a function from inputs to logits."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))  # 0 for one per core
    session = onnxruntime.InferenceSession(FOLDER / "model.onnx", options, ["CPUExecutionProvider"])
    return {each.name for each in session.get_inputs()}, lambda inputs: session.run(None, inputs)[0]


# </onnx>
@cache
def opened() -> tuple[dict[str, Any], Any, set[str], Callable[[dict[str, np.ndarray]], np.ndarray]]:
    """Open the settings, the tokenizer and the model, once."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return json.loads((FOLDER / "task.json").read_text("utf-8")), tokenizer, *start()


def clear(text: str) -> str:
    """Replace lone surrogates, which no tokenizer accepts."""
    return text.encode("utf-8", "replace").decode("utf-8")


def windows_of(value: Mapping[str, str]) -> list[Window]:
    """Return the windows of an input: tokens, segments, the context's first place, and its tokens' characters."""
    task, tokenizer, *_ = opened()
    opening, between, closing = task["opening"], task["between"], task["closing"]
    room = max(2, task["window"] - len(opening) - len(between) - len(closing))
    asked = clear(task["prefix"] + value["question"][: task["characters"]])
    question = tokenizer.encode(asked, add_special_tokens=False).ids[: room // 2]
    context = tokenizer.encode(clear(value["context"]), add_special_tokens=False)
    left = room - len(question)
    stride = min(task["stride"], left // 2)
    windows: list[Window] = []
    for first in range(0, max(1, len(context.ids) - stride), left - stride):
        parts = [opening, question, between, context.ids[first : first + left], closing]
        segments = [number for part, number in zip(parts, task["segments"], strict=True) for _ in part]
        place = len(opening) + len(question) + len(between)
        tokens = [number for part in parts for number in part]
        windows.append((tokens, segments, place, context.offsets[first : first + left]))
    return windows


def logits_of(windows: Sequence[Window]) -> list[np.ndarray]:
    """Return the logits of the tokens of each window, ``(tokens, 2)``."""
    task, _, names, run = opened()
    order = sorted(range(len(windows)), key=lambda row: -len(windows[row][0]))
    found: list[np.ndarray] = [np.zeros((0, 2))] * len(windows)
    while order:
        longest = len(windows[order[0]][0])
        rows = order[: min(32, max(1, MOST // longest**2))]
        shape = len(rows), longest
        inputs = {name: np.zeros(shape, np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
        inputs["input_ids"] += task["padding"]
        for place, row in enumerate(rows):
            tokens, segments, *_ = windows[row]
            inputs["input_ids"][place, : len(tokens)] = tokens
            inputs["token_type_ids"][place, : len(tokens)] = segments
            inputs["attention_mask"][place, : len(tokens)] = 1
        logits = run({name: inputs[name] for name in names}).astype(np.float64)
        for place, row in enumerate(rows):
            found[row] = logits[place, : len(windows[row][0])]
        order = order[len(rows) :]
    return found


def spans(logits: np.ndarray, characters: Sequence[tuple[int, int]]) -> list[tuple[int, int, float]]:
    """Return the best spans of a context's tokens: first character, the one after the last, score."""
    task = opened()[0]
    places = [place for place, (begin, end) in enumerate(characters) if end > begin]
    best = []
    for begin in places:
        for end in range(begin, min(begin + task["longest"], len(characters))):
            if characters[end][1] > characters[end][0]:
                best.append((characters[begin][0], characters[end][1], float(logits[begin, 0] + logits[end, 1])))
    return sorted(best, key=lambda span: -span[2])[: task["candidates"]]


def answer(context: str, windows: Sequence[Window], logits: Sequence[np.ndarray]) -> dict[str, Any]:
    """Return the best answer in all windows of an input, '' for none, and its probability among the candidates."""
    task = opened()[0]
    scores = {"": 0.0} if task["unanswerable"] else {}
    for (_, _, place, characters), own in zip(windows, logits, strict=True):
        for begin, end, score in spans(own[place : place + len(characters)], characters):
            text = context[begin:end].strip()
            if text:  # a score is that of the span minus that of no answer in its window
                scores[text] = max(scores.get(text, -np.inf), score - float(own[0].sum()))
    if not scores:
        return {"answer": "", "confidence": 1.0}
    best = sorted(scores.items(), key=lambda item: -item[1])[: task["candidates"]]
    if task["unanswerable"] and "" not in dict(best):
        best[-1] = ("", 0.0)
    powers = np.exp(np.array([score for _, score in best]) - best[0][1])
    shares = dict(zip((text for text, _ in best), (powers / powers.sum()).tolist(), strict=True))
    found = next((text for text, _ in best if text), "")
    nothing = shares.get("", 0.0)
    if not shares.get(found) or not nothing:
        odds = np.inf if nothing else -np.inf
    else:
        odds = np.log(nothing) - np.log(shares[found])
    chosen = "" if odds > task["threshold"] else found
    return {"answer": chosen, "confidence": shares.get(chosen, 0.0)}


def predict(values: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Answer questions, each with its context."""
    inputs = [windows_of(value) for value in values]
    found = iter(logits_of([window for windows in inputs for window in windows]))
    return [
        answer(value["context"], windows, [next(found) for _ in windows])
        for value, windows in zip(values, inputs, strict=True)
    ]


if __name__ == "__main__":
    for predicted in predict([json.loads(line) for line in sys.stdin]):
        print(json.dumps(predicted, ensure_ascii=False))
