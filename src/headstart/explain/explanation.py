"""What an explanation is: the words of an input, and what each adds to an answer."""

from __future__ import annotations

from dataclasses import dataclass

from headstart.core.contracts import Value


@dataclass(frozen=True)
class Word:
    """A word of an input: a word, a punctuation mark, or a character of a script without spaces.

    text: the word.
    source: number of the input's text that it is in.
    start: its first character there.
    end: the character after its last one.
    attribution: what it adds to the score of the answer; negative if it speaks against it.
    answer: whether it is part of the answer itself, such as an entity.
    """

    text: str
    source: int
    start: int
    end: int
    attribution: float
    answer: bool = False


@dataclass(frozen=True)
class Explanation:
    """Why a model gives an answer to an input, as far as single words say it.

    row: number of the input.
    texts: the texts of the input.
    name: the answer, as it is shown.
    value: the answer: a label, a number, a fact (start, end, type), or a text.
    confidence: probability of the answer, 0 to 1; of a number the number itself.
    method: the method of attribution.
    words: in order, those of the first text first.
    score: what the attributions explain: the logit of a class minus the mean of the other classes', the log odds of one
        of several labels, a number, or a sum of such scores over the words of a fact, or the ends of a text.
    base: the score without any word. For methods that divide the score, it and all attributions sum to `score`.
    """

    row: int
    texts: tuple[str, ...]
    name: str
    value: Value
    confidence: float
    method: str
    words: tuple[Word, ...]
    score: float
    base: float

    @property
    def top(self) -> tuple[Word, ...]:
        """The words that speak most for the answer, first; only those with a positive attribution."""
        return tuple(sorted((word for word in self.words if word.attribution > 0), key=lambda word: -word.attribution))
