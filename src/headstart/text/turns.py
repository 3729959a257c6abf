"""Conversations to token ids: the turns before an answer, as far as they fit, and the beginning of the answer.

A vocabulary with the tokens of ChatML has each turn between them, after its role, as in the models that were trained on
that layout. With any other vocabulary a turn is its text and the token that ends texts (Zhang et al. 2020, "DialoGPT").
"""

from __future__ import annotations

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
    """Turn conversations into token ids, each limited to the last tokens that fit in the tokenizer's window.

    Args:
        tokenizer: its window is the maximum number of tokens.
        rows: the turns of each conversation, up to the answer.
    """
    chat = is_chat(tokenizer)
    default = tokenizer.settings.get(SYSTEM)
    if chat and isinstance(default, str):
        rows = [turns if turns and turns[0][0] == "system" else [("system", default), *turns] for turns in rows]
    texts = [f"{role}\n{content}" if chat else content for turns in rows for role, content in turns]
    bodies = tokenizer.encode_whole([*texts, "\n", "assistant\n"])
    ids = [bodies.tokens[a:b].tolist() for a, b in zip(bodies.boundaries[:-1], bodies.boundaries[1:], strict=True)]
    begin, after, opening, closing = [], tokenizer.ending, tokenizer.opening, []
    if chat:
        newline, answer = ids[-2:]
        begin, end = ([tokenizer.backend.token_to_id(token)] for token in (BEGIN, END))
        after, opening, closing = end + newline, [], begin + answer
    room = tokenizer.window - len(opening) - len(closing)
    joined: list[int] = []
    ends, place, total, left_out = [0], 0, 0, 0
    for turns in rows:
        body = [token for each in ids[place : place + len(turns)] for token in (*begin, *each, *after)]
        place += len(turns)
        total += len(body)
        left_out += max(0, len(body) - room)
        joined += [*opening, *body[max(0, len(body) - room) :], *closing]
        ends.append(len(joined))
    return Encoded(np.array(joined, dtype=np.int32), np.array(ends, dtype=np.int64), left_out / max(1, total))


def is_chat(tokenizer: Tokenizer) -> bool:
    """Return whether a vocabulary has the special tokens of ChatML."""
    return {tokenizer.backend.token_to_id(token) for token in (BEGIN, END)} <= set(tokenizer.special)
