"""What written texts are like beside their references: words that differ, and words that are repeated or copied."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from headstart.metrics.rouge import words
from headstart.metrics.strings import grams
from headstart.report import _format as write

REFERENCES = "references"
ORDER = 4  # words of a run that counts as repeated (Welleck et al. 2020, "Unlikelihood training", section 5)
# What is worth a warning: this share of repeated runs, if it is twice that of the references; and so much larger a
# share of words of the input than in the references.
REPEATED, COPIED = 0.05, 0.25
# White space, a word, a character of a script without spaces, or a sign.
_PARTS = re.compile(r"\s+|[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]")


@dataclass(frozen=True)
class Part:
    """A part of a text, and whether its words are missing from the reference at this place."""

    text: str
    differs: bool


@dataclass(frozen=True)
class WritingLine:
    """What the texts of a contender are like, as text.

    who: the contender, or `REFERENCES`.
    length: words of a text, on average.
    repeated: share of runs of four words that their text has already had.
    copied: share of words that occur in the input.
    empty: number of texts without a word.
    """

    who: str
    length: str
    repeated: str
    copied: str
    empty: str


def differences(text: str, references: Sequence[str]) -> tuple[Part, ...]:
    """Divide a text into parts that are as in the most similar reference, and parts that are not.

    >>> differences("A cat ran home.", ["A dog ran home."])
    (Part(text='A ', differs=False), Part(text='cat', differs=True), Part(text=' ran home.', differs=False))
    """
    given = _PARTS.findall(text)
    matches = [
        SequenceMatcher(None, given, _PARTS.findall(reference), autojunk=False).get_matching_blocks()
        for reference in references
    ]
    best = max(matches, key=lambda blocks: sum(block.size for block in blocks), default=[])
    same = {place for block in best for place in range(block.a, block.a + block.size)}
    parts: list[Part] = []
    for place, piece in enumerate(given):
        differs = place not in same and not piece.isspace()
        if parts and parts[-1].differs == differs:
            parts[-1] = Part(parts[-1].text + piece, differs)
        else:
            parts.append(Part(piece, differs))
    return tuple(parts)


def repeated(texts: Sequence[str]) -> float:
    """Return the share of runs of four words that their text has already had, 0 to 1.

    >>> repeated(["so it is so it is so it"])  # five runs, of which three differ
    0.4
    """
    runs = [grams(words(text), ORDER) for text in texts]
    total = sum(each.total() for each in runs)
    return (total - sum(map(len, runs))) / total if total else 0.0


def copied(texts: Sequence[str], sources: Sequence[str]) -> float:
    """Return the share of words that occur in the source of their text, 0 to 1.

    >>> copied(["A red dog"], ["The red house"])
    0.3333333333333333
    """
    total = shared = 0
    for text, source in zip(texts, sources, strict=True):
        own, known = words(text), set(words(source))
        total += len(own)
        shared += sum(word in known for word in own)
    return shared / total if total else 0.0


def lines(
    written: Mapping[str, Sequence[str]], references: Sequence[str], sources: Sequence[str]
) -> tuple[tuple[WritingLine, ...], tuple[str, ...]]:
    """Return a line for the references and for each contender, and a warning for each that repeats or copies too much.

    Args:
        written: contender -> its texts.
        references: the first right text of each row.
        sources: the inputs.
    """
    usual = repeated(references), copied(references, sources)
    rows = [_line(REFERENCES, references, *usual)]
    warnings = []
    for name, texts in written.items():
        again, taken = repeated(texts), copied(texts, sources)
        rows.append(_line(name, texts, again, taken))
        if name == "majority":  # copies or repeats by its nature
            continue
        if again > max(REPEATED, 2 * usual[0]):
            warnings.append(
                f"{name} repeats itself: {write.percent(again)} of its runs of {ORDER} words occurred before in the "
                f"same text, {write.percent(usual[0])} in the references. More training or more beams may help."
            )
        if taken > usual[1] + COPIED:
            warnings.append(
                f"{name} copies: {write.percent(taken)} of its words are in the input, {write.percent(usual[1])} of "
                "those of the references."
            )
    return tuple(rows), tuple(warnings)


def _line(who: str, texts: Sequence[str], again: float, taken: float) -> WritingLine:
    counts = [len(words(text)) for text in texts]
    return WritingLine(
        who,
        f"{sum(counts) / max(1, len(counts)):.1f}",
        write.percent(again),
        write.percent(taken),
        write.count(counts.count(0)),
    )
