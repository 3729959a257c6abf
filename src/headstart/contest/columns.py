"""What columns beside the text, the text and both are worth: contenders compared on the same test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headstart.contest import rank
from headstart.core.contracts import Task, Value
from headstart.core.records import Record, Splits
from headstart.core.results import BaselineComparison
from headstart.core.tally import Metric

BOTH = ("beside", "words")  # values of a contender's option `columns` with which it reads text and columns


def worth(records: Sequence[Record], splits: Splits, task: Task, metric: Metric) -> tuple[BaselineComparison, ...]:
    """Compare each contender that reads both with itself on the text alone, and with those on the columns alone.

    Those on the text or the columns alone are compared with the floor. The p-values are corrected for the number of
    comparisons (Holm). Empty if no columns are read beside the text.

    Args:
        records: of any sizes; only those on all training rows count here.
        splits: the split of the data.
        task: of these rows.
        metric: the score that decides.
    """
    if not task.tabular.names:
        return ()
    teams = rank.full_size(records)
    options = {name: team[0].trial.options for name, team in teams.items()}
    roles = [(name, *other) for name in teams for other in _others(name, options)]
    comparisons = rank.paired([(name, other) for name, other, _ in roles], teams, splits.test, task, metric)
    return tuple(
        BaselineComparison(*who, compared.difference, compared.p_value)
        for who, compared in zip(roles, comparisons, strict=True)
    )


def _others(name: str, options: Mapping[str, Mapping[str, Value]]) -> list[tuple[str, str]]:
    """Return what a contender is compared with, and as what."""
    own = options[name]
    way = own.get("columns")
    if way in BOTH:
        same = [(other, "text") for other in options if options[other] == {**own, "columns": "none"}]
        return same + [(other, "columns") for other in options if options[other].get("columns") == "alone"]
    return [(rank.FLOOR, "floor")] if way is not None and rank.FLOOR in options else []
