"""Predict texts: `python run.py < texts.txt > predictions.jsonl`, or `run.predict(["A text."])`.

A line is a text, or JSON: a text, or a list of two texts. Needs numpy only.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
Numbers = dict[str, np.ndarray]


@cache
def opened() -> tuple[dict[str, Any], dict[str, dict[str, int]], Numbers]:
    """Open the settings, the columns of n-grams, and the weights, once."""
    task = json.loads((FOLDER / "task.json").read_text("utf-8"))
    n_grams = json.loads((FOLDER / "n_grams.json").read_text("utf-8"))
    columns = {kind: {n_gram: place for place, n_gram in enumerate(n_grams[kind])} for kind in n_grams}
    return task, columns, dict(np.load(FOLDER / "weights.npz"))


# <pair>
def joined(first: str, second: str) -> str:
    """Join two texts into one that says of each word whether it is in both."""
    sides = {
        name: re.findall(opened()[0]["token"], text.lower()) for name, text in (("first", first), ("second", second))
    }
    both = set(sides["first"]) & set(sides["second"])
    marked = [f"{'both' if word in both else name}_{word}" for name, words in sides.items() for word in words]
    shares = [f"share_{name}_{10 * len(both) // max(1, len(set(words)))}" for name, words in sides.items()]
    return " ".join(marked + shares)


# </pair>
def weighted(n_grams: Iterable[str], kind: str) -> tuple[list[int], np.ndarray]:
    """Return the columns of n-grams that are known, and their TF-IDF of length 1, or ones."""
    task, columns, numbers = opened()
    counts = Counter(n_gram for n_gram in n_grams if n_gram in columns[kind])
    places = [columns[kind][n_gram] for n_gram in counts]
    if task["presence"]:
        return places, np.ones(len(places))
    values = (1 + np.log(np.array(list(counts.values()), dtype=float))) * numbers[f"{kind}_idf"][places]
    return places, values / (np.sqrt((values**2).sum()) or 1.0)


def outputs(text: str) -> np.ndarray:
    """Return what the model computes for a text."""
    task, columns, numbers = opened()
    words = re.findall(task["token"], text.lower())
    places, values = weighted([*words, *map(" ".join, pairwise(words))], "words")
    total = numbers["intercept"] + values @ numbers["weights"][places]
    spaced = re.sub(r"\s\s+", " ", text.lower())
    if columns["characters"]:
        pieces = (spaced[start : start + size] for size in (2, 3, 4, 5) for start in range(len(spaced) - size + 1))
        places, values = weighted(pieces, "characters")
        total = total + values @ numbers["weights"][[len(columns["words"]) + place for place in places]]
    return np.asarray(total)


def answer(logits: np.ndarray) -> dict[str, Any]:
    """Turn the outputs of a text into what is predicted."""
    task = opened()[0]
    if task["kind"] == "number":
        return {"number": float(logits[0] * task["scale"] + task["mean"])}
    if task["kind"] == "labels":
        shares = (1 / (1 + np.exp(-logits))).astype(np.float32)
        chosen = np.flatnonzero(shares.astype(np.float64) > task["thresholds"])
        predicted: dict[str, Any] = {"labels": [task["classes"][number] for number in chosen]}
    else:
        if len(logits) == 1:
            logits = np.array([0.0, logits[0]])
        elif task["presence"]:  # one-versus-rest probabilities, normalised
            logits = -np.logaddexp(0.0, -logits)
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
    """Predict inputs, each a text or two texts."""
    texts = list(values)
    # <pair>
    if opened()[0]["pairs"]:
        texts = [joined(*value) for value in values]
    # </pair>
    return [answer(outputs(text)) for text in texts]


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
