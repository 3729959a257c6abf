"""Split rows into train, validation and test so that no copy of a test text can be memorised.

Rows are assigned in groups of near copies, class by class, with shares counted in rows. scikit-learn's splitters either
stratify by row, or by group at a cost that grows with groups times folds; and none of them works down to two rows per
class.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from headstart.core.contracts import Task, Value, joined_texts
from headstart.core.errors import DataError, UsageError, shown
from headstart.core.records import Rejected, Rows, Splits, Table
from headstart.core.seed import generator
from headstart.data._near import copies
from headstart.data.read import read
from headstart.data.roles import Given

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.1
# Ten rows cannot choose between models: with little data, validation gets up to twice its share to reach this number.
VALIDATION_ROWS = 50
MOST_SUBSETS = 50


def split(rows: Rows, task: Task, *, test: Rows | None = None, validation: Rows | None = None, seed: int = 0) -> Splits:
    """Split labelled rows 70/10/20, stratified as the task says, near copies on the same side, every class in train.

    Rows of a group are on the same side too. Rows with times are split by them instead: the oldest are training rows,
    the newest test rows, and equal times are on the same side.

    Given test or validation sets are used as they are; `leaked` then names the test rows with a copy, exact or near, in
    train or validation.

    Args:
        rows: the labelled rows to split.
        task: gives the texts in which copies are searched, and the strata.
        test: given test rows; None to split them off.
        validation: given validation rows; None to split them off.
        seed: the same rows and seed give the same split.

    Raises:
        DataError: rows without labels, of one class, or with too few distinct texts, groups or times to hold any out.
        UsageError: rows with groups and with times.

    >>> from headstart import tasks
    >>> rows = Rows(tuple("abcdefghij"), tuple(f"text number {i}" for i in range(10)), ("yes", "no") * 5)
    >>> parts = split(rows, tasks.load("classification"))
    >>> len(parts.train), len(parts.validation), len(parts.test)
    (6, 2, 2)
    """
    for name, part in (("data", rows), ("validation set", validation), ("test set", test)):
        if part is not None and not (len(part) and part.targets):
            raise DataError(f"the {name} has no labelled rows; each row needs a text and a label.")
    if task.kind == "label" and len(set(rows.targets)) < 2:
        raise DataError(
            f"all {len(rows)} rows have the label {shown(rows.targets[0])}; at least two classes are needed."
        )
    if rows.groups and rows.times:
        raise UsageError("--group and --time are two ways to split the data; use one of them.")
    brought = [part for part in (test, validation) if part is not None]
    texts = copies(text for part in (rows, *brought) for text in joined_texts(task, part.inputs))
    wanted = {}
    if test is None:
        wanted["test"] = TEST_SHARE * len(rows)
    if validation is None:
        wanted["validation"] = min(max(VALIDATION_SHARE * len(rows), VALIDATION_ROWS), TEST_SHARE * len(rows))
    sizes = {name: max(1, round(size)) for name, size in wanted.items()}
    if rows.times:
        places = _by_time(np.array(rows.times), sizes)
    else:
        strata = [task.stratum(target) for target in rows.targets]
        near = texts.near_groups(joined_texts(task, rows.inputs))
        places = _divide(strata, _joined(near, rows.groups) if rows.groups else near, sizes, seed)
    train = rows.take(places["train"])
    validation = rows.take(places["validation"]) if validation is None else _apart(validation, rows, "validation")
    test = rows.take(places["test"]) if test is None else _apart(test, rows, "test")
    if task.kind == "label" and len(set(train.targets)) < 2:
        raise DataError(
            f"the {len(train)} oldest rows all have the label {shown(train.targets[0])}; training needs two classes."
        )
    seen = {texts.near[text] for part in (train, validation) for text in joined_texts(task, part.inputs)}
    tested = zip(test.ids, joined_texts(task, test.inputs), strict=True)
    leaked = frozenset(name for name, text in tested if texts.near[text] in seen)
    known = {*train.groups, *validation.groups}
    leaked |= {name for name, group in zip(test.ids, test.groups, strict=False) if group in known}
    return Splits(train, validation, test, leaked, _hash(train, validation, test))


def read_and_split(
    data: Any,
    task: Task,
    test: Any = None,
    validation: Any = None,
    *,
    columns: Given | None = None,
    group: str | None = None,
    time: str | None = None,
    by: str | None = None,
    encoding: str | None = None,
    seed: int = 0,
) -> tuple[Table, Splits]:
    """Read all given files and split them; the table includes the rejected rows of all files.

    Test and validation rows are read from the same columns as the training rows.

    Args:
        data: see `data.read.read`; may also be a table that was read before.
        task: see :func:`split`.
        test: see `data.read.read`.
        validation: see `data.read.read`.
        columns: see `data.read.read`.
        group: see `data.read.read`.
        time: see `data.read.read`; with `test` and `validation` of one's own, nothing is split by it.
        by: see `data.read.read`; only the rows that the test rows come from must have this column.
        encoding: see `data.read.read`.
        seed: see :func:`split`.

    Raises:
        DataError: as for `data.read.read` and :func:`split`.
        UsageError: as for `data.read.read`; the column `by` has too many different values; or a table that was read
            before, for a task that reads columns beside the text.
    """
    reading = partial(read, task=task, columns=columns, by=by, encoding=encoding)
    given = test is not None
    if isinstance(data, Table) and task.tabular.names:
        raise UsageError(f"{data.name} was read without the columns of --columns; read it from its file again.")
    table = data if isinstance(data, Table) else reading(data, group=group, time=time, by_optional=given)
    own = [
        None if part is None else reading(part, like=table, by_optional=part is validation)
        for part in (test, validation)
    ]
    _check_subsets(by, own[0] or table)
    rows = [None if part is None else part.rows for part in own]
    splits = split(table.rows, task, test=rows[0], validation=rows[1], seed=seed)
    for part in filter(None, own):
        bad = tuple(Rejected(row.line, f"of {part.name} {row.reason}") for row in part.rejected)
        file_warnings = tuple(f"{part.name}: {warning}" for warning in part.warnings)
        table = replace(table, rejected=(*table.rejected, *bad), warnings=(*table.warnings, *file_warnings))
    return table, splits


def _check_subsets(by: str | None, table: Table) -> None:
    """Check that the rows which are tested have subsets if they should, and few enough for a score of each."""
    if by and not table.rows.subsets:  # a table that was read before
        raise UsageError(f"{table.name} was read without the column {shown(by)} (--by); read it from its file again.")
    count = len(set(table.rows.subsets))
    if count > MOST_SUBSETS:
        raise UsageError(
            f"column {shown(by)} of {table.name} has {count:,} different values, and --by takes at most "
            f"{MOST_SUBSETS}, such as languages; for persons or documents use --group, for dates --time."
        )


def nested(train: Rows, task: Task, sizes: Iterable[int], seed: int = 0) -> dict[int, Rows]:
    """Choose nested subsets for a learning curve, stratified, with every class in each if possible.

    Args:
        train: the training rows.
        task: gives the strata.
        sizes: numbers of rows; a size above the number of training rows means all of them.
        seed: random seed.

    Raises:
        UsageError: a size below 1.

    >>> rows = Rows(tuple("abcdef"), ("x",) * 6, ("yes", "no") * 3)
    >>> from headstart import tasks
    >>> small, large = nested(rows, tasks.load("classification"), [2, 4]).values()
    >>> set(small.ids) < set(large.ids), sorted(small.targets)
    (True, ['no', 'yes'])
    """
    random = generator(seed, "nested")
    strata = [task.stratum(target) for target in train.targets]
    labels = np.array(strata, dtype=object)
    counts = Counter(strata)
    place = np.empty(len(train))
    for number, label in enumerate(sorted(counts, key=lambda name: (-counts[name], name))):
        own = random.permutation(np.flatnonzero(labels == label))
        place[own] = (np.arange(len(own)) + 0.5) / len(own)
        place[own[0]] = number - len(counts)  # one row of each class comes first, large classes before small ones
    order = np.argsort(place, kind="stable")
    subsets = {}
    for size in sizes:
        if size < 1:
            raise UsageError(f"a size of {size} training rows makes no sense; give sizes of at least 1.")
        subsets[size] = train.take(np.sort(order[:size]))
    return subsets


def _divide(labels: Sequence[str], groups: np.ndarray, sizes: dict[str, int], seed: int) -> dict[str, np.ndarray]:
    """Assign groups of rows to parts of about these sizes; the rest is 'train'. Positions are sorted."""
    _, group_of_row = np.unique(groups, return_inverse=True)
    members: list[list[int]] = [[] for _ in range(int(group_of_row.max()) + 1)]
    for row, group in enumerate(group_of_row.tolist()):
        members[group].append(row)
    generator(seed, "split").shuffle(members)
    pool: dict[str, list[list[int]]] = {}
    for rows in _not_reserved(labels, members):
        pool.setdefault(_majority([labels[row] for row in rows]), []).append(rows)
    counts = Counter(labels)
    parts: dict[str, np.ndarray] = {}
    for name, size in sizes.items():
        part: list[int] = []
        for label, quota in _quotas(size, counts, pool).items():
            part += _take(pool[label], quota)
        if not part and any(pool.values()):
            part = min((rows for own in pool.values() for rows in own), key=len)
            pool[_majority([labels[row] for row in part])].remove(part)
        if not part:
            raise DataError(
                f"the {len(labels)} rows hold only {len(members)} texts that are no copies of each other: too few to "
                "set some apart for validation and test. Add rows."
            )
        parts[name] = np.sort(part)
    given = np.concatenate([*parts.values(), np.empty(0, np.int64)])
    return {"train": np.setdiff1d(np.arange(len(labels)), given), **parts}


def _joined(near: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Number the groups that result if rows with a near copy, or of one group, belong together: int ``(rows,)``."""
    _, own = np.unique(np.array(groups, dtype=object), return_inverse=True)
    _, copies_of = np.unique(near, return_inverse=True)
    first = int(own.max()) + 1
    edges = sparse.coo_array((np.ones(len(own)), (own, first + copies_of)), shape=(first + len(own), first + len(own)))
    numbers: np.ndarray = csgraph.connected_components(edges, directed=False)[1][own]
    return numbers


def _by_time(times: np.ndarray, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """Split rows by time: the newest are test rows, those before validation rows; positions are sorted.

    Args:
        times: float64 ``(rows,)``.
        sizes: rows of 'test' and 'validation', as far as these are to be split off.
    """
    moments, counts = np.unique(times, return_counts=True)
    newest = np.cumsum(counts[::-1])[::-1]  # rows at each moment or later
    parts, wanted, end = {}, 0, np.inf
    for name, size in sorted(sizes.items()):
        wanted += size
        allowed = np.flatnonzero((moments < end) & (np.arange(len(moments)) > 0))
        if not len(allowed):
            raise DataError(
                f"the {len(times)} rows have only {len(moments)} different times: too few to set some apart for "
                "validation and test. Check --time."
            )
        begin = moments[allowed[np.abs(newest[allowed] - wanted).argmin()]]
        parts[name] = np.flatnonzero((times >= begin) & (times < end))
        end = begin
    return {"train": np.flatnonzero(times < end), **parts}


def _not_reserved(labels: Sequence[str], members: list[list[int]]) -> list[list[int]]:
    """Reserve a group of each class for train, the rarest class first; return the others."""
    reserved: set[int] = set()
    covered: set[str] = set()
    holders: dict[str, int] = {}
    for number, rows in enumerate(members):
        for row in rows:
            holders.setdefault(labels[row], number)
    for label, _ in sorted(Counter(labels).items(), key=lambda item: (item[1], item[0])):
        if label not in covered:
            reserved.add(holders[label])
            covered.update(labels[row] for row in members[holders[label]])
    return [rows for number, rows in enumerate(members) if number not in reserved]


def _quotas(size: int, counts: Counter[str], pool: dict[str, list[list[int]]]) -> dict[str, int]:
    """Divide a number of rows among the classes in proportion, by largest remainders."""
    free = {label: sum(map(len, groups)) for label, groups in sorted(pool.items())}
    exact = {label: size * counts[label] / counts.total() for label in free}
    quotas = {label: min(int(exact[label]), free[label]) for label in free}
    for label in sorted(free, key=lambda name: int(exact[name]) - exact[name]):
        if sum(quotas.values()) < size and quotas[label] < free[label]:
            quotas[label] += 1
    return quotas


def _take(groups: list[list[int]], quota: int) -> list[int]:
    """Take groups from a list until their rows fill a quota; those that do not fit stay in training.

    Large groups come last: a test set of a few texts that repeat many times measures little.
    """
    taken: list[int] = []
    for limit in (max(1, quota // 10), quota):
        left = []
        for rows in groups:
            if len(rows) <= min(limit, quota - len(taken)):
                taken += rows
            else:
                left.append(rows)
        groups[:] = left
    return taken


def _majority(labels: list[str]) -> str:
    if len(labels) == 1:  # most groups have one row, and counting takes ten times as long
        return labels[0]
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def _apart(part: Rows, rows: Rows, name: str) -> Rows:
    """Make the ids of two sources distinct if they overlap, as those of two DataFrames do."""
    if set(part.ids).isdisjoint(rows.ids):
        return part
    return replace(part, ids=tuple(f"{name}:{old}" for old in part.ids))


def _hash(*parts: Rows) -> str:
    digest = hashlib.sha256()
    for part in parts:
        # Without ids, which contain the file's name: a copy under another name is the same data.
        digest.update(repr((tuple(map(_ordered, part.inputs)), tuple(map(_ordered, part.targets)))).encode())
    return digest.hexdigest()


def _ordered(value: Value) -> Value:
    """Return a JSON value with the keys of objects in alphabetical order."""
    if isinstance(value, Mapping):
        return {key: _ordered(inner) for key, inner in sorted(value.items())}
    return [_ordered(inner) for inner in value] if isinstance(value, list | tuple) else value
