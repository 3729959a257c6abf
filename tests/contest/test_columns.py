"""What columns, text and both are worth, recomputed from the predictions."""

from dataclasses import replace

import numpy as np
import pytest

from headstart.contest import columns
from headstart.contest.plan import plan
from headstart.core.errors import UsageError
from headstart.core.records import Rows, Splits
from headstart.core.tabular import Tabular
from headstart.metrics import stats
from headstart.tasks.classification import Classification

PLAIN = Classification()
TASK = replace(PLAIN, tabular=Tabular.of(["price"]))
ACCURACY = TASK.metrics[0]
WAYS = {"linear": "beside", "linear:text": "none", "linear:columns": "alone", "scratch:words": "words"}


def names(**arguments):
    planned = plan(train_rows=60, seeds=(0,), **arguments)
    return [trial.contender for trial in planned.trials], planned.skipped


@pytest.fixture
def splits():
    targets = np.random.default_rng(0).choice(["a", "b"], 400).tolist()
    rows = Rows(tuple(map(str, range(400))), ("x",) * 400, tuple(targets))
    return Splits(rows, rows, rows, frozenset(), "x")


@pytest.fixture
def records(make_record, splits):
    random = np.random.default_rng(1)
    made = [make_record("majority", ["a"] * 400, score=0.5)]
    for name, way in WAYS.items():
        right = random.random(400) < (0.9 if way in ("beside", "words") else 0.7)
        answers = [target if hit else "?" for target, hit in zip(splits.test.targets, right, strict=True)]
        options = {"columns": way, "layers": 2} if name.startswith("scratch") else {"columns": way}
        made.append(make_record(name, answers, score=0.5, options=options))
    return made


def test_each_is_compared_with_its_parts_on_the_same_rows(records, splits):
    found = {(one.contender, one.other): one for one in columns.worth(records, splits, TASK, ACCURACY)}
    assert {pair: one.role for pair, one in found.items()} == {
        ("linear", "linear:text"): "text",
        ("linear", "linear:columns"): "columns",
        ("scratch:words", "linear:columns"): "columns",
        ("linear:text", "majority"): "floor",
        ("linear:columns", "majority"): "floor",
    }
    answers = {record.trial.contender: np.array(record.predictions.values) for record in records}
    targets = np.array(splits.test.targets)
    for (one, other), compared in found.items():
        difference = (answers[one] == targets).mean() - (answers[other] == targets).mean()
        assert compared.difference.value == pytest.approx(difference)
        assert compared.difference.low < difference < compared.difference.high
    tallies = [[PLAIN.tally(record.predictions, splits.test.targets)] for record in records[1:3]]
    alone = stats.difference(stats.joint(tallies, ACCURACY), 0, 1)
    assert found["linear", "linear:text"].difference == alone.difference
    assert found["linear", "linear:text"].p_value >= alone.p_value


def test_without_columns_nothing_is_compared(records, splits):
    assert columns.worth(records, splits, PLAIN, ACCURACY) == ()


def test_a_contender_without_its_part_is_compared_with_what_there_is(records, splits):
    found = columns.worth([records[1]], splits, TASK, ACCURACY)
    assert found == ()


# --- the plan ------------------------------------------------------------------------------------------------------


def test_linear_competes_on_each_part_and_on_both():
    assert names(task=TASK, contenders=("majority", "linear"))[0] == [
        "majority",
        "linear:columns",
        "linear:text",
        "linear",
    ]
    assert names(task=PLAIN, contenders=("majority", "linear"))[0] == ["majority", "linear"]
    assert names(task=TASK, contenders=("linear:words",))[0] == ["linear:words"]


def test_a_transformer_on_the_text_alone_is_named(backbone):
    chosen = ("finetuned:full-text", "finetuned:full", "scratch:text", "scratch:words")
    planned = plan(
        task=TASK, train_rows=60, contenders=chosen, backbone=backbone, options={"full.layer_decay": "0.5"}, seeds=(0,)
    )
    found = {trial.contender: trial.options for trial in planned.trials}
    assert found.keys() == set(chosen)
    assert {name: options["columns"] for name, options in found.items()} == dict(
        zip(chosen, ("none", "beside", "none", "words"), strict=True)
    )
    assert found["finetuned:full-text"]["options"] == ("layer_decay=0.5",)
    assert {**found["finetuned:full-text"], "columns": "beside"} == found["finetuned:full"]


def test_a_contender_that_reads_no_columns_says_so_once():
    found, skipped = names(task=TASK, contenders=("linear", "distilled"))
    assert "distilled" not in found
    assert skipped == {"distilled": "it cannot read columns beside the text (--columns)"}


def test_a_way_to_read_columns_that_there_are_not_is_refused():
    for contender in ("linear:text", "scratch:words"):
        with pytest.raises(UsageError, match=r"reads columns beside the text in a way of its own .*--columns"):
            names(task=PLAIN, contenders=(contender,))


def test_an_unknown_way_of_a_strategy_is_refused():
    with pytest.raises(UsageError, match="contender 'finetuned' has no way 'tekst'; did you mean 'text'"):
        names(task=TASK, contenders=("finetuned:full-tekst",))
