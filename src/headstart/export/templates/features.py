"""Parts of programs that score words by features of them and their neighbours."""

import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent


# <runtime>
NUMBERS = {name: number for number, name in enumerate(json.loads((FOLDER / "features.json").read_text("utf-8")))}
WEIGHTS = np.load(FOLDER / "weights.npy")  # (features, tags)


# </runtime>
def divided(value: Any) -> tuple[str, list[tuple[int, int]]]:
    """Stand for the function of the whole program."""
    return str(value), []


# <scores>
def form(word: str) -> str:
    """Return what kind of characters a word has, each run of one kind once."""
    kinds = ""
    for letter in word:
        kind = "A" if letter.isupper() else "0" if letter.isdigit() else "a" if letter.isalpha() else letter
        kinds += kind if not kinds.endswith(kind) else ""
    return kinds


def scores_of(value: Any) -> np.ndarray:
    """Return the scores of the tags of a text's words, ``(words, tags)``: sums over their features."""
    text, spans = divided(value)
    row = [text[begin:end].strip() for begin, end in spans]
    low, forms = ["", "", *map(str.lower, row), "", ""], ["", *map(form, row), ""]
    scores = np.zeros((len(row), WEIGHTS.shape[1]), np.float32)
    for place, word in enumerate(row):
        far, before, own, after, further = low[place : place + 5]
        names = ["1", f"w={word}", f"l={own}", f"f={forms[place + 1]}"]
        names += [f"<{own[:length]}" for length in (1, 2, 3)] + [f">{own[-length:]}" for length in (1, 2, 3, 4)]
        names += [f"-2={far}", f"-1={before}", f"+1={after}", f"+2={further}", f"-2-1={far} {before}"]
        names += [f"-1+0={before} {own}", f"+0+1={own} {after}", f"+1+2={after} {further}", f"-1+1={before} {after}"]
        names += [f"f-1={forms[place]} {forms[place + 1]}", f"f+1={forms[place + 1]} {forms[place + 2]}"]
        scores[place] = WEIGHTS[[NUMBERS[name] for name in names if name in NUMBERS]].sum(0)
    return scores


# </scores>
