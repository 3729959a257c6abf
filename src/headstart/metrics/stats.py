"""The uncertainty of scores and differences: bootstrap intervals, paired comparisons, and who is behind the best.

Every metric is a function of sums over rows (`core.tally`), so nothing here depends on the task.

Scores. Resampling rows means drawing multinomial counts over the distinct rows of sums, of which there are often far
fewer than rows. Intervals are percentile intervals: the metrics are bounded means or smooth functions of sums, and a
percentile interval never leaves their range.

Differences. :func:`joint` computes, once for all contenders, each row's influence on each score (the infinitesimal
jackknife, Efron 1982, chapter 6). Sums of products of influences are the covariances of the scores over resampled rows.
Every comparison of a contest is computed from them.

Rows that belong together, such as those of one person, are resampled as groups, and their influences are added up
(cluster-robust covariances, Cameron & Miller 2015).

Three choices and their reasons:

* A few artificial rows. On a small test set resampling is overconfident: if all of 20 predictions are right, each
  resample scores 100 % and the interval has no width. So four rows (two right, two wrong) are added for a score, and
  two for a comparison (each contender right or wrong with probability 1/2), distributed over the classes like the test
  rows. This is the adjustment of Agresti & Coull 1998 for one proportion and of Agresti & Min 2005 for matched pairs,
  generalised to any metric. The estimate itself is unchanged, and from about 1,000 rows on the effect is invisible.
* Seeds count in a comparison. A contender must not win because of one fortunate training, so the variance of a
  difference includes the variance between trainings: the variance over seeds as far as it exceeds what the choice of
  rows explains. Three seeds estimate a variance badly, so each contender's is shrunk towards the mean of all as far as
  their spread allows (Smyth 2004, section 4), and the degrees of freedom follow Welch and Satterthwaite. A contender
  with one seed adds no variance: the result is then about that one trained model, which is exact for contenders
  without randomness.
* The best contender is the one with the highest score on the same test rows. Comparing the others with it as if it had
  been named in advance would find differences among equals. :func:`against_best` corrects for that selection: it
  removes contenders one by one from those that may be the best (the model confidence set of Hansen, Lunde & Nason
  2011). Each step tests whether all remaining contenders are equal, by the largest studentised difference of any two,
  or of one from the mean of the others: the first detects a contender far ahead of another, the second one that leads
  or trails a group of equals. The probability that any contender as good as the best is called worse is at most 5 %.
  The distribution is approximate, since rows are finite and seeds are few, so p-values are increased by a factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from headstart.core.records import Rows
from headstart.core.results import Interval
from headstart.core.tally import Metric, Tally
from headstart.metrics._rows import Outcomes, check, influence

RESAMPLES = 10_000
DRAWS = 5000
LEVEL = 0.95
_CAUTION = 1.5  # factor of simultaneous p-values
_ARTIFICIAL = 2.0  # rows added to a comparison
_KNOWN = 1e6  # degrees of freedom of a known variance
_MOST_SHARED = 100.0  # degrees of freedom from which on a variance counts as known


@dataclass(frozen=True)
class Comparison:
    """How much better the first contender is than the second, and the probability of such a difference by chance.

    difference: of the scores, with a 95 % interval.
    p_value: two-sided, of no difference; not corrected for other comparisons.
    """

    difference: Interval
    p_value: float


@dataclass(frozen=True)
class Joint:
    """Mean scores of contenders on the same rows, and their random errors.

    scores: ``(contenders,)``, means over seeds; where lower is better, with their sign turned.
    rows: ``(contenders, contenders)``, their covariances over resampled rows.
    training_variance: ``(contenders,)``, the part of each mean's variance between trainings; 0 with one seed.
    freedom: degrees of freedom of `training_variance`.
    rows_freedom: degrees of freedom of `rows`, few only where few groups are resampled.
    """

    scores: np.ndarray
    rows: np.ndarray
    training_variance: np.ndarray
    freedom: float
    rows_freedom: float = _KNOWN

    @property
    def errors(self) -> np.ndarray:
        """Standard errors of all differences, ``(contenders, contenders)``; positive off the diagonal."""
        variances = self.rows.diagonal() + self.training_variance
        square = variances[:, None] + variances - 2 * self.rows
        errors: np.ndarray = np.sqrt(np.maximum(square, 1e-24))
        return errors


@dataclass(frozen=True)
class Standings:
    """All contenders of a contest compared with the best; each claim holds at 5 % for all of them together.

    p_values: ``(contenders,)``, of being as good as the best; 1 for the best.
    pairs: ``(contenders, contenders)``, in row i and column j the p-value of i being as good as j.
    width: half-width of a 95 % interval in standard errors, if all are to hold at once.
    """

    p_values: np.ndarray
    pairs: np.ndarray
    width: float


def interval(
    seeds: Sequence[Tally],
    metric: Metric,
    *,
    groups: np.ndarray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Estimate a contender's mean score over its seeds with a 95 % interval over test rows.

    Args:
        seeds: of each trained model what its predictions of the same rows add to the sums.
        metric: the score.
        groups: group numbers from 0 of rows that belong together, int64 ``(rows,)``: groups are resampled, not rows.
        resamples: number of bootstrap resamples.
        seed: seed of the resamples.

    Raises:
        DataError: no rows, no models, or tallies of different numbers of rows.

    >>> from headstart.metrics import labels
    >>> few, many = (interval([labels.tally(["a"] * n, ["a"] * n)], labels.METRICS[0]) for n in (10, 1000))
    >>> few.value == few.high == many.high == 1.0 and few.low < many.low
    True
    """
    outcomes = Outcomes.of(seeds, groups)
    value = outcomes.observed(metric).mean()
    drawn = outcomes.with_artificial(seeds, _ARTIFICIAL).resample(metric, resamples, seed).mean(axis=1)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(value), float(min(low, value)), float(max(high, value)))


def joint(teams: Sequence[Sequence[Tally]], metric: Metric, *, groups: np.ndarray | None = None) -> Joint:
    """Score contenders on the same test rows, and compute what is needed to compare any of them.

    Args:
        teams: per contender one tally per seed. Their numbers of seeds may differ.
        metric: the score.
        groups: see :func:`interval`.

    Raises: as for :func:`interval`.
    """
    size = check([tally for team in teams for tally in team], groups)
    units = size if groups is None else int(groups.max()) + 1  # what is independent of each other
    seeds = np.array([len(team) for team in teams])
    scores, influences, artificial = np.empty(len(teams)), np.empty((len(teams), units)), np.zeros(len(teams))
    spreads, by_rows = np.zeros(len(teams)), np.zeros(len(teams))
    for place, team in enumerate(teams):
        own, rows, swings = (np.stack(parts) for parts in zip(*(influence(metric, t) for t in team), strict=True))
        if groups is not None:
            rows = np.stack([np.bincount(groups, row) for row in rows])
        scores[place], influences[place] = own.mean(), rows.mean(axis=0)
        artificial[place] = _ARTIFICIAL * (swings.mean(axis=0) ** 2 @ team[0].weights) / 4
        if len(team) > 1:
            spreads[place] = own.var(ddof=1)
            by_rows[place] = ((rows - influences[place]) ** 2).sum() / (len(team) - 1)
    covariances = influences @ influences.T + np.diag(artificial)
    if groups is None:
        # The artificial rows are added to the others, which reduces the uncertainty of all.
        covariances *= size / (size + _ARTIFICIAL) if len(teams[0][0].weights) else 1.0
        return Joint(metric.sign * scores, covariances, *_training_variance(spreads, by_rows, seeds - 1))
    # Few groups estimate their own spread badly: the t-distribution of Cameron & Miller 2015, section VI.
    covariances *= units / max(units - 1, 1)
    return Joint(
        metric.sign * scores, covariances, *_training_variance(spreads, by_rows, seeds - 1), float(max(units - 1, 1))
    )


def difference(chances: Joint, first: int, second: int) -> Comparison:
    """Compare two contenders of a joint by the t-distribution of their difference.

    The comparison is paired by rows, so the difficulty of a row cancels. The interval is that of this pair alone, and
    excludes zero exactly if the p-value is below 5 %.
    """
    value, error = chances.scores[first] - chances.scores[second], chances.errors[first, second]
    freedom = _freedom(chances, first, second)
    p_value = 2 * special.stdtr(freedom, -abs(value) / error)
    return Comparison(_around(value, special.stdtrit(freedom, (1 + LEVEL) / 2) * error), float(p_value))


def compare(first: Sequence[Tally], second: Sequence[Tally], metric: Metric) -> Comparison:
    """Compare two contenders on the same test rows, each by its mean score over seeds; see :func:`difference`.

    Args:
        first: one tally per seed.
        second: one tally per seed; the number of seeds may differ.
        metric: the score.

    Raises: as for :func:`interval`.

    >>> from headstart.metrics import labels
    >>> right, wrong = (labels.tally(["a", "b"] * 50, answers) for answers in (["a", "b"] * 50, ["a"] * 100))
    >>> compare([right], [wrong], labels.METRICS[0]).p_value < 0.001
    True
    >>> compare([right], [right], labels.METRICS[0]).p_value
    1.0
    """
    return difference(joint([first, second], metric), 0, 1)


def against_best(chances: Joint, *, draws: int = DRAWS, seed: int = 0) -> Standings:
    """Test for each contender whether it may be the best, corrected for the best being chosen on the same rows.

    While more than one contender may be the best, the one furthest below the mean of the others, in standard errors, is
    removed. Its p-value is the largest so far of the probability that differences as large, of two contenders or of one
    from the mean of the others, would occur among the remaining contenders if all were equal. See the head of this
    module.

    Args:
        chances: made by :func:`joint`.
        draws: number of draws from the joint distribution of all scores.
        seed: seed of the draws.

    >>> from headstart.metrics import labels
    >>> right, wrong = (labels.tally(["a", "b"] * 50, answers) for answers in (["a", "b"] * 50, ["a"] * 100))
    >>> against_best(joint([[right], [right], [wrong]], labels.METRICS[0])).p_values < 0.05
    array([False, False,  True])
    """
    count, errors = len(chances.scores), chances.errors
    behind = (chances.scores - chances.scores[:, None]) / errors  # (contenders, contenders): how far i is behind j
    drawn = _draw(chances, draws, seed)
    candidates, dropped = np.arange(count), []
    while len(candidates) > 1:
        against_rest, rest_errors = _against_rest(chances, candidates)
        distances = against_rest @ chances.scores[candidates] / rest_errors
        widest = max(behind[np.ix_(candidates, candidates)].max(), np.abs(distances).max())
        by_chance = np.abs(against_rest @ drawn[candidates] / rest_errors[:, None]).max(axis=0)  # (draws,)
        lowest = int(distances.round(9).argmin())  # the first among equals, regardless of rounding
        dropped.append((int(candidates[lowest]), float(widest), by_chance))
        candidates = np.delete(candidates, lowest)
    # From the last pair back to all contenders: each step adds the pairs of one more.
    among, pairwise = candidates.tolist(), np.zeros(draws)
    largest, p_of_step = pairwise, []
    for name, widest, by_chance in reversed(dropped):
        for other in among:
            np.maximum(pairwise, np.abs(drawn[name] - drawn[other]) / errors[name, other], out=pairwise)
        among.append(name)
        largest = np.maximum(pairwise, by_chance)
        p_of_step.append(float(_raised((largest >= widest).sum(), draws)))
    p_values, running = np.ones(count), 0.0
    for (name, widest, _), p_value in zip(dropped, reversed(p_of_step), strict=True):
        running = max(running, p_value)
        p_values[name] = running if widest > 0 else 1.0
    ordered = np.sort(largest)
    pairs = _raised(draws - np.searchsorted(ordered, behind), draws)
    return Standings(p_values, pairs, float(np.quantile(ordered, 1 - (1 - LEVEL) / _CAUTION)))


def gap(chances: Joint, standings: Standings, leader: int, other: int) -> Interval:
    """Return how far a contender is behind the leader, with a 95 % interval that holds for all contenders at once.

    It excludes zero, or ends there, exactly if the contender is shown to be behind.
    """
    value = chances.scores[leader] - chances.scores[other]
    interval_of_gap = _around(value, standings.width * chances.errors[leader, other])
    if standings.p_values[other] > 1 - LEVEL:
        return interval_of_gap
    return Interval(interval_of_gap.value, max(interval_of_gap.low, 0.0), interval_of_gap.high)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Correct the p-values of several tests so that the probability of any error is that of one test.

    Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure".

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    corrected, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = running
    return tuple(corrected)


def group_numbers(rows: Rows) -> np.ndarray | None:
    """Number the groups of rows from 0, int64 ``(rows,)``; None for rows without groups."""
    return np.unique(np.array(rows.groups, dtype=object), return_inverse=True)[1] if rows.groups else None


# --- the chance in rows and in trainings -----------------------------------------------------------------------


def _training_variance(spreads: np.ndarray, by_rows: np.ndarray, spare: np.ndarray) -> tuple[np.ndarray, float]:
    """Estimate the variance between trainings, as part of each contender's mean, and its degrees of freedom.

    The variance over seeds beyond that of the rows is shrunk towards its mean over all contenders: the more, the less
    the contenders differ in it beyond chance.

    Args:
        spreads: ``(contenders,)``, variance over seeds.
        by_rows: ``(contenders,)``, how much of it the choice of rows explains.
        spare: int ``(contenders,)``, number of seeds minus one.
    """
    uncertain = (spare > 0) & (spreads + by_rows > 0)  # seeds with equal predictions count as one training
    training_variance = np.zeros(len(spreads))
    if not uncertain.any():
        return training_variance, _KNOWN
    observed, rows, own = spreads[uncertain], by_rows[uncertain], spare[uncertain]
    typical = np.average(observed - rows, weights=own)
    prior = _shared_freedom(observed / (max(typical, 0.0) + rows), own)
    moved = (prior * typical + own * (observed - rows)) / (prior + own)
    training_variance[uncertain] = np.maximum(moved, 0.0) / (own + 1)
    return training_variance, float(min(prior + own.mean(), own.sum()))


def _shared_freedom(ratios: np.ndarray, spare: np.ndarray) -> float:
    """Return how many degrees of freedom the contenders' common variance adds to each one's own.

    Smyth 2004, "Linear Models and Empirical Bayes Methods for Assessing Differential Expression", section 6.2.

    Args:
        ratios: each variance divided by the common one.
        spare: int ``(contenders,)``, number of seeds minus one.
    """
    if len(ratios) < 2:
        return 0.0
    expected = special.polygamma(1, spare / 2).mean()
    # Equal scores of all seeds show that the variance is small, not that it is zero.
    beyond = np.log(np.maximum(ratios, 0.01)).var(ddof=1) - expected
    if beyond <= special.polygamma(1, _MOST_SHARED / 2):
        return _MOST_SHARED
    return float(2 * optimize.brentq(lambda half: special.polygamma(1, half) - beyond, 1e-3, _MOST_SHARED / 2))


def _freedom(chances: Joint, first: int, second: int) -> float:
    """Return the degrees of freedom of a difference: more if rows dominate (Satterthwaite 1946)."""
    whole = chances.errors[first, second] ** 2
    training = chances.training_variance[first] + chances.training_variance[second]
    uncertain = training**2 / chances.freedom + (whole - training) ** 2 / chances.rows_freedom
    return float(min(whole**2 / uncertain, _KNOWN))


def _draw(chances: Joint, resamples: int, seed: int) -> np.ndarray:
    """Draw the errors of all scores: ``(contenders, resamples)``."""
    random = np.random.default_rng(seed)
    values, vectors = np.linalg.eigh(chances.rows)
    size = len(chances.scores), resamples
    drawn: np.ndarray = (vectors * np.sqrt(np.maximum(values, 0.0))) @ random.standard_normal(size)
    uncertain = np.flatnonzero(chances.training_variance)
    if len(uncertain):
        training_variance = random.standard_t(chances.freedom, (len(uncertain), resamples))
        drawn[uncertain] += np.sqrt(chances.training_variance[uncertain])[:, None] * training_variance
    return drawn


def _against_rest(chances: Joint, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix from the candidates' scores to distances from the mean of the others, and their errors.

    Args:
        chances: made by :func:`joint`.
        candidates: int ``(candidates,)``, places in `chances`; at least two.

    Returns:
        float64 ``(candidates, candidates)``, and standard errors ``(candidates,)``.
    """
    count = len(candidates)
    weights = (count * np.eye(count) - 1) / (count - 1)
    covariances = (chances.rows + np.diag(chances.training_variance))[np.ix_(candidates, candidates)]
    variances = np.einsum("ij,jk,ik->i", weights, covariances, weights)
    return weights, np.sqrt(np.maximum(variances, 1e-24))


def _raised(further: np.ndarray, resamples: int) -> np.ndarray:
    """Turn numbers of more extreme draws into p-values."""
    return np.minimum(1.0, _CAUTION * (1 + further) / (1 + resamples))


def _around(value: float, half: float) -> Interval:
    return Interval(float(value), float(value - half), float(value + half))
