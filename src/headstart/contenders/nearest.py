"""The answer of the training row whose text is most alike: what copying alone can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from headstart.checkpoints import manifest
from headstart.core.contracts import Contender, Fitted, Kind, Task, Value, joined_texts
from headstart.core.errors import CheckpointError
from headstart.core.files import write_text
from headstart.core.opening import read_object
from headstart.core.records import Predictions, Rows, Run
from headstart.core.text_tasks import TextTask

if TYPE_CHECKING:
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer

FILE = "texts.json"
TOGETHER = 256  # inputs that are compared with all training rows at once


@dataclass(frozen=True)
class Stored(Fitted):
    """Training texts with their answers.

    task: the task.
    texts: of the training rows.
    answers: of the same rows.
    """

    task: Task
    texts: tuple[str, ...]
    answers: tuple[str, ...]

    @cached_property
    def _index(self) -> tuple[TfidfVectorizer, sparse.csr_matrix]:
        """The weights of words, and those of each training text, ``(rows, words)``."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        # Characters inside words, so that languages without spaces and inflected words are compared too.
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, lowercase=True)
        return vectorizer, vectorizer.fit_transform(self.texts)

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        """Return the answer of the most similar training row to each input, of equal ones the first."""
        import numpy as np

        vectorizer, stored = self._index
        chosen: list[int] = []
        alike: list[float] = []
        asked = joined_texts(self.task, inputs)
        for start in range(0, len(asked), TOGETHER):
            cosines = (vectorizer.transform(asked[start : start + TOGETHER]) @ stored.T).toarray()  # (inputs, rows)
            chosen += cosines.argmax(axis=1).tolist()
            alike += cosines.max(axis=1).tolist()
        return Predictions(tuple(self.answers[row] for row in chosen), confidence=np.clip(np.array(alike), 0.0, 1.0))

    def save(self, folder: Path, *, whole: bool = True) -> None:
        """Write the texts and the answers."""
        import json

        from headstart.saved import model_folder

        with model_folder.saving(folder) as fresh:
            write_text(fresh / FILE, json.dumps({"texts": self.texts, "answers": self.answers}))
            manifest.write(fresh, "nearest", self.task, {})


@dataclass(frozen=True)
class Nearest(Contender):
    """The answer of the training row whose text is most similar, by TF-IDF of characters: a floor without a model."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"text"})
    generates: ClassVar = "also"
    deterministic: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The leaderboard name."""
        return "nearest"

    def fit(self, train: Rows, validation: Rows, task: Task, run: Run) -> Fitted:
        """Store the training rows."""
        accepted = cast(TextTask, task).accepted
        answers = tuple(next(iter(accepted(target)), "") for target in train.targets)
        return Stored(task, tuple(joined_texts(task, train.inputs)), answers)

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> Fitted:
        """Read what was saved.

        Raises:
            CheckpointError: there are not as many texts as answers.
        """
        path = folder / FILE
        stored = read_object(path)
        texts, answers = stored.get("texts"), stored.get("answers")
        if (
            not isinstance(texts, list)
            or not isinstance(answers, list)
            or not texts
            or len(texts) != len(answers)
            or not all(isinstance(text, str) for text in (*texts, *answers))
        ):
            raise CheckpointError(
                f"'{path}' must hold texts and as many answers; copy the folder again, or save it again."
            )
        return Stored(task, tuple(texts), tuple(answers))


PLUGIN = Nearest
