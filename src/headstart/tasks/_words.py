"""Texts as words with their places, the token that represents each word, and parts of texts as tags of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headstart.core.contracts import Value
from headstart.core.sequences import IGNORED, Encoded, Ragged
from headstart.text import tags
from headstart.text.scripts import spans_of_words, starts_unspaced

if TYPE_CHECKING:
    import numpy as np

Part = tuple[int, int, str]  # start and end in a text, type
CERTAIN = 100.0  # score of O for a word without tokens


@dataclass(frozen=True)
class Divided:
    """A text and its words.

    spans: start and end of each word in the text.
    """

    text: str
    spans: list[tuple[int, int]]

    @property
    def words(self) -> list[str]:
        """The words, those after a space with that space, which byte-level vocabularies encode in another way."""
        return [
            f" {self.text[start:end]}" if start and self.text[start - 1].isspace() else self.text[start:end]
            for start, end in self.spans
        ]


def divided(value: Value) -> Divided:
    """Divide an input, a text or a list of words, into words.

    Words of a list are joined by spaces, but not between two characters of scripts without spaces.

    >>> divided(["Anna", "Li", "在", "北", "京"])
    Divided(text='Anna Li 在北京', spans=[(0, 4), (5, 7), (8, 9), (9, 10), (10, 11)])
    """
    if isinstance(value, str):
        return Divided(value, spans_of_words(value))
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    place = 0
    for word in map(str, value):
        if parts and not (starts_unspaced(word) and starts_unspaced(parts[-1][-1:])):
            parts.append(" ")
            place += 1
        parts.append(word)
        spans.append((place, place + len(word)))
        place += len(word)
    return Divided("".join(parts), spans)


def word_tokens(encoded: Encoded, counts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the token that represents each word: its first one, in the window where it has the most context.

    Args:
        encoded: rows that were encoded as words.
        counts: number of words of each row.

    Returns:
        places in `encoded.tokens`, int64 ``(words,)``, -1 for words without tokens; boundaries int64 ``(rows + 1,)``.
    """
    import numpy as np

    assert encoded.words is not None  # as `Tokenizer.encode_words` returns them
    sequences = len(encoded.boundaries) - 1
    rows = np.arange(sequences + 1) if encoded.rows is None else encoded.rows
    row_of = np.repeat(np.arange(len(rows) - 1), np.diff(rows))  # (sequences,)
    ends = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    sequence_of = np.repeat(np.arange(sequences), encoded.sequence_lengths)  # (tokens,)
    words = np.where(encoded.words < 0, -1, ends[row_of[sequence_of]] + encoded.words)  # (tokens,)
    changes = np.ones(len(words), dtype=bool)
    changes[1:] = (words[1:] != words[:-1]) | (sequence_of[1:] != sequence_of[:-1])
    places = np.flatnonzero(changes & (words >= 0))
    owners = sequence_of[places]
    # What precedes the first window of a row and follows its last one is nothing: there context is not cut off.
    far = len(words)
    before = np.where(np.isin(owners, rows[:-1]), far, places - encoded.boundaries[owners])
    after = np.where(np.isin(owners, rows[1:] - 1), far, encoded.boundaries[owners + 1] - places)
    chosen = np.full(int(ends[-1]), -1, dtype=np.int64)
    order = np.argsort(np.minimum(before, after), kind="stable")
    chosen[words[places[order]]] = places[order]  # the last one assigned is the one with the most context
    return chosen, ends


def tag_numbers(
    inputs: Sequence[Value], parts: Sequence[Sequence[Part]], names: Sequence[str], encoded: Encoded
) -> Ragged:
    """Return the number of each word's tag, int64 ``(tokens,)``, at its first token; -100 at all others.

    Args:
        inputs: of the rows.
        parts: of each row the parts of its text that are tagged; they do not overlap. A type without a tag is -100 too.
        names: the tags, see `tags.bio`.
        encoded: the rows, encoded as words.
    """
    import numpy as np

    numbers = {name: number for number, name in enumerate(names)}
    spans = [divided(value).spans for value in inputs]
    by_word = np.zeros(sum(map(len, spans)), dtype=np.int64)
    place = 0
    for words, tagged in zip(spans, parts, strict=True):
        for start, end, name in tagged:
            inside = [number for number, (first, last) in enumerate(words) if first < end and start < last]
            for letter, number in zip("B" + "I" * len(inside), inside, strict=False):
                by_word[place + number] = numbers.get(f"{letter}-{name}", IGNORED)
        place += len(words)
    chosen, _ = word_tokens(encoded, [*map(len, spans)])
    values = np.full(len(encoded.tokens), IGNORED, dtype=np.int64)
    values[chosen[chosen >= 0]] = by_word[chosen >= 0]
    return Ragged(values, encoded.boundaries)


@dataclass(frozen=True)
class BestParts:
    """The most likely parts of texts.

    parts: of each row.
    confidence: probability of each row's tags among all that the scheme allows, float64 ``(rows,)``.
    marginals: probability of each tag of each word, float32 ``(words, tags)``.
    """

    parts: list[list[Part]]
    confidence: np.ndarray
    marginals: np.ndarray


def best_parts(outputs: Ragged, encoded: Encoded, inputs: Sequence[Value], names: Sequence[str]) -> BestParts:
    """Return the parts of each text that the most likely tags mark, of all sequences that their scheme allows.

    Args:
        outputs: logits float32 ``(tokens, tags)``.
        encoded: the rows, encoded as words.
        inputs: of the rows.
        names: the tags, see `tags.bio`.
    """
    import numpy as np

    spans = [divided(value).spans for value in inputs]
    chosen, ends = word_tokens(encoded, [*map(len, spans)])
    scores = outputs.values[chosen] if len(outputs.values) else np.zeros((len(chosen), len(names)), np.float32)
    scores[chosen < 0] = CERTAIN * np.eye(1, len(names), dtype=np.float32)  # O
    moves, start_scores = tags.transitions(names)
    if outputs.moves is not None:
        moves = moves + outputs.moves
    best = tags.viterbi(scores, ends, moves, start_scores)
    found = []
    for words, first, last in zip(spans, ends[:-1], ends[1:], strict=True):
        marked = tags.entities([names[number] for number in best[first:last]]) if best[first:last].any() else []
        found.append([(words[start][0], words[end - 1][1], name) for start, end, name in marked])
    return BestParts(
        found,
        tags.probabilities(scores, ends, moves, start_scores, best),
        tags.marginals(scores, ends, moves, start_scores),
    )
