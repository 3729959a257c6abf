"""The verdict: three to five plain sentences that say which contender to use and what could change that result.

It claims nothing that the intervals do not support: two contenders are never called equal; at most there is no
evidence of a difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from headstart.contest.rank import FLOOR, cheapness, winner
from headstart.core.contracts import Kind
from headstart.core.errors import shown
from headstart.core.records import Audit
from headstart.core.results import BaselineComparison, CurvePoint, Equivalent, Interval, Result, Standing, deciding
from headstart.core.tally import Metric
from headstart.metrics import format as form
from headstart.report import _baselines, _collapse, _head_start
from headstart.report._format import about, count, joined, plural, savings

# Of shares (0.5 and 4 points) and coefficients, or as a part of an error, see `metrics.format.whole`: a learning curve
# that gains less per doubling of the labels is called flat; if an interval is wider, a larger test set is suggested.
FLAT = 0.005
WIDE = 0.04
# A tied contender that predicts this many times faster than the best is named even if the best is cheaper overall.
MUCH_FASTER = 1.5


def verdict_of(result: Result) -> tuple[str, ...]:
    """Return the verdict on a comparison, see :func:`verdict`."""
    return verdict(
        result.standings,
        result.curve,
        result.equivalents,
        result.audit,
        metric=deciding(result),
        kind=result.rules.kind,
        train_rows=len(result.splits.train),
        test_rows=len(result.splits.test),
        skipped=result.skipped,
        baselines=result.baselines,
    )


def verdict(
    standings: Sequence[Standing],
    curve: Sequence[CurvePoint],
    equivalents: Sequence[Equivalent],
    audit: Audit,
    *,
    metric: Metric,
    kind: Kind = "label",
    train_rows: int,
    test_rows: int,
    skipped: Mapping[str, str],
    baselines: Sequence[BaselineComparison] = (),
) -> tuple[str, ...]:
    """Return the verdict in three to five sentences, or in one if all test rows have the same label.

    Args:
        standings: the leaderboard, at least one line.
        curve: the learning curves, empty if none were run.
        equivalents: what contenders are worth in labels, empty if no learning curve was run.
        audit: the findings about the data.
        metric: the score that decides.
        kind: the form of the answers.
        train_rows: number of training rows.
        test_rows: number of test rows.
        skipped: contender -> why it did not run.
        baselines: ensembles and students compared with the contenders they build on.
    """
    if kind == "label" and len(audit.labels.get("test", {})) == 1:
        return (_one_class(next(iter(audit.labels["test"])), test_rows),)
    sentences = [_winner(standings, metric, kind, test_rows), _price(standings, metric, kind)]
    if equivalents:
        sentences.append(_head_start.sentence(equivalents, standings))
    sentences.append(_change(standings, metric, curve, audit, train_rows, test_rows))
    caveats = _caveats(standings, metric, skipped, baselines)
    return (*sentences, caveats) if caveats else tuple(sentences)


def _one_class(label: str, test_rows: int) -> str:
    return (
        f"No conclusion is possible: all {plural(test_rows, 'test text')} have the label {shown(label)}, so a model "
        "that always predicts it is always right. Provide test rows of every class."
    )


def cheapest(standings: Sequence[Standing]) -> Standing:
    """Return the cheapest of the winner and the contenders that tie with it and are shown to beat 'majority'."""
    return min(_choices(standings), key=lambda standing: cheapness(standing.cost))


def behind(standing: Standing) -> Interval | None:
    """Return how far a contender is behind the best, as a positive number whatever the sign of its difference."""
    difference = standing.difference
    if difference is None or difference.value >= 0:
        return difference
    return Interval(-difference.value, -difference.high, -difference.low)


def no_better_than_majority(standings: Sequence[Standing]) -> bool:
    """Return whether no contender is shown to beat always predicting the most frequent label."""
    leader = winner(standings)
    return any(s.contender == FLOOR and (s is leader or s.ties) for s in standings)


def _useful(standing: Standing) -> bool:
    """Return whether a contender is shown to beat 'majority', or 'majority' did not run."""
    return standing.contender != FLOOR and standing.above_floor


def _choices(standings: Sequence[Standing]) -> list[Standing]:
    """Return the winner and the useful contenders that tie with it."""
    leader = winner(standings)
    return [leader, *(s for s in standings if s is not leader and s.ties and _useful(s))]


# What 'majority' does, where it does not predict the same value for all inputs or that value has a name.
_FLOORS: Mapping[Kind, str] = {
    "label": "always predicting the most frequent label",
    "text": "what needs no training",
}


# --- the winner and its price --------------------------------------------------------------------------------


def _winner(standings: Sequence[Standing], metric: Metric, kind: Kind, test_rows: int) -> str:
    leader = winner(standings)
    lower = "" if metric.higher else "lower is better, "
    score = f"{metric.name} {_score(leader, metric)} ({lower}95 % interval {form.between(metric, leader.score)})"
    score += f" on {plural(test_rows, 'test text')}"
    if len(standings) == 1:
        return f"Only {leader.contender} ran, and it reaches {score}{_over(leader)}."
    if no_better_than_majority(standings):
        floor = _FLOORS.get(kind, "always predicting the same")
        extreme = "highest" if metric.higher else "lowest"
        return (
            f"No contender is shown to beat {floor}: the {extreme} is {leader.contender} with {score}{_over(leader)}."
        )
    ties = [s.contender for s in standings if s.ties and s is not leader]
    noise = f"; there is no evidence of a difference between it and {joined(ties)}" if ties else ""
    return f"{leader.contender} is the best: {score}{_over(leader)}{noise}."


def _score(standing: Standing, metric: Metric) -> str:
    return form.score(metric, standing.score.value, standing.score)


def _over(standing: Standing) -> str:
    return f", the mean of {standing.seeds} seeds" if standing.seeds > 1 else ""


def _price(standings: Sequence[Standing], metric: Metric, kind: Kind) -> str:
    leader, cheap = winner(standings), cheapest(standings)
    if len(standings) == 1:
        cheap_ones = ["majority"] if kind == "text" else ["majority", "linear"]
        others = " and ".join(name for name in cheap_ones if name != leader.contender) or "other contenders"
        return f"There is nothing to compare it with: add {others} to see whether it is worth its cost."
    if no_better_than_majority(standings):
        return "Check the labels before trying other models: the texts may not determine them, or too few are labelled."
    if cheap is not leader:
        return (
            f"The cheapest contender within noise of it is {cheap.contender} ({_score(cheap, metric)}): "
            f"compared with {leader.contender} it {savings(cheap.cost, leader.cost)}."
        )
    fastest = min(_choices(standings), key=lambda standing: standing.cost.latency_p50)
    if leader.cost.latency_p50 > MUCH_FASTER * fastest.cost.latency_p50:
        return (
            f"{fastest.contender} ({_score(fastest, metric)}) is within noise of it: compared with "
            f"{leader.contender} it {savings(fastest.cost, leader.cost)}."
        )
    less = [s for s in standings if s is not leader and cheapness(s.cost) < cheapness(leader.cost)]
    cheaper = [s for s in less if _useful(s)]
    if not cheaper:
        others = f"all that are shown to beat {FLOOR}" if less else "all that ran"
        return f"{leader.contender} is also the cheapest of {others}, so there is no reason to choose another."
    runner_up = cheaper[0]
    return (
        f"No cheaper contender is within noise of it: {runner_up.contender} {_behind(runner_up, leader, metric)}, "
        f"although it {savings(runner_up.cost, leader.cost)}."
    )


def _behind(standing: Standing, leader: Standing, metric: Metric) -> str:
    gap = behind(standing)
    if gap is None:
        return f"is {form.difference(metric, leader.score.value - standing.score.value)} behind"
    return f"is {form.difference(metric, gap.value, gap)} behind (95 % interval {form.ends(metric, gap)})"


# --- what would change the answer ----------------------------------------------------------------------------


def _change(
    standings: Sequence[Standing],
    metric: Metric,
    curve: Sequence[CurvePoint],
    audit: Audit,
    train_rows: int,
    test_rows: int,
) -> str:
    leader = winner(standings)
    reasons = [_more_labels(leader, metric, curve, train_rows)]
    conflicts = next((f for f in audit.findings if f.kind == "conflicts" and f.severity != "fine" and f.count), None)
    if conflicts:
        rows = plural(conflicts.count, "row")
        reasons.append(f"{rows} with a text that also occurs with another label, so correct those first")
    width = 2 * form.half_width(leader.score)
    if width > WIDE * form.whole(metric, leader.score.value):
        wide = form.difference(metric, width, leader.score)
        reasons.append(
            f"the interval is {wide} wide, and {about(4 * test_rows)} test texts "
            f"instead of {count(test_rows)} would halve it"
        )
    return f"What could change this: {'; '.join(reasons)}."


def _more_labels(leader: Standing, metric: Metric, curve: Sequence[CurvePoint], train_rows: int) -> str:
    line = sorted((p for p in curve if p.contender == leader.contender), key=lambda p: p.size)
    if len(line) < 2:
        return f"perhaps more labels than {count(train_rows)}, but no learning curve was run (--sizes runs one)"
    before, last = line[-2], line[-1]
    gain = metric.sign * (last.score - before.score) / math.log2(last.size / before.size)
    if gain < FLAT * form.whole(metric, last.score):
        return f"hardly more labels, since the learning curve of {leader.contender} is flat at {count(last.size)} rows"
    apart = last.low > before.high if metric.higher else last.high < before.low
    gains = f"{form.difference(metric, gain, leader.score)} with each doubling of the rows"
    verb = "gains" if metric.higher else "improves by"
    if before.seeds > 1 and apart:
        return f"more labels, since {leader.contender} still {verb} {gains}"
    return f"perhaps more labels, since {leader.contender} {verb} about {gains}, " + (
        "which is within the spread of its seeds" if before.seeds > 1 else "as far as one seed can show"
    )


def _caveats(
    standings: Sequence[Standing],
    metric: Metric,
    skipped: Mapping[str, str],
    baselines: Sequence[BaselineComparison],
) -> str:
    leader = winner(standings)
    parts = [
        f"there is no evidence that {r.contender} is better than its best member {r.other}"
        for r in baselines
        if r.role == "member" and not _baselines.worth_it(r)
    ]
    if marked := [s for s in standings if s.collapsed or (s.retried and s is leader)]:
        parts.append(_collapse.caveat(marked))
    left_out = "; ".join(f"{name} ({why.rstrip('.')})" for name, why in skipped.items())
    if leader.clean is not None:
        parts.append(
            f"some test texts also occur in the training data: without them {_without_leaks(standings, metric)}"
        )
    # A deterministic contender runs once even if others run with several seeds; its variance is known to be zero.
    if all(standing.seeds == 1 for standing in standings):
        parts.append("only one seed was run, so the variance between trainings is unknown")
    note = [f"Note that {'; '.join(parts)}."] if parts else []
    return " ".join(note + ([f"Not compared: {left_out}."] if left_out else []))


def _without_leaks(standings: Sequence[Standing], metric: Metric) -> str:
    leader = winner(standings)
    clean = {s.contender: s.clean for s in standings if s.clean is not None}
    worded = {name: form.score(metric, score.value, score) for name, score in clean.items()}
    first = max(
        clean, key=lambda name: round(metric.sign * clean[name].value, 9)
    )  # among equals, the first on the leaderboard
    if first == leader.contender:
        return f"{first} scores {worded[first]}"
    return f"{first} leads with {worded[first]}, ahead of {leader.contender} with {worded[leader.contender]}"
