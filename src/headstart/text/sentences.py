"""Where sentences end: a heuristic for every script, good enough to cut text at sensible places."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

# A full stop or similar, with closing quotes or brackets, before white space; an ideographic one anywhere; a line end.
END = re.compile(r"[.!?…]+[\"')\]»”’]*(?=\s)|[。！？]+[\"”’」』]*|\n")
# A word; of scripts without spaces, one character.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
# Maximum length of a piece, in characters.
LONGEST = 10_000
# Of ranking sentences: the damping of PageRank, enough rounds for it to settle, and the first sentences that are read.
DAMPING, ROUNDS, MOST_RANKED = 0.85, 50, 200


def split(text: str) -> Iterator[str]:
    """Yield the sentences of a text, without surrounding white space; a longer one is cut at 10,000 characters.

    An abbreviation before a space ("Mr. Smith") ends a sentence too.

    >>> list(split('He said "no." She left! 好。是的'))
    ['He said "no."', 'She left!', '好。', '是的']
    """
    start = 0
    for end in ends(text):
        sentence = text[start:end].strip()
        yield from (sentence[place : place + LONGEST] for place in range(0, len(sentence), LONGEST))
        start = end


def ends(text: str) -> list[int]:
    """Return the place after each sentence of a text, that of the last one being the text's end.

    >>> ends("She left! Why?")
    [9, 14]
    """
    return [*(match.end() for match in END.finditer(text)), len(text)]


def nearest(question: str, text: str) -> str:
    """Return the sentence of a text that shares most with a question, rare words counting more; the first of equals.

    A word counts the logarithm of the number of sentences per sentence that contains it (Spärck Jones 1972); their sum
    is divided by the root of the sentence's number of words, so that a long one has no advantage.

    >>> nearest("Where does Ada live?", "Bo lives in Bonn. Ada does live in Rome.")
    'Ada does live in Rome.'
    """
    sentences = list(split(text))
    words = [set(_WORD.findall(sentence.lower())) for sentence in sentences]
    counts = Counter(word for known in words for word in known)
    asked = set(_WORD.findall(question.lower()))

    def score(known: set[str]) -> float:
        shared = sum(math.log((1 + len(sentences)) / counts[word]) for word in sorted(known & asked))
        return shared / math.sqrt(max(1, len(known)))

    scores = list(map(score, words))
    return sentences[scores.index(max(scores))] if sentences else ""


def central(sentences: Sequence[str]) -> str:
    """Return the sentence that shares most words with all others (TextRank, Mihalcea & Tarau 2004, section 4).

    Sentences are ranked as pages are by links, whose weights are the numbers of shared words divided by the sum of the
    logarithms of the sentences' lengths.

    >>> central(["Ada lives in Rome.", "It rains.", "Ada lives by the sea in Rome.", "The sea is cold."])
    'Ada lives by the sea in Rome.'
    """
    import numpy as np

    words = [Counter(_WORD.findall(sentence.lower())) for sentence in sentences[:MOST_RANKED]]
    sizes = np.log([1 + known.total() for known in words])  # (sentences,)
    shared = np.array([[float((one & other).total()) for other in words] for one in words])
    np.fill_diagonal(shared, 0.0)
    weights = shared / np.maximum(np.add.outer(sizes, sizes), 1e-9)
    links = weights / np.maximum(weights.sum(axis=0), 1e-9)  # column j: how sentence j shares its rank
    ranks = np.full(len(words), 1 / max(1, len(words)))
    for _ in range(ROUNDS):
        ranks = (1 - DAMPING) / max(1, len(words)) + DAMPING * (links @ ranks)
    return sentences[int(np.argmax(ranks.round(9)))] if len(words) else ""
