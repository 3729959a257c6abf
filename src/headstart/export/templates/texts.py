"""Predict texts: `python run.py < texts.txt > predictions.jsonl`, or `run.predict(["A text."])`.

A line is a text, or JSON: a text, or a list of two texts. Needs onnxruntime, tokenizers and numpy.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
MOST = 2**22  # texts in a batch times their squared length


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


def token_ids(texts: Sequence[str], prefix: str = "") -> list[list[int]]:
    """Return the ids of each text's tokens, without special ones."""
    clear = [(prefix + text).encode("utf-8", "replace").decode("utf-8") for text in texts]
    return [each.ids for each in opened()[1].encode_batch(clear, add_special_tokens=False)]


def encoded(values: Sequence[Any]) -> list[list[list[tuple[int, int]]]]:
    """Return the sequences of each input, each a list of tokens with their segments."""
    task = opened()[0]
    limit, opening, closing = task["characters"], task["opening"], task["closing"]
    # <pair>
    if task["pairs"]:
        sides = token_ids([value[0][:limit] for value in values], task["prefix"])
        others = token_ids([value[1][:limit] for value in values])
        room = max(0, task["window"] - len(opening) - len(task["between"]) - len(closing))
        pairs = []
        for one, other in zip(sides, others, strict=True):
            short, long = sorted((len(one), len(other)))  # the longer text is truncated first
            if short + long > room:
                long = max(short, room - short)
            if short + long > room:
                short, long = room // 2, room - room // 2
            first, second = (short, long) if len(one) <= len(other) else (long, short)
            parts = zip((opening, one[:first], task["between"], other[:second], closing), task["segments"], strict=True)
            pairs.append([[(number, segment) for part, segment in parts for number in part]])
        return pairs
    # </pair>
    room = max(0, task["window"] - len(opening) - len(closing))
    # <long>
    if task["long"] != "first":
        return [[[(number, 0) for number in ids] for ids in in_windows(text)] for text in values]
    # </long>
    bodies = token_ids([text[:limit] for text in values], task["prefix"])
    return [[[(number, 0) for number in [*opening, *body[:room], *closing]]] for body in bodies]


# <long>
def in_windows(text: str) -> list[list[int]]:
    """Return the tokens of each window of a text, or of its beginning and end as one."""
    task = opened()[0]
    limit, most, both_ends = task["characters"], task["most_windows"], task["long"] == "head-tail"
    if both_ends:
        text = text if len(text) <= 2 * limit else f"{text[:limit]} {text[-limit:]}"
    (body,) = token_ids([text if both_ends else text[: limit * most]], task["prefix"])
    prefix = token_ids([task["prefix"].strip()])[0] if task["prefix"] and not both_ends else []
    repeated = prefix if len(body) > len(prefix) and body[: len(prefix)] == prefix else []
    body = body[len(repeated) :]
    room = max(1, task["window"] - len(task["opening"]) - len(task["closing"]) - len(repeated))
    if len(body) <= room:
        parts = [body]
    elif both_ends:
        parts = [body[: room // 4] + body[len(body) - (room - room // 4) :]]
    else:
        count = min(-(-len(body) // room), most)
        used = min(len(body), count * room)
        parts = [body[used * part // count : used * (part + 1) // count] for part in range(count)]
    return [[*task["opening"], *repeated, *part, *task["closing"]] for part in parts]


# </long>
def logits_of(texts: Sequence[list[list[tuple[int, int]]]]) -> np.ndarray:
    """Return the logits of some encoded inputs, padded to the longest."""
    task, _, names, run = opened()
    sequences = [sequence for text in texts for sequence in text]
    shape = len(sequences), max(1, *map(len, sequences))
    names_of_tokens = "input_ids", "attention_mask", "token_type_ids"
    inputs: dict[str, np.ndarray] = {name: np.zeros(shape, np.int64) for name in names_of_tokens}
    inputs["input_ids"] += task["padding"]
    for row, sequence in enumerate(sequences):
        for place, (number, segment) in enumerate(sequence):
            inputs["input_ids"][row, place], inputs["token_type_ids"][row, place] = number, segment
        inputs["attention_mask"][row, : len(sequence)] = 1
    # <long>
    inputs["windows"] = np.eye(len(texts), dtype=np.float32).repeat(list(map(len, texts)), axis=1)
    # </long>
    return run({name: inputs[name] for name in names}).astype(np.float64)


def answer(logits: np.ndarray) -> dict[str, Any]:
    """Turn the logits of an input into what is predicted."""
    task = opened()[0]
    if task["kind"] == "number":
        return {"number": float(logits[0] * task["scale"] + task["mean"])}
    if task["kind"] == "labels":
        shares = (1 / (1 + np.exp(-logits))).astype(np.float32)
        chosen = np.flatnonzero(shares.astype(np.float64) > task["thresholds"])
        predicted: dict[str, Any] = {"labels": [task["classes"][number] for number in chosen]}
    else:
        powers = np.exp(logits - logits.max())
        shares = (powers / powers.sum()).astype(np.float32)
        predicted = {"label": task["classes"][int(shares.argmax())]}
        # <decided>
        exact = shares.astype(np.float64)
        merits = -(exact @ np.array(task["costs"])) if task["costs"] else np.log(np.maximum(exact, np.finfo("f4").tiny))
        predicted = {"label": task["classes"][int((merits + task["offsets"]).argmax())]}
        # </decided>
    return {**predicted, "probabilities": dict(zip(task["classes"], map(float, shares), strict=True))}


def predict(values: Sequence[Any]) -> list[dict[str, Any]]:
    """Predict inputs, each a text or two texts, in batches of similar length."""
    texts = encoded(values)
    order = sorted(range(len(texts)), key=lambda row: -max(map(len, texts[row])))
    answers: list[dict[str, Any]] = [{}] * len(texts)
    while order:
        longest = max(map(len, texts[order[0]])) ** 2 * len(texts[order[0]])
        rows = order[: min(32, max(1, MOST // max(1, longest)))]
        for row, logits in zip(rows, logits_of([texts[row] for row in rows]), strict=True):
            answers[row] = answer(logits)
        order = order[len(rows) :]
    return answers


def read(line: str) -> Any:
    """Read a line: JSON, or a text as it is."""
    try:
        value = json.loads(line)
    except ValueError:
        return line
    return value if isinstance(value, str | list) else line


if __name__ == "__main__":
    for predicted in predict([read(line.rstrip("\n")) for line in sys.stdin]):
        print(json.dumps(predicted, ensure_ascii=False))
