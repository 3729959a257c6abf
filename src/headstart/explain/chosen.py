"""Which method explains a model unless a person names one: the most comprehensive one that was measured.

MODEL/explanation.json    the comprehensiveness of each method, and on how many rows

The file says nothing about predictions, so the manifest does not list it, and a damaged one counts as none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart.checkpoints.manifest import EXPLANATION
from headstart.core import sealed
from headstart.core.contracts import Fitted
from headstart.core.opening import guarded
from headstart.explain import methods as methods_of
from headstart.explain.faithfulness import Faithfulness


@dataclass(frozen=True)
class Choice:
    """The method that explains a model, and why this one.

    method: its name.
    methods: number of methods among which it was chosen; 0 if a person named it.
    rows: number of rows on which they were measured; 0 if they were not.
    """

    method: str
    methods: int = 0
    rows: int = 0

    @property
    def sentence(self) -> str:
        """Say which method it is and whether it was measured, as part of a sentence.

        >>> Choice("occlusion", 3, 40).sentence
        'occlusion, the most comprehensive of 3 methods on 40 rows'
        >>> Choice("integrated-gradients", 3).sentence
        "integrated-gradients, the model's first method, which was not measured"
        """
        if not self.methods:
            return self.method
        if self.methods == 1:
            return f"{self.method}, the model's only method"
        if not self.rows:
            return f"{self.method}, the model's first method, which was not measured"
        return f"{self.method}, the most comprehensive of {self.methods} methods on {self.rows} rows"


def best_of(measured: Sequence[Faithfulness]) -> Choice:
    """Choose among measured methods, the most comprehensive of which is first."""
    return Choice(measured[0].method, len(measured), measured[0].rows)


def first_of(model: Fitted) -> Choice:
    """Choose the first method of a model without any measurement."""
    known = methods_of(model)
    return Choice(known[0], len(known))


def store(folder: Path, measured: Sequence[Faithfulness]) -> None:
    """Note in a model's folder what was measured, unless its note is of more rows.

    Args:
        folder: the model's.
        measured: the methods, the most comprehensive first.

    Raises:
        DiskError: the folder cannot be written.
    """
    known = _noted(folder)
    if known is not None and known.rows > measured[0].rows:
        return
    figures = {
        each.method: [each.comprehensiveness.value, each.comprehensiveness.low, each.comprehensiveness.high]
        for each in measured
    }
    sealed.write_note(folder / EXPLANATION, {"rows": measured[0].rows, "comprehensiveness": figures})


def read(folder: Path, model: Fitted) -> Choice:
    """Return the method that explains the model of a folder: the noted one, or else the model's first.

    Args:
        folder: the model's.
        model: opened from it.

    Raises:
        CheckpointError: the note cannot be read.
    """
    noted = _noted(folder)
    return noted if noted is not None and noted.method in methods_of(model) else first_of(model)


def is_noted(folder: Path) -> bool:
    """Return whether the methods of a folder's model were measured."""
    return _noted(folder) is not None


def _noted(folder: Path) -> Choice | None:
    with guarded(folder):
        note = sealed.read_note(folder / EXPLANATION) or {}
    match note:
        case {"rows": int(rows), "comprehensiveness": dict(figures)} if rows > 0 and figures:
            values = {method: each[0] for method, each in figures.items() if isinstance(each, list) and each}
            if len(values) == len(figures) and all(isinstance(value, float) for value in values.values()):
                return Choice(max(values, key=lambda method: values[method]), len(values), rows)
    return None
