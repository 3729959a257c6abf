"""What the parts of an input add to an answer, as plain data: see the room `explain`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Span = tuple[int, int]  # start and end, in characters


@dataclass(frozen=True)
class Aim:
    """An answer to one input, as the outputs of a head that decide it.

    Its score is the sum of these outputs, each minus the mean of its alternatives: of a class the other classes, of a
    word's tag the other tags, of a text's first or last token the other tokens. The outputs of tasks with several
    labels or with numbers have no alternatives.

    row: number of the input.
    outputs: numbers of the outputs.
    places: where they are read in the text that facts or answers are parts of: for facts the word of each output; for a
        text every place where it occurs, of which the one with the highest score counts, and none for no answer. Empty
        for answers about the whole input.
    """

    row: int
    outputs: tuple[int, ...]
    places: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Steps:
    """Where gradients are taken on the straight line from a baseline to an input, and the weight of each.

    positions: 0 (baseline) to 1 (input).
    weights: of the same number.
    baseline: 'mask' for the input with mask tokens in place of its own, 'zero' for embeddings of zeros.
    """

    positions: tuple[float, ...]
    weights: tuple[float, ...]
    baseline: Literal["mask", "zero"]


@dataclass(frozen=True)
class Attributed:
    """What each part of an input's texts adds to the score of an answer.

    texts: number of the text that each part is in, int64 ``(parts,)``.
    characters: its start and end there, int64 ``(parts, 2)``; parts may overlap.
    values: float64 ``(parts,)``.
    score: of the input.
    base: the score that the parts are added to: of the baseline, or of an intercept and what is not text.
    """

    texts: np.ndarray
    characters: np.ndarray
    values: np.ndarray
    score: float
    base: float


@dataclass(frozen=True)
class Attention:
    """How much the tokens of an input attend to each other; of an input in several windows those of the first.

    tokens: what each token is in the text, or its name, such as '[CLS]', if it is not from a text.
    weights: of each layer and head, by the token that attends and the one that it attends to, float32 ``(layers, heads,
        tokens, tokens)``. If no token is left out, each row sums to 1.
    left_out: number of further tokens.
    """

    tokens: tuple[str, ...]
    weights: np.ndarray
    left_out: int
