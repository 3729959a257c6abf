"""The texts of the project are written in the plain technical English of the field."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Quaint word -> what to write instead.
BANNED = {
    r"mend(s|ed|ing)?": "fix, repair",
    r"dear(er|est)": "more expensive, most expensive",
    r"commonest": "most frequent",
    r"in vain": "without effect",
    r"(lay|lays|laid) down": "record, write",
    r"say it again": "rerun the same command",
    r"afresh": "again, from random weights",
    r"at hand": "available",
    r"(is|are) told of": "is called with, is notified of",
    r"lent": "shared, passed",
    r"rungs?": "level",
    r"duels?": "comparison",
    r"(?<!\")receipts?": "comparison with a baseline",
    r"by heart": "memorise",
    r"hidden words?": "masked words",
}
FILES = sorted(
    path
    for folder, endings in (("src", ("py", "html")), ("docs", ("md",)), (".", ("md",)))
    for ending in endings
    for path in (ROOT / folder).glob(f"*.{ending}" if folder == "." else f"**/*.{ending}")
)


@pytest.mark.parametrize("word", BANNED)
def test_no_text_has_a_quaint_word(word):
    pattern = re.compile(rf"\b{word}\b", re.IGNORECASE)
    lines = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert lines == [], f"write instead: {BANNED[word]}"
