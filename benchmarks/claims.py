"""Does every claim keep its error rate? Leaderboards of made-up contenders whose true accuracies are known.

Rows differ in difficulty for all contenders alike, so that answers are correlated as those of real models are; each
contender finds some rows harder than others do, and the true accuracy of each training varies at random. The records
are built in memory and judged by `contest.rank` as those of a comparison are. The rule it replaced is evaluated too:
the winner on test against each other contender, corrected for their number (Holm), which ignores that the winner was
picked on test.
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from benchmarks._common import record, show, table
from headstart.contest import rank
from headstart.core.records import Cost, Predictions, Record, Rows, Trial
from headstart.metrics import stats
from headstart.tasks.classification import Classification

TASK = Classification()
ACCURACY = TASK.metrics[0]

CONTENDERS, ROWS, SEEDS = (3, 6, 9, 12), (200, 600, 2000), (1, 3)
DIFFERENCE = 0.03
# Leaderboards drawn for a cell: with equal contenders, and for each of the two ways in which one contender differs. For
# every fourth leaderboard of equal contenders, one score interval is computed and the contenders are compared as a
# ladder's levels.
EQUAL, DIFFERENT, FULL_CHECK = 2000, 300, 4
# Shares of a row's difficulty: common to all contenders, and to all trainings of one. The rest is each training's own.
COMMON, OWN = 0.5, 0.2
TRAINING_DEVIATION = 0.01  # standard deviation of the true accuracy of a contender's trainings
COST = Cost(1.0, 1, 1, 1, 1000, 1.0, 1.0, 1.0, 0.0)
NAMES = np.array([f"class {number}" for number in range(6)])


@dataclass(frozen=True)
class Setting:
    """A kind of data: the true accuracy of the best contenders, and the number of classes."""

    accuracy: float
    classes: int


SETTINGS = tuple(Setting(*pair) for pair in itertools.product((0.7, 0.9), (2, 6)))


@dataclass(frozen=True)
class Judged:
    """What one leaderboard claims: p-values of each contender by the new rule and by the old one, and what is true.

    Attributes:
        behind: ``(contenders,)``, by how much each one's true accuracy is below the best.
        new: ``(contenders,)``, p-values of the new rule.
        old: ``(contenders,)``, p-values of the old rule.
        covered: whether the interval of one difference contains the true difference.
        all_covered: whether all intervals of the leaderboard's differences contain the true ones.
        score: whether the interval of one score contains the true accuracy; None where it was not computed.
        ladder: the smallest p-value of a ladder; None where it was not computed.
    """

    behind: np.ndarray
    new: np.ndarray
    old: np.ndarray
    covered: bool
    all_covered: bool
    score: bool | None = None
    ladder: float | None = None


def main() -> None:
    """Judge all cells (about 15 minutes on one core, half of that on two) and write the record."""
    began = time.monotonic()
    cells = sorted(itertools.product(CONTENDERS, ROWS, SEEDS), key=math.prod, reverse=True)
    os.environ["OMP_NUM_THREADS"] = "1"  # of each process below
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = sorted(pool.starmap(cell, cells, chunksize=1), key=lambda line: tuple(line.values())[:3])
    record(
        "claims",
        {
            "minutes": round((time.monotonic() - began) / 60, 1),
            "leaderboards": {"equal": EQUAL, "different": DIFFERENT},
            "difference": DIFFERENCE,
            "luck": TRAINING_DEVIATION,
            "cells": results,
        },
    )
    percents = (
        "false_claims",
        "old_false_claims",
        "power_leads",
        "old_power_leads",
        "power_trails",
        "old_power_trails",
    )
    lines = [
        [
            str(line["contenders"]),
            str(line["rows"]),
            str(line["seeds"]),
            *(f"{100 * line[name]:.1f}" for name in percents),
        ]
        for line in results
    ]
    header = ["contenders", "rows", "seeds", "false claims, %", "before", "one leads", "before", "one trails", "before"]
    show("claims", table(header, lines))


def cell(contenders: int, rows: int, seeds: int) -> dict[str, Any]:
    """Judge the leaderboards of one cell."""
    random = np.random.default_rng([contenders, rows, seeds])
    equal = np.zeros(contenders)
    trails = np.append(equal[1:], DIFFERENCE)
    groups = [
        [
            judge(random, SETTINGS[number % len(SETTINGS)], rows, seeds, behind, full=full and number % FULL_CHECK == 0)
            for number in range(count)
        ]
        for behind, count, full in (
            (equal, EQUAL, True),
            (DIFFERENCE - trails[::-1], DIFFERENT, False),
            (trails, DIFFERENT, False),
        )
    ]
    none, leads, trailing = groups
    # The level at which the old rule would make as many false claims as it should.
    level = float(np.quantile([judged.old.min() for judged in none], rank.LEVEL))
    everything = [judged for group in groups for judged in group]
    checked = [judged for judged in none if judged.score is not None]
    shares: dict[str, Any] = {"contenders": contenders, "rows": rows, "seeds": seeds}
    shares["false_claims"] = _share([judged.new.min() <= rank.LEVEL for judged in none])
    shares["old_false_claims"] = _share([judged.old.min() <= rank.LEVEL for judged in none])
    for name, group in (("leads", leads), ("trails", trailing)):
        worse = [judged.behind > 0 for judged in group]
        for rule, limit in (("new", rank.LEVEL), ("old", rank.LEVEL), ("old_at_equal_false_claims", level)):
            p_values = [judged.new if rule == "new" else judged.old for judged in group]
            power = [(p[w] <= limit).mean() for p, w in zip(p_values, worse, strict=True)]
            wrong = [(p[~w] <= limit).any() for p, w in zip(p_values, worse, strict=True)]
            prefix = "" if rule == "new" else f"{rule}_"
            shares[f"{prefix}power_{name}"] = _share(power)
            shares[f"{prefix}false_claims_{name}"] = _share(wrong)
    shares["coverage_of_differences"] = _share([judged.covered for judged in everything])
    shares["coverage_of_all_differences_at_once"] = _share([judged.all_covered for judged in everything])
    shares["coverage_of_scores"] = _share([bool(judged.score) for judged in checked])
    shares["ladder_false_claims"] = _share([(judged.ladder or 0.0) <= rank.LEVEL for judged in checked])
    return shares


def judge(
    random: np.random.Generator, setting: Setting, rows: int, seeds: int, behind: np.ndarray, *, full: bool
) -> Judged:
    """Make up a leaderboard, and judge it by both rules.

    Args:
        behind: ``(contenders,)``, by how much each one's true accuracy is below the best.
        full: whether the interval of a score and a ladder are computed too.
    """
    test, teams, true = draw(random, setting, rows, seeds, behind)
    names = rank.order(teams, ACCURACY)
    chances = rank.joint(names, teams, test, TASK, ACCURACY)
    claims = rank.claims(names, chances)
    places = np.array([int(name) for name in names])
    new, old = np.ones(len(names)), np.ones(len(names))
    new[places[1:]] = [claims[name].p_value for name in names[1:]]
    old[places[1:]] = stats.holm([stats.difference(chances, 0, place).p_value for place in range(1, len(names))])
    gaps = [claims[name].behind for name in names[1:]]
    ahead = behind[places[1:]] - behind[places[0]]
    one, other = names.index("0"), names.index(str(len(names) - 1))
    difference = stats.difference(chances, one, other).difference
    score = ladder = None
    if full:
        interval = stats.interval([TASK.tally(trained.predictions, test.targets) for trained in teams["0"]], ACCURACY)
        score = bool(interval.low <= true[0].mean() <= interval.high)
        ladder = min(
            pair.p_value for pair in rank.paired(list(itertools.pairwise(sorted(names))), teams, test, TASK, ACCURACY)
        )
    return Judged(
        behind,
        new,
        old,
        bool(difference.low <= behind[-1] - behind[0] <= difference.high),
        all(gap is not None and gap.low <= value <= gap.high for gap, value in zip(gaps, ahead, strict=True)),
        score,
        ladder,
    )


def draw(
    random: np.random.Generator, setting: Setting, rows: int, seeds: int, behind: np.ndarray
) -> tuple[Rows, dict[str, list[Record]], np.ndarray]:
    """Make up test rows, and contenders named '0', '1', ... with the records of their trainings.

    With one seed a claim is about that one model, so there is no training variance then.

    Returns:
        the rows, the records, and the true accuracies of all trainings ``(contenders, seeds)``.
    """
    size = len(behind), seeds, rows
    true = np.tile(setting.accuracy - behind[:, None], (1, seeds))
    if seeds > 1:
        true = np.clip(true + TRAINING_DEVIATION * random.standard_normal(true.shape), 0.01, 0.99)
    parts = ((COMMON, (1, 1, rows)), (OWN, (len(behind), 1, rows)), (1 - COMMON - OWN, size))
    difficulty: Any = sum(np.sqrt(share) * random.standard_normal(shape, dtype=np.float32) for share, shape in parts)
    right = difficulty < ndtri(true)[:, :, None]
    weights = np.arange(1.0, setting.classes + 1)  # classes differ in size
    truth = random.choice(setting.classes, rows, p=weights / weights.sum())
    wrong = (truth + random.integers(1, setting.classes, size)) % setting.classes
    answers = NAMES[np.where(right, truth, wrong)].tolist()
    test = Rows(tuple(map(str, range(rows))), ("",) * rows, tuple(NAMES[truth].tolist()))
    validation = true + random.normal(0.0, 0.02, true.shape)
    teams = {
        str(name): [
            Record(
                trial=Trial(str(name), {}, None, seed),
                train_rows=rows,
                scores={"accuracy": float(right[name, seed].mean())},
                clean_scores=None,
                validation={"accuracy": float(validation[name, seed])},
                calibration={},
                cost=COST,
                data_sha256="",
                machine={},
                commit="",
                made="",
                path="",
                predictions=Predictions(tuple(answers[name][seed])),
            )
            for seed in range(seeds)
        ]
        for name in range(len(behind))
    }
    return test, teams, true


def _share(values: list[Any]) -> float:
    return round(float(np.mean(values)), 4)
