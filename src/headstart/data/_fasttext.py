"""fastText's format: labels, each with the prefix ``__label__``, and the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headstart.core.errors import shown
from headstart.core.records import ReadWarning, Rejected
from headstart.data._stream import Item, Row

PREFIX = "__label__"


def is_labelled(sample: list[str]) -> bool:
    """Tell whether nearly all lines begin with a label."""
    filled = [line for line in sample if line.strip()]
    return sum(line.lstrip().startswith(PREFIX) for line in filled) * 10 > 9 * len(filled)


def labelled_lines(name: str, lines: Iterable[str]) -> Iterator[Item]:
    """Read each line as one label and a text; a line with no label or several is rejected.

    >>> list(labelled_lines("a.txt", ["__label__pos I like it"]))[1].cells
    {'label': 'pos', 'text': 'I like it'}
    """
    yield ReadWarning(f"{name} is read as fastText's lines: a label behind {PREFIX} and the text.")
    for number, line in enumerate(lines, start=1):
        words = line.strip()
        labels = []
        while words.startswith(PREFIX):
            label, *rest = words.split(None, 1)
            labels.append(label.removeprefix(PREFIX).rstrip(","))
            words = "".join(rest).lstrip(" ,")
        if len(labels) == 1:
            yield Row(number, {"label": labels[0], "text": words})
        elif labels:
            named = ", ".join(map(shown, labels[:3])) + (", ..." if len(labels) > 3 else "")
            yield Rejected(
                number,
                f"has {len(labels)} labels ({named}) where one is needed: several labels for a text are the task "
                "'multilabel', which reads them as a list in JSON Lines, as 'a;b' in CSV, or from a column for each",
            )
        elif words:
            yield Rejected(number, f"does not begin with {PREFIX}")
