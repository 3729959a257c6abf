"""What page.html is filled with: the Result turned into the words and numbers that stand on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from headstart.core.records import Equivalent, Record, Result, Standing
from headstart.report import plots, wording
from headstart.report import _format as write
from headstart.report._mistakes import Confusion, confusions, examples

MOST_REJECTED = 500
GLYPHS = ("●", "■", "◆", "▲", "▼", "✚", "✖", "⬟")


def view(result: Result) -> dict[str, Any]:
    """Collect everything that the page shows, already worded; nothing is escaped yet, the template does that."""
    order = [s.contender for s in result.standings]
    line = wording.head_start_of(result.equivalents, result.standings) if result.equivalents else []
    told = wording.most_telling(line)
    return {
        "result": result,
        "looks": {name: _look(name, place) for place, name in enumerate(order)},
        "tiles": _tiles(result, line),
        "board": board(result),
        "axis": _axis(result.standings),
        "costs": [_costs(s) for s in result.standings],
        "equivalents": [_equivalent(e) for e in _by_reference(result.equivalents, order)],
        "curves": _markup(plots.learning_curves(result.curve, order, result.metric, told)) if result.curve else "",
        "against": _against(result),
        "reliability": _reliability(result, order),
        "confusions": [_confusion(c) for c in confusions(result)],
        "examples": examples(result),
        "findings": _findings(result),
        "labels": _labels(result),
        "rejected": result.table.rejected[:MOST_REJECTED],
        "provenance": _provenance(result),
        "trials": [_trial(r, result.metric) for r in result.records],
        "seeds": len({r.trial.seed for r in result.records}),
    }


def board(result: Result) -> list[dict[str, Any]]:
    """Word each line of the leaderboard."""
    return [
        {
            "contender": s.contender,
            "score": write.plus_minus(s.score),
            "between": write.between(s.score),
            "standing": against_best(s, result.standings),
            "spread": write.points(s.spread) if s.seeds > 1 else "one seed",
            "clean": write.plus_minus(s.clean) if s.clean else None,
            "others": {name: write.percent(value) for name, value in s.scores.items() if name != result.metric},
            "training": write.duration(s.cost.train_seconds),
            "latency": write.milliseconds(s.cost.latency_p50),
            "disk": write.size(s.cost.disk_bytes),
            "parameters": write.parameters(s.cost.parameters),
            "bar": _bar(s, *_axis(result.standings)),
            "good": s.ties or s is wording.best(result.standings),
        }
        for s in result.standings
    ]


def against_best(standing: Standing, standings: Sequence[Standing]) -> str:
    """Word how a contender stands against the best, so that it reads without colour."""
    leader = wording.best(standings)
    if standing is leader:
        return "best"
    if standing.ties:
        return "ties with the best"
    gap = wording.behind(standing)
    return f"{write.points(gap.value if gap else leader.score.value - standing.score.value)} behind"


def _look(contender: str, place: int) -> dict[str, str]:
    if contender == "majority":
        return {"colour": "var(--grey)", "glyph": "·"}
    place %= len(GLYPHS)
    return {"colour": f"var(--series-{place})", "glyph": GLYPHS[place]}


def _markup(svg: str) -> Markup:
    """Mark a figure as safe: plots escapes what it writes, and no person's text enters a figure."""
    return Markup(svg)


# --- head of the page ----------------------------------------------------------------------------------------


def _tiles(result: Result, line: Sequence[Equivalent]) -> list[dict[str, str]]:
    leader, cheap = wording.best(result.standings), wording.cheapest(result.standings)
    tiles = [{"name": "Best", "value": leader.contender, "note": f"{result.metric} {write.plus_minus(leader.score)}"}]
    if not wording.no_better_than_majority(result.standings) and len(result.standings) > 1:
        cost = cheap.cost
        note = f"{write.milliseconds(cost.latency_p50)} a text, {write.size(cost.disk_bytes)}, {write.duration(cost.train_seconds)} to train"
        tiles.append({"name": "Cheapest within noise", "value": cheap.contender, "note": note})
    if line:
        tiles.append({"name": "Worth of the head start", **_worth(line)})
    return tiles


def _worth(line: Sequence[Equivalent]) -> dict[str, str]:
    full, told = line[-1], wording.most_telling(line)
    if wording.worth_nothing(full):
        return {"value": "nothing here", "note": f"{full.contender} does as well with {write.plural(full.size, 'row')}"}
    if told is None or told.labels is None:
        first = next(e for e in line if e.labels is None)
        note = f"{first.contender} never reaches what {first.reference} does with {write.count(first.size)}"
        return {"value": f"> {write.count(first.beyond)} rows", "note": note}
    note = f"of {told.contender} do what {told.reference} does with {write.count(told.size)}"
    return {"value": f"{write.about(told.labels.value)} rows", "note": note}


def _axis(standings: Sequence[Standing]) -> tuple[float, float]:
    """Choose the ends of the leaderboard's scale; 'majority' may fall off it, so that the others can be told apart."""
    shown = [s for s in standings if s.contender != "majority"] or list(standings)
    low, high = min(s.score.low for s in shown), max(s.score.high for s in shown)
    room = max(high - low, 0.01) * 0.06
    return low - room, high + room


def _bar(standing: Standing, low: float, high: float) -> dict[str, float] | None:
    def at(score: float) -> float:
        return round(100 * min(max((score - low) / (high - low), 0), 1), 2)

    score = standing.score
    if score.high <= low:
        return None
    return {"left": at(score.low), "width": round(at(score.high) - at(score.low), 2), "dot": at(score.value)}


# --- sections ------------------------------------------------------------------------------------------------


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


def _by_reference(equivalents: Sequence[Equivalent], order: Sequence[str]) -> list[Equivalent]:
    place = {name: i for i, name in enumerate(order)}
    return sorted(equivalents, key=lambda e: (place.get(e.reference, 99), e.size, place.get(e.contender, 99)))


def _equivalent(equivalent: Equivalent) -> dict[str, str]:
    labels = equivalent.labels
    return {
        "reference": equivalent.reference,
        "size": write.count(equivalent.size),
        "score": write.percent(equivalent.score),
        "contender": equivalent.contender,
        "needs": f"about {write.about(labels.value)}" if labels else f"more than {write.count(equivalent.beyond)}",
        "between": wording.labels_range(labels, equivalent.beyond) if labels else "beyond the most we tried",
        "times": f"× {labels.value / equivalent.size:.1f}" if labels else f"> × {equivalent.beyond / equivalent.size:.1f}",
    }


def _against(result: Result) -> list[Markup]:
    if not any(s.contender != "majority" for s in result.standings):
        return []
    draw, standings, metric = plots.against, result.standings, result.metric
    return [
        _markup(draw(standings, "latency", "time for one text", lambda s: s.cost.latency_p50, metric)),
        _markup(draw(standings, "training", "training time", lambda s: s.cost.train_seconds, metric)),
    ]


def _reliability(result: Result, order: Sequence[str]) -> list[dict[str, Any]]:
    errors = {s.contender: s.calibration_error for s in result.standings}
    return [
        {
            "contender": name,
            "error": write.percent(errors[name]),
            "figure": _markup(plots.reliability(name, place, result.reliability[name])),
        }
        for place, name in enumerate(order)
        if name != "majority" and any(rows for *_, rows in result.reliability.get(name, ()))
    ]


def _confusion(confusion: Confusion) -> dict[str, Any]:
    rows = []
    for place, (label, counts) in enumerate(zip(confusion.classes, confusion.counts, strict=True)):
        total = int(counts.sum())
        shares = [int(c) / total if total else 0.0 for c in counts]
        cells = [(int(c), share, column == place) for column, (c, share) in enumerate(zip(counts, shares, strict=True))]
        rows.append({"label": label, "total": write.count(total), "cells": cells})
    return {"contender": confusion.contender, "classes": confusion.classes, "rows": rows, "left_out": confusion.left_out}


def _findings(result: Result) -> list[dict[str, Any]]:
    splits = {"train": result.splits.train, "validation": result.splits.validation, "test": result.splits.test}
    known = {
        row: {"id": row, "text": str(text), "label": str(label), "split": name}
        for name, rows in splits.items()
        for row, text, label in zip(rows.ids, rows.inputs, rows.targets, strict=True)
    }
    grave = ("warning", "note", "fine")
    findings = sorted(result.audit.findings, key=lambda f: grave.index(f.severity) if f.severity in grave else 0)
    return [
        {
            "finding": finding,
            "groups": [[known.get(item, {"id": "", "text": item}) for item in group] for group in finding.examples],
        }
        for finding in findings
    ]


def _labels(result: Result) -> dict[str, Any]:
    splits = list(result.audit.labels)
    names = sorted({label for counts in result.audit.labels.values() for label in counts})
    return {
        "splits": splits,
        "rows": [(name, [write.count(result.audit.labels[s].get(name, 0)) for s in splits]) for name in names],
        "totals": [write.count(result.audit.rows.get(s, 0)) for s in splits],
    }


# --- provenance ----------------------------------------------------------------------------------------------


def _provenance(result: Result) -> list[tuple[str, str]]:
    records = result.records
    facts = [
        ("Data", f"{result.table.name}, column '{result.table.text_column}' with labels in '{result.table.label_column}'"),
        ("SHA-256 of the file", result.table.sha256),
        ("SHA-256 of the splits", result.splits.sha256),
        ("Seeds", ", ".join(str(seed) for seed in sorted({r.trial.seed for r in records}))),
        ("Headstart's commit", ", ".join(sorted({r.commit or "outside a checkout" for r in records}))),
        ("Trained", _when(records)),
    ]
    machines: list[Mapping[str, Any]] = []
    for record in records:
        # The load changes from trial to trial; it is told in each trial's record.
        machine = {key: value for key, value in record.machine.items() if key != "load"}
        if machine not in machines:
            machines.append(machine)
    for place, machine in enumerate(machines):
        facts.append(("Machine" if len(machines) == 1 else f"Machine {place + 1}", _machine(machine)))
    return facts


def _when(records: Sequence[Record]) -> str:
    made = sorted(r.made for r in records)
    return f"{made[0]} to {made[-1]}" if made else ""


def _machine(machine: Mapping[str, Any]) -> str:
    packages = machine.get("packages", {})
    plain = [f"{key.replace('_', ' ')} {value}" for key, value in machine.items() if key != "packages"]
    return ", ".join(plain + [f"{name} {version}" for name, version in packages.items()])


def _trial(record: Record, metric: str) -> dict[str, str]:
    return {
        "contender": record.trial.contender,
        "rows": write.count(record.train_rows),
        "seed": str(record.trial.seed),
        "score": write.percent(record.scores[metric]),
        "validation": write.percent(record.validation[metric]) if metric in record.validation else "–",
        "training": write.duration(record.cost.train_seconds),
        "latency": write.milliseconds(record.cost.latency_p50),
        "made": record.made,
        "path": record.path,
    }
