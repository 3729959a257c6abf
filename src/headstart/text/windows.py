"""A question and a context that may be longer than a model's window: several sequences, each with a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from headstart.core.sequences import Encoded

if TYPE_CHECKING:
    from headstart.text.tokenizer import Tokenizer

STRIDE = 128  # tokens of a context that two neighbouring windows share, at most half of its room (Devlin et al. 2019)
CHUNK = 256  # contexts encoded at once
CHARACTERS = 64  # of a question, per token of the window


def encode(tokenizer: Tokenizer, questions: Sequence[str], contexts: Sequence[str], stride: int = STRIDE) -> Encoded:
    """Turn questions with their contexts into pairs of texts, a row's context in overlapping windows.

    Ids and segments are those of a fast tokenizer of Hugging Face with ``truncation="only_second"``. A question that
    fills more than half of the window is truncated to that.

    Args:
        tokenizer: the tokenizer.
        questions: one per row.
        contexts: one per row; equal ones are encoded once.
        stride: number of tokens that two neighbouring windows share, at most half of the context's room.

    Returns:
        `characters` are those of the context; both 0 for the question's tokens.
    """
    opening, between, closing = (
        np.array(part, dtype=np.int32) for part in (tokenizer.opening, tokenizer.between, tokenizer.closing)
    )
    room = max(2, tokenizer.window - len(opening) - len(between) - len(closing))
    longest = tokenizer.window * CHARACTERS
    asked = tokenizer.encode_whole([tokenizer.prefix + question[:longest] for question in questions])
    passages = _with_characters(tokenizer, contexts)
    tokens, characters, segments, lengths, rows = [], [], [], [0], [0]
    left_out = total = 0
    for number, context in enumerate(contexts):
        question = asked.tokens[asked.boundaries[number] : asked.boundaries[number + 1]]
        passage, places = passages[context]
        total += len(question) + len(passage)
        left_out += max(0, len(question) - room // 2)
        question = question[: room // 2]
        left = room - len(question)
        for start in _starts(len(passage), left, min(stride, left // 2)):
            part = passage[start : start + left]
            sizes = [len(opening), len(question), len(between), len(part), len(closing)]
            tokens += [opening, question, between, part, closing]
            before, after = np.zeros((sum(sizes[:3]), 2), np.int32), np.zeros((sizes[4], 2), np.int32)
            characters += [before, places[start : start + left], after]
            segments.append(np.repeat(np.array(tokenizer.segments, dtype=np.uint8), sizes))
            lengths.append(sum(sizes))
        rows.append(len(lengths) - 1)
    return Encoded(
        np.concatenate(tokens) if tokens else np.zeros(0, np.int32),
        np.cumsum(lengths, dtype=np.int64),
        left_out / total if total else 0.0,
        np.array(rows, dtype=np.int64),
        np.concatenate(segments) if segments and any(tokenizer.segments) else None,
        np.concatenate(characters) if characters else np.zeros((0, 2), np.int32),
    )


def _starts(count: int, room: int, stride: int) -> range:
    """Return where the windows of some tokens start: the last one is the first that reaches their end.

    >>> list(_starts(10, 6, 2)), list(_starts(6, 6, 2)), list(_starts(0, 6, 2))
    ([0, 4], [0], [0])
    """
    return range(0, max(1, count - stride), room - stride)


def _with_characters(tokenizer: Tokenizer, texts: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the ids ``(tokens,)`` of each different text, and where each token is in it ``(tokens, 2)``."""
    from headstart.text.tokenizer import clean

    found = {}
    different = list(dict.fromkeys(texts))
    for start in range(0, len(different), CHUNK):
        chunk = different[start : start + CHUNK]
        encodings = tokenizer.backend.encode_batch(list(map(clean, chunk)), add_special_tokens=False)
        for text, encoding in zip(chunk, encodings, strict=True):
            places = np.array(encoding.offsets, dtype=np.int32).reshape(-1, 2)
            found[text] = np.array(encoding.ids, dtype=np.int32), places
    return found
