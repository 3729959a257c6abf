"""A conditional random field over features of neighbouring words (Lafferty et al. 2001), for facts that words are.

CRFsuite learns the weights; they are saved as plain arrays, and the task decodes the scores.

Shapes: W words, F features, T tags.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from headstart.checkpoints import manifest
from headstart.core.attribution import Aim, Attributed
from headstart.core.contracts import Fitted, Task, Value, metric_values
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.files import make_folder, write_text
from headstart.core.records import Predictions, Progress, Rows, Run
from headstart.core.sequences import Encoded, Ragged
from headstart.core.tensors import save_arrays
from headstart.tasks._words import divided

if TYPE_CHECKING:
    from scipy import sparse

STRENGTHS = ((0.1, 0.1), (0.5, 0.01))  # of the penalties on absolute values and on squares
ITERATIONS = 100
# The words that each of a word's features is read from, by their distance, in the order of `_by_word`.
READ_FROM = ((), *[(0,)] * 10, (-2,), (-1,), (1,), (2,), (-2, -1), (-1, 0), (0, 1), (1, 2), (-1, 1), (-1, 0), (0, 1))
# From this many words on, a feature must occur twice to count. Not rows, which may be sentences or long documents.
MANY_WORDS = 20_000


@dataclass(frozen=True)
class WordTokens:
    """A tokenizer whose tokens are words; it numbers them as they come.

    words: the words by number.
    """

    words: list[str] = field(default_factory=list)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Divide texts at white space."""
        return self.encode_words([text.split() for text in texts])

    def encode_pairs(self, first: Sequence[str], second: Sequence[str]) -> Encoded:
        """Join both texts of each pair."""
        return self.encode([f"{one} {other}" for one, other in zip(first, second, strict=True)])

    def encode_windows(self, questions: Sequence[str], contexts: Sequence[str]) -> Encoded:
        """Join each question and its context."""
        return self.encode_pairs(questions, contexts)

    def encode_turns(self, rows: Sequence[Sequence[tuple[str, str]]]) -> Encoded:
        """Join what is said in each conversation."""
        return self.encode([" ".join(content for _, content in turns) for turns in rows])

    def encode_marked(self, rows: Sequence[Sequence[str]], numbers: Sequence[Sequence[int]]) -> Encoded:
        """Join the parts of each text."""
        return self.encode(["".join(parts) for parts in rows])

    def encode_words(self, rows: Sequence[Sequence[str]]) -> Encoded:
        """Give each word a number of its own."""
        lengths = np.array([0, *map(len, rows)])
        start = len(self.words)
        self.words.extend(word.strip() for words in rows for word in words)
        within = [np.arange(len(words), dtype=np.int32) for words in rows]
        return Encoded(
            np.arange(start, len(self.words), dtype=np.int32),
            np.cumsum(lengths),
            words=np.concatenate([np.zeros(0, np.int32), *within]),
        )


@dataclass(frozen=True)
class FittedCrf(Fitted):
    """Weights of features and of neighbouring tags.

    features: the features, in the order of the weights.
    weights: float32 ``(F, T)``.
    moves: of each tag after another, float32 ``(T, T)``.
    """

    task: Task
    features: tuple[str, ...]
    weights: np.ndarray
    moves: np.ndarray

    has_contributions: ClassVar[bool] = True

    @property
    def parameters(self) -> int:
        """The number of non-zero weights."""
        return int(np.count_nonzero(self.weights) + np.count_nonzero(self.moves))

    @property
    def trained_parameters(self) -> int:
        """The same: all weights are trained."""
        return self.parameters

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        """Predict any number of inputs, in order."""
        words = WordTokens()
        encoded = self.task.encode(inputs, words)
        numbers = {name: number for number, name in enumerate(self.features)}
        scores = np.asarray(_matrix(_by_word(words.words, encoded.boundaries), numbers) @ self.weights)
        return self.task.decode(Ragged(scores, encoded.boundaries, self.moves), encoded, inputs)

    def contributions(self, inputs: Sequence[Value], aims: Sequence[Aim]) -> tuple[Attributed, ...]:
        """Divide the weight of each feature of a fact's words, for their tags, among the words that it is read from.

        The score is that of the tags before the weights of neighbouring tags, which no word adds.
        """
        rows = sorted({aim.row for aim in aims})
        words = WordTokens()
        encoded = self.task.encode([inputs[row] for row in rows], words)
        features = list(_by_word(words.words, encoded.boundaries))
        numbers = {name: number for number, name in enumerate(self.features)}
        found = []
        for aim in aims:
            first, end = encoded.boundaries[rows.index(aim.row) :][:2].tolist()
            spans = divided(inputs[aim.row]).spans
            values, base = np.zeros(end - first), 0.0
            for span, output in zip(aim.places, aim.outputs, strict=True):
                word = spans.index(span)
                factors = np.full(len(self.moves), -1 / max(1, len(self.moves) - 1))  # of the tags
                factors[output] = 1
                for name, distances in zip(features[first + word], READ_FROM, strict=True):
                    if name not in numbers:
                        continue
                    added = float(self.weights[numbers[name]] @ factors)
                    read = [word + distance for distance in distances if 0 <= word + distance < len(values)]
                    values[read] += added / max(1, len(read))
                    base += 0.0 if read else added
            texts = np.zeros(len(spans), dtype=np.int64)
            score = base + float(values.sum())
            found.append(Attributed(texts, np.array(spans, dtype=np.int64), values, score, base))
        return tuple(found)

    def save(self, folder: Path, *, whole: bool = True) -> None:
        """Write the features as JSON and the weights as safetensors."""
        from headstart.saved import model_folder

        with model_folder.saving(folder) as fresh:
            save_arrays({"weights": self.weights, "moves": self.moves}, fresh / "crf.safetensors")
            write_text(fresh / "features.json", json.dumps({"features": self.features}))
            manifest.write(fresh, "linear", self.task, {})


def fit(train: Rows, validation: Rows, task: Task, run: Run) -> FittedCrf:
    """Fit with several strengths of the penalties; use the best on validation.

    Raises:
        UsageError: CRFsuite is not installed.
    """
    until = time.monotonic() + 60 * run.minutes if run.minutes is not None else float("inf")
    run.progress(Progress("reading texts", 0.0))
    words = WordTokens()
    encoded = task.encode(train.inputs, words)
    targets = np.maximum(task.targets(train, encoded).values, 0)
    by_word = list(_by_word(words.words, encoded.boundaries))
    names, numbered = _numbered(by_word, 2 if len(by_word) >= MANY_WORDS else 1)
    outputs = len(task.head().labels)
    best: tuple[float, FittedCrf] | None = None
    for number, strength in enumerate(STRENGTHS, start=1):
        learnt = _learn(numbered, targets, encoded.boundaries, len(names), outputs, strength, run.folder)
        used = np.flatnonzero(learnt[0].any(axis=1))
        model = FittedCrf(task, tuple(names[place] for place in used), learnt[0][used], learnt[1])
        rows = validation if len(validation) else train
        score = metric_values(task, model.predict(rows.inputs), rows)[run.metric]
        if best is None or score > best[0]:
            best = score, model
        run.progress(Progress("fitting", number / len(STRENGTHS), values={run.metric: best[0]}))
        if time.monotonic() > until:
            break
    assert best is not None
    return best[1]


def load(folder: Path, task: Task) -> FittedCrf:
    """Read a saved model.

    Raises:
        CheckpointError: features, weights and tags do not match.
    """
    from headstart.checkpoints import arrays
    from headstart.core.opening import read_object

    path = folder / "features.json"
    names = read_object(path).get("features")
    texts = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not isinstance(names, list) or not texts or len(set(names)) != len(names):
        raise CheckpointError(f"'{path}' must list each feature once; copy the folder again.")
    outputs = len(task.head().labels)
    shapes = {"weights": (len(names), outputs), "moves": (outputs, outputs)}
    stored = arrays.read(folder / "crf.safetensors", shapes, np.float32, {})
    return FittedCrf(task, tuple(names), stored["weights"], stored["moves"])


def _learn(
    numbered: Sequence[list[str]],
    targets: np.ndarray,
    boundaries: np.ndarray,
    features: int,
    outputs: int,
    strength: tuple[float, float],
    folder: Path,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights ``(F, T)`` and those of neighbouring tags ``(T, T)``; CRFsuite sees numbers, not names."""
    try:
        import pycrfsuite
    except ImportError:
        raise UsageError(
            "contender 'linear' needs CRFsuite for entities and events: pip install 'headstart[ner]', or leave it out."
        ) from None
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    trainer.set_params({"c1": strength[0], "c2": strength[1], "max_iterations": ITERATIONS})
    for start, end in pairwise(boundaries):
        if end > start:
            trainer.append(numbered[start:end], [str(number) for number in targets[start:end]])
    make_folder(folder)
    path = folder / "crfsuite.model"
    trainer.train(str(path))
    tagger = pycrfsuite.Tagger()
    tagger.open(str(path))
    info = tagger.info()
    tagger.close()
    path.unlink()
    weights = np.zeros((features, outputs), dtype=np.float32)
    for (name, tag), weight in info.state_features.items():
        weights[int(name), int(tag)] = weight
    moves = np.zeros((outputs, outputs), dtype=np.float32)
    for (before, tag), weight in info.transitions.items():
        moves[int(before), int(tag)] = weight
    return weights, moves


def _by_word(words: Sequence[str], boundaries: np.ndarray) -> Iterator[list[str]]:
    """Yield the features of each word: itself, its parts and form, and its neighbours up to two words away."""
    for start, end in pairwise(boundaries.tolist()):
        row = words[start:end]
        low = ["", "", *(word.lower() for word in row), "", ""]
        forms = ["", *map(_form, row), ""]
        for place, word in enumerate(row):
            far, before, own, after, further = low[place : place + 5]
            yield [
                "1",
                f"w={word}",
                f"l={own}",
                f"f={forms[place + 1]}",
                *(f"<{own[:length]}" for length in (1, 2, 3)),
                *(f">{own[-length:]}" for length in (1, 2, 3, 4)),
                f"-2={far}",
                f"-1={before}",
                f"+1={after}",
                f"+2={further}",
                f"-2-1={far} {before}",
                f"-1+0={before} {own}",
                f"+0+1={own} {after}",
                f"+1+2={after} {further}",
                f"-1+1={before} {after}",
                f"f-1={forms[place]} {forms[place + 1]}",
                f"f+1={forms[place + 1]} {forms[place + 2]}",
            ]


def _form(word: str) -> str:
    """Return what kind of characters a word has, each run of one kind once.

    >>> _form("iPhone-17")
    'aAa-0'
    """
    form = ""
    for letter in word:
        kind = "A" if letter.isupper() else "0" if letter.isdigit() else "a" if letter.isalpha() else letter
        form += kind if not form.endswith(kind) else ""
    return form


def _numbered(by_word: Sequence[list[str]], least: int) -> tuple[list[str], list[list[str]]]:
    """Return the features that occur often enough, and those of each word by their numbers, as text."""
    counts: dict[str, int] = {}
    for features in by_word:
        for name in features:
            counts[name] = counts.get(name, 0) + 1
    names = [name for name, count in counts.items() if count >= least]
    numbers = {name: str(number) for number, name in enumerate(names)}
    return names, [[numbers[name] for name in features if name in numbers] for features in by_word]


def _matrix(by_word: Iterator[list[str]], numbers: dict[str, int]) -> sparse.csr_matrix:
    """Return which features each word has, float32 ``(W, F)``."""
    from scipy import sparse

    columns: list[int] = []
    ends = [0]
    for features in by_word:
        columns += [numbers[name] for name in features if name in numbers]
        ends.append(len(columns))
    shape = (len(ends) - 1, len(numbers))
    return sparse.csr_matrix((np.ones(len(columns), np.float32), np.array(columns, np.int64), ends), shape=shape)
