"""Check inputs whose answers are written: targets that repeat the input, and lengths that do not belong together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median
from typing import cast

from headstart.core.contracts import Task, joined_texts
from headstart.core.records import Finding, Splits
from headstart.core.text_tasks import TextTask
from headstart.data._near import normalise

FACTOR = 9  # a target so much longer or shorter, beside its input, than usual is probably not its target
# Nearly copied: this share of the target's words is in the input, which has about as many; with fewer words than LEAST,
# names and numbers may be all there is.
SAME_WORDS, ABOUT, LEAST = 0.8, 1.5, 4
# More such rows than this share are no mistakes: targets of these data have any length.
NATURAL = 0.1
SHOWN = 6  # rows that are named


def findings(splits: Splits, task: Task) -> tuple[Finding, ...]:
    """Return findings about pairs of an input and its target; none for tasks whose answers are not written.

    Args:
        splits: the split, with inputs and targets as the task read them.
        task: the task.
    """
    if not task.generates:
        return ()
    pairs = list(_pairs(splits, cast(TextTask, task)))
    return _copied(pairs), _lengths(pairs)


def _pairs(splits: Splits, task: TextTask) -> Iterator[tuple[str, str, str]]:
    """Yield id, input and first target of each row."""
    for part in (splits.train, splits.validation, splits.test):
        sources = joined_texts(task, part.inputs)
        for name, source, target in zip(part.ids, sources, part.targets, strict=True):
            yield name, source, task.accepted(target)[0]


def _copied(pairs: Sequence[tuple[str, str, str]]) -> Finding:
    """Count the targets that are their input, exactly or nearly: texts that nobody translated or summarised."""
    exact = [name for name, source, target in pairs if normalise(source) == normalise(target)]
    equal = set(exact)
    near = [name for name, source, target in pairs if name not in equal and _nearly(source, target)]
    count, total = len(exact) + len(near), len(pairs)
    if not count:
        return Finding("copied-targets", "fine", 0, 0.0, "No target repeats its input.")
    sentence = (
        f"{count:,} of {total:,} rows ({count / total:.1%}) have a target that repeats its input, {len(exact):,} "
        f"exactly and {len(near):,} nearly: they teach a model to copy. Leave them out, unless copies are right there."
    )
    return Finding("copied-targets", "warning", count, count / total, sentence, (tuple([*exact, *near][:SHOWN]),))


def _nearly(source: str, target: str) -> bool:
    """Return whether a target has nearly the words of its input.

    >>> _nearly("The dog ran home today.", "The Dog ran home"), _nearly("The dog ran home today.", "Der Hund lief heim")
    (True, False)
    """
    known, own = Counter(normalise(source).split()), Counter(normalise(target).split())
    if not LEAST <= own.total() <= ABOUT * known.total() or known.total() > ABOUT * own.total():
        return False
    return (known & own).total() >= SAME_WORDS * own.total()


def _lengths(pairs: Sequence[tuple[str, str, str]]) -> Finding:
    """Count the targets that are far longer or shorter, beside their input, than those of other rows."""
    ratios = [(len(target) + 1) / (len(source) + 1) for _, source, target in pairs]
    usual = median(ratios)
    off = [name for (name, *_), ratio in zip(pairs, ratios, strict=True) if not 1 / FACTOR < ratio / usual < FACTOR]
    count, total = len(off), len(pairs)
    if not count:
        sentence = f"No target is {FACTOR} times as long or as short, beside its input, as is usual here."
        return Finding("target-lengths", "fine", 0, 0.0, sentence)
    sentence = (
        f"{count:,} of {total:,} rows ({count / total:.1%}) have a target that is at least {FACTOR} times as long or "
        f"as short, beside its input, as is usual here ({usual:.2g} characters for each of the input)"
    )
    if count > NATURAL * total:
        return Finding("target-lengths", "note", count, count / total, f"{sentence}: lengths say little in these data.")
    sentence += ": the two may not belong together."
    return Finding("target-lengths", "warning", count, count / total, sentence, (tuple(off[:SHOWN]),))
