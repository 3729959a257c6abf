"""The attention of a Transformer for one input, with the names of its tokens."""

from __future__ import annotations

from headstart.activations.attention import weights
from headstart.core.attribution import Attention
from headstart.core.contracts import Task, Value
from headstart.nn.heads import Model
from headstart.text import places
from headstart.text.places import NO_TEXT
from headstart.text.tokenizer import Tokenizer


def read(model: Model, task: Task, tokenizer: Tokenizer, device: str, value: Value, most: int) -> Attention:
    """Return how much the first tokens of an input attend to each other, see `Fitted.attention`."""
    encoded, where = places.encode(task, [value], tokenizer)
    texts = task.texts(value)
    length = int(encoded.boundaries[1])  # of the first window
    names = []
    for token in range(min(most, length)):
        start, end = where.characters[token].tolist()
        inside = "" if where.texts[token] == NO_TEXT else texts[where.texts[token]][start:end]
        names.append(inside or str(tokenizer.backend.id_to_token(int(encoded.tokens[token]))))
    found = weights(model, encoded, 0, most, device)[:, :, :most]
    return Attention(tuple(names), found, len(encoded.tokens) - len(names))
