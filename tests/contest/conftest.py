"""A small data set with something to learn, and records made up without training."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.contest.plan import plan
from headstart.contest.trials import Terms
from headstart.core.records import Cost, Predictions, Record, Rows, Splits, Trial
from headstart.tasks.classification import Classification

WORDS = {"good": ["love", "great", "fine", "happy"], "bad": ["hate", "poor", "broken", "sad"]}


def some_rows(name: str, count: int, seed: int) -> Rows:
    random = np.random.default_rng(seed)
    labels = ["good" if i % 3 else "bad" for i in range(count)]
    texts = [" ".join([*random.choice(WORDS[label], 2), *random.choice(list("vwxyz"), 3)]) for label in labels]
    return Rows(tuple(f"{name}:{i + 2}" for i in range(count)), tuple(texts), tuple(labels))


@pytest.fixture
def splits() -> Splits:
    train, validation, test = (some_rows(n, c, s) for n, c, s in (("a", 60, 0), ("b", 30, 1), ("c", 40, 2)))
    return Splits(train, validation, test, frozenset({"c:2", "c:3"}), "hash of the splits")


@pytest.fixture
def make_record():
    def make(contender: str, values, *, score=None, size=None, seed=0, train_rows=100, options=None, cost=None):
        sure = {"bad": (0.75, 0.25), "good": (0.25, 0.75)}
        probabilities = np.array([sure.get(value, (0.75, 0.25)) for value in values], dtype=np.float32)
        return Record(
            trial=Trial(contender, options or {}, size, seed),
            train_rows=train_rows,
            scores={"accuracy": score},
            clean_scores=None,
            validation={"accuracy": score},
            calibration={"ece": 0.1},
            cost=cost or Cost(1.0, 10, 5, 5, 100, 1.0, 2.0, 50.0, 0.0),
            data_sha256="x",
            machine={},
            commit="",
            made="",
            path="",
            predictions=Predictions(tuple(values), ("bad", "good"), probabilities),
        )

    return make


@pytest.fixture
def terms(tmp_path):
    return Terms(tmp_path / "contest", "accuracy")


@pytest.fixture
def trials():
    return plan(
        task=Classification(), train_rows=60, contenders=("majority", "linear"), sizes=(20, "all"), seeds=(0, 1)
    ).trials


@pytest.fixture
def ensemble():
    """Plans of an ensemble, by its contenders and whatever else a plan takes."""

    def planned(contenders=("majority", "linear", "ensemble"), **arguments):
        return plan(
            task=Classification(), train_rows=60, contenders=contenders, sizes=(20, "all"), seeds=(0, 1), **arguments
        ).trials

    return planned
