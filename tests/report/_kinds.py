"""A small made-up comparison for each kind of answer: a task, rows, contenders that err more or less, its Result."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from headstart.contest.trials import Terms
from headstart.core.contracts import Column, Kind, Value, metric_values
from headstart.core.records import Audit, Cost, Predictions, Record, Rows, Splits, Table, Trial
from headstart.core.results import Result
from headstart.core.tabular import NO_COLUMNS, Tabular
from headstart.core.tally import Metric, Tally
from headstart.metrics import labels, numbers, sets, strings
from headstart.report import judged

TRAIN, TEST, SEEDS = 400, 80, 2
# contender: how often it errs, from 0 to 1
CONTENDERS = {"majority": 1.0, "linear": 0.45, "finetuned:full": 0.2}
SIZES = (100, None)


@dataclass(frozen=True)
class FakeTask:
    """The part of a task that the report needs."""

    classes: tuple[str, ...] = ()
    input_columns: tuple[str, ...] = ("text=text",)
    tabular: Tabular = NO_COLUMNS

    kind: ClassVar[Kind] = "label"
    generates: ClassVar[bool] = False
    metrics: ClassVar[tuple[Metric, ...]] = labels.METRICS
    columns: ClassVar[tuple[Column, ...]] = (Column("text"), Column("target", target=True))
    SAMPLE: ClassVar[tuple[tuple[Value, Value], ...]] = ()

    def texts(self, value: Value) -> tuple[str, ...]:
        return (value,)

    def stratum(self, target: Value) -> str:
        return ""

    def fitted(self, train: Rows) -> FakeTask:
        return self

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        return labels.tally(targets, predictions.values)


class Label(FakeTask):
    """The label of a pair of texts."""

    def texts(self, value: Value) -> tuple[str, ...]:
        return tuple(value)


class Labels(FakeTask):
    kind = "labels"
    metrics = sets.METRICS

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        one, other = ([[(label,) for label in row] for row in rows] for rows in (targets, predictions.values))
        return sets.tally(one, other)


class Number(FakeTask):
    kind = "number"
    metrics = numbers.METRICS

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        return numbers.tally(targets, predictions.values)


class Facts(FakeTask):
    """Entities of a text that is given as tokens."""

    kind = "facts"
    metrics = sets.METRICS

    def texts(self, value: Value) -> tuple[str, ...]:
        return (" ".join(value),)

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        return sets.tally(targets, predictions.values)


class Text(FakeTask):
    """The answer to a question about a context."""

    kind = "text"
    metrics = tuple(reversed(strings.METRICS))

    def texts(self, value: Value) -> tuple[str, ...]:
        return value["question"], value["context"]

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        return strings.tally(targets, predictions.values)


@dataclass(frozen=True)
class Made:
    """How rows of a kind are made, and how a contender that errs answers.

    row: returns an input and its target for a row number.
    wrong: returns a wrong answer for a target.
    constant: the answer of 'majority'.
    """

    task: FakeTask
    row: Callable[[np.random.Generator, int], tuple[Value, Value]]
    wrong: Callable[[np.random.Generator, Any], Value]
    constant: Value


NAMES = ("Anna Berg", "Bilal Khan", "Chen Wei", "Dora", "Émile Zola", "Fatima Noor")
PLACES = ("Rome", "New York", "Köln", "Lagos", "Lima", "北京")
TOPICS = ("billing", "delivery", "quality", "praise", "refund")


def _label(rng: np.random.Generator, number: int) -> tuple[Value, Value]:
    claim = f"{rng.choice(NAMES)} lives in {rng.choice(PLACES)} ({number})"
    return (claim, f"According to the register, {claim}."), str(rng.choice(("supported", "refuted", "unclear")))


def _labels(rng: np.random.Generator, number: int) -> tuple[Value, Value]:
    chosen = tuple(sorted(rng.choice(TOPICS, size=rng.integers(0, 4), replace=False).tolist()))
    return f"Message {number} is about {' and '.join(chosen) or 'nothing in particular'}.", chosen


def _labels_wrong(rng: np.random.Generator, target: Any) -> Value:
    other = str(rng.choice(TOPICS))
    return tuple(sorted(set(target) ^ {other})) if rng.random() < 0.7 else (other,)


def _number(rng: np.random.Generator, number: int) -> tuple[Value, Value]:
    price = round(float(rng.lognormal(3, 0.7)), 2)
    return f"A used bicycle, number {number}, {'almost new' if price > 25 else 'well worn'}.", price


def _facts(rng: np.random.Generator, number: int) -> tuple[Value, Value]:
    name, place = str(rng.choice(NAMES)), str(rng.choice(PLACES))
    if number >= TRAIN and number % 4 == 0:
        name = f"{name.split()[0]} Novak"  # in no training text
    if number % 9 == 0:
        return tuple(f"Nothing happened on day {number} .".split()), ()
    tokens = tuple(f"{name} {number} moved to {place} .".split())
    start = len(f"{name} {number} moved to ")
    return tokens, ((0, len(name), "PER"), (start, start + len(place), "LOC"))


def _facts_wrong(rng: np.random.Generator, target: Any) -> Value:
    if not target:
        return ((0, 7, "ORG"),)
    (start, stop, kind), *rest = target
    changed = (((start, stop, "ORG"),), ((start, stop + 3, kind),), ((start, stop + 3, "ORG"),), ())
    return (*changed[int(rng.integers(4))], *rest)


def _text(rng: np.random.Generator, number: int) -> tuple[Value, Value]:
    name, place = str(rng.choice(NAMES)), str(rng.choice(PLACES))
    more = "It was a long journey. " * int(rng.integers(0, 9))
    context = f"In the year {1900 + number}, {name} moved from {place} to the sea. {more}"
    return {"question": f"Where did {name} come from?", "context": context}, (place, f"the city of {place}")


def _text_wrong(rng: np.random.Generator, target: Any) -> Value:
    return str(rng.choice(("the sea", f"a town near {target[0]}", "", "It was a long journey")))


MADE = {
    "label": Made(Label(), _label, lambda rng, target: str(rng.choice(("supported", "unclear"))), "supported"),
    "labels": Made(Labels(), _labels, _labels_wrong, ("billing",)),
    "number": Made(
        Number(), _number, lambda rng, target: round(float(0.6 * target + 10 + 6 * rng.standard_normal()), 2), 20.5
    ),
    "facts": Made(Facts(), _facts, _facts_wrong, ()),
    "text": Made(Text(), _text, _text_wrong, "the sea"),
}


def make(kind: str, test_rows: int = TEST) -> Result:
    """Make the comparison of a kind, ranked as a real one; equal arguments give equal results."""
    made, rng = MADE[kind], np.random.default_rng(3)
    rows = [made.row(rng, number) for number in range(TRAIN + test_rows)]
    whole = Rows(
        tuple(f"{kind}.jsonl:{number + 1}" for number in range(len(rows))),
        tuple(value for value, _ in rows),
        tuple(target for _, target in rows),
    )
    train, test = whole.take(range(TRAIN)), whole.take(range(TRAIN, TRAIN + test_rows))
    splits = Splits(train, test, test, frozenset(test.ids[:1]), "b" * 64)
    records = tuple(
        _record(made, contender, size, seed, splits)
        for contender in CONTENDERS
        for size in SIZES
        for seed in range(SEEDS)
    )
    with tempfile.TemporaryDirectory() as folder:
        terms = Terms(Path(folder), made.task.metrics[0].name)
        table = Table(f"{kind}.jsonl", Rows((), ()), {"text": ("text",), "target": ("target",)}, "a" * 64)
        audit = Audit({"train": TRAIN, "validation": test_rows, "test": test_rows}, {}, ())
        return judged.result(kind, made.task, table, splits, audit, records, terms, {})


def _record(made: Made, contender: str, size: int | None, seed: int, splits: Splits) -> Record:
    rng = np.random.default_rng([seed, size or 0, list(CONTENDERS).index(contender)])
    often = CONTENDERS[contender] * (1.0 if size is None or contender == "majority" else 1.5)
    values = tuple(
        made.constant
        if contender == "majority"
        else made.wrong(rng, target)
        if rng.random() < often
        else target[0]
        if made.task.kind == "text"
        else target
        for target in splits.test.targets
    )
    predictions = Predictions(values)
    scores = metric_values(made.task, predictions, splits.test)
    return Record(
        trial=Trial(contender, {"backbone": "minilm"} if ":" in contender else {}, size, seed),
        train_rows=size or TRAIN,
        scores=scores,
        clean_scores=None,
        validation=scores,
        calibration={},
        cost=Cost(10 * (1 - CONTENDERS[contender]) + 0.1, 1_000_000, 1000, 1000, 1_000_000, 0.5, 0.7, 900.0, 0.0),
        data_sha256="b" * 64,
        machine={"system": "Linux", "cores": 2},
        commit="543f71d0c0ffee",
        made=f"2026-11-23T22:1{seed}:00+00:00",
        path=f"runs/{made.task.kind}/trials/{contender}-{size}-{seed}.json",
        predictions=predictions,
    )
