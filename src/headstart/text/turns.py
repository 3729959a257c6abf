"""Conversations to token ids: the turns before an answer, as far as they fit, and the beginning of the answer.

A vocabulary with the tokens of ChatML has each turn between them, after its role, as in the models that were trained on
that layout. With any other vocabulary a turn is its text and the token that ends texts (Zhang et al. 2020, "DialoGPT").
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from headstart.core.sequences import Encoded

if TYPE_CHECKING:
    from headstart.text.tokenizer import Tokenizer

BEGIN, END = "<|im_start|>", "<|im_end|>"  # around a turn in ChatML
# In tokenizer_config.json: the system message of conversations that have none of their own.
SYSTEM = "headstart_system"

Turn = tuple[str, str]  # 'system', 'user' or 'assistant', and what is said


def encode(tokenizer: Tokenizer, rows: Sequence[Sequence[Turn]]) -> Encoded:
    """Turn conversations into token ids.

    Of a conversation beyond the window the oldest turns are left out, except a system message. A last turn that is too
    long by itself is cut off at its end.

    Args:
        tokenizer: its window is the maximum number of tokens.
        rows: the turns of each conversation, up to the answer; at least one.
    """
    marks = _marks(tokenizer)
    chat = bool(marks)
    default = tokenizer.settings.get(SYSTEM)
    if chat and isinstance(default, str):
        rows = [turns if turns[0][0] == "system" else [("system", default), *turns] for turns in rows]
    texts = [f"{role}\n{content}" if chat else content for turns in rows for role, content in turns]
    bodies = tokenizer.encode_whole([*texts, "\n", "assistant\n"])
    ids = [bodies.tokens[a:b].tolist() for a, b in itertools.pairwise(bodies.boundaries)]
    before: list[int] = []
    opening, closing, after = tokenizer.opening, before, tokenizer.ending
    if marks:
        before = [marks[0]]
        opening, closing, after = [], before + ids[-1], [marks[1], *ids[-2]]
    room = tokenizer.window - len(opening) - len(closing)
    joined: list[int] = []
    ends, place, total = [0], 0, 0
    for turns in rows:
        pieces = [[*before, *each, *after] for each in ids[place : place + len(turns)]]
        place += len(turns)
        total += sum(map(len, pieces)) + len(opening) + len(closing)
        joined += [*opening, *_latest(pieces, turns[0][0] == "system", room, after), *closing]
        ends.append(len(joined))
    return Encoded(np.array(joined, dtype=np.int32), np.array(ends, dtype=np.int64), 1 - len(joined) / max(1, total))


def _latest(pieces: Sequence[list[int]], system: bool, room: int, after: Sequence[int]) -> list[int]:
    """Return the tokens of the last turns that fit in so many tokens, and of a system message before them.

    >>> _latest([[1, 0], [2, 2, 0], [3, 0]], True, 4, [0]), _latest([[1, 0], [2, 2, 2, 0]], False, 3, [0])
    ([1, 0, 3, 0], [2, 2, 0])
    """
    first, rest = (list(pieces[0]), pieces[1:]) if system and len(pieces) > 1 else ([], pieces)
    if len(first) + len(rest[-1]) > room:
        first = []
    room -= len(first)
    used: list[list[int]] = []
    for piece in reversed(rest):
        if sum(len(other) for other in used) + len(piece) > room:
            break
        used.insert(0, piece)
    if not used:
        used = [[*rest[-1][: max(0, room - len(after))], *after]]
    return [*first, *itertools.chain.from_iterable(used)]


def is_chat(tokenizer: Tokenizer) -> bool:
    """Return whether a vocabulary has the special tokens of ChatML."""
    return bool(_marks(tokenizer))


def _marks(tokenizer: Tokenizer) -> list[int]:
    """Return the ids of the tokens around a turn in ChatML; empty if they are not special tokens of the vocabulary."""
    named = (tokenizer.backend.token_to_id(token) for token in (BEGIN, END))
    special = set(tokenizer.special)
    ids: list[int] = [number for number in named if number in special]
    return ids if len(ids) == 2 else []
