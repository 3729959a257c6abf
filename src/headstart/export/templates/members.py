"""Parts of programs that find facts or answers by several members."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
TASK = json.loads((FOLDER / "task.json").read_text("utf-8"))
# <runtime>
# Programs of this folder, which are trusted as this one is.
MEMBERS = [runpy.run_path(str(FOLDER / name / "run.py")) for name in TASK["members"]]


# </runtime>
# <scores>
def scores_of(value: Any) -> np.ndarray:
    """Return the logarithms of the mean probabilities of the tags of a text's words."""
    shares = np.array([member["shares_of"](value) for member in MEMBERS], np.float64)
    mixed = np.einsum("m,mwt->wt", TASK["weights"], shares)
    logarithms: np.ndarray = np.log(np.maximum(mixed, TASK["least"])).astype(np.float32)
    return logarithms


# </scores>
# <candidates>
def candidates(value: dict[str, str]) -> dict[str, float]:
    """Return the answers of all members with their mean probabilities, falling."""
    mixed: dict[str, float] = {}
    for member, weight in zip(MEMBERS, TASK["weights"], strict=True):
        for text, share in member["candidates"](value).items():
            mixed[text] = mixed.get(text, 0.0) + weight * float(np.float32(share))
    return dict(sorted(mixed.items(), key=lambda item: -item[1]))


# </candidates>
