"""Turn the trials of a comparison into its result: everything that the report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from headstart.contest import columns, curve, ladder, rank, stress_records, subsets, windows
from headstart.contest.trials import Terms
from headstart.core.contracts import Task
from headstart.core.errors import TrainingError
from headstart.core.records import Audit, Record, Splits, Table
from headstart.core.results import Result
from headstart.core.tally import named
from headstart.report import _collapse


def result(
    task_name: str,
    task: Task,
    table: Table,
    splits: Splits,
    audit: Audit,
    records: tuple[Record, ...],
    terms: Terms,
    skipped: Mapping[str, str],
    column: str | None = None,
) -> Result:
    """Rank the trials of a comparison.

    Args:
        task_name: name of the task.
        task: the task with that name.
        table: the data file as read.
        splits: train, validation and test rows.
        audit: findings about the data.
        records: all finished trials.
        terms: the settings common to all trials.
        skipped: contender -> why it did not run.
        column: name of the column with the subsets of the rows; None if they have none.

    Raises:
        TrainingError: no trial on all rows finished.
    """
    metric = named(task.metrics, terms.metric)
    standings = rank.rank(records, splits, task, metric)
    if not standings:
        reasons = "; ".join(f"{name}: {reason.rstrip('.')}" for name, reason in skipped.items())
        raise TrainingError(f"no contender could be trained: {reasons}.")
    cut_off = windows.truncation({standing.contender: standing.cost.cut_off for standing in standings})
    by = None
    if column is not None:
        order = [standing.contender for standing in standings]
        by = subsets.scores(column, records, order, splits, task, metric)
    shift = subsets.findings(by, metric) if by else ()
    audit = replace(audit, findings=(*audit.findings, cut_off, *_collapse.finding(records), *shift))
    learning = curve.curve(records, metric)
    worth = curve.equivalents(records, metric)
    baselines = rank.against_baselines(records, splits, task, metric)
    return Result(
        name=terms.folder.name,
        metric=terms.metric,
        task=task_name,
        rules=task,
        table=table,
        splits=splits,
        audit=audit,
        records=records,
        standings=standings,
        curve=learning,
        equivalents=worth,
        ladder=ladder.ladder(records, standings, splits, task, metric),
        reliability=rank.reliability(records, splits.test) if task.kind == "label" else {},
        skipped=skipped,
        folder=terms.folder,
        baselines=baselines,
        by=by,
        columns=columns.worth(records, splits, task, metric),
        stress=stress_records.result(records, [line.contender for line in standings], terms, task, metric),
    )
