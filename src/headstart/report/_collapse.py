"""How a collapsed training is reported: next to its contender, in the verdict, and among the findings."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.core.records import Finding, Record
from headstart.core.results import Standing
from headstart.report._format import joined, plural

MARK = "*"


def mark(standing: Standing) -> str:
    """Say how many of a contender's trainings collapsed; '' if none did.

    >>> from types import SimpleNamespace
    >>> mark(SimpleNamespace(retried=1, collapsed=0, seeds=3))
    '1 of 3 seeds collapsed, retried at a third of the learning rate'
    """
    if not standing.retried:
        return ""
    retried = (
        f"{standing.retried} of {plural(standing.seeds, 'seed')} collapsed, retried at a third of the learning rate"
    )
    return f"{retried}; {standing.collapsed} collapsed again and counted in the mean" if standing.collapsed else retried


def caveat(standings: Sequence[Standing]) -> str:
    """Say for the verdict whose trainings collapsed: the mark of a single contender, or the names of several."""
    if len(standings) == 1:
        return f"for {standings[0].contender}, {mark(standings[0])}"
    names = joined([standing.contender for standing in standings])
    return f"trainings of {names} collapsed, so their scores say little about these methods"


def finding(records: Sequence[Record]) -> list[Finding]:
    """Return a finding that lists the collapsed trainings of all sizes; empty if none collapsed."""
    retried = [record for record in records if record.retried]
    if not retried:
        return []
    again = sum(record.collapsed for record in retried)
    result = "none of them collapsed again" if not again else f"{again} collapsed again and counted in the mean"
    sentence = (
        f"{plural(len(retried), 'training')} collapsed and were repeated at a third of the learning rate; {result}. "
        "A lower learning rate, more epochs or more rows may help."
    )
    examples = tuple(
        (f"{record.trial.contender} on {plural(record.train_rows, 'row')}, seed {record.trial.seed}", record.collapse)
        for record in retried
    )
    return [Finding("collapsed", "warning", len(retried), len(retried) / len(records), sentence, examples)]
