"""What columns of validation and test rows may change: no test column any model or choice, none what is known of them.

Columns are poisoned: numbers a thousand times as large, categories and gaps that no training row has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.contracts.test_protocol import hashes

from headstart.contest import run as contest
from headstart.contest.plan import plan
from headstart.contest.trials import Terms
from headstart.core.records import Record, Rows, Splits
from headstart.core.tabular import Tabular
from headstart.saved import model_folder
from headstart.tasks.classification import Classification

TASK = Classification(tabular=Tabular.of(["price", "country"]))
CONTENDERS = ("majority", "linear", "scratch", "finetuned", "ensemble")


def some_rows(name: str, count: int, seed: int) -> Rows:
    """Make rows whose labels follow from the columns as well as from the texts, most of the time."""
    random = np.random.default_rng(seed)
    labels = [("good", "bad")[number % 2] for number in range(count)]
    inputs = tuple(
        {
            "text": " ".join(random.choice([label, "it", "is", "so", "film"], 4)),
            "columns": {
                "price": float(random.normal(label == "good")),
                "country": str(random.choice(["DE", "FR"] if label == "good" else ["FR", "PL"])),
            },
        }
        for label in labels
    )
    return Rows(tuple(f"{name}:{number}" for number in range(count)), inputs, tuple(labels))


def poisoned(rows: Rows) -> Rows:
    """Put other numbers, categories and gaps in the place of the columns; the texts stay."""
    columns = (
        {"price": None if number % 3 == 0 else 1e3 + number, "country": None if number % 3 == 1 else f"XX{number}"}
        for number in range(len(rows))
    )
    inputs = tuple({**value, "columns": each} for value, each in zip(rows.inputs, columns, strict=True))
    return dataclasses.replace(rows, inputs=inputs)


TRAIN, HELD_OUT, TEST = some_rows("a", 32, 0), some_rows("b", 12, 1), some_rows("c", 30, 2)


@pytest.fixture(scope="module")
def compete(tiny_options, tmp_path_factory) -> Callable[[Rows, Rows, Rows], tuple[list[Record], dict[str, Path]]]:
    """Let contenders that read columns compete; give the records, and the folder of the model that each leaves."""

    def competed(train: Rows, validation: Rows, test: Rows) -> tuple[list[Record], dict[str, Path]]:
        options = {f"{kind}.{name}": value for kind in CONTENDERS for name, value in tiny_options(kind).items()}
        backbone = options.pop("finetuned.backbone")
        trials = plan(
            task=TASK,
            train_rows=len(train),
            contenders=CONTENDERS,
            strategies=("frozen",),
            backbone=backbone,
            options={**options, "scratch.epochs": 1},
            seeds=(0,),
        ).trials
        terms = Terms(tmp_path_factory.mktemp("contest"), "accuracy")
        outcome = contest.run(Splits(train, validation, test, frozenset(), "columns"), TASK, trials, terms)
        assert outcome.failed == {}
        return list(outcome.records), dict(outcome.models)

    return competed


@pytest.fixture(scope="module")
def clean(compete):
    return compete(TRAIN, HELD_OUT, TEST)


def known(folder: Path) -> Tabular:
    """What a saved model knows of the columns."""
    return model_folder.open_model(folder).task.tabular


def test_columns_of_test_rows_change_nothing_but_test_scores(compete, clean):
    records, models = compete(TRAIN, HELD_OUT, poisoned(TEST))
    clean_records, clean_models = clean
    assert {"linear", "linear:text", "linear:columns", "finetuned:frozen", "scratch", "ensemble"} <= {
        name.partition("-")[0] for name in models
    }
    assert {name: hashes(folder) for name, folder in models.items()} == {
        name: hashes(folder) for name, folder in clean_models.items()
    }
    assert all(known(folder) == known(clean_models[name]) for name, folder in models.items())
    assert [record.validation for record in records] == [record.validation for record in clean_records]
    changed = {
        one.trial.contender for one, other in zip(records, clean_records, strict=True) if one.scores != other.scores
    }
    assert "linear:columns" in changed
    assert not changed & {"majority", "linear:text"}


def test_columns_of_validation_rows_change_nothing_that_is_known_of_columns(compete, clean):
    _, models = compete(TRAIN, poisoned(HELD_OUT), TEST)
    _, clean_models = clean
    assert all(known(folder) == known(clean_models[name]) for name, folder in models.items())


def test_columns_of_training_rows_are_learnt_from(compete, clean):
    _, models = compete(poisoned(TRAIN), HELD_OUT, TEST)
    _, clean_models = clean
    for name in ("linear", "linear:columns", "finetuned:frozen"):
        assert known(models[name]) != known(clean_models[name])
        assert hashes(models[name]) != hashes(clean_models[name])
    assert hashes(models["linear:text"]) == hashes(clean_models["linear:text"])
