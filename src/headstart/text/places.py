"""Where the tokens of a task's inputs are in its texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.core.attribution import Span
from headstart.core.contracts import Task, Value
from headstart.core.sequences import Encoded
from headstart.text import marked
from headstart.text.tokenizer import CHARACTERS_PER_TOKEN, Tokenizer, clean

NO_TEXT = -1  # of a special token, or one of a prefix


@dataclass(frozen=True)
class Places:
    """Where each token of some encoded inputs is.

    texts: which of its input's texts, int8 ``(tokens,)``; `NO_TEXT` for special tokens and those of a prefix.
    characters: start and end in that text, int32 ``(tokens, 2)``.
    words: of each input that is encoded as words, start and end of each word in its text; empty for others.
    """

    texts: np.ndarray
    characters: np.ndarray
    words: tuple[tuple[Span, ...], ...] = ()


def encode(task: Task, inputs: Sequence[Value], tokenizer: Tokenizer) -> tuple[Encoded, Places]:
    """Encode inputs as `Task.encode` does, and return where each token is in the texts of its input."""
    noting = _Noting(tokenizer)
    encoded = task.encode(inputs, noting)
    if encoded.words is None:
        return encoded, Places(noting.texts, noting.characters)
    words = tuple(_spans(row, task.texts(value)[0]) for row, value in zip(noting.words, inputs, strict=True))
    flat = np.array([span for row in words for span in row], dtype=np.int32).reshape(-1, 2)
    ends = np.cumsum([0, *map(len, words)])
    row_of = np.repeat(np.arange(len(encoded)), encoded.lengths)  # (tokens,)
    inside = encoded.words >= 0
    characters = np.zeros((len(encoded.tokens), 2), dtype=np.int32)
    characters[inside] = flat[(ends[row_of] + encoded.words)[inside]]
    return encoded, Places(np.where(inside, 0, NO_TEXT).astype(np.int8), characters, words)


def _spans(words: Sequence[str], text: str) -> tuple[Span, ...]:
    """Return the places of words that a text consists of, in order."""
    spans = []
    place = 0
    for word in words:
        bare = word.strip() or word
        start = text.index(bare, place)
        place = start + len(bare)
        spans.append((start, place))
    return tuple(spans)


class _Noting:
    """A tokenizer that encodes as another one does, and notes where each token is from."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self.texts = np.zeros(0, dtype=np.int8)
        self.characters = np.zeros((0, 2), dtype=np.int32)
        self.words: Sequence[Sequence[str]] = ()

    def encode(self, texts: Sequence[str]) -> Encoded:
        numbered = _Numbered(self.tokenizer)
        own = numbered.encode(texts)
        self.texts, self.characters = numbered.places(own.tokens)
        limit = self.tokenizer.window * CHARACTERS_PER_TOKEN
        if self.tokenizer.long.way == "head-tail":
            # Of a very long text only both ends are tokenised, joined by a space.
            missing = np.array([max(0, len(text) - 2 * limit - 1) for text in texts], dtype=np.int32)
            row_of = np.repeat(np.arange(len(texts)), own.lengths)
            self.characters[self.characters[:, 0] > limit] += missing[row_of, None][self.characters[:, 0] > limit]
        return self.tokenizer.encode(texts)

    def encode_pairs(self, first: Sequence[str], second: Sequence[str]) -> Encoded:
        numbered = _Numbered(self.tokenizer)
        self.texts, self.characters = numbered.places(numbered.encode_pairs(first, second).tokens)
        return self.tokenizer.encode_pairs(first, second)

    def encode_words(self, rows: Sequence[Sequence[str]]) -> Encoded:
        self.words = rows
        return self.tokenizer.encode_words(rows)

    def encode_turns(self, rows: Sequence[Sequence[tuple[str, str]]]) -> Encoded:
        return self.tokenizer.encode_turns(rows)

    def encode_marked(self, rows: Sequence[Sequence[str]], numbers: Sequence[Sequence[int]]) -> Encoded:
        numbered = _Numbered(self.tokenizer)
        own = marked.encode(numbered, rows, numbers)
        self.texts, self.characters = numbered.places(own.tokens)
        self.texts[self.texts != NO_TEXT] = 0
        # Where each token's part is in its text, which begins without white space.
        moves: list[np.ndarray] = []
        limit = marked.CHARACTERS * self.tokenizer.window
        for parts in rows:
            joined = "".join(parts)
            start = len(joined.lstrip()) - len(joined)
            for part in parts:
                offsets = numbered.offsets[len(moves)]
                moves.append(np.full(len(offsets), start, dtype=np.int32))
                # Of a very long part only both ends are tokenised, joined by a space.
                moves[-1][offsets[:, 0] > limit] += max(0, len(part) - 2 * limit - 1)
                start += len(part)
        known = own.tokens >= 0
        self.characters[known] += np.concatenate([np.zeros(0, np.int32), *moves])[own.tokens[known], None]
        return self.tokenizer.encode_marked(rows, numbers)

    def encode_windows(self, questions: Sequence[str], contexts: Sequence[str]) -> Encoded:
        encoded = self.tokenizer.encode_windows(questions, contexts)
        assert encoded.characters is not None
        self.characters = encoded.characters.copy()
        self.texts = np.where(self.characters[:, 1] > self.characters[:, 0], 1, NO_TEXT).astype(np.int8)
        asked = _Numbered(self.tokenizer)
        row_of = np.repeat(np.arange(len(questions)), encoded.windows)  # (sequences,)
        bodies = list(asked._bodies(questions, self.tokenizer.window * CHARACTERS_PER_TOKEN, self.tokenizer.prefix))
        opening = len(self.tokenizer.opening)
        room = self.tokenizer.window - opening - len(self.tokenizer.between) - len(self.tokenizer.closing)
        for row, start in zip(row_of, encoded.boundaries[:-1], strict=True):
            numbers = np.frombuffer(bodies[row], dtype=np.int32)[: max(2, room) // 2]
            place = slice(start + opening, start + opening + len(numbers))
            self.texts[place], self.characters[place] = asked.places(numbers)
        return encoded


class _Numbered(Tokenizer):
    """A tokenizer whose tokens are numbered through all texts, with negative numbers for special and prefix tokens."""

    def __init__(self, tokenizer: Tokenizer):
        super().__init__(tokenizer.backend, tokenizer.window, tokenizer.settings)
        self.memory = None
        self.prefix, self.long = tokenizer.prefix, tokenizer.long
        self.opening, self.between, self.closing = (
            [NO_TEXT] * len(part) for part in (self.opening, self.between, self.closing)
        )
        self.sides: list[np.ndarray] = []
        self.offsets: list[np.ndarray] = []
        self.count = 0
        self.calls = 0

    def places(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which text each token is from, int8 ``(tokens,)``, and its characters there, int32 ``(tokens, 2)``."""
        texts = np.concatenate([np.zeros(0, np.int8), *self.sides])
        characters = np.concatenate([np.zeros((0, 2), np.int32), *self.offsets])
        known = numbers >= 0
        found_texts = np.full(len(numbers), NO_TEXT, dtype=np.int8)
        found = np.zeros((len(numbers), 2), dtype=np.int32)
        found_texts[known], found[known] = texts[numbers[known]], characters[numbers[known]]
        return found_texts, found

    def _bodies(self, texts: Sequence[str], limit: int | None, prefix: str = "") -> Iterator[bytes]:
        """Return each text's token numbers, as the bytes of 32-bit numbers."""
        if limit is None and self.prefix and list(texts) == [self.prefix.strip()]:
            # All of it is prefix, numbered as at the beginning of each text.
            tokens = len(self.backend.encode(clean(texts[0]), add_special_tokens=False).ids)
            yield np.arange(-2, -2 - tokens, -1, dtype=np.int32).tobytes()
            return
        side = self.calls
        self.calls += 1
        for text in texts:
            read = clean(prefix + text[:limit])
            encoding = self.backend.encode(read, add_special_tokens=False)
            offsets = np.array(encoding.offsets, dtype=np.int32).reshape(-1, 2) - len(prefix)
            numbers = self.count + np.arange(len(offsets), dtype=np.int32)
            before = int((offsets[:, 0] < 0).sum())
            numbers[:before] = np.arange(-2, -2 - before, -1)
            self.sides.append(np.full(len(offsets), side, dtype=np.int8))
            self.offsets.append(offsets)
            self.count += len(offsets)
            yield numbers.tobytes()
