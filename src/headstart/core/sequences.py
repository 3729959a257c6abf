"""Rows of tokens, and what a head predicts for them, as flat arrays without padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


# The target of an item that cannot be learnt from, such as a class that no training row has.
IGNORED = -100


@dataclass(frozen=True)
class Ragged:
    """One item or several for each of some sequences: the targets of a head, or its outputs.

    values: ``(items,)`` or ``(items, outputs)``.
    boundaries: int64 ``(sequences + 1,)``; sequence i has the items ``values[boundaries[i]:boundaries[i + 1]]``.
    moves: score of each output after another one in a sequence, float32 ``(outputs, outputs)``; None if the items of a
        sequence do not depend on each other.
    """

    values: np.ndarray
    boundaries: np.ndarray
    moves: np.ndarray | None = None

    @staticmethod
    def single(values: np.ndarray) -> Ragged:
        """Return one item for each sequence."""
        import numpy as np

        return Ragged(values, np.arange(len(values) + 1))

    def __len__(self) -> int:
        return len(self.boundaries) - 1

    def take(self, sequences: np.ndarray) -> Ragged:
        """Return the items of some sequences, int64 ``(sequences,)``, in the given order.

        >>> import numpy as np
        >>> Ragged(np.array([7, 8, 9]), np.array([0, 1, 3])).take(np.array([1, 0])).values.tolist()
        [8, 9, 7]
        """
        places, ends = spans(self.boundaries, sequences)
        return Ragged(self.values[places], ends, self.moves)


def spans(boundaries: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of all items of some sequences, end to end, and the boundaries of these sequences there.

    >>> import numpy as np
    >>> places, ends = spans(np.array([0, 2, 5]), np.array([1, 0]))
    >>> places.tolist(), ends.tolist()
    ([2, 3, 4, 0, 1], [0, 3, 5])
    """
    import numpy as np

    counts = boundaries[chosen + 1] - boundaries[chosen]
    ends = np.concatenate([[0], np.cumsum(counts)])
    return np.repeat(boundaries[chosen] - ends[:-1], counts) + np.arange(ends[-1]), ends


@dataclass(frozen=True)
class Encoded:
    """Token ids of many rows without padding: rows consist of sequences (one, or several windows), these of tokens.

    tokens: int32 ``(tokens,)``, sequence after sequence, with special tokens.
    boundaries: int64 ``(sequences + 1,)``; sequence i is ``tokens[boundaries[i]:boundaries[i + 1]]``.
    cut_off: share (0 to 1) of the texts' tokens that are beyond the window and were truncated.
    rows: int64 ``(rows + 1,)``; row i has the sequences from ``rows[i]`` up to ``rows[i + 1]``. None for one sequence
        per row.
    segments: uint8 ``(tokens,)``, 0 for the first passage of a sequence and 1 for the second; None if all are 0.
    characters: int32 ``(tokens, 2)``, start and end of each token in the text that it is from, both 0 for special
        tokens; None if the task does not need them.
    words: int32 ``(tokens,)``, number of the word of its row that each token is from, -1 for special tokens; None if
        the rows were not given as words.
    features: float32 ``(rows, width)``, what is read beside the text, such as other columns; None for nothing.
    marks: int64 ``(sequences, marks)``, places of the tokens that a head reads, from 0 in each sequence; None if they
        are the same in every sequence, such as the first or all.
    """

    tokens: np.ndarray
    boundaries: np.ndarray
    cut_off: float = 0.0
    rows: np.ndarray | None = None
    segments: np.ndarray | None = None
    characters: np.ndarray | None = None
    words: np.ndarray | None = None
    features: np.ndarray | None = None
    marks: np.ndarray | None = None

    @staticmethod
    def without_tokens(rows: int) -> Encoded:
        """Return rows of one sequence each for models that read texts otherwise than as tokens."""
        import numpy as np

        return Encoded(np.zeros(0, dtype=np.int32), np.zeros(rows + 1, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.boundaries if self.rows is None else self.rows) - 1

    @property
    def sequence_lengths(self) -> np.ndarray:
        """Tokens of each sequence, int64 ``(sequences,)``."""
        import numpy as np

        return np.diff(self.boundaries)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row, int64 ``(rows,)``."""
        import numpy as np

        return np.diff(self.boundaries if self.rows is None else self.boundaries[self.rows])

    @property
    def windows(self) -> np.ndarray:
        """Sequences of each row, int64 ``(rows,)``."""
        import numpy as np

        return np.ones(len(self), dtype=np.int64) if self.rows is None else np.diff(self.rows)

    def sequences(self, rows: np.ndarray) -> np.ndarray:
        """Return the numbers of the sequences of some rows, int64 ``(sequences,)``."""
        return rows if self.rows is None else spans(self.rows, rows)[0]

    def until(self, row: int) -> Encoded:
        """Return the rows before one."""
        return self._between(0, row)

    def since(self, row: int) -> Encoded:
        """Return a row and those after it."""
        return self._between(row, len(self))

    def _between(self, first: int, last: int) -> Encoded:
        rows = None if self.rows is None else self.rows[first : last + 1] - self.rows[first]
        features = None if self.features is None else self.features[first:last]
        if self.rows is not None:
            first, last = int(self.rows[first]), int(self.rows[last])
        start, stop = self.boundaries[first], self.boundaries[last]
        return Encoded(
            self.tokens[start:stop],
            self.boundaries[first : last + 1] - start,
            self.cut_off,
            rows,
            None if self.segments is None else self.segments[start:stop],
            None if self.characters is None else self.characters[start:stop],
            None if self.words is None else self.words[start:stop],
            features,
            None if self.marks is None else self.marks[first:last],
        )
