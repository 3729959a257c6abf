"""The context of page.html: the Result turned into the words and numbers on the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from headstart.contest.rank import winner
from headstart.core.results import Equivalent, LadderLevel, Result, Standing, deciding
from headstart.core.tally import Metric
from headstart.metrics import format as form
from headstart.report import _baselines, _collapse, columns, kinds, plots, stress, subsets, wording
from headstart.report import _format as write
from headstart.report import _head_start as head_start
from headstart.report._evidence import findings, labels, pretrained, provenance, trial

MOST_REJECTED = 500
ROLES = {"member": "best member", "teacher": "teacher", "alone": "without a teacher", "linear": "linear model"}
GLYPHS = ("●", "■", "◆", "▲", "▼", "✚", "✖", "⬟")


def view(result: Result) -> dict[str, Any]:
    """Collect everything that the page shows, as words; nothing is escaped yet, the template does that."""
    order = [s.contender for s in result.standings]
    line = head_start.main_comparison(result.equivalents, result.standings) if result.equivalents else []
    measured = head_start.largest_measured(line)
    metric = deciding(result)
    return {
        "result": result,
        "kind": result.rules.kind,
        "kind_view": kinds.view(result),
        "metric": form.heading(metric),
        "lower": not metric.higher,
        "spread_unit": "in points" if metric.unit == "%" else f"in the unit of {metric.name}",
        "gains": _gains(metric),
        "verdict": wording.verdict_of(result),
        "looks": {name: _look(name, place) for place, name in enumerate(order)},
        "tiles": _tiles(result, line),
        "board": board(result),
        "pretrained": pretrained(result),
        "axis": [_axis_end(metric, end) for end in _axis(result.standings, metric)],
        "costs": [_costs(s) for s in result.standings],
        "equivalents": _equivalents(result.equivalents, order, metric),
        "ladder": _ladder(result),
        "baselines": _built_on_others(result),
        "columns": columns.sentences(result),
        "by": subsets.view(result),
        "stress": stress.view(result.stress, metric),
        "curves": _curves(result, order, measured),
        "against": _against(result),
        "findings": findings(result),
        "labels": labels(result),
        "rejected": result.table.rejected[:MOST_REJECTED],
        "provenance": provenance(result),
        "trials": [trial(r, metric) for r in result.records],
        "seeds": len({r.trial.seed for r in result.records}),
    }


def board(result: Result) -> list[dict[str, Any]]:
    """Word each line of the leaderboard."""
    metric = deciding(result)
    others = [other for other in result.rules.metrics if other is not metric]
    return [
        {
            "contender": s.contender,
            "mark": _collapse.mark(s),
            "score": form.plus_minus(metric, s.score),
            "between": form.between(metric, s.score),
            "standing": against_best(s, result.standings, metric),
            "spread": f"± {form.number(metric, s.spread, s.score)}" if s.seeds > 1 else "one run",
            "clean": form.plus_minus(metric, s.clean) if s.clean else None,
            "others": {
                form.heading(other): form.score(other, s.scores[other.name])
                for other in others
                if other.name in s.scores
            },
            "training": write.duration(s.cost.train_seconds),
            "latency": write.milliseconds(s.cost.latency_p50),
            "memory": write.size(s.cost.peak_bytes),
            "disk": write.size(s.cost.disk_bytes),
            "trained": write.parameters(s.cost.trained_parameters),
            "bar": _bar(s, *_axis(result.standings, metric)),
            "beyond": s.score.low >= _axis(result.standings, metric)[1],
            "good": s.ties or s is winner(result.standings),
        }
        for s in result.standings
    ]


def against_best(standing: Standing, standings: Sequence[Standing], metric: Metric) -> str:
    """Word how a contender compares with the best, so that it is readable without colour."""
    leader = winner(standings)
    if standing is leader:
        return "best"
    if standing.ties:
        return "ties with the best"
    gap = wording.behind(standing)
    return f"{form.difference(metric, gap.value if gap else leader.score.value - standing.score.value, gap)} behind"


def _look(contender: str, place: int) -> dict[str, str]:
    if contender == "majority":
        return {"colour": "var(--grey)", "glyph": "·"}
    place %= len(GLYPHS)
    return {"colour": f"var(--series-{place})", "glyph": GLYPHS[place]}


def _markup(svg: str) -> Markup:
    """Mark a figure as safe HTML: plots escapes what it writes, and no text from the data enters a figure."""
    return Markup(svg)


# --- head of the page ----------------------------------------------------------------------------------------


def _tiles(result: Result, line: Sequence[Equivalent]) -> list[dict[str, str]]:
    leader, cheap = winner(result.standings), wording.cheapest(result.standings)
    tiles = [
        {
            "name": "Best",
            "value": leader.contender,
            "note": f"{result.metric} {form.plus_minus(deciding(result), leader.score)}",
        }
    ]
    if not wording.no_better_than_majority(result.standings) and len(result.standings) > 1:
        cost = cheap.cost
        note = f"{write.milliseconds(cost.latency_p50)} a text, {write.size(cost.disk_bytes)}"
        note += f", {write.duration(cost.train_seconds)} to train"
        tiles.append({"name": "Cheapest within noise", "value": cheap.contender, "note": note})
    if line:
        tiles.append({"name": "Worth of the head start", **_worth(line)})
    return tiles


def _worth(line: Sequence[Equivalent]) -> dict[str, str]:
    full, measured = line[-1], head_start.largest_measured(line)
    if head_start.worth_nothing(full):
        return {"value": "nothing here", "note": f"{full.contender} does as well with {write.plural(full.size, 'row')}"}
    if measured is None or measured.labels is None:
        first = next(e for e in line if e.labels is None)
        return {"value": f"> {write.count(first.beyond)} rows", "note": _needed(first)}
    return {"value": f"{write.about(measured.labels.value)} rows", "note": _needed(measured)}


def _needed(equivalent: Equivalent) -> str:
    size = write.count(equivalent.size)
    return f"needed by {equivalent.contender} to score what {equivalent.reference} scores with {size}"


def _gains(metric: Metric) -> str:
    """Head the column of what a level adds, in which a positive number is better."""
    if not metric.higher:
        return f"Lowers {metric.name} by (95 % interval)"
    return f"Adds{', points' if metric.unit == '%' else ''} (95 % interval)"


def _axis(standings: Sequence[Standing], metric: Metric) -> tuple[float, float]:
    """Choose the ends of the leaderboard's axis; 'majority' may lie outside, so that the others are distinguishable."""
    shown = [s for s in standings if s.contender != "majority"] or list(standings)
    low, high = min(s.score.low for s in shown), max(s.score.high for s in shown)
    room = max(high - low, 0.01 * form.whole(metric, high) or 0.01) * 0.06
    return low - room, high + room


def _axis_end(metric: Metric, end: float) -> str:
    return f"{100 * end:.0f} %" if metric.unit == "%" else form.score(metric, end)


def _bar(standing: Standing, low: float, high: float) -> dict[str, float] | None:
    def at(score: float) -> float:
        return round(100 * min(max((score - low) / (high - low), 0), 1), 2)

    score = standing.score
    if score.high <= low or score.low >= high:
        return None
    return {"left": at(score.low), "width": round(at(score.high) - at(score.low), 2), "dot": at(score.value)}


# --- sections ------------------------------------------------------------------------------------------------


def _built_on_others(result: Result) -> list[dict[str, Any]]:
    """Word what each ensemble and student gains: sentences, and one line for it and each contender compared."""
    standings, metric = {s.contender: s for s in result.standings}, deciding(result)
    worded = []
    for name in [s.contender for s in result.standings]:
        own = [comparison for comparison in result.baselines if comparison.contender == name]
        if own:
            compared = [(name, "")] + [(comparison.other, ROLES[comparison.role]) for comparison in own]
            lines = [
                {**_costs(standings[other]), "role": role, "score": form.plus_minus(metric, standings[other].score)}
                for other, role in compared
            ]
            worded.append({"sentences": _baselines.sentences(own, standings, metric), "lines": lines})
    return worded


def _costs(standing: Standing) -> dict[str, str]:
    cost = standing.cost
    return {
        "contender": standing.contender,
        "training": write.duration(cost.train_seconds),
        "latency": write.milliseconds(cost.latency_p50),
        "p95": write.milliseconds(cost.latency_p95),
        "throughput": f"{write.about(cost.throughput)}/s",
        "disk": write.size(cost.disk_bytes),
        "memory": write.size(cost.peak_bytes),
        "parameters": write.parameters(cost.parameters),
        "trained": write.parameters(cost.trained_parameters),
        "cut_off": write.percent(cost.cut_off),
    }


def _equivalents(
    equivalents: Sequence[Equivalent], order: Sequence[str], metric: Metric
) -> list[tuple[str, list[dict[str, str]]]]:
    """Word the label equivalents, a table for each reference, the best reference first."""
    place = {name: i for i, name in enumerate(order)}
    lines = sorted(equivalents, key=lambda e: (e.size, place.get(e.contender, len(order))))
    references = sorted({e.reference for e in lines}, key=lambda name: place.get(name, len(order)))
    smallest = min((e.size for e in lines), default=0)
    return [(name, [_equivalent(e, smallest, metric) for e in lines if e.reference == name]) for name in references]


def _needs(equivalent: Equivalent, smallest: int) -> str:
    labels = equivalent.labels
    return head_start.amount(labels, smallest) if labels else f"more than {write.count(equivalent.beyond)}"


def _equivalent(equivalent: Equivalent, smallest: int, metric: Metric) -> dict[str, str]:
    labels = equivalent.labels
    needed = labels.value if labels else equivalent.beyond
    return {
        "reference": equivalent.reference,
        "size": write.count(equivalent.size),
        "score": form.score(metric, equivalent.score),
        "contender": equivalent.contender,
        "needs": _needs(equivalent, smallest),
        "between": (head_start.labels_range(labels, equivalent.beyond) if labels else "") or "–",
        "times": f"{'' if labels else '> '}{needed / equivalent.size:.1f} ×" if needed > equivalent.size else "–",
    }


def _ladder(result: Result) -> list[dict[str, str]]:
    """Word each level of the ladder; empty if there is only one."""
    smallest = min((point.size for point in result.curve), default=0)
    metric = deciding(result)
    return [_level(level, smallest, metric) for level in result.ladder] if len(result.ladder) > 1 else []


def _level(level: LadderLevel, smallest: int, metric: Metric) -> dict[str, str]:
    needs = _needs(level.worth, smallest) if level.worth else ""
    return {
        "name": level.name,
        "contender": level.contender,
        "score": form.plus_minus(metric, level.score),
        "over": level.over,
        "adds": form.signed(metric, level.gain) if level.gain else "",
        "sure": "no evidence of a difference" if level.ties else "",
        "needs": needs,
        "trained": write.parameters(level.cost.trained_parameters),
        "training": write.duration(level.cost.train_seconds),
    }


def _curves(result: Result, order: Sequence[str], measured: Equivalent | None) -> list[Markup]:
    """Draw the learning curves for a wide and for a narrow screen; the page shows one of them."""
    if len({point.size for point in result.curve}) < 2:
        return []
    draw = plots.learning_curves
    return [_markup(draw(result.curve, order, deciding(result), measured, narrow=narrow)) for narrow in (False, True)]


def _against(result: Result) -> list[Markup]:
    if not any(s.contender != "majority" for s in result.standings):
        return []
    draw, standings, metric = plots.against, result.standings, deciding(result)
    return [
        _markup(draw(standings, "latency", "time for one text", lambda s: s.cost.latency_p50, metric)),
        _markup(draw(standings, "training", "training time", lambda s: s.cost.train_seconds, metric)),
    ]
