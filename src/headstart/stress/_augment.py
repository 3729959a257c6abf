"""Training rows with transformed copies, so that a model learns to answer both alike."""

from __future__ import annotations

import dataclasses

from headstart.core import seed
from headstart.core.contracts import Task
from headstart.core.records import Rows
from headstart.stress._copies import transformed
from headstart.stress.typos import Typos

RATE = 0.1  # of the words of a copy


def augmented(train: Rows, task: Task, augment: str, run_seed: int) -> Rows:
    """Return the rows, and after them a transformed copy of each that can be changed.

    Args:
        train: training rows; no other rows are ever augmented.
        task: of these rows.
        augment: 'typos', or 'none' to return the rows as they are.
        run_seed: seed of the training, from which the copies have a seed of their own.

    >>> from headstart import tasks
    >>> rows = Rows(("1", "2"), ("wonderful " * 20, "bad"), ("a", "b"))
    >>> augmented(rows, tasks.load("classification"), "typos", 0).ids
    ('1', '2', '1+typos')
    """
    if augment == "none":
        return train
    copies = transformed(task, train, Typos(RATE), seed.derive(run_seed, "augment"))
    more = copies.rows.take(copies.changed)
    more = dataclasses.replace(more, ids=tuple(f"{name}+{augment}" for name in more.ids))
    parts = {
        field.name: (*getattr(train, field.name), *getattr(more, field.name)) for field in dataclasses.fields(Rows)
    }
    return Rows(**parts)
