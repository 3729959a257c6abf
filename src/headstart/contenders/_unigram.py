"""The floor of tasks that are judged by likelihood: the bytes of the training answers, each for itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from headstart.checkpoints import manifest
from headstart.core.contracts import Fitted, Task, Value
from headstart.core.errors import CheckpointError
from headstart.core.records import Predictions, Rows
from headstart.core.text_tasks import TextTask

if TYPE_CHECKING:
    import numpy as np

BYTES = 256
END = BYTES  # the symbol after the last byte


@dataclass(frozen=True)
class FittedUnigram(Fitted):
    """How frequent each byte is in answers, whatever was said before, and the most frequent answer.

    counts: of the bytes, and of the ends of answers.
    answer: the most frequent one, of equally frequent ones the first.
    """

    task: TextTask
    counts: tuple[int, ...]
    answer: str

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        """Predict the most frequent answer for every input."""
        return Predictions((self.answer,) * len(inputs))

    def judge(self, rows: Rows) -> Predictions:
        """Predict rows, with the likelihoods of their answers; see `metrics.likelihood`."""
        import numpy as np

        from headstart.contenders import _likelihood
        from headstart.metrics.likelihood import CHARACTERS, LOSS, SUMS, TOKENS

        texts = [self.task.accepted(target)[0] for target in rows.targets]
        sums = np.zeros((len(rows), SUMS))
        sums[:, LOSS] = [-self._logged(text).sum() for text in texts]
        sums[:, TOKENS] = [len(_symbols(text)) for text in texts]
        sums[:, CHARACTERS] = [len(text) + 1 for text in texts]
        _likelihood.rank(sums, self.task, rows, self._score)
        return Predictions((self.answer,) * len(rows), likelihoods=sums)

    def _score(self, ranked: np.ndarray, candidates: Sequence[Sequence[str]]) -> np.ndarray:
        import numpy as np

        return np.array([[self._logged(text).mean() for text in each] for each in candidates])

    def _logged(self, text: str) -> np.ndarray:
        """Return the log probability of each symbol, with one more count for each that there is."""
        import numpy as np

        counts = np.array(self.counts, dtype=np.float64) + 1
        logged: np.ndarray = np.log(counts / counts.sum())[_symbols(text)]
        return logged

    def save(self, folder: Path, *, whole: bool = True) -> None:
        """Write a manifest alone."""
        from headstart.saved import model_folder

        with model_folder.saving(folder) as fresh:
            manifest.write(fresh, "majority", self.task, {"counts": self.counts, "answer": self.answer})


def fit(train: Rows, task: Task) -> FittedUnigram:
    """Count the bytes of the training answers."""
    import numpy as np

    own = cast(TextTask, task)
    texts = [own.accepted(target)[0] for target in train.targets]
    counts = np.bincount([symbol for text in texts for symbol in _symbols(text)], minlength=BYTES + 1)
    return FittedUnigram(own, tuple(counts.tolist()), Counter(texts).most_common(1)[0][0])


def load(task: Task, extra: Mapping[str, Value]) -> FittedUnigram:
    """Return what :meth:`FittedUnigram.save` wrote.

    Raises:
        CheckpointError: it is something else.
    """
    counts, answer = extra.get("counts"), extra.get("answer")
    if (
        not isinstance(counts, list)
        or len(counts) != BYTES + 1
        or not all(type(count) is int and count >= 0 for count in counts)
        or not isinstance(answer, str)
    ):
        raise CheckpointError("the manifest must hold counts of all bytes and an answer; copy the folder again.")
    return FittedUnigram(cast(TextTask, task), tuple(counts), answer)


def _symbols(text: str) -> list[int]:
    """Return the bytes of a text, and its end.

    >>> _symbols("Hä")
    [72, 195, 164, 256]
    """
    return [*text.encode("utf-8", "replace"), END]
