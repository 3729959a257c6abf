"""May a model answer with 8-bit weights? Only where its labels on the validation texts stay what they were.

models/KEY/int8.json, best/int8.json    what the trial found, beside the weights it was made with
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from headstart.checkpoints import manifest
from headstart.contenders import _saved
from headstart.core import sealed
from headstart.core.contracts import Fitted
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.records import Rows

FILE = "int8.json"
# The least share of validation texts whose label stays, and the most that the score may move (0 to 1).
AGREEMENT = 0.985
MOVE = 0.005
# Validation texts that are tried: enough for a share to be within half a point, and minutes at most for long ones.
MOST_ROWS = 2000


@dataclass(frozen=True)
class Agreement:
    """How a model's 8-bit version answers validation texts, beside the model itself.

    rows: texts that both answered. agreement: share of equal labels (0 to 1).
    metric, score, int8_score: the comparison's metric and what the two reach (0 to 1).
    """

    rows: int
    agreement: float
    metric: str
    score: float
    int8_score: float

    @property
    def offered(self) -> bool:
        """Whether both figures are good enough for the version to be used.

        >>> Agreement(200, 0.985, "accuracy", 0.885, 0.880).offered
        True
        >>> Agreement(200, 0.980, "accuracy", 0.885, 0.885).offered
        False
        """
        # Half a point exactly is allowed, and 0.885 - 0.880 is a little more in binary.
        return self.agreement >= AGREEMENT and round(abs(self.int8_score - self.score), 9) <= MOVE

    @property
    def sentence(self) -> str:
        """Say whether int8 is offered, with both figures.

        >>> print(Agreement(436, 0.9885, "MCC", 0.8991, 0.8968).sentence)
        int8 is offered (predict --int8): 98.85 % of 436 validation labels stay, and MCC moves by -0.23 points.
        """
        found = (
            f"{100 * self.agreement:.2f} % of {self.rows:,} validation labels stay, "
            f"and {self.metric} moves by {100 * (self.int8_score - self.score):+.2f} points"
        )
        if self.offered:
            return f"int8 is offered (predict --int8): {found}."
        return f"int8 is refused: {found}; it needs {100 * AGREEMENT:.1f} % and at most {100 * MOVE:.1f} points."


def judge(folder: Path, validation: Rows, metric: str) -> Agreement | None:
    """Let a saved model's 8-bit version answer the validation texts, and keep what comes of it in the folder.

    What was found before is read instead, unless it is damaged.

    Args:
        folder: a model's; ``int8.json`` is added to it.
        validation: labelled rows that the model did not learn from; of many, an even sample is taken.

    Returns:
        None where the model has no such version (no Transformer).

    Raises:
        UsageError: torch has no int8 engine for this machine.
        CheckpointError: the folder is damaged.
    """
    known = sealed.take_note(folder / FILE)
    if known is not None and manifest.lists(folder, FILE):
        return Agreement(**known)
    # A kill between the two writes below leaves a file that the manifest does not list.
    manifest.remove(folder, FILE)
    fitted = _saved.open_model(folder)
    if not fitted.has_int8:
        return None
    rows = validation.take(np.unique(np.linspace(0, len(validation) - 1, MOST_ROWS).astype(int)))
    answers = [model.predict(rows.inputs) for model in (fitted, fitted.with_int8())]
    scores = [fitted.task.score(answer, rows)[metric] for answer in answers]
    same = [one == other for one, other in zip(answers[0].values, answers[1].values, strict=True)]
    found = Agreement(len(rows), float(np.mean(same)), metric, *map(float, scores))
    sealed.write_note(folder / FILE, asdict(found))
    manifest.add(folder, FILE)
    return found


def open_model(folder: Path) -> tuple[Fitted, Agreement]:
    """Open a model to answer with 8-bit weights, with what speaks for it.

    Raises:
        UsageError: the model has no such version, it was refused, or torch has no int8 engine for this machine.
        CheckpointError: the folder is no model, or damaged; or nobody tried the version.
    """
    fitted = _saved.open_model(folder)
    if not fitted.has_int8:
        raise UsageError(
            f"'{folder}' contains no Transformer, and only Transformers have an int8 version; leave out --int8."
        )
    found = _read(folder)
    if not found.offered:
        raise UsageError(found.sentence)
    return fitted.with_int8(), found


def _read(folder: Path) -> Agreement:
    path = folder / FILE
    if not manifest.lists(folder, FILE):
        raise CheckpointError(
            f"'{folder}' holds no {FILE}, so nobody knows whether int8 would answer alike; "
            "run headstart compare again: it tries int8 on the validation texts and adds the file to 'best'."
        )
    known = sealed.read_note(path)
    if known is None:
        raise CheckpointError(f"'{path}' is damaged; delete it, and run headstart compare again.")
    return Agreement(**known)
