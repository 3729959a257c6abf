"""The names of the classes of a label column, and warnings about them."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from decimal import Decimal

from headstart.core.errors import shown
from headstart.data._values import cell, missing

# How pandas, R, Excel, SQL and people write missing values.
MISSING = {*("nan", "none", "null", "nil", "n/a", "na", "#n/a", "<na>", "nat", "-", "--", "?", ".", "undefined")}
UNLABELLED = {"-1", "-100"}
NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d+)?")
WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))\.0+")
BOOLEANS = {"true": "True", "false": "False"}
LONGEST = 40  # characters of a label in a message


class SeveralLabels(Exception):
    """A row has more than one label."""

    def __init__(self, labels: Sequence[object]) -> None:
        super().__init__(_listed([cell(label) for label in labels]))


def label_of(value: object) -> tuple[str, str]:
    """Return the label in a cell and '', or '' and why it has none. A list of one label counts as that label.

    Raises:
        SeveralLabels: a list of more than one.

    >>> label_of(" yes "), label_of(["yes"]), label_of(1), label_of(float("nan"))
    (('yes', ''), ('yes', ''), ('1', ''), ('', 'has no label'))
    """
    if isinstance(value, Set):
        value = sorted(value, key=cell)
    while isinstance(value, list | tuple) and len(value) < 2:
        value = value[0] if value else None
    if isinstance(value, list | tuple):
        raise SeveralLabels(value)
    if isinstance(value, Mapping):
        return "", "has an object where a label is expected"
    if isinstance(value, str) or not missing(value):
        label = cell(value).strip()
        return (label, "") if label else ("", "has no label")
    return "", "has no label"


def without_brackets(labels: Sequence[str]) -> list[str]:
    """Parse labels if all of them are written as lists, as Python lists are in a CSV.

    Raises:
        SeveralLabels: a list of more than one.

    >>> without_brackets(["['yes']", "['no']"]), without_brackets(["[yes]", "no"])
    (['yes', 'no'], ['[yes]', 'no'])
    """
    names: dict[str, str] = {}
    for label in dict.fromkeys(labels):
        try:
            parsed = ast.literal_eval(label) if label.startswith("[") else None
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            parsed = None
        if not isinstance(parsed, list) or not parsed:
            return list(labels)
        names[label] = label_of(parsed)[0] or label
    return [names[label] for label in labels]


def named_alike(labels: Sequence[str], column: str) -> tuple[list[str], list[str]]:
    """Give labels that are the same number or boolean one name; return them with warnings.

    >>> named_alike(["TRUE", "false"], "label")[0], named_alike(["1.0", "0.0"], "label")[0]
    (['True', 'False'], ['1', '0'])
    >>> named_alike(["1.0", "1", "0.5"], "label")[0], named_alike(["01", "1"], "label")[0]
    (['1.0', '1.0', '0.5'], ['01', '1'])
    """
    names = {label: label for label in labels}
    real = [label for label in names if label.casefold() not in MISSING]
    whole = {label: match[1] for label in real if (match := WHOLE.fullmatch(label))}
    if real and all(label.casefold() in BOOLEANS for label in real):
        names |= {label: BOOLEANS[label.casefold()] for label in real}
    elif all(label in whole or re.fullmatch(r"-?\d+", label) for label in real):
        names |= whole
    else:
        names |= {short: long for long, short in whole.items() if short in names}
    changed = {old: new for old, new in names.items() if old != new}
    if not changed:
        return list(labels), []
    new = sorted(set(changed.values()))
    warning = f"the labels {_listed(sorted(changed))} of column {shown(column)} are read as {_listed(new)}."
    return [names[label] for label in labels], [warning]


def named_like(labels: Sequence[str], column: str, known: Sequence[str]) -> tuple[list[str], list[str]]:
    """Give labels the names that the training rows use for the same number or boolean; return them with warnings.

    >>> named_like(["5", "2.50", "new"], "stars", ["5.0", "2.5"])[0]
    ['5.0', '2.5', 'new']
    """
    by_value: dict[object, set[str]] = {}
    for name in sorted(set(known)):
        by_value.setdefault(_value(name), set()).add(name)
    names = {}
    for label in sorted(set(labels) - set(known)):
        same = by_value.get(_value(label), set())
        if len(same) == 1:
            names[label] = next(iter(same))
    if not names:
        return list(labels), []
    warning = f"the labels {_listed(list(names))} of column {shown(column)} are read as {_listed(list(names.values()))}"
    return [names.get(label, label) for label in labels], [f"{warning}, as in the training rows."]


def doubts(labels: Sequence[str], known: Sequence[str] = ()) -> Iterator[str]:
    """Yield warnings about labels that look like missing values, like each other, or like one of the training rows."""
    counts = Counter(labels)
    for label, count in sorted(counts.items()):
        if label.casefold() in MISSING:
            yield (
                f"label {shown(label)} ({_rows(count)}) looks like a missing value, but counts as a class: "
                "leave the cell empty where there is no label."
            )
    if marker := _unlabelled(counts):
        yield (
            f"label '{marker}' ({_rows(counts[marker])}) often marks rows without a label, but counts as a class: "
            "leave the cell empty where there is no label."
        )
    truths, bits = counts.keys() & {"True", "False"}, counts.keys() & {"0", "1"}
    if truths and bits:
        mixed = _listed(sorted(truths | bits))
        yield f"labels {mixed} mix truth values with numbers: each counts as a class of its own."
    seen: dict[str, str] = {_skeleton(label): label for label in sorted(known)}
    for label in sorted(counts.keys() - set(known)):
        other = seen.setdefault(_skeleton(label), label)
        if other != label:
            theirs = f"{_spelt(other)} ({_rows(counts[other])})" if other in counts else f"{_spelt(other)} in training"
            yield (
                f"labels {theirs} and {_spelt(label)} ({_rows(counts[label])}) look alike and differ "
                f"{_difference(other, label)}: they count as two classes."
            )
        elif any(unicodedata.category(letter) == "Cc" for letter in label):
            yield f"label {_spelt(label)} ({_rows(counts[label])}) holds control characters."


def _spelt(label: str) -> str:
    r"""Quote a label so that differences from one that looks the same become visible.

    >>> print(_spelt("hiver\u200b"), _spelt("e\u0301te\u0301"))
    'hiver\u200b' 'e\u0301te\u0301'
    """
    short = label if len(label) <= LONGEST else label[: LONGEST - 3] + "..."
    return "'" + "".join(letter if _is_seen(letter) else ascii(letter)[1:-1] for letter in short) + "'"


def _is_seen(letter: str) -> bool:
    return letter.isprintable() and not unicodedata.combining(letter)


def _value(label: str) -> object:
    """Return the value of a label that is a number or a boolean, otherwise the label itself."""
    folded = label.casefold()
    return Decimal(label) if NUMBER.fullmatch(label) else BOOLEANS.get(folded, label)


def _unlabelled(counts: Counter[str]) -> str:
    """Return the only negative number among three or more labels that are all integers, or ''."""
    if len(counts) < 3 or not all(re.fullmatch(r"-?\d+", label) for label in counts):
        return ""
    negative = [label for label in counts if label.startswith("-")]
    return negative[0] if len(negative) == 1 and negative[0] in UNLABELLED else ""


def _skeleton(label: str) -> str:
    """Reduce a label to what a reader sees of it, letter case and leading zeros of a number aside."""
    if match := re.fullmatch(r"(-?)0+([1-9]\d*|0)", label):
        return match[1] + match[2]
    plain = unicodedata.normalize("NFKC", label)
    seen = "".join(letter for letter in plain if letter.isspace() or not _is_invisible(letter))
    return " ".join(seen.split()).casefold()


def _is_invisible(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cf") or "\ufe00" <= letter <= "\ufe0f"  # variation selectors


def _difference(one: str, other: str) -> str:
    if one.lower() == other.lower():
        return "only in capitals"
    if unicodedata.normalize("NFKC", one) == unicodedata.normalize("NFKC", other):
        return "only in their Unicode form"
    if "".join(one.split()) == "".join(other.split()):
        return "only in white space"
    if one.isdigit() or other.isdigit():
        return "only in leading zeros"
    return "only in capitals, white space or characters that are not seen"


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(map(shown, labels[:5])) + (", ..." if len(labels) > 5 else "")


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
