"""What a comparison finds in its records: the frozen dataclasses from the leaderboard to the whole result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headstart.core.records import Audit, Cost, Record, Splits, Table


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """A line of the leaderboard: a contender on all training rows, over its seeds.

    score: mean over seeds; interval by bootstrap over test rows. spread: standard deviation over seeds.
    p_value: of being as good as the best, allowing for the best being picked on the same rows; None for the winner.
    difference: how far the winner is ahead, with a 95 % interval that holds for all contenders at once; None likewise.
    ties: whether there is no evidence of a difference from the best at 5 %.
    clean: the score without leaked test rows; None where none leaked.
    calibration_error: mean over seeds, 0 to 1; None for a contender without probabilities.
    cost: the median over seeds, field by field.
    above_floor: whether it is shown to be better than `majority`; True where that did not run.
    retried: how many of the seeds collapsed and were trained again at a lower rate; collapsed: how many did then too.
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

    labels: the estimate with its interval over seeds, None where the curve does not get there.
    beyond: the largest size tried, so that the sentence can say 'more than'.
    """

    contender: str
    reference: str
    size: int
    score: float
    labels: Interval | None
    beyond: int


@dataclass(frozen=True)
class Rung:
    """A rung of the ladder from the floor to the most expensive way of learning, and what it adds.

    contender: the one that stands for the rung, the best of it on validation. score, cost: as in its Standing.
    over: what the gain is over: of the rungs below, the contender that is best on validation; '' on the lowest rung.
    gain: difference of the scores; p_value: of the paired comparison, corrected (Holm); None on the lowest rung.
    ties: whether there is no evidence of a difference at 5 %.
    worth: the labels that `over` would need for the same score; None without a learning curve of it.
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
class Receipt:
    """A contender that builds on others beside another one, on the same test rows: what its making was worth.

    role: what the other is to it: 'member' (the best of several), 'teacher', 'alone' (the same student without a
        teacher) or 'linear'.
    difference: its score less the other's, mean over seeds.
    p_value: of the paired comparison, corrected for the number of receipts (Holm).
    """

    contender: str
    other: str
    role: str
    difference: Interval
    p_value: float


@dataclass(frozen=True)
class Result:
    """A whole comparison, ready to be told.

    verdict: three to five plain sentences. skipped: contender -> why it did not run.
    reliability: contender -> (mean confidence, accuracy, rows) per bin.
    receipts: of the contenders that build on others.
    """

    name: str
    metric: str
    task: str
    table: Table
    splits: Splits
    audit: Audit
    records: tuple[Record, ...]
    standings: tuple[Standing, ...]
    curve: tuple[CurvePoint, ...]
    equivalents: tuple[Equivalent, ...]
    ladder: tuple[Rung, ...]
    reliability: Mapping[str, tuple[tuple[float, float, int], ...]]
    verdict: tuple[str, ...]
    skipped: Mapping[str, str]
    folder: Path
    receipts: tuple[Receipt, ...] = ()
