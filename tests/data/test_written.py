"""Pairs of an input and a text that is no answer to it: copies, and lengths that do not belong together."""

from __future__ import annotations

from headstart.core.contracts import Task
from headstart.core.records import Finding, Rows, Splits
from headstart.data.audit import audit
from headstart.tasks.classification import Classification
from headstart.tasks.translation import Translation

PAIRS = [(f"The dog number {n} runs.", f"Der Hund Nummer {n} rennt.") for n in range(40)]


def found(kind: str, pairs: list[tuple[str, str]], task: Task | None = None) -> Finding | None:
    inputs, texts = zip(*pairs, strict=True)
    rows = Rows(tuple(f"r{n}" for n in range(len(pairs))), inputs, tuple((text,) for text in texts))
    ends = len(pairs) - 4, len(pairs) - 2
    train, validation, test = (rows.take(range(*limits)) for limits in ((0, ends[0]), ends, (ends[1], len(pairs))))
    splits = Splits(train, validation, test, frozenset(), "")
    findings = audit(splits, task or Translation()).findings
    return next((finding for finding in findings if finding.kind == kind), None)


def test_pairs_that_belong_together_are_fine() -> None:
    for kind in ("copied-targets", "target-lengths"):
        finding = found(kind, PAIRS)
        assert finding is not None
        assert finding.severity == "fine"


def test_targets_in_the_language_of_the_source_are_named() -> None:
    copies = [("A red  car.", "a red car."), ("The cat sat on the mat today.", "The cat sat on a mat today.")]
    finding = found("copied-targets", [*copies, *PAIRS])
    assert finding is not None
    assert finding.severity == "warning"
    assert "2 of 42 rows (4.8%) have a target that repeats its input, 1 exactly and 1 nearly" in finding.sentence
    assert finding.examples == (("r0", "r1"),)


def test_a_short_extract_is_no_copy() -> None:
    document = " ".join(f"word{n}" for n in range(30))
    finding = found("copied-targets", [(document, " ".join(document.split()[:8])), *PAIRS])
    assert finding is not None
    assert finding.severity == "fine"


def test_lengths_off_by_a_factor_of_nine_are_named() -> None:
    off = [("A dog.", "Ein Hund " * 20), ("The dog runs home. " * 10, "Hund heim")]
    finding = found("target-lengths", [*PAIRS, *off])
    assert finding is not None
    assert finding.severity == "warning"
    assert "2 of 42 rows (4.8%) have a target that is at least 9 times as long or as short" in finding.sentence
    assert finding.examples == (("r40", "r41"),)


def test_lengths_that_are_off_everywhere_are_natural() -> None:
    finding = found("target-lengths", [*PAIRS, *[("A dog.", "Ein Hund " * 20)] * 12])
    assert finding is not None
    assert finding.severity == "note"
    assert not finding.examples


def test_answers_that_are_not_written_have_no_such_findings() -> None:
    assert found("copied-targets", PAIRS, Classification()) is None
