"""The results that a comparison derives from its records: frozen dataclasses from a leaderboard line to the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.core.records import Audit, Cost, Record, Splits, Table
from headstart.core.tally import Metric, named

if TYPE_CHECKING:
    from headstart.core.contracts import Task


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """A line of the leaderboard: a contender on all training rows, over its seeds.

    contender: its name.
    score: mean over seeds; interval by bootstrap over test rows.
    spread: standard deviation over seeds.
    seeds: number of seeds.
    p_value: of being as good as the best, corrected for the best being chosen on the same rows; None for the winner.
    difference: how far the winner is ahead, with a 95 % interval that holds for all contenders at once; None likewise.
    ties: whether there is no evidence of a difference from the best at 5 %.
    clean: the score without leaked test rows; None if none leaked.
    scores: all metrics, means over seeds.
    calibration_error: mean over seeds, 0 to 1; None for a contender without probabilities.
    cost: median over seeds, field by field.
    above_floor: whether it is shown to be better than `majority`; True if that did not run.
    retried: number of seeds that collapsed and were trained again at a lower rate.
    collapsed: number of seeds that collapsed again.
    """

    contender: str
    score: Interval
    spread: float
    seeds: int
    p_value: float | None
    difference: Interval | None
    ties: bool
    clean: Interval | None
    scores: Mapping[str, float]
    calibration_error: float | None
    cost: Cost
    above_floor: bool = True
    retried: int = 0
    collapsed: int = 0


@dataclass(frozen=True)
class CurvePoint:
    """A contender at one number of training rows: mean and spread over seeds."""

    contender: str
    size: int
    score: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True)
class Equivalent:
    """How many labels `contender` would need to reach what `reference` reaches with `size` labels.

    contender: the contender that needs more labels.
    reference: the contender to match.
    size: training rows of the reference.
    score: score of the reference with them.
    labels: the estimate with its interval over seeds, None if the curve does not reach the score.
    beyond: the largest size tried, for 'more than'.
    """

    contender: str
    reference: str
    size: int
    score: float
    labels: Interval | None
    beyond: int


@dataclass(frozen=True)
class LadderLevel:
    """One level of the ladder from the majority baseline to the most expensive way of training, and what it adds.

    name: name of the level, such as 'light tuning'.
    contender: the one that represents the level, the best of it on validation.
    score: as in the contender's Standing.
    cost: as in the contender's Standing.
    over: the contender it is compared with, the best on validation of all levels below; '' on the lowest level.
    gain: difference of the two scores; None on the lowest level.
    p_value: of the paired comparison, corrected for the number of levels (Holm); None on the lowest level.
    ties: whether there is no evidence of a difference at 5 %.
    worth: the labels that `over` would need for the same score; None if it has no learning curve.
    """

    name: str
    contender: str
    score: Interval
    cost: Cost
    over: str = ""
    gain: Interval | None = None
    p_value: float | None = None
    ties: bool = False
    worth: Equivalent | None = None


@dataclass(frozen=True)
class BaselineComparison:
    """A contender compared on the same test rows with one that it builds on, or with a baseline.

    contender: an ensemble, a student, or one of those that show what columns beside the text are worth.
    other: the contender it is compared with.
    role: of an ensemble or a student: 'member' (the best member), 'teacher', 'alone' (the same student without a
        teacher) or 'linear'. Where there are columns: 'text' (the same without them), 'columns' (they alone) or
        'floor'.
    difference: score of the contender minus that of the other, mean over seeds.
    p_value: of the paired comparison, corrected for the number of comparisons (Holm).
    """

    contender: str
    other: str
    role: str
    difference: Interval
    p_value: float


@dataclass(frozen=True)
class SubsetScore:
    """A contender's score on the test rows with one value of a column.

    contender: its name.
    value: the value.
    rows: number of test rows with it.
    score: mean over seeds on these rows; None for fewer than `contest.subsets.FEWEST_ROWS`.
    difference: how much better the contender is on these rows than on all others, so that a positive one is better
        whatever the metric; None with too few rows here or elsewhere.
    p_value: of no difference, corrected for the number of all such comparisons (Holm); None without `difference`.
    """

    contender: str
    value: str
    rows: int
    score: Interval | None
    difference: Interval | None
    p_value: float | None


@dataclass(frozen=True)
class Shift:
    """The winner's scores on test rows with values that training rows have, and with other values.

    contender: the winner.
    seen: score on rows with values that training rows have; None with too few such rows, or none.
    unseen: score on rows with other values; likewise.
    drop: how much better it is on `seen` than on `unseen`; None if either is.
    values: the values that no training row has.
    rows: number of test rows with them.
    """

    contender: str
    seen: Interval | None
    unseen: Interval | None
    drop: Interval | None
    values: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class SubsetScores:
    """The scores of all contenders by the values of a column of the test rows.

    column: its name.
    test_rows: value -> number of test rows, the most frequent first.
    train_rows: value -> number of training rows; empty if the training rows lack the column.
    scores: of each contender, in leaderboard order, for each value in the order of `test_rows`.
    shift: the winner on values that no training row has; None if there are none, or the training rows lack the column.
    """

    column: str
    test_rows: Mapping[str, int]
    train_rows: Mapping[str, int]
    scores: tuple[SubsetScore, ...]
    shift: Shift | None


@dataclass(frozen=True)
class StressScore:
    """A contender's answers to the same rows before and after a transformation of their texts.

    contender: its name.
    transformation: its name, such as 'typos:10%'.
    rows: number of rows.
    changed: number of rows that the transformation changes.
    altered: share of these whose predicted value is another one, 0 to 1; None if none is changed, and for numbers and
        facts.
    before: score of all rows as they are.
    after: score of all rows after it; None if a person would answer many rows otherwise.
    loss: how much worse the score of all rows is, with the 95 % interval of the paired comparison; negative if it is
        better. None as for `after`.
    loss_of_changed: the same of the changed rows alone; None too if they are fewer than `contest.stress.FEWEST_ROWS`.
    p_value: of no loss, corrected for the number of all such tests (Holm); None without `loss`.
    calibration_before: expected calibration error of all rows as they are; None without labels and probabilities.
    calibration_after: the same after it; None as for `after` too.
    """

    contender: str
    transformation: str
    rows: int
    changed: int
    altered: float | None
    before: float
    after: float | None
    loss: Interval | None
    loss_of_changed: Interval | None
    p_value: float | None
    calibration_before: float | None
    calibration_after: float | None


@dataclass(frozen=True)
class BrokenRow:
    """A row that was answered right before a transformation and wrong, with much confidence, after it.

    contender: its name.
    transformation: its name.
    id: of the row.
    target: the true label.
    predicted: the label that is predicted after the transformation.
    confidence: probability of that label, 0 to 1.
    text: the row's input as text.
    changed_text: the same after the transformation.
    """

    contender: str
    transformation: str
    id: str
    target: str
    predicted: str
    confidence: float
    text: str
    changed_text: str


@dataclass(frozen=True)
class StressResult:
    """What transformations of the texts do to contenders.

    rows: number of rows.
    all_rows: number of rows that they were chosen from at random.
    scores: of each contender, in leaderboard order, for each transformation.
    broken: for each contender and transformation after which a person would answer as before, the row that is wrong
        with the most confidence, those with the most confidence first; for tasks with one label per row.
    promises: transformation -> what it does.
    expected: transformation -> what a person would answer after it, see `stress.Expected`.
    left_out: transformation -> why it was not tried.
    """

    rows: int
    all_rows: int
    scores: tuple[StressScore, ...]
    broken: tuple[BrokenRow, ...]
    promises: Mapping[str, str]
    expected: Mapping[str, str]
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class Result:
    """A complete comparison, ready to be reported.

    metric: name of the score that decides, one of the task's.
    task: name of the task.
    rules: the task itself, not fitted.
    skipped: contender -> why it did not run.
    reliability: contender -> (mean confidence, accuracy, rows) per bin; empty for kinds other than one label.
    baselines: ensembles and students compared with the contenders they build on.
    by: scores by the values of a column; None if none was named.
    columns: what columns beside the text are worth; empty without them.
    stress: what transformations of the test rows do to the contenders; None if that was not asked for.
    """

    name: str
    metric: str
    task: str
    rules: Task
    table: Table
    splits: Splits
    audit: Audit
    records: tuple[Record, ...]
    standings: tuple[Standing, ...]
    curve: tuple[CurvePoint, ...]
    equivalents: tuple[Equivalent, ...]
    ladder: tuple[LadderLevel, ...]
    reliability: Mapping[str, tuple[tuple[float, float, int], ...]]
    skipped: Mapping[str, str]
    folder: Path
    baselines: tuple[BaselineComparison, ...] = ()
    by: SubsetScores | None = None
    columns: tuple[BaselineComparison, ...] = ()
    stress: StressResult | None = None


def deciding(result: Result) -> Metric:
    """Return the metric that decides a comparison."""
    return named(result.rules.metrics, result.metric)
