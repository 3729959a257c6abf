"""The answer to a question, as a part of a given text, or none: SQuAD and data like it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from headstart.core.attribution import Span
from headstart.core.contracts import Column, HeadPlan, Kind, Tokenizer, Value
from headstart.core.records import Predictions, Rows
from headstart.core.rooms import Signed
from headstart.core.sequences import Encoded, Ragged
from headstart.core.tabular import NO_COLUMNS, Tabular
from headstart.core.tally import Metric, Tally
from headstart.data.answers import answers_cell
from headstart.data.cells import text_cell
from headstart.metrics import strings
from headstart.text.removal import without

if TYPE_CHECKING:
    import numpy as np

LONGEST = 30  # tokens of an answer
KEPT = 20  # candidates for each row
QUESTION = Column("question", frozenset({"query", "questiontext"}), form="text")
CONTEXT = Column("context", frozenset({"passage", "paragraph", "contexttext"}), form="text")
ANSWERS = Column("answers", frozenset({"answer", "answertext", "answerstext"}), target=True)

Candidate = tuple[str, float]  # a text and its probability


def _example(question: str, context: str, answer: str = "") -> tuple[Value, Value]:
    return {"question": question, "context": context}, ((answer, context.index(answer)),) if answer else ()


@dataclass(frozen=True)
class QuestionAnswering:
    """Find the answer to a question in a context, or say that it has none.

    A model scores each token of the context as the first and as the last of the answer (Devlin et al. 2019, section
    4.2); a context that is longer than its window is read in several overlapping ones.

    unanswerable: whether some questions of the training rows have no answer; otherwise every question gets one.
    threshold: how much more probable than the best answer no answer must be to be predicted, as the logarithm of the
        ratio; None before :meth:`settled`.
    classes: none.
    input_columns: columns of the training rows, as in 'question=query'; empty if they are not known.
    """

    unanswerable: bool = False
    threshold: Signed | None = None
    classes: tuple[str, ...] = ()
    input_columns: tuple[str, ...] = ()

    SAMPLE: ClassVar[tuple[tuple[Value, Value], ...]] = (
        _example("Who built the bridge?", "Anna Berg built the bridge in 1887.", "Anna Berg"),
        _example("When was the bridge built?", "Anna Berg built the bridge in 1887.", "1887"),
        _example("Where does the river end?", "The river ends in the North Sea.", "the North Sea"),
        _example("What does the lake hold?", "The lake holds clear water. Boats are rare.", "clear water"),
        _example("Who wrote the song?", "Paul wrote the song, and Mary sang it.", "Paul"),
        _example("Who sold the house?", "Paul wrote the song, and Mary sang it."),
    )
    kind: ClassVar[Kind] = "text"
    generates: ClassVar[bool] = False
    by_likelihood: ClassVar[bool] = False
    settles: ClassVar[bool] = True
    ways: ClassVar[int] = 1
    columns: ClassVar[tuple[Column, ...]] = (QUESTION, CONTEXT, ANSWERS)
    tabular: ClassVar[Tabular] = NO_COLUMNS
    metrics: ClassVar[tuple[Metric, ...]] = strings.ANSWER_METRICS

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return question and context, and the accepted answers, each a text with its first character in the context.

        Raises:
            DataError: one of them is missing, or an answer is not in the context.
        """
        question, context = text_cell(cells["question"], "question"), text_cell(cells["context"], "context")
        target = answers_cell(cells["answers"], context) if "answers" in cells else None
        return {"question": question, "context": context}, target

    def fitted(self, train: Rows) -> QuestionAnswering:
        """Return the task that knows whether there are questions without an answer."""
        return replace(self, unanswerable=not all(train.targets), threshold=None)

    def texts(self, value: Value) -> tuple[str, ...]:
        """Return the question and the context."""
        return value["question"], value["context"]

    def without(self, value: Value, removed: Sequence[Sequence[Span]]) -> Value:
        """Return a question and a context without some of their words."""
        question, context = map(without, self.texts(value), removed)
        return {"question": question, "context": context}

    def stratum(self, target: Value) -> str:
        """Return 'no answer' for a question without one: splits preserve their share."""
        return "" if target else "no answer"

    def encode(self, inputs: Sequence[Value], tokenizer: Tokenizer) -> Encoded:
        """Turn questions and contexts into pairs of texts, several for a context beyond the tokenizer's window."""
        return tokenizer.encode_windows([value["question"] for value in inputs], [value["context"] for value in inputs])

    def head(self) -> HeadPlan:
        """Return the plan of a head that scores each token as the first and as the last of the answer."""
        return HeadPlan(("start", "end"), "ForQuestionAnswering")

    def targets(self, rows: Rows, encoded: Encoded) -> Ragged:
        """Return the places of the first answer's tokens, int64 ``(sequences, 2)``; 0 twice where it is not inside."""
        import numpy as np

        values = np.zeros((len(encoded.boundaries) - 1, 2), dtype=np.int64)
        for row, answers in enumerate(rows.targets):
            sequences = encoded.sequences(np.array([row]))
            for sequence in sequences if answers else ():
                first, ends = _context(encoded, sequence)
                text, start = answers[0]
                # A tokenizer may drop the characters at the context's beginning or end, such as control characters.
                low = 0 if sequence == sequences[0] else ends[0, 0]
                high = np.inf if sequence == sequences[-1] else ends[-1, 1]
                inside = np.flatnonzero((ends[:, 1] > start) & (ends[:, 0] < start + len(text)))
                if low <= start and start + len(text) <= high and len(inside):
                    values[sequence] = first + inside[0], first + inside[-1]
        return Ragged.single(values)

    def decode(self, outputs: Ragged, encoded: Encoded, inputs: Sequence[Value]) -> Predictions:
        """Turn logits ``(tokens, 2)`` into the best answer of each row, '' for none, and its best candidates.

        An answer's score is the sum of its two logits minus that of no answer in its window: those of the first token.
        The confidence of a row is the probability of its answer, or of no answer, among the candidates.
        """
        candidates = tuple(
            self._candidates(outputs.values, encoded, row, value["context"]) for row, value in enumerate(inputs)
        )
        return self.chosen(candidates)

    def chosen(self, candidates: Sequence[tuple[Candidate, ...]]) -> Predictions:
        """Return the best answer of each row's candidates, or '' where no answer is enough more probable."""
        import numpy as np

        values = tuple(map(self._best, candidates))
        confidence = [dict(each).get(value, 0.0) for value, each in zip(values, candidates, strict=True)]
        return Predictions(values, candidates=tuple(candidates), confidence=np.array(confidence, dtype=np.float64))

    def _candidates(self, logits: np.ndarray, encoded: Encoded, row: int, context: str) -> tuple[Candidate, ...]:
        """Return the best answers in all windows of a row with their probabilities, the most probable first."""
        import numpy as np

        scores: dict[str, float] = {"": 0.0} if self.unanswerable else {}
        for sequence in encoded.sequences(np.array([row])):
            first, characters = _context(encoded, sequence)
            null = logits[encoded.boundaries[sequence]].astype(np.float64).sum()
            begin = encoded.boundaries[sequence] + first
            for start, end, score in _spans(logits[begin : begin + len(characters)], characters):
                text = context[start:end].strip()
                if text:
                    scores[text] = max(scores.get(text, -np.inf), score - null)
        if not scores:
            return (("", 1.0),)
        best = sorted(scores.items(), key=lambda item: -item[1])[:KEPT]
        if self.unanswerable and "" not in dict(best):
            best[-1] = "", 0.0
        weights = np.exp(np.array([score for _, score in best]) - best[0][1])
        shares = weights / weights.sum()
        return tuple((text, float(share)) for (text, _), share in zip(best, shares, strict=True))

    def _best(self, candidates: Sequence[Candidate]) -> str:
        answer, odds = _answer(candidates)
        return "" if odds > (self.threshold or 0.0) else answer

    def settled(self, predictions: Predictions, targets: Sequence[Value]) -> QuestionAnswering:
        """Return the task with the threshold for no answer that gives the highest token F1; the lowest of equals."""
        import numpy as np

        if not self.unanswerable:
            return self
        answers = [_answer(candidates) for candidates in predictions.candidates]
        odds = np.array([each for _, each in answers])
        accepted = [self.accepted(target) for target in targets]
        answered = strings.answer_tally(accepted, [text for text, _ in answers]).rows.toarray()[:, 2]
        silent = strings.answer_tally(accepted, [""] * len(accepted)).rows.toarray()[:, 2]
        order = np.argsort(odds, kind="stable")
        # With the first n rows in this order answered: (rows + 1,).
        totals = np.cumsum([0.0, *answered[order]]) + np.cumsum([0.0, *silent[order][::-1]])[::-1]
        borders = np.concatenate([[-np.inf], odds[order], [np.inf]])
        possible = borders[1:] > borders[:-1]  # equal rows are answered alike
        count = int(np.argmax(np.where(possible, totals, -1.0)))
        low, high = np.clip(borders[count : count + 2], -1000.0, 1000.0)
        return replace(self, threshold=Signed(float((low + high) / 2)))

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        """Count what each row adds to the exact matches and to the token F1."""
        return strings.answer_tally([self.accepted(target) for target in targets], predictions.values)

    def accepted(self, target: Value) -> list[str]:
        """Return the texts that are right; of answers that normalise to nothing, and of none, the empty text."""
        return [text for text, _ in target if strings.normalised(text)] or [""]

    def untrained(self, value: Value, way: int) -> str:
        """Return the sentence of the context that shares most with the question, rare words counting more."""
        from headstart.text.sentences import nearest

        return nearest(value["question"], value["context"])


def _context(encoded: Encoded, sequence: int) -> tuple[int, np.ndarray]:
    """Return the place of a context's first token in its sequence, and the characters ``(tokens, 2)`` of its tokens."""
    import numpy as np

    assert encoded.characters is not None  # as `encode` made it
    characters = encoded.characters[encoded.boundaries[sequence] : encoded.boundaries[sequence + 1]]
    places = np.flatnonzero(characters[:, 1] > characters[:, 0])
    if not len(places):
        return 0, characters[:0]
    return int(places[0]), characters[places[0] : places[-1] + 1]


def _spans(logits: np.ndarray, characters: np.ndarray) -> Iterator[tuple[int, int, float]]:
    """Yield the best spans of a window, not in order: their first character, the one after the last, and their score.

    Args:
        logits: float32 ``(tokens, 2)``, of the context.
        characters: int32 ``(tokens, 2)``.
    """
    import numpy as np

    count = len(logits)
    if not count:
        return
    scores = np.where((characters[:, 1] > characters[:, 0])[:, None], logits.astype(np.float64), -np.inf)
    ends = np.concatenate([scores[:, 1], np.full(LONGEST - 1, -np.inf)])
    table = scores[:, :1] + np.lib.stride_tricks.sliding_window_view(ends, LONGEST)  # (tokens, lengths)
    flat = table.ravel()
    for place in np.argpartition(-flat, min(KEPT, len(flat) - 1))[:KEPT]:
        start, more = divmod(int(place), LONGEST)
        if flat[place] > -np.inf:
            yield int(characters[start, 0]), int(characters[start + more, 1]), float(flat[place])


def _answer(candidates: Sequence[Candidate]) -> tuple[str, float]:
    """Return the best answer, and the logarithm of how many times more probable no answer is."""
    import numpy as np

    text, share = next((each for each in candidates if each[0]), ("", 0.0))
    nothing = dict(candidates).get("", 0.0)
    if not share or not nothing:
        return text, np.inf if nothing else -np.inf
    return text, float(np.log(nothing) - np.log(share))


PLUGIN = QuestionAnswering
