"""Check the data before anything is trained on it: duplicates, leakage, contradictions, imbalance.

Every check gives a finding, a 'fine' one if nothing is wrong, so that a reader sees what was checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from headstart.core.contracts import Task, Value, joined_texts
from headstart.core.errors import shown
from headstart.core.records import Audit, Finding, Rows, Splits, Table
from headstart.data import _written, tabular
from headstart.data._near import copies, normalise

EXAMPLES, EXAMPLE_ROWS = 5, 6
UNEVEN, VERY_UNEVEN = 3, 10
FEW = 10


def audit(splits: Splits, task: Task) -> Audit:
    """Check a split for anything that makes its scores look better, or be less certain, than they are.

    Copies are those of :func:`headstart.data.split.split`, whose search is reused. Exact copies are equal up to case
    and white space.

    >>> train = Rows(("a", "b", "c"), ("fine film", "Fine  film", "poor film"), ("pos", "neg", "neg"))
    >>> from headstart import tasks
    >>> splits = Splits(train, train.take([2]), train.take([0]), frozenset("a"), "")
    >>> found = audit(splits, tasks.load("classification"))
    >>> [finding.kind for finding in found.findings if finding.severity == "warning"]
    ['leakage', 'conflicts', 'unmeasured-classes']
    """
    sides, columns, written = _sides(splits, task), tabular.findings(splits, task), _written.findings(splits, task)
    values = [value for part in (splits.train, splits.validation, splits.test) for value in part.inputs]
    splits = replace(
        splits,
        train=_in_texts(splits.train, task),
        validation=_in_texts(splits.validation, task),
        test=_in_texts(splits.test, task),
    )
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    groups = copies(text for part in parts.values() for text in part.inputs)
    one_label = task.kind == "label"
    labels = {name: dict(Counter(part.targets)) if one_label else {} for name, part in parts.items()}
    findings = (
        _duplicates(parts, groups.exact),
        _near_duplicates(parts, groups.exact, _near_on_each_side(values, task, groups.near)),
        _leakage(splits, groups.exact, groups.near),
        *sides,
        *(_classes(parts, groups.exact, labels) if one_label else ()),
        *_groups(parts),
        *columns,
        *written,
    )
    return Audit({name: len(part) for name, part in parts.items()}, labels, findings)


def _classes(
    parts: Mapping[str, Rows], exact: Mapping[str, int], labels: Mapping[str, Mapping[str, int]]
) -> tuple[Finding, ...]:
    """Return the findings about classes, for tasks with one label per row."""
    return (
        _conflicts(parts, exact),
        _imbalance(labels["train"]),
        _unseen(labels),
        _unmeasured(labels),
        _small_classes(labels["train"]),
    )


def _sides(splits: Splits, task: Task) -> list[Finding]:
    """For inputs of several texts each, find the test rows one of whose texts occurs in train or validation."""
    width = len(task.texts(splits.train.inputs[0]))
    if width == 1:
        return []
    seen, tested = (
        [tuple(map(normalise, task.texts(value))) for part in parts for value in part.inputs]
        for parts in ((splits.train, splits.validation), (splits.test,))
    )
    if any(len(texts) != width for texts in (*seen, *tested)):
        return []
    roles = [column.role for column in task.columns if not column.target]
    names = roles if len(roles) == width else [f"text {place + 1}" for place in range(width)]
    return [
        _side(name, [texts[place] for texts in seen], [texts[place] for texts in tested])
        for place, name in enumerate(names)
    ]


def _side(name: str, seen: Sequence[str], tested: Sequence[str]) -> Finding:
    known = set(seen)
    count, total = sum(text in known for text in tested), len(tested)
    if not count:
        return _fine("side-leakage", f"No {name} of the test set occurs in train or validation.")
    sentence = (
        f"{_of(count, total)} of the test set have a {name} that also occurs in train or validation, up to case and "
        f"white space: a model can recognise it. To keep the rows of a {name} in one part, name its column as --group."
    )
    return Finding("side-leakage", "warning", count, count / total, sentence)


def _groups(parts: Mapping[str, Rows]) -> list[Finding]:
    """Say whether a group of rows is in two parts; nothing for rows without groups."""
    sides = {name: set(part.groups) for name, part in parts.items() if part.groups}
    if len(sides) < 2:
        return []
    shared = [
        group for group, count in Counter(group for side in sides.values() for group in side).items() if count > 1
    ]
    total = len(set().union(*sides.values()))
    if not shared:
        counts = ", ".join(f"{len(side):,} in {name}" for name, side in sides.items())
        return [Finding("groups", "fine", 0, 0.0, f"No group of rows is in two parts of the split: {counts}.")]
    sentence = (
        f"{len(shared):,} of {total:,} groups are in more than one part, such as {shown(min(shared))}: a model can "
        "know them from training. Scores are also given without their test rows."
    )
    return [Finding("groups", "warning", len(shared), len(shared) / total, sentence)]


def reading(table: Table) -> list[Finding]:
    """List the doubts about how a table was read, and the rows of it that could not be used.

    >>> from headstart.core.records import Rejected
    >>> read = Table("a.csv", Rows(("a.csv:2",), ("x",)), {"text": ("text",)}, "", (Rejected(3, "has no text"),))
    >>> reading(read)[0].examples
    (('line 3', 'has no text'),)
    """
    findings = [Finding("reading", "warning", 0, 0.0, warning) for warning in table.warnings]
    if table.rejected:
        count, total = len(table.rejected), len(table.rows) + len(table.rejected)
        rows = tuple((f"line {row.line}", row.reason) for row in table.rejected)
        sentence = f"{count:,} of {total:,} rows ({count / total:.1%}) could not be used; each is listed with its line."
        findings.append(Finding("rejected", "warning", count, count / total, sentence, rows))
    return findings


def _in_texts(part: Rows, task: Task) -> Rows:
    """Return rows whose inputs are texts and whose targets are strata."""
    return replace(part, inputs=tuple(joined_texts(task, part.inputs)), targets=tuple(map(task.stratum, part.targets)))


def _duplicates(parts: Mapping[str, Rows], exact: Mapping[str, int]) -> Finding:
    """Count the rows that repeat the text of an earlier row of their split."""
    total = _total(parts)
    repeats = {name: _repeats(part, exact) for name, part in parts.items()}
    count = sum(repeats.values())
    if not count:
        return _fine("duplicates", "No text occurs twice in the same split.")
    literal = sum(len(part) - len(set(part.inputs)) for part in parts.values())
    sentence = (
        f"{_of(count, total)} repeat an earlier text of the same split ({_each(repeats)}), "
        f"{literal:,} of them exactly: such texts count more in training and in the scores."
    )
    return Finding("duplicates", "note", count, count / total, sentence, _examples(parts, exact))


def _near_on_each_side(values: Sequence[Value], task: Task, near: Mapping[str, int]) -> Mapping[str, int]:
    """Divide groups of inputs that are nearly the same into those each of whose texts is nearly the same.

    Several questions about a long context are no copies of each other, nor are claims about one piece of evidence.

    Args:
        values: all inputs.
        task: gives their texts.
        near: texts of an input, joined -> group.
    """
    sides = dict(zip(joined_texts(task, values), map(task.texts, values), strict=True))
    if all(len(texts) == 1 for texts in sides.values()):
        return near
    groups = copies(text for texts in sides.values() for text in texts).near
    numbers: dict[tuple[int, ...], int] = {}
    keys = {joined: (near[joined], *(groups[text] for text in texts)) for joined, texts in sides.items()}
    return {joined: numbers.setdefault(key, len(numbers)) for joined, key in keys.items()}


def _near_duplicates(parts: Mapping[str, Rows], exact: Mapping[str, int], near: Mapping[str, int]) -> Finding:
    total = _total(parts)
    repeats = {name: max(0, _repeats(part, near) - _repeats(part, exact)) for name, part in parts.items()}
    count = sum(repeats.values())
    if not count:
        return _fine("near-duplicates", "No text is nearly the same as another of its split.")
    sentence = (
        f"Another {_of(count, total)} are nearly the same as a different text of their split ({_each(repeats)}), "
        "like forwarded messages or filled-in forms: the data has less variety than its size suggests."
    )
    return Finding("near-duplicates", "note", count, count / total, sentence, _examples(parts, near, different=exact))


def _leakage(splits: Splits, exact: Mapping[str, int], near: Mapping[str, int]) -> Finding:
    """Find the test rows with a copy in train or validation."""
    count, total = len(splits.leaked), len(splits.test)
    if not count:
        return _fine("leakage", "No test text occurs in train or validation, exactly or nearly.")
    seen = {exact[text] for part in (splits.train, splits.validation) for text in part.inputs}
    pairs = list(zip(splits.test.ids, splits.test.inputs, strict=True))
    equal = sum(name in splits.leaked and exact[text] in seen for name, text in pairs)
    holders: dict[int, str] = {}
    for part in (splits.train, splits.validation):
        for name, text in zip(part.ids, part.inputs, strict=True):
            holders.setdefault(near[text], name)
    examples = [(name, holders[near[text]]) for name, text in pairs if name in splits.leaked][:EXAMPLES]
    sentence = (
        f"{_of(count, total)} of the test set also occur in train or validation, {equal:,} exactly and "
        f"{count - equal:,} nearly: a model can memorise them. Scores are also given without them."
    )
    return Finding("leakage", "warning", count, count / total, sentence, tuple(examples))


def _conflicts(parts: Mapping[str, Rows], exact: Mapping[str, int]) -> Finding:
    """Find equal texts with different labels, anywhere in the data."""
    labels: dict[int, set[str]] = {}
    for part in parts.values():
        for text, label in zip(part.inputs, part.targets, strict=True):
            labels.setdefault(exact[text], set()).add(label)
    torn = {group for group, different in labels.items() if len(different) > 1}
    if not torn:
        return _fine("conflicts", "No text has two different labels.")
    rows = [
        (exact[text], label, name)
        for part in parts.values()
        for name, text, label in zip(part.ids, part.inputs, part.targets, strict=True)
        if exact[text] in torn
    ]
    one_each = {(group, label): (group, name) for group, label, name in reversed(rows)}
    count, total = len(rows), _total(parts)
    sentence = (
        f"{_counted(len(torn), 'text occurs', 'texts occur')} with different labels, "
        f"{_of(count, total)}: no model can be right on all of them. Check a few: are the classes well defined?"
    )
    return Finding("conflicts", "warning", count, count / total, sentence, _grouped(reversed(one_each.values())))


def _imbalance(labels: Mapping[str, int]) -> Finding:
    least, *_, most = sorted(labels, key=lambda name: (labels[name], name))
    ratio = labels[most] / labels[least]
    count, total = labels[most], sum(labels.values())
    sizes = f"the largest, {shown(most)}, has {ratio:.1f} times the training rows of the smallest, {shown(least)}"
    if ratio <= UNEVEN:
        return Finding("imbalance", "fine", count, count / total, f"The classes have similar sizes: {sizes}.")
    sentence = (
        f"The classes are imbalanced: {sizes} ({count:,} and {labels[least]:,}). Always predicting {shown(most)} would "
        f"be right in {count / total:.0%} of cases, so read macro-F1 beside accuracy."
    )
    return Finding("imbalance", "warning" if ratio > VERY_UNEVEN else "note", count, count / total, sentence)


def _unseen(labels: Mapping[str, Mapping[str, int]]) -> Finding:
    """Find labels in validation and test that do not occur in train."""
    unseen = {
        label: labels["validation"].get(label, 0) + labels["test"].get(label, 0)
        for label in sorted({*labels["validation"], *labels["test"]} - labels["train"].keys())
    }
    if not unseen:
        return _fine("unseen-labels", "Every label of validation and test also occurs in train.")
    count, total = sum(unseen.values()), sum(labels["validation"].values()) + sum(labels["test"].values())
    names = ", ".join(map(shown, list(unseen)[:EXAMPLES])) + (", ..." if len(unseen) > EXAMPLES else "")
    sentence = (
        f"{_of(count, total)} of validation and test have a label that train does not have ({names}): every model is "
        "wrong on all of them. Are the labels spelt alike in all files?"
    )
    return Finding("unseen-labels", "warning", count, count / total, sentence)


def _unmeasured(labels: Mapping[str, Mapping[str, int]]) -> Finding:
    """Find classes of train without rows in test or validation."""
    train, test = labels["train"], labels["test"]
    if len(test) == 1:
        only, count = next(iter(test.items()))
        sentence = (
            f"All test rows ({count:,}) have the label {shown(only)}: no score can show how well "
            "classes are distinguished; "
            "give test rows of every class."
        )
        return Finding("unmeasured-classes", "warning", count, 1.0, sentence)
    missing = {
        part: [label for label in sorted(train) if not labels[part].get(label)] for part in ("test", "validation")
    }
    if not any(missing.values()):
        return _fine("unmeasured-classes", "Every class of train has rows in test and in validation.")
    clauses = [
        f"{_counted(len(labels_missing), 'class has', 'classes have')} no row in {part} "
        f"({', '.join(map(shown, labels_missing[:EXAMPLES]))}{', ...' if len(labels_missing) > EXAMPLES else ''})"
        for part, labels_missing in missing.items()
        if labels_missing
    ]
    sentence = f"{'; '.join(clauses)}: no score can show how well they are distinguished from others."
    count = sum(train[label] for label in set(missing["test"]) | set(missing["validation"]))
    severity = "warning" if missing["test"] else "note"
    return Finding("unmeasured-classes", severity, count, count / sum(train.values()), sentence)


def _small_classes(labels: Mapping[str, int]) -> Finding:
    small = {label: count for label, count in sorted(labels.items(), key=lambda item: item[1]) if count < FEW}
    if not small:
        return _fine("small-classes", f"Every class has at least {FEW} training rows.")
    named = ", ".join(f"{shown(label)} {count}" for label, count in list(small.items())[:EXAMPLES])
    sentence = (
        f"{_counted(len(small), 'class has', 'classes have')} fewer than {FEW} training rows ({named}"
        f"{', ...' if len(small) > EXAMPLES else ''}): scores about them are unreliable."
    )
    count, total = sum(small.values()), sum(labels.values())
    return Finding("small-classes", "note", count, count / total, sentence)


def _fine(kind: str, sentence: str) -> Finding:
    return Finding(kind, "fine", 0, 0.0, sentence)


def _repeats(part: Rows, groups: Mapping[str, int]) -> int:
    return len(part) - len({groups[text] for text in part.inputs})


def _examples(
    parts: Mapping[str, Rows], groups: Mapping[str, int], different: Mapping[str, int] | None = None
) -> tuple[tuple[str, ...], ...]:
    """Return a few groups of row ids, each of one split; with `different`, only one row per value of it."""
    rows = []
    for split, part in parts.items():
        chosen: set[tuple[int, int]] = set()
        for name, text in zip(part.ids, part.inputs, strict=True):
            key = (groups[text], different[text]) if different else (groups[text], len(chosen))
            if key not in chosen:
                chosen.add(key)
                rows.append(((split, groups[text]), name))
    return _grouped(rows)


def _grouped(rows: Iterable[tuple[object, str]]) -> tuple[tuple[str, ...], ...]:
    """Group names by key and return the first few groups of two or more."""
    groups: dict[object, list[str]] = {}
    for key, name in rows:
        groups.setdefault(key, []).append(name)
    several = [tuple(names[:EXAMPLE_ROWS]) for names in groups.values() if len(names) > 1]
    return tuple(several[:EXAMPLES])


def _total(parts: Mapping[str, Rows]) -> int:
    return sum(map(len, parts.values()))


def _of(count: int, total: int) -> str:
    return f"{count:,} of {total:,} rows ({count / total:.1%})"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _each(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
