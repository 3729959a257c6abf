"""Allowed values of contenders' options, in a module without torch so that options are checked quickly."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from headstart.core.contracts import HeadPlan, Kind, Task
from headstart.core.errors import UsageError

ClassWeights = Literal["none", "balanced"]
# Of a model to pretrain; see `job.SIZES`.
Size = Literal["tiny", "mini", "small", "base"]
# Those that the heads of a Transformer answer.
KINDS: frozenset[Kind] = frozenset({"label", "labels", "number", "facts", "text"})


def head_plan(task: Task, crf: bool) -> HeadPlan:
    """Return the plan of a task's head, with scores of pairs of labels if wanted.

    Raises:
        UsageError: they are wanted, and the task has no labels of words.
    """
    plan = task.head()
    if crf and plan.suffix != "ForTokenClassification":
        raise UsageError("crf=true is for tasks that label words, such as ner, and this one does not; leave it out.")
    return replace(plan, crf=crf)
