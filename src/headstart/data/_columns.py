"""Which column holds the text and which the label: given, known by name, or inferred from the values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from headstart.core.errors import DataError, UsageError, did_you_mean, shown
from headstart.data._values import cell

TEXT_NAMES = {
    *("text", "texts", "review", "reviewtext", "reviewbody", "sentence", "sentences", "content", "message", "tweet"),
    *("tweettext", "comment", "commenttext", "body", "document", "utterance", "sms", "post", "query", "question"),
    *("description", "abstract", "headline", "input", "article", "feedback", "verbatim", "string"),
}
LABEL_NAMES = {
    *("label", "labels", "class", "category", "sentiment", "target", "rating", "stars", "topic", "intent", "tag"),
    *("polarity", "score", "emotion", "output", "gold", "answer", "labeltext", "labelname", "y", "grade"),
}

NUMERIC = re.compile(r"[-+\d.,:/ %eET]*\d[-+\d.,:/ %eETZ]*")  # a number, a date or a time
OTHER_NAMES = {
    *("id", "idx", "index", "no", "nr", "number", "row", "rowid", "uid", "uuid", "user", "userid", "username", "name"),
    *("title", "subject", "date", "time", "timestamp", "created", "createdat", "author", "source", "url", "lang"),
    *("language", "country", "product", "split", "confidence", "summary", "reviewer", "email", "unnamed0"),
}


def find(
    name: str,
    columns: Sequence[str],
    sample: Sequence[Mapping[str, object]],
    text: str | None,
    label: str | None,
    labelled: bool,
) -> tuple[str, str | None]:
    """Return the text column and the label column of a table.

    Args:
        name: name of the table, for messages.
        columns: names of all columns.
        sample: its first rows, from which columns with unknown names are inferred.
        text: the text column if the caller named it; None to detect it.
        label: the label column if the caller named it; None to detect it.
        labelled: whether a label column is needed.

    Raises:
        UsageError: a named column does not exist, or a column cannot be detected unambiguously.
        DataError: there is only one column.

    >>> rows = [{"v1": "ham", "v2": "See you at the station tonight"}, {"v1": "spam", "v2": "You have won a holiday"}]
    >>> find("sms.csv", ("v1", "v2"), rows * 2, None, None, labelled=True)
    ('v2', 'v1')
    """
    for wanted, option in ((text, "--text"), (label, "--label")):
        if wanted is not None and wanted not in columns:
            raise UsageError(f"{name} has no column {shown(wanted)} ({option}); {did_you_mean(wanted, columns)}")
    if labelled and len(columns) < 2:
        raise DataError(
            f"{name} has a single column, {shown(columns[0])}, where a text and a label are needed; give each a column "
            "(in a text file, divided by tabs, commas, semicolons or bars)."
        )
    free = [column for column in columns if column not in (text, label)]
    text = text or _named(free, "text", TEXT_NAMES)
    free = [column for column in free if column != text]
    if labelled:
        label = label or _named(free, "label", LABEL_NAMES)
        free = [column for column in free if column != label]
    values = {column: [cell(row[column]) for row in sample] for column in free}
    text = text or _only([column for column in free if _looks_like_text(values[column])])
    free = [column for column in free if column != text]
    if labelled:
        label = label or _only([column for column in free if _looks_like_label(values[column])])
        free = [column for column in free if column != label]
    # Of two columns, if one is known, the other needs no inspection.
    if text is None and (label or not labelled):
        text = _only([column for column in free if not _holds_numbers(values[column])])
    elif labelled and label is None:
        label = _only(free)
    if text is None or (labelled and label is None):
        raise UsageError(_question(name, columns, text, labelled))
    return text, label if labelled else None


KNOWN_NAMES = TEXT_NAMES | LABEL_NAMES | OTHER_NAMES
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
    """The columns of the rows that a model was trained on, and their labels."""

    text: str
    label: str | None = None
    labels: Collection[str] = ()


def choose(
    name: str,
    columns: Sequence[str],
    sample: Sequence[Mapping[str, object]],
    text: str | None,
    label: str | None,
    labelled: bool,
    trained: Trained | None,
) -> tuple[str, str | None, list[str]]:
    """Return the columns as :func:`find` does, or those of the training rows if a model was trained already.

    If one of those does not exist, the only plausible column is used, with a warning.

    Args:
        name: as for :func:`find`.
        columns: as for :func:`find`.
        sample: as for :func:`find`.
        text: as for :func:`find`.
        label: as for :func:`find`.
        labelled: as for :func:`find`.
        trained: columns of the training rows; None when reading training rows.

    Returns:
        the text column, the label column, and warnings.

    Raises:
        DataError: as for :func:`find`.
        UsageError: as for :func:`find`, or if several columns, or none, are plausible.

    >>> rows = [{"id": "1", "review": "it was a fine film"}, {"id": "2", "review": "a poor plot I think"}]
    >>> choose("a.csv", ("id", "review"), rows, None, None, False, Trained("body"))[2]
    ["there is no column 'body', as in the training rows: column 'review' is read as the text."]
    """
    if trained is None:
        return *find(name, columns, sample, text, label, labelled), []
    if text is not None or label is not None:
        find(name, columns, sample, text or columns[0], label or columns[-1], labelled)  # checks the names
    warnings: list[str] = []

    def instead(wanted: str, part: str, candidates: Sequence[str]) -> str:
        near = [column for column in candidates if _plain(column) == _plain(wanted)]
        candidate = _only(near) or _only(list(candidates))
        if candidate is None:
            could = f"{' and '.join(map(shown, candidates[:3]))} are plausible" if candidates else "none is plausible"
            raise UsageError(
                f"{name} has no column {shown(wanted)}, which holds the {part} in the training rows, and of its "
                f"columns ({shown(', '.join(columns), most=200)[1:-1]}) {could}: use --{part} NAME."
            )
        warnings.append(
            f"there is no column {shown(wanted)}, as in the training rows: column {shown(candidate)} is read as the "
            f"{part}."
        )
        return candidate

    if text is None:
        free = [column for column in columns if column not in (label, trained.label)]
        text = trained.text if trained.text in free else instead(trained.text, "text", _texts(free, sample))
    if not labelled:
        return text, None, warnings
    if label is None:
        free = [column for column in columns if column != text]
        wanted = trained.label or "label"
        label = wanted if wanted in free else instead(wanted, "label", _labels(free, sample, trained.labels))
    return text, label, warnings


def _texts(columns: Sequence[str], sample: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the columns that may hold texts, by name or by values; a single column always may."""
    texts = [
        column
        for column in columns
        if _plain(column) in TEXT_NAMES or _looks_like_text([cell(row[column]) for row in sample])
    ]
    return texts or (list(columns) if len(columns) == 1 else [])


def _labels(columns: Sequence[str], sample: Sequence[Mapping[str, object]], known: Collection[str]) -> list[str]:
    """Return the columns with known labels, otherwise those that may hold labels by name or by values."""
    values = {column: [value for row in sample if (value := cell(row[column]).strip())] for column in columns}
    shares = {column: sum(value in known for value in cells) / max(1, len(cells)) for column, cells in values.items()}
    held = [column for column in columns if shares[column] > 0.5]
    return held or [c for c in columns if _plain(c) in LABEL_NAMES or _looks_like_label(values[c])]


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _named(columns: Sequence[str], best: str, known: set[str]) -> str | None:
    """Return the only column with a well-known name; an exact name takes precedence over related ones."""
    plain = {column: _plain(column) for column in columns}
    for names in ({best}, known):
        matching = [column for column in columns if plain[column] in names]
        if matching:
            return matching[0] if len(matching) == 1 else None
    return None


def _only(columns: list[str]) -> str | None:
    return columns[0] if len(columns) == 1 else None


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


def _question(name: str, columns: Sequence[str], text: str | None, labelled: bool) -> str:
    listed = shown(", ".join(columns), most=200)[1:-1]
    if text is not None:
        return f"which column holds the label? {name} has columns {listed}: use --label NAME."
    ask = "use --text NAME and --label NAME." if labelled else "use --text NAME."
    return f"which column holds the text? {name} has columns {listed}: {ask}"
