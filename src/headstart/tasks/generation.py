"""Dialogue: the turns of a conversation, and the answer to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from headstart.core.attribution import Span
from headstart.core.contracts import Column, Tokenizer, Value
from headstart.core.errors import DataError
from headstart.core.records import Predictions
from headstart.core.sequences import Encoded
from headstart.core.tally import Metric, Tally
from headstart.data.cells import text_cell
from headstart.data.turns import messages, turns_cell
from headstart.metrics import likelihood
from headstart.tasks._written import Written
from headstart.text.removal import without

PROMPT = Column("prompt", frozenset({"messages", "conversation", "conversations", "turns", "dialog"}))
# A conversation holds its answer too, as the last turn of the assistant.
RESPONSE = Column("response", frozenset({"completion", "reply"}), target=True, required=False, inside=PROMPT.role)


def _example(prompt: str, response: str) -> tuple[Value, Value]:
    return ({"role": "user", "content": prompt},), (response,)


@dataclass(frozen=True)
class Generation(Written):
    """Answer a conversation; judged by how likely the right answers are."""

    SAMPLE: ClassVar[tuple[tuple[Value, Value], ...]] = (
        _example("Hello, who is there?", "It is Anna."),
        _example("Do you like films?", "Yes, old ones."),
        _example("What is the weather like?", "It is raining again."),
        _example("Did you see the game last night?", "No, I was at work."),
        _example("Where do you live?", "In a small town by the sea."),
        _example("Thank you for the talk.", "You too, good night!"),
    )
    columns: ClassVar[tuple[Column, ...]] = (PROMPT, RESPONSE)
    metrics: ClassVar[tuple[Metric, ...]] = likelihood.METRICS
    by_likelihood: ClassVar[bool] = True

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return the turns before the answer, and the answer: the response, or the last turn of the assistant.

        Raises:
            DataError: one of them is missing, a role is unknown, or a turn is empty.
        """
        turns = turns_cell(cells["prompt"], "prompt")
        if "response" not in cells:
            return (turns[:-1] if len(turns) > 1 and turns[-1]["role"] == "assistant" else turns), None
        whole = messages(cells["prompt"])
        if whole is None or cells["response"] != cells["prompt"]:
            return turns, (text_cell(cells["response"], "response"),)
        last = max((place for place, turn in enumerate(turns) if turn["role"] == "assistant"), default=-1)
        if last < 0:
            raise DataError("has no turn of the assistant to learn")
        if not last:
            raise DataError("has no turn before the first one of the assistant")
        return turns[:last], (turns[last]["content"],)

    def texts(self, value: Value) -> tuple[str, ...]:
        """Return what is said in each turn."""
        return tuple(turn["content"] for turn in value)

    def without(self, value: Value, removed: Sequence[Sequence[Span]]) -> Value:
        """Return turns without some of their words."""
        parts = zip(value, removed, strict=True)
        return tuple({**turn, "content": without(turn["content"], spans)} for turn, spans in parts)

    def encode(self, inputs: Sequence[Value], tokenizer: Tokenizer) -> Encoded:
        """Turn conversations into token ids."""
        return tokenizer.encode_turns([[(turn["role"], turn["content"]) for turn in turns] for turns in inputs])

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        """Add up the likelihoods of the answers."""
        return likelihood.tally(predictions.likelihoods, len(targets))

    def untrained(self, value: Value, way: int) -> str:
        """Return the last turn."""
        return str(value[-1]["content"])


PLUGIN = Generation
