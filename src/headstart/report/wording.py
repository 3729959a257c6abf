"""The verdict: three to five plain sentences that say which contender to use, and what would change that answer.

Nothing is claimed that the intervals do not carry: two contenders are never called equal, only
without evidence of a difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from headstart.contest.rank import FLOOR, cheapness, winner
from headstart.core.errors import shown
from headstart.core.records import Audit
from headstart.core.results import CurvePoint, Equivalent, Interval, Receipt, Standing
from headstart.report import _collapse, _head_start, _receipts
from headstart.report._format import about, between, count, half_width, joined, percent, plural, points, savings

# Below this much per doubling of the labels (0.5 points), a learning curve is called flat.
FLAT = 0.005
# An interval wider than this (4 points) is worth a larger test set.
WIDE = 0.04
# A contender that answers this many times faster than a best one which is cheaper all in all is worth naming.
SWIFTER = 1.5


def verdict(
    standings: Sequence[Standing],
    curve: Sequence[CurvePoint],
    equivalents: Sequence[Equivalent],
    audit: Audit,
    *,
    metric: str,
    train_rows: int,
    test_rows: int,
    skipped: Mapping[str, str],
    receipts: Sequence[Receipt] = (),
) -> tuple[str, ...]:
    """Say in three to five sentences what the numbers allow one to say; in one where the test rows are of one class.

    Args:
        standings: the leaderboard; at least one line.
        curve, equivalents: empty where no learning curve was run.
        train_rows, test_rows: sizes of the splits.
        skipped: contender -> why it did not run.
        receipts: of the contenders that build on others.
    """
    if len(audit.labels.get("test", {})) == 1:
        return (_nothing(next(iter(audit.labels["test"])), test_rows),)
    sentences = [_winner(standings, metric, test_rows), _price(standings)]
    if equivalents:
        sentences.append(_head_start.sentence(equivalents, standings))
    sentences.append(_change(standings, curve, audit, train_rows, test_rows))
    caveats = _caveats(standings, skipped, receipts)
    return (*sentences, caveats) if caveats else tuple(sentences)


def _nothing(label: str, test_rows: int) -> str:
    return (
        f"Nothing can be told: all {plural(test_rows, 'test text')} have the label {shown(label)}, so a model that "
        "always answers that is always right. Give test rows of every class."
    )


def cheapest(standings: Sequence[Standing]) -> Standing:
    """Return the cheapest of the winner and those that tie with it, if they are shown to beat the commonest label."""
    return min(_choices(standings), key=lambda standing: cheapness(standing.cost))


def behind(standing: Standing) -> Interval | None:
    """Return how far a contender lies behind the best (positive), whichever way round the difference is kept."""
    difference = standing.difference
    if difference is None or difference.value >= 0:
        return difference
    return Interval(-difference.value, -difference.high, -difference.low)


def no_better_than_majority(standings: Sequence[Standing]) -> bool:
    """Say whether nothing is shown to beat always answering the commonest label."""
    leader = winner(standings)
    return any(s.contender == FLOOR and (s is leader or s.ties) for s in standings)


def _useful(standing: Standing) -> bool:
    """Say whether a contender is shown to beat always answering the commonest label, as far as that ran."""
    return standing.contender != FLOOR and standing.above_floor


def _choices(standings: Sequence[Standing]) -> list[Standing]:
    """Return the winner, and those of the contenders that tie with it which are of use."""
    leader = winner(standings)
    return [leader, *(s for s in standings if s is not leader and s.ties and _useful(s))]


# --- the winner and its price --------------------------------------------------------------------------------


def _winner(standings: Sequence[Standing], metric: str, test_rows: int) -> str:
    leader = winner(standings)
    score = f"{metric} {percent(leader.score.value)} (95 % interval {between(leader.score)})"
    score += f" on {plural(test_rows, 'test text')}"
    if len(standings) == 1:
        return f"Only {leader.contender} ran, and it reaches {score}{_over(leader)}."
    if no_better_than_majority(standings):
        return (
            "Nothing here is shown to beat always answering the commonest label: "
            f"the highest is {leader.contender} with {score}{_over(leader)}."
        )
    ties = [s.contender for s in standings if s.ties and s is not leader]
    noise = f"; there is no evidence of a difference between it and {joined(ties)}" if ties else ""
    return f"{leader.contender} is the best: {score}{_over(leader)}{noise}."


def _over(standing: Standing) -> str:
    return f", the mean of {standing.seeds} seeds" if standing.seeds > 1 else ""


def _price(standings: Sequence[Standing]) -> str:
    leader, cheap = winner(standings), cheapest(standings)
    if len(standings) == 1:
        return (
            "There is nothing to compare it with: "
            "run it beside majority and linear to learn whether it is worth its price."
        )
    if no_better_than_majority(standings):
        return (
            "Look at the labels before any model: the texts may not hold the answer, or too few of them are labelled."
        )
    if cheap is not leader:
        return (
            f"The cheapest within noise of it is {cheap.contender} ({percent(cheap.score.value)}): "
            f"compared with {leader.contender} it {savings(cheap.cost, leader.cost)}."
        )
    swiftest = min(_choices(standings), key=lambda standing: standing.cost.latency_p50)
    if leader.cost.latency_p50 > SWIFTER * swiftest.cost.latency_p50:
        return (
            f"{swiftest.contender} ({percent(swiftest.score.value)}) is within noise of it: compared with "
            f"{leader.contender} it {savings(swiftest.cost, leader.cost)}."
        )
    less = [s for s in standings if s is not leader and cheapness(s.cost) < cheapness(leader.cost)]
    cheaper = [s for s in less if _useful(s)]
    if not cheaper:
        others = f"all that are shown to beat {FLOOR}" if less else "all that ran"
        return f"{leader.contender} is also the cheapest of {others}, so nothing speaks for another."
    runner_up = cheaper[0]
    return (
        f"No cheaper one comes within noise of it: {runner_up.contender} {_behind(runner_up, leader)}, "
        f"though it {savings(runner_up.cost, leader.cost)}."
    )


def _behind(standing: Standing, leader: Standing) -> str:
    gap = behind(standing)
    if gap is None:
        return f"is {points(leader.score.value - standing.score.value)} behind"
    return f"is {points(gap.value)} behind (95 % interval {100 * gap.low:.1f} to {100 * gap.high:.1f})"


# --- what would change the answer ----------------------------------------------------------------------------


def _change(
    standings: Sequence[Standing], curve: Sequence[CurvePoint], audit: Audit, train_rows: int, test_rows: int
) -> str:
    leader = winner(standings)
    reasons = [_more_labels(leader, curve, train_rows)]
    conflicts = next((f for f in audit.findings if f.kind == "conflicts" and f.severity != "fine" and f.count), None)
    if conflicts:
        rows = plural(conflicts.count, "row")
        reasons.append(f"{rows} with a text that also stands with another label, so settle those first")
    width = 2 * half_width(leader.score)
    if width > WIDE:
        reasons.append(
            f"the interval is {points(width)} wide, and {about(4 * test_rows)} test texts "
            f"instead of {count(test_rows)} would halve it"
        )
    return f"What would change this: {'; '.join(reasons)}."


def _more_labels(leader: Standing, curve: Sequence[CurvePoint], train_rows: int) -> str:
    line = sorted((p for p in curve if p.contender == leader.contender), key=lambda p: p.size)
    if len(line) < 2:
        return f"perhaps more labels than {count(train_rows)}, but no learning curve was run to tell (--sizes does)"
    before, last = line[-2], line[-1]
    gain = (last.score - before.score) / math.log2(last.size / before.size)
    if gain < FLAT:
        return f"hardly more labels, since the curve of {leader.contender} is flat at {count(last.size)} rows"
    if before.seeds > 1 and last.low > before.high:
        return f"more labels, since {leader.contender} still gains {points(gain)} with each doubling of the rows"
    return (
        f"perhaps more labels, since {leader.contender} gains about {points(gain)} with each doubling of the rows, "
        + ("which is within the spread of its seeds" if before.seeds > 1 else "as far as one seed can tell")
    )


def _caveats(standings: Sequence[Standing], skipped: Mapping[str, str], receipts: Sequence[Receipt]) -> str:
    leader = winner(standings)
    parts = [
        f"there is no evidence that {r.contender} is better than its best member {r.other}"
        for r in receipts
        if r.role == "member" and not _receipts.worth_it(r)
    ]
    if marked := [s for s in standings if s.collapsed or (s.retried and s is leader)]:
        parts.append(_collapse.caveat(marked))
    left_out = "; ".join(f"{name} ({why.rstrip('.')})" for name, why in skipped.items())
    if leader.clean is not None:
        parts.append(f"some test texts also stand in the training data: without them {_without_leaks(standings)}")
    # A deterministic contender runs once among others that ran more often: nothing is unknown about that.
    if all(standing.seeds == 1 for standing in standings):
        parts.append("one seed was run, so how much another training would differ is unknown")
    mind = [f"Mind that {'; '.join(parts)}."] if parts else []
    return " ".join(mind + ([f"Not compared: {left_out}."] if left_out else []))


def _without_leaks(standings: Sequence[Standing]) -> str:
    leader = winner(standings)
    clean = {s.contender: s.clean for s in standings if s.clean is not None}
    first = max(clean, key=lambda name: round(clean[name].value, 9))  # of equals the first on the leaderboard
    if first == leader.contender:
        return f"{first} scores {percent(clean[first].value)}"
    second = f"{leader.contender} with {percent(clean[leader.contender].value)}"
    return f"{first} leads with {percent(clean[first].value)}, before {second}"
