"""Files with one word a line, its columns divided by tabs or spaces, and an empty line after each sentence."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from headstart.core.records import Rejected
from headstart.data._stream import Item, Row

SUFFIXES = (".conll", ".conll03", ".bio", ".iob", ".iob2")
TAG = re.compile(r"O|[BIESLU]-\S+")
DOCUMENT = "-DOCSTART-"  # a line between documents


def is_conll(sample: Sequence[str]) -> bool:
    """Return whether lines end in tags of words, some of which are of an entity.

    >>> is_conll(["Anna\\tB-PER\\n", "runs\\tO\\n"]), is_conll(["a word\\tO\\n"]), is_conll(["Anna,B-PER\\n"])
    (True, False, False)
    """
    lines = [_cells(line) for line in sample if line.strip() and not line.startswith(("#", DOCUMENT))]
    return (
        len({len(cells) for cells in lines}) == 1
        and len(lines[0]) > 1
        and all(TAG.fullmatch(cells[-1]) and " " not in cells[0] for cells in lines)
        and any(cells[-1] != "O" for cells in lines)
    )


def open_conll(lines: Iterator[str]) -> tuple[list[str], Iterator[Item]]:
    """Return the columns, tokens and the tags if there are any, and the sentences as items, each with its first line.

    The first column of a line is the word and the last one its tag; lines of comments and between documents are left
    out. A sentence with a line that has another number of columns than the first line of the file is rejected.

    Args:
        lines: the lines of the file.
    """
    sentences = _sentences(lines)
    first = next(sentences, [])
    width = len(first[0][1]) if first else 1

    everything = itertools.chain([first] if first else [], sentences)
    return ["tokens", "tags"] if width > 1 else ["tokens"], (_item(sentence, width) for sentence in everything)


def _item(sentence: Sequence[tuple[int, list[str]]], width: int) -> Item:
    for line, cells in sentence:
        if len(cells) != width:
            return Rejected(line, f"has {len(cells)} columns where the first line has {width}")
    cells_of: dict[str, object] = {"tokens": [cells[0] for _, cells in sentence]}
    if width > 1:
        cells_of["tags"] = [cells[-1] for _, cells in sentence]
    return Row(sentence[0][0], cells_of)


def _sentences(lines: Iterator[str]) -> Iterator[list[tuple[int, list[str]]]]:
    """Yield the words of each sentence as their lines and cells."""
    words: list[tuple[int, list[str]]] = []
    for number, line in enumerate(lines, start=1):
        cells = _cells(line)
        if not line.strip() or cells[0] == DOCUMENT:
            if words:
                yield words
            words = []
        elif not (line.startswith("#") and len(cells) > 1 and not TAG.fullmatch(cells[-1])):
            words.append((number, cells))
    if words:
        yield words


def _cells(line: str) -> list[str]:
    text = line.rstrip("\r\n")
    return text.split("\t") if "\t" in text.strip() else [part for part in text.split(" ") if part] or [text]
