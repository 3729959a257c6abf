"""The answers that are explained, and how sure a model is of them when words are removed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headstart.core.attribution import Aim, Span
from headstart.core.contracts import Fitted, Kind, Task, Value
from headstart.core.errors import DataError, UsageError, did_you_mean, shown
from headstart.core.records import Predictions
from headstart.tasks._words import divided
from headstart.text.scripts import spans_of_words

if TYPE_CHECKING:
    import numpy as np

LEAST = 1e-12  # probability below which a logarithm is not taken


@dataclass(frozen=True)
class Source:
    """An input with its words.

    value: the input.
    texts: its texts.
    words: of each word the number of its text, its start and its end.
    """

    value: Value
    texts: tuple[str, ...]
    words: tuple[tuple[int, int, int], ...]

    @staticmethod
    def of(task: Task, value: Value) -> Source:
        """Divide the texts of an input into words.

        Raises:
            DataError: it has none.
        """
        texts = task.texts(value)
        words = tuple(
            (number, start, end)
            for number, text in enumerate(texts)
            for start, end in (divided(value).spans if task.kind == "facts" else spans_of_words(text))
        )
        if not words:
            raise DataError(f"the text {shown(' '.join(texts))} has no words to explain; give one with words.")
        return Source(value, texts, words)

    def without(self, task: Task, removed: Sequence[int]) -> Value:
        """Return the input without the words of these numbers, ascending."""
        spans: list[list[Span]] = [[] for _ in self.texts]
        for number in removed:
            text, start, end = self.words[number]
            spans[text].append((start, end))
        return task.without(self.value, spans)


@dataclass(frozen=True)
class Answer:
    """An answer to explain.

    aim: as outputs of a head.
    name: as it is shown.
    value: the answer itself.
    own: numbers of the words that it consists of, which are never removed, ascending.
    """

    aim: Aim
    name: str
    value: Value
    own: tuple[int, ...] = ()


def find(task: Task, sources: Sequence[Source], predictions: Predictions, wanted: str | None) -> list[Answer]:
    """Return the answers to explain, in the order of the inputs.

    That is the predicted label; each predicted label of several, or the most probable one if there is none; the number;
    each fact; or the predicted text.

    Args:
        task: the task.
        sources: the inputs.
        predictions: of the inputs.
        wanted: a class to explain instead of the predicted ones; of facts, their type.

    Raises:
        UsageError: the task does not have this class.
    """
    if wanted is not None and wanted not in task.classes:
        if not task.classes:
            raise UsageError(f"the model has no classes, so none is called {shown(wanted)}; leave it out.")
        raise UsageError(f"no class {shown(wanted)}; {did_you_mean(wanted, task.classes)}")
    found: list[Answer] = []
    before = 0  # words of earlier inputs
    for row, source in enumerate(sources):
        value = predictions.values[row]
        if task.kind == "label":
            name = wanted if wanted is not None else str(value)
            found.append(Answer(Aim(row, (task.classes.index(name),)), name, name))
        elif task.kind == "labels":
            names = [wanted] if wanted is not None else list(value)
            if not names:
                assert predictions.probabilities is not None
                names = [task.classes[int(predictions.probabilities[row].argmax())]]
            found += [Answer(Aim(row, (task.classes.index(name),)), name, name) for name in names]
        elif task.kind == "number":
            found.append(Answer(Aim(row, (0,)), f"{value:.4g}", value))
        elif task.kind == "facts":
            words = slice(before, before + len(source.words))
            facts = [fact for fact in value if wanted is None or str(fact[-1]) == wanted]
            found += [_fact(task, row, source, fact, predictions, words) for fact in facts]
            before += len(source.words)
        else:
            found.append(_text(row, source, str(value)))
    return found


def _fact(
    task: Task, row: int, source: Source, fact: Sequence[Value], predictions: Predictions, words: slice
) -> Answer:
    """Return a fact as the most probable tags of its words that say one type; `words` are those of its input."""
    assert predictions.parts is not None
    tags = predictions.parts[words]  # (words, tags)
    names = task.head().labels
    start, end = fact[:2]
    inside = [number for number, (_, first, last) in enumerate(source.words) if first < end and start < last]
    firsts = [number for number, name in enumerate(names) if name.startswith("B-")]
    first = max(firsts, key=lambda number: float(tags[inside[0], number]))
    following = names.index(f"I-{names[first].removeprefix('B-')}")
    outputs = (first, *(following for _ in inside[1:]))
    spans = tuple(source.words[number][1:] for number in inside)
    text = source.texts[0][start:end]
    return Answer(Aim(row, outputs, spans), f"{text} ({fact[-1]})", tuple(fact), tuple(inside))


def _text(row: int, source: Source, value: str) -> Answer:
    """Return an answer as the places where it occurs in the last text of its input; the empty text as none."""
    context = len(source.texts) - 1
    matches = re.finditer(f"(?={re.escape(value)})", source.texts[context]) if value else ()
    spans = tuple((match.start(), match.start() + len(value)) for match in matches)
    own = tuple(
        number
        for number, (text, first, last) in enumerate(source.words)
        if text == context and any(first < end and start < last for start, end in spans)
    )
    return Answer(Aim(row, (0, 1), spans), value or "(no answer)", value, own)


@dataclass(frozen=True)
class Reduced:
    """An input without some words, of which a model is asked for an answer.

    source: the input.
    answer: the answer that is looked for.
    removed: numbers of the words that are removed, ascending.
    """

    source: Source
    answer: Answer
    removed: tuple[int, ...]


def ask(model: Fitted, reduced: Sequence[Reduced]) -> tuple[np.ndarray, np.ndarray]:
    """Return the score of each answer (see `Explanation.score`) and its probability, or the number: float64 ``(N,)``.

    Args:
        model: the model, which predicts equal inputs once.
        reduced: inputs without some words, and the answers to look for.
    """
    import numpy as np

    numbers: dict[tuple[int, tuple[int, ...]], int] = {}
    places = np.array(
        [numbers.setdefault((each.answer.aim.row, each.removed), len(numbers)) for each in reduced], dtype=np.int64
    )
    _, first = np.unique(places, return_index=True)
    different = [reduced[number] for number in first]
    predictions = model.predict([each.source.without(model.task, each.removed) for each in different])
    counts = [len(each.source.words) - len(each.removed) for each in different]
    return judge(model.task.kind, reduced, predictions, places, np.cumsum([0, *counts]))


def judge(
    kind: Kind, reduced: Sequence[Reduced], predictions: Predictions, places: np.ndarray, words: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the score and the probability of each answer, see :func:`ask`.

    Args:
        kind: of the task.
        reduced: inputs without some words, and the answers to look for.
        predictions: of the different ones among these inputs.
        places: of each reduced input the number of its prediction, int64 ``(N,)``.
        words: boundaries of the words of the different inputs.
    """
    import numpy as np
    from scipy.special import logit

    if kind == "number":
        values = np.array(predictions.values, dtype=np.float64)[places]
        return values, values
    if kind in ("label", "labels"):
        assert predictions.probabilities is not None
        columns = np.array([each.answer.aim.outputs[0] for each in reduced], dtype=np.int64)
        shares = predictions.probabilities.astype(np.float64)[places]
        own = shares[np.arange(len(reduced)), columns]
        return (_against_others(shares, columns) if kind == "label" else logit(np.clip(own, LEAST, 1 - 1e-9))), own
    if kind == "text":
        # A model without candidates is sure of what it predicts.
        known = [*map(dict, predictions.candidates)] or [{value: 1.0} for value in predictions.values]
        own = np.array([known[place].get(each.answer.value, 0.0) for place, each in zip(places, reduced, strict=True)])
        return logit(np.clip(own, LEAST, 1 - 1e-9)), own
    assert predictions.parts is not None
    scores, probabilities = np.zeros(len(reduced)), np.ones(len(reduced))
    for number, (place, each) in enumerate(zip(places, reduced, strict=True)):
        inside = np.array(each.answer.own, dtype=np.int64)
        tags = predictions.parts[words[place] + inside - np.searchsorted(each.removed, inside)].astype(np.float64)
        outputs = np.array(each.answer.aim.outputs, dtype=np.int64)
        scores[number] = _against_others(tags, outputs).sum()
        probabilities[number] = tags[np.arange(len(tags)), outputs].prod()
    return scores, probabilities


def _against_others(shares: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return log probabilities of some columns minus the mean of the others': ``(N, outputs)`` to ``(N,)``."""
    import numpy as np

    logarithms = np.log(np.maximum(shares, LEAST))
    own: np.ndarray = logarithms[np.arange(len(shares)), columns]
    others = max(1, shares.shape[1] - 1)
    above: np.ndarray = own - (logarithms.sum(axis=1) - own) / others
    return above
