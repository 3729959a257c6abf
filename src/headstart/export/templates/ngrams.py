"""Predict texts: `python run.py < texts.txt > predictions.jsonl`, or `run.predict([...])` from Python.

A line is a text. Needs numpy only.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
TASK = json.loads((FOLDER / "task.json").read_text("utf-8"))
N_GRAMS = json.loads((FOLDER / "n_grams.json").read_text("utf-8"))
PLACES = {kind: {n_gram: place for place, n_gram in enumerate(N_GRAMS[kind])} for kind in N_GRAMS}
NUMBERS = dict(np.load(FOLDER / "weights.npz"))


# <columns>
def features(cells: dict[str, Any]) -> list[float]:
    """Stand for the function of `columns.py`."""
    return []


def worded(value: dict[str, Any]) -> Any:
    """Stand for the function of `columns.py`."""
    return value["text"]


# </columns>
# <pair>
def joined(first: str, second: str) -> str:
    """Join two texts into one that says of each word whether it is in both."""
    sides = {name: re.findall(TASK["token"], text.lower()) for name, text in (("first", first), ("second", second))}
    both = set(sides["first"]) & set(sides["second"])
    marked = [f"{'both' if word in both else name}_{word}" for name, words in sides.items() for word in words]
    shares = [f"share_{name}_{10 * len(both) // max(1, len(set(words)))}" for name, words in sides.items()]
    return " ".join(marked + shares)


# </pair>
# <parts>
def parts_of(text: str) -> tuple[list[str], dict[str, int]]:
    """Stand for the function of `relations.py`."""
    return [text], {}


# </parts>
def weighted(n_grams: Iterable[str], kind: str) -> np.ndarray:
    """Add up the weights of n-grams that are known, each times its TF-IDF or once."""
    counts = Counter(n_gram for n_gram in n_grams if n_gram in PLACES[kind])
    places = [PLACES[kind][n_gram] for n_gram in counts]
    values = np.ones(len(places))
    # <frequencies>
    values = (1 + np.log(np.array([*counts.values()], dtype=float))) * NUMBERS[f"{kind}_idf"][places]
    values /= np.sqrt((values**2).sum()) or 1.0
    # </frequencies>
    total: np.ndarray = values @ NUMBERS[kind][places]
    return total


def logits_of(value: Any) -> np.ndarray:
    """Return what the model computes for an input."""
    text = value
    # <worded>
    text = worded(value)
    # </worded>
    # <unread>
    text = value["text"]
    # </unread>
    # <pair>
    text = joined(*text)
    # </pair>
    # <marked>
    text = "".join(parts_of(text)[0]).strip()
    # </marked>
    words = re.findall(TASK["token"], text.lower())
    total: np.ndarray = NUMBERS["intercept"] + weighted([*words, *map(" ".join, pairwise(words))], "words")
    # <characters>
    spaced = re.sub(r"\s\s+", " ", text.lower())
    pieces = (spaced[start : start + size] for size in (2, 3, 4, 5) for start in range(len(spaced) - size + 1))
    total = total + weighted(pieces, "characters")
    # </characters>
    # <beside>
    total += np.array(features(value["columns"])) @ NUMBERS["columns"]
    # </beside>
    return total


def predict(values: list[Any]) -> list[dict[str, Any]]:
    """Predict inputs."""
    answers: list[dict[str, Any]] = []
    for value in values:
        logits = logits_of(value)
        # <number>
        answers.append({"number": float(logits[0] * TASK["scale"] + TASK["mean"])})
        # </number>
        # <labels>
        shares = dict(zip(TASK["classes"], (1 / (1 + np.exp(-logits))).astype(np.float32).tolist(), strict=True))
        above = [name for name, limit in zip(shares, TASK["thresholds"], strict=True) if shares[name] > limit]
        answers.append({"labels": above, "probabilities": shares})
        # </labels>
        # <two>
        logits = np.array([0.0, logits[0]])
        # </two>
        # <rest>
        logits = -np.logaddexp(0.0, -logits) / TASK["temperature"]  # each class against the rest
        # </rest>
        # <label>
        powers = np.exp(logits - logits.max())
        row = (powers / powers.sum()).astype(np.float32).tolist()
        probabilities = dict(zip(TASK["classes"], row, strict=True))
        answers.append({"label": max(probabilities, key=probabilities.__getitem__), "probabilities": probabilities})
        # </label>
        # <decided>
        exact = np.array(row)
        merits = np.log(np.maximum(exact, np.finfo(np.float32).tiny))
        # <costs>
        merits = -(exact @ np.array(TASK["costs"]))  # negative expected costs
        # </costs>
        answers[-1]["label"] = TASK["classes"][int((merits + TASK["offsets"]).argmax())]
        # </decided>
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
