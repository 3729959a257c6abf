"""Scores by the values of a column, recomputed plainly from random predictions."""

from dataclasses import replace

import numpy as np
import pytest
from tests.report import _kinds

from headstart.contest import subsets
from headstart.core.records import NO_VALUE, Predictions, Rows, Splits
from headstart.core.results import Interval
from headstart.metrics import labels, numbers, stats
from headstart.metrics.contrast import contrast
from headstart.tasks.classification import Classification

TASK = Classification()
ACCURACY, MACRO_F1 = TASK.metrics[:2]
CLASSES = ("a", "b", "c")


def rows(name: str, values, labels_) -> Rows:
    count = len(values)
    return Rows(tuple(f"{name}:{n}" for n in range(count)), ("x",) * count, tuple(labels_), subsets=tuple(values))


@pytest.fixture
def test_rows() -> Rows:
    random = np.random.default_rng(0)
    values = random.choice(["en", "de", "zh", NO_VALUE], 600, p=[0.5, 0.3, 0.15, 0.05])
    return rows("t", [*values, *["rare"] * 19], random.choice(CLASSES, 619))


def split(test: Rows, trained=("en", "de", "zh", "rare")) -> Splits:
    train = rows("r", trained, ["a"] * len(trained))
    return Splits(train, train, test, frozenset(), "x")


@pytest.fixture
def records(make_record, test_rows):
    """Two contenders of two seeds, the first with more errors on 'zh'."""
    random = np.random.default_rng(1)
    hard = np.array([value == "zh" for value in test_rows.subsets])
    made = []
    for name, easy, difficult in (("linear", 0.2, 0.6), ("majority", 0.5, 0.5)):
        for seed in (0, 1):
            wrong = random.random(619) < np.where(hard, difficult, easy)
            answers = np.where(wrong, random.choice(CLASSES, 619), np.array(test_rows.targets))
            made.append(make_record(name, answers.tolist(), score=0.5, seed=seed))
    return [*made, make_record("linear", ["a"] * 619, score=0.1, size=20)]


def answers(records, contender, places):
    team = [r for r in records if r.trial.contender == contender and r.trial.size is None]
    return [[record.predictions.values[place] for place in places] for record in team]


@pytest.mark.parametrize("metric", [ACCURACY, MACRO_F1], ids=lambda metric: metric.name)
def test_scores_are_those_of_the_rows_alone(records, test_rows, metric):
    found = subsets.scores("language", records, ["linear", "majority"], split(test_rows), TASK, metric)
    assert [(cell.contender, cell.value) for cell in found.scores[:5]] == [
        ("linear", value) for value in ("en", "de", "zh", NO_VALUE, "rare")
    ]
    assert found.test_rows == {value: test_rows.subsets.count(value) for value in found.test_rows}
    for cell in found.scores:
        places = [place for place, value in enumerate(test_rows.subsets) if value == cell.value]
        assert cell.rows == len(places)
        if cell.value == "rare":
            assert (cell.score, cell.difference, cell.p_value) == (None, None, None)
            continue
        others = sorted(set(range(619)) - set(places))

        def mean(chosen, contender=cell.contender):
            truth = [test_rows.targets[place] for place in chosen]
            return np.mean([labels.score(truth, given)[metric.name] for given in answers(records, contender, chosen)])

        assert cell.score.value == pytest.approx(mean(places))
        assert cell.score.low < cell.score.value < cell.score.high
        assert cell.difference.value == pytest.approx(mean(places) - mean(others))
        assert cell.difference.low < cell.difference.value < cell.difference.high


def test_p_values_are_corrected_together_and_find_the_hard_value(records, test_rows):
    found = subsets.scores("language", records, ["linear", "majority"], split(test_rows), TASK, ACCURACY)
    compared = [cell for cell in found.scores if cell.p_value is not None]
    plain = []
    for cell in compared:
        here = np.array([value == cell.value for value in test_rows.subsets])
        seeds = [labels.tally(test_rows.targets, given) for given in answers(records, cell.contender, range(619))]
        plain.append(contrast(seeds, ACCURACY, here).p_value)
    assert len(compared) == 8
    assert [cell.p_value for cell in compared] == pytest.approx(list(stats.holm(plain)))
    evident = {(cell.contender, cell.value): cell.difference.value for cell in compared if cell.p_value < 0.001}
    assert evident["linear", "zh"] < -0.1
    assert not [name for name, _ in evident if name == "majority"]


def test_rows_do_not_depend_on_other_rows(records, test_rows):
    """Other predictions for all rows of other values leave the score of a value as it is."""
    changed = [
        replace(
            record,
            predictions=Predictions(
                tuple(
                    given if value == "de" else "c"
                    for given, value in zip(record.predictions.values, test_rows.subsets, strict=True)
                )
            ),
        )
        for record in records
    ]
    before, after = (
        subsets.scores("language", some, ["linear"], split(test_rows), TASK, ACCURACY) for some in (records, changed)
    )
    (one,), (other,) = ([cell.score for cell in found.scores if cell.value == "de"] for found in (before, after))
    assert one.value == other.value


def test_the_interval_of_a_contrast_covers_the_true_difference():
    """200 simulated test sets with differences of 10 points between two halves of one model's rows."""
    random = np.random.default_rng(3)
    here = np.arange(300) < 100
    covered = 0
    for _ in range(200):
        right = random.random(300) < np.where(here, 0.7, 0.8)
        seeds = [labels.tally(["a", "b"] * 150, np.where(right, ["a", "b"] * 150, ["b", "a"] * 150).tolist())]
        interval = contrast(seeds, ACCURACY, here).difference
        covered += interval.low <= -0.1 <= interval.high
    assert 180 <= covered <= 199


def test_groups_are_independent_not_rows(records, test_rows):
    """Ten equal rows a group: the interval is wider than for rows alone."""
    random = np.random.default_rng(5)
    truth = ["a", "b"] * 200
    right = np.repeat(random.random(40) < 0.7, 10)
    tally = labels.tally(truth, np.where(right, truth, "c").tolist())
    here = np.arange(400) % 20 < 10
    groups = np.repeat(np.arange(40), 10)
    alone, together = (contrast([tally], ACCURACY, here, groups=own).difference for own in (None, groups))
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_scores_and_differences_of_values_take_groups_for_independent_not_rows(make_record):
    truth = ["a", "b"] * 200
    right = np.repeat(np.random.default_rng(5).random(40) < 0.7, 10)
    record = make_record("linear", np.where(right, truth, "c").tolist(), score=0.5)
    alone = rows("t", ["de" if number % 20 < 10 else "en" for number in range(400)], truth)
    grouped = replace(alone, groups=tuple(str(number // 10) for number in range(400)))
    narrow, wide = (
        subsets.scores("language", [record], ["linear"], split(test), TASK, ACCURACY).scores
        for test in (alone, grouped)
    )
    for one, other in zip(narrow, wide, strict=True):
        assert other.score.high - other.score.low > 2 * (one.score.high - one.score.low)
        assert other.difference.high - other.difference.low > 2 * (one.difference.high - one.difference.low)


def test_where_lower_is_better_a_positive_difference_is_better():
    truth = np.random.default_rng(2).normal(size=200)
    here = np.arange(200) < 50
    tally = numbers.tally(truth, truth + np.where(here, 0.1, 1.0))
    assert contrast([tally], numbers.METRICS[0], here).difference.value == pytest.approx(0.9)


def test_the_drop_on_values_that_no_training_row_has(records, test_rows):
    found = subsets.scores("language", records, ["linear", "majority"], split(test_rows, ("en", "de")), TASK, ACCURACY)
    assert found.shift.values == ("zh", "rare")
    assert found.shift.rows == sum(value in ("zh", "rare") for value in test_rows.subsets)
    seen, unseen = (
        [place for place, value in enumerate(test_rows.subsets) if value in chosen]
        for chosen in (("en", "de"), ("zh", "rare"))
    )
    scores = []
    for chosen in (seen, unseen):
        truth = [test_rows.targets[place] for place in chosen]
        scores.append(np.mean([labels.score(truth, given)["accuracy"] for given in answers(records, "linear", chosen)]))
    assert [found.shift.seen.value, found.shift.unseen.value] == pytest.approx(scores)
    assert found.shift.drop.value == pytest.approx(scores[0] - scores[1])
    (finding,) = subsets.findings(found, ACCURACY)
    assert (finding.kind, finding.severity, finding.count) == ("shift", "warning", found.shift.rows)
    assert finding.sentence.startswith(
        f"No training row has the language 'zh', 'rare' of {finding.count} of 619 test rows: linear scores accuracy "
    )
    assert f"on these, {100 * (scores[0] - scores[1]):.1f} points worse (95 % interval " in finding.sentence


def test_no_drop_where_the_training_rows_have_all_values(records, test_rows):
    found = subsets.scores("language", records, ["linear"], split(test_rows), TASK, ACCURACY)
    assert found.shift is None
    (finding,) = subsets.findings(found, ACCURACY)
    assert finding.sentence == "Training rows have every language that the test rows have."
    unknown = replace(split(test_rows), train=Rows(("r:0",), ("x",), ("a",)))
    (finding,) = subsets.findings(subsets.scores("language", records, ["linear"], unknown, TASK, ACCURACY), ACCURACY)
    assert finding.sentence.startswith("The training rows have no column 'language', so it is unknown ")
    other = subsets.scores("language", records, ["linear"], split(test_rows, ("fr",)), TASK, ACCURACY)
    (finding,) = subsets.findings(other, ACCURACY)
    assert finding.sentence.endswith("or with others, so no drop can be measured.")


def test_a_drop_within_its_uncertainty_is_no_evidence(records, test_rows):
    found = subsets.scores("language", records, ["majority"], split(test_rows, ("en", "zh")), TASK, ACCURACY)
    shift = replace(found.shift, drop=Interval(0.01, -0.02, 0.04))
    (finding,) = subsets.findings(replace(found, shift=shift), ACCURACY)
    assert finding.severity == "note"
    assert finding.sentence.endswith(
        "1.0 point worse (95 % interval -2.0 to 4.0), which is no evidence of a difference."
    )


@pytest.mark.parametrize("kind", sorted(_kinds.MADE))
def test_every_kind_of_answer_has_scores_by_value(kind):
    result = _kinds.make(kind)
    test = replace(result.splits.test, subsets=tuple("xy"[n % 2] for n in range(len(result.splits.test))))
    parts = replace(result.splits, test=test)
    metric = result.rules.metrics[0]
    found = subsets.scores("part", result.records, ["linear"], parts, result.rules, metric)
    assert [cell.rows for cell in found.scores] == [40, 40]
    assert found.scores[0].difference.value == pytest.approx(-found.scores[1].difference.value)
