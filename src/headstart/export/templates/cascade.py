"""Part of the program of a cascade."""

from typing import Any

import numpy as np

MEMBERS: list[Any] = []
TASK: dict[str, Any] = {}


def tempered(shares: np.ndarray) -> np.ndarray:
    """Stand for the function of the whole program."""
    return shares


# <members>
def predict(values: list[Any]) -> list[dict[str, Any]]:
    """Predict with the cheap member, and with the expensive one where that is unsure."""
    cheap, expensive = MEMBERS
    answers: list[dict[str, Any]] = cheap(values)
    unsure = [row for row, each in enumerate(answers) if max(each["probabilities"].values()) < TASK["threshold"]]
    for row, answer in zip(unsure, expensive([values[row] for row in unsure]), strict=True):
        answers[row] = answer
    # <tempered>
    for answer in answers:
        shares = tempered(np.array([*answer["probabilities"].values()])).astype(np.float32)
        answer["probabilities"] = dict(zip(answer["probabilities"], shares.tolist(), strict=True))
    # </tempered>
    return answers


# </members>
