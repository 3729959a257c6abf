"""The evidence for the report's claims, worded for the page: audit, labels, provenance, trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from headstart.checkpoints import hub
from headstart.contest.trials import all_sources
from headstart.core.records import Record
from headstart.core.results import Result
from headstart.core.tally import Metric
from headstart.metrics import format as form
from headstart.report import _format as write
from headstart.report._values import shown_answer, shown_input

SEVERITIES = ("warning", "note", "fine")


def findings(result: Result) -> list[dict[str, Any]]:
    """Sort the audit's findings by severity, with the texts of their examples."""
    splits = {"train": result.splits.train, "validation": result.splits.validation, "test": result.splits.test}
    examples = {item for finding in result.audit.findings for group in finding.examples for item in group}
    known = {
        row: {
            "id": row,
            "text": shown_input(result.rules, value),
            "label": shown_answer(result.rules, target, value),
            "split": name,
        }
        for name, rows in splits.items()
        for row, value, target in zip(rows.ids, rows.inputs, rows.targets, strict=True)
        if row in examples
    }
    ordered = sorted(result.audit.findings, key=lambda f: SEVERITIES.index(f.severity))
    return [
        {
            "finding": finding,
            "groups": [[known.get(item, {"id": "", "text": item}) for item in group] for group in finding.examples],
        }
        for finding in ordered
    ]


def labels(result: Result) -> dict[str, Any]:
    """Word how many rows each label has in each split; of kinds other than one label, no line."""
    splits = list(result.audit.labels) if result.rules.kind == "label" else []
    names = sorted({label for split in splits for label in result.audit.labels[split]})
    return {
        "splits": splits,
        "rows": [(name, [write.count(result.audit.labels[s].get(name, 0)) for s in splits]) for name in names],
        "totals": [write.count(result.audit.rows.get(s, 0)) for s in splits],
    }


def pretrained(result: Result) -> str:
    """Return the full names of the pretrained models and saved teachers that contenders used; '' if there are none."""
    return "; ".join(hub.title(source) for source in all_sources(record.trial for record in result.records))


def provenance(result: Result) -> list[tuple[str, str]]:
    """List what the numbers depend on: data, splits, seeds, commit, machines."""
    records = result.records
    table = result.table
    facts = [
        (
            "Data",
            f"{table.name}: {'; '.join(f'{role} from {_quoted(names)}' for role, names in table.columns.items())}",
        ),
        ("SHA-256 of the file", table.sha256),
        ("SHA-256 of the splits", result.splits.sha256),
        *_models(records),
        ("Seeds", ", ".join(str(seed) for seed in sorted({r.trial.seed for r in records}))),
        ("Headstart's commit", ", ".join(sorted({r.commit or "outside a checkout" for r in records}))),
        ("Trained", _when(records)),
    ]
    machines: list[Mapping[str, Any]] = []
    for record in records:
        # The load changes from trial to trial; each trial's record has it.
        machine: Mapping[str, Any] = {key: value for key, value in record.machine.items() if key != "load"}
        if machine not in machines:
            machines.append(machine)
    for place, each in enumerate(machines):
        facts.append(("Machine" if len(machines) == 1 else f"Machine {place + 1}", _machine(each)))
    return facts


def _models(records: Sequence[Record]) -> list[tuple[str, str]]:
    """List each model that was read, with the hash of its content."""
    built_on = {model: sha256 for record in records for model, sha256 in record.built_on.items()}
    return [("Pretrained model", f"{hub.title(model)}, SHA-256 {sha256}") for model, sha256 in built_on.items()]


def _when(records: Sequence[Record]) -> str:
    made = sorted(r.made for r in records)
    return f"{made[0]} to {made[-1]}" if made else ""


def _machine(machine: Mapping[str, Any]) -> str:
    packages = machine.get("packages", {})
    plain = [f"{key.replace('_', ' ')} {value}" for key, value in machine.items() if key != "packages"]
    return ", ".join(plain + [f"{name} {version}" for name, version in packages.items()])


def _repeated(record: Record) -> str:
    if not record.retried:
        return ""
    return " (collapsed twice)" if record.collapsed else " (collapsed, then retried)"


def trial(record: Record, metric: Metric) -> dict[str, str]:
    """Word one finished trial."""
    return {
        "contender": record.trial.contender,
        "rows": write.count(record.train_rows),
        "seed": f"{record.trial.seed}{_repeated(record)}",
        "score": form.score(metric, record.scores[metric.name]),
        "validation": form.score(metric, record.validation.get(metric.name, math.nan)),
        "training": write.duration(record.cost.train_seconds),
        "latency": write.milliseconds(record.cost.latency_p50),
        "made": record.made,
        "path": record.path,
    }


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
