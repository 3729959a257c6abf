"""Which column a role is read from: given, known by name, or inferred from the values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from headstart.core.contracts import Column
from headstart.core.errors import DataError, UsageError, did_you_mean, shown
from headstart.data._values import cell
from headstart.data.roles import LABEL, TEXT, Names, option

NUMERIC = re.compile(r"[-+\d.,:/ %eET]*\d[-+\d.,:/ %eETZ]*")  # a number, a date or a time
OTHER_NAMES = {
    *("id", "idx", "index", "no", "nr", "number", "row", "rowid", "uid", "uuid", "user", "userid", "username", "name"),
    *("title", "subject", "date", "time", "timestamp", "created", "createdat", "author", "source", "url", "lang"),
    *("language", "country", "product", "split", "confidence", "summary", "reviewer", "email", "unnamed0"),
    *("premise", "hypothesis", "sentence1", "sentence2", "question1", "question2", "tokens", "nertags", "answers"),
}


def find(
    name: str,
    columns: Sequence[str],
    sample: Sequence[Mapping[str, object]],
    roles: Sequence[Column],
    given: Names,
) -> dict[str, tuple[str, ...]]:
    """Return the columns of a table for the roles of a task.

    Args:
        name: name of the table, for messages.
        columns: names of all columns.
        sample: its first rows, from which columns with unknown names are inferred.
        roles: what is to be read.
        given: columns that the caller named: role -> names.

    Raises:
        UsageError: a named column does not exist, or a column cannot be detected unambiguously.
        DataError: there are fewer columns than roles.

    >>> rows = [{"v1": "ham", "v2": "See you at the station tonight"}, {"v1": "spam", "v2": "You have won a holiday"}]
    >>> find("sms.csv", ("v1", "v2"), rows * 2, (TEXT, LABEL), {})
    {'text': ('v2',), 'label': ('v1',)}
    """
    return with_shared(roles, _find(name, columns, sample, roles, given))


def with_shared(roles: Sequence[Column], found: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Add the columns of roles that are inside another one's, see `Column.inside`.

    >>> with_shared((TEXT, Column("answer", inside="text")), {"text": ("talk",)})
    {'text': ('talk',), 'answer': ('talk',)}
    """
    shared = {role.role: found[role.inside] for role in roles if role.inside in found and role.role not in found}
    return {**found, **shared}


def _find(
    name: str,
    columns: Sequence[str],
    sample: Sequence[Mapping[str, object]],
    roles: Sequence[Column],
    given: Names,
) -> dict[str, tuple[str, ...]]:
    _check_exist(name, columns, given)
    required = [role for role in roles if role.required]
    if len(columns) < len(required):
        raise DataError(_too_few(name, columns, required))
    found = named(columns, roles, given)
    missing = [role for role in required if role.role not in found]
    used = {**given, **found}
    values = {column: [cell(row[column]) for row in sample] for column in _free(columns, used)} if missing else {}
    for role in missing:
        if looks := LOOKS.get(role.form):
            alike = [column for column in _free(columns, used) if looks(values[column])]
            if len(alike) == 1:
                used[role.role] = found[role.role] = (alike[0],)
    missing = [role for role in required if role.role not in found]
    if len(missing) == 1:
        # If all others are known, the last one needs no inspection.
        free = _free(columns, used)
        rest = [column for column in free if missing[0].form != "text" or not _holds_numbers(values[column])]
        if len(rest) == 1:
            return {**found, missing[0].role: (rest[0],)}
    if missing:
        raise UsageError(_question(name, columns, required, missing))
    return found


def named(columns: Sequence[str], roles: Sequence[Column], given: Names) -> dict[str, tuple[str, ...]]:
    """Return the columns that were given or have a well-known name: role -> names.

    >>> named(("Review Text", "stars", "id"), (TEXT, LABEL), {})
    {'text': ('Review Text',), 'label': ('stars',)}
    """
    wanted = {role.role for role in roles}
    found = {role: names for role, names in given.items() if role in wanted}
    for role in roles:
        if role.role not in found and (column := _named(_free(columns, {**given, **found}), role)):
            found[role.role] = (column,)
    return found


def filled(
    roles: Sequence[Column],
    columns: Sequence[str],
    sample: Sequence[Mapping[str, object]] | None,
    given: Names | None = None,
) -> frozenset[str] | None:
    """Return the columns of a table that a task would read; None if the table lacks a required one.

    Args:
        roles: those of the task.
        columns: names of all columns.
        sample: the first rows; None to go by names only.
        given: columns that the caller named; they need not exist, which is an error of the task that is chosen.

    >>> filled((TEXT, LABEL), ("id", "text"), None) is None
    True
    """
    try:
        own = {role: names for role, names in (given or {}).items() if set(names) <= set(columns)}
        missing = {role: names for role, names in (given or {}).items() if role not in own}
        left = [role for role in roles if role.role not in missing]
        found = named(columns, left, own) if sample is None else find("", columns, sample, left, own)
        found |= missing
    except (DataError, UsageError):
        return None
    if any(role.required and role.role not in found for role in roles):
        return None
    return frozenset(column for names in found.values() for column in names)


KNOWN_NAMES = {TEXT.role, LABEL.role} | TEXT.names | LABEL.names | OTHER_NAMES
LONGEST_NAME = 100
JUDGED = 2000  # characters by which a long value is judged


def known_name(cell: str) -> bool:
    """Return whether a cell is a well-known column name.

    >>> known_name("Review Text"), known_name("a review")
    (True, False)
    """
    return len(cell) <= LONGEST_NAME and _plain(cell) in KNOWN_NAMES


@dataclass(frozen=True)
class Trained:
    """The columns of the rows that a model was trained on, and their labels.

    names: role -> columns.
    """

    names: Names
    labels: Collection[str] = ()


def choose(
    name: str,
    columns: Sequence[str],
    sample: Sequence[Mapping[str, object]],
    roles: Sequence[Column],
    given: Names,
    trained: Trained | None,
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the columns as :func:`find` does, or those of the training rows if a model was trained already.

    If one of those does not exist, the only plausible column is used, with a warning.

    Args:
        name: as for :func:`find`.
        columns: as for :func:`find`.
        sample: as for :func:`find`.
        roles: as for :func:`find`.
        given: as for :func:`find`.
        trained: columns of the training rows; None when reading training rows.

    Returns:
        role -> names, and warnings.

    Raises:
        DataError: as for :func:`find`.
        UsageError: as for :func:`find`, or if several columns, or none, are plausible.

    >>> rows = [{"id": "1", "review": "it was a fine film"}, {"id": "2", "review": "a poor plot I think"}]
    >>> choose("a.csv", ("id", "review"), rows, (TEXT,), {}, Trained({"text": ("body",)}))[1]
    ["there is no column 'body', as in the training rows: column 'review' is read as the text."]
    """
    if trained is None:
        return find(name, columns, sample, roles, given), []
    _check_exist(name, columns, given)
    hidden = {column for names in given.values() for column in names}
    chosen: dict[str, tuple[str, ...]] = {}
    warnings: list[str] = []
    for role in roles:
        if role.role in given:
            chosen[role.role] = given[role.role]
            continue
        later = {column for other, names in trained.names.items() for column in names if other not in chosen}
        wanted = trained.names.get(role.role, (role.role,))
        others = hidden | (later - set(wanted)) | {column for names in chosen.values() for column in names}
        free = [column for column in columns if column not in others]
        if set(wanted) <= set(free):
            chosen[role.role] = tuple(wanted)
        elif role.required:
            chosen[role.role] = (_instead(name, columns, role, wanted, free, sample, trained.labels),)
            warnings.append(
                f"there is no column {shown(wanted[0])}, as in the training rows: column "
                f"{shown(chosen[role.role][0])} is read as the {role.role}."
            )
    return with_shared(roles, chosen), warnings


def choose_text(
    name: str, columns: Sequence[str], sample: Sequence[Mapping[str, object]], text: str | None, trained_on: str
) -> tuple[str, list[str]]:
    """Return the column of a table of texts alone, and warnings; see :func:`choose`.

    Args:
        name: as for :func:`find`.
        columns: as for :func:`find`.
        sample: as for :func:`find`.
        text: the column; None to detect it.
        trained_on: the text column of the training rows; '' if there are none.
    """
    trained = Trained({"text": (trained_on,)}) if trained_on else None
    chosen, warnings = choose(name, columns, sample, (TEXT,), {} if text is None else {"text": (text,)}, trained)
    return chosen["text"][0], warnings


def _check_exist(name: str, columns: Sequence[str], given: Names) -> None:
    for role, names in given.items():
        for wanted in names:
            if wanted not in columns:
                raise UsageError(
                    f"{name} has no column {shown(wanted)} ({option(role)}); {did_you_mean(wanted, columns)}"
                )


def _instead(
    name: str,
    columns: Sequence[str],
    role: Column,
    wanted: Sequence[str],
    free: Sequence[str],
    sample: Sequence[Mapping[str, object]],
    labels: Collection[str],
) -> str:
    """Return the only plausible column for a role whose column of the training rows does not exist."""
    candidates = _candidates(role, free, sample, labels) if len(wanted) == 1 else []
    likely = [column for column in candidates if _plain(column) == _plain(wanted[0])] or candidates
    if len(likely) == 1:
        return likely[0]
    could = f"{' and '.join(map(shown, candidates[:3]))} are plausible" if candidates else "none is plausible"
    raise UsageError(
        f"{name} has no column {shown(', '.join(wanted))}, which holds the {role.role} in the training rows, and of "
        f"its columns ({shown(', '.join(columns), most=200)[1:-1]}) {could}: use {option(role.role, 'NAME')}."
    )


def _candidates(
    role: Column, columns: Sequence[str], sample: Sequence[Mapping[str, object]], labels: Collection[str]
) -> list[str]:
    """Return the columns that may hold a role, by name or by values; a single column always may hold an input."""
    if role.form == "label":
        return _labels(role, columns, sample, labels)
    looks = LOOKS.get(role.form, lambda _: False)
    plausible = [
        column for column in columns if _is_named(column, role) or looks([cell(row[column]) for row in sample])
    ]
    return plausible or (list(columns) if len(columns) == 1 else [])


def _labels(
    role: Column, columns: Sequence[str], sample: Sequence[Mapping[str, object]], known: Collection[str]
) -> list[str]:
    """Return the columns with known labels, otherwise those that may hold labels by name or by values."""
    values = {column: [value for row in sample if (value := cell(row[column]).strip())] for column in columns}
    shares = {column: sum(value in known for value in cells) / max(1, len(cells)) for column, cells in values.items()}
    held = [column for column in columns if shares[column] > 0.5]
    return held or [c for c in columns if _is_named(c, role) or _looks_like_label(values[c])]


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _free(columns: Sequence[str], found: Names) -> list[str]:
    used = {column for names in found.values() for column in names}
    return [column for column in columns if column not in used]


def _is_named(column: str, role: Column) -> bool:
    return _plain(column) == _plain(role.role) or _plain(column) in role.names


def _named(columns: Sequence[str], role: Column) -> str | None:
    """Return the only column with a well-known name; an exact name takes precedence over related ones."""
    exact = [column for column in columns if _plain(column) == _plain(role.role)]
    matching = exact or [column for column in columns if _is_named(column, role)]
    return matching[0] if len(matching) == 1 else None


def _looks_like_text(values: list[str]) -> bool:
    """Return whether values look like prose: long, mostly distinct, mostly letters, of several words."""
    filled = [value[:JUDGED] for value in values if value.strip()]
    if not filled or len(set(filled)) * 2 < len(filled):
        return False
    letters = sum(sum(map(str.isalpha, value)) for value in filled)
    return letters * 2 > sum(map(len, filled)) and sum(map(is_prose, filled)) * 2 > len(filled)


def _holds_numbers(values: list[str]) -> bool:
    """Return whether a column holds numbers or times and so is not a text column, even if no other is left."""
    filled = [value for value in values if value.strip()]
    return bool(filled) and all(len(value) <= LONGEST_NAME and NUMERIC.fullmatch(value) for value in filled)


def is_prose(value: str) -> bool:
    """Return whether a value has several words, unlike a code or a name."""
    # In scripts without spaces, four characters correspond to three words.
    value = value[:JUDGED]
    ideographs = sum(unicodedata.east_asian_width(letter) == "W" for letter in value)
    return len(value.split()) >= 3 or ideographs >= 4


def _looks_like_label(values: list[str]) -> bool:
    """Return whether values look like labels: few distinct values that repeat."""
    different = set(values) - {""}
    return 2 <= len(different) <= max(2, min(100, len(values) // 4))


LOOKS = {"text": _looks_like_text, "label": _looks_like_label}


def _too_few(name: str, columns: Sequence[str], required: Sequence[Column]) -> str:
    *most, last = (
        role.role if role.several else f"{'an' if role.role[0] in 'aeiou' else 'a'} {role.role}" for role in required
    )
    wanted = " and ".join([", ".join(most), last])
    have = f"a single column, {shown(columns[0])}" if len(columns) == 1 else f"only {len(columns)} columns"
    return (
        f"{name} has {have}, where {wanted} are needed; give each a column "
        "(in a text file, divided by tabs, commas, semicolons or bars)."
    )


def _question(name: str, columns: Sequence[str], required: Sequence[Column], missing: Sequence[Column]) -> str:
    listed = shown(", ".join(columns), most=200)[1:-1]
    # Who has to name an input may as well name the target.
    asked = [role for role in required if role in missing or (role.target and not missing[0].target)]
    options = " and ".join(option(role.role, "NAME") for role in asked)
    return f"which column holds the {missing[0].role}? {name} has columns {listed}: use {options}."
