"""Inputs that are one text, or two, and columns beside them: what tasks with such rows share."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.core.attribution import Span
from headstart.core.contracts import Tokenizer, Value
from headstart.core.sequences import Encoded
from headstart.core.tabular import Tabular
from headstart.text.removal import without


class OneText:
    """A task whose inputs are one text each.

    tabular: columns that it reads beside the text, see `core.tabular`.
    """

    tabular: Tabular

    def texts(self, value: Value) -> tuple[str, ...]:
        """Return the text that an input is."""
        return (str(self.tabular.text(value)),)

    def without(self, value: Value, removed: Sequence[Sequence[Span]]) -> Value:
        """Return an input without some words of its text."""
        return self.tabular.replaced(value, without(self.texts(value)[0], removed[0]))

    def encode(self, inputs: Sequence[Value], tokenizer: Tokenizer) -> Encoded:
        """Turn texts into token ids, each truncated to the tokenizer's window."""
        return self.tabular.beside(tokenizer.encode([*map(self.tabular.text, inputs)]), inputs)


class TwoTexts(OneText):
    """A task whose inputs are two texts each."""

    def texts(self, value: Value) -> tuple[str, ...]:
        """Return both texts."""
        first, second = self.tabular.text(value)
        return first, second

    def without(self, value: Value, removed: Sequence[Sequence[Span]]) -> Value:
        """Return a pair without some words of its texts."""
        return self.tabular.replaced(value, tuple(map(without, self.texts(value), removed)))

    def encode(self, inputs: Sequence[Value], tokenizer: Tokenizer) -> Encoded:
        """Turn pairs into token ids and segments, the longer text truncated first to the tokenizer's window."""
        first, second = zip(*map(self.texts, inputs), strict=True) if inputs else ((), ())
        return self.tabular.beside(tokenizer.encode_pairs(first, second), inputs)
