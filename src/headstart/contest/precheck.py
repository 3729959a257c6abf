"""What the audit says beyond the splits: rows that could not be read, and what the contenders' windows cut off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from headstart.contest import backbones, language
from headstart.core import rooms
from headstart.core.errors import CheckpointError, UsageError, shown, visible
from headstart.core.records import Finding, Rows, Table

MUCH = 0.05  # of all tokens cut off


def reading(table: Table) -> list[Finding]:
    """Say what could not be read, row by row, and what was read with doubt.

    >>> from headstart.core.records import Rejected
    >>> read = Table("a.csv", Rows(("a.csv:2",), ("x",)), "text", None, "", (Rejected(3, "has no text"),))
    >>> reading(read)[0].examples
    (('line 3', 'has no text'),)
    """
    total = len(table.rows) + len(table.rejected)
    found = [Finding("reading", "warning", 0, 0.0, warning) for warning in table.warnings]
    if table.rejected:
        count = len(table.rejected)
        rows = tuple((f"line {row.line}", row.reason) for row in table.rejected)
        sentence = f"{count:,} of {total:,} rows ({count / total:.1%}) could not be used; each is listed with its line."
        found.append(Finding("rejected", "warning", count, count / total, sentence, rows))
    return found


def told(findings: Iterable[Finding], most: int | None = None) -> Iterator[str]:
    """Word findings for a terminal, a line each, and a line for each rejected row, of which at most `most`.

    Control characters, of which a label may hold some, are shown instead of obeyed.

    >>> list(told([Finding("imbalance", "note", 0, 0.0, "The label 'a\\x1b[31m' is rare.")]))
    ["note     The label 'a\\\\x1b[31m' is rare."]
    """
    for finding in findings:
        yield f"{finding.severity:<8} {visible(finding.sentence)}"
        if finding.kind == "rejected":
            yield from (f"         {visible(' '.join(row))}" for row in finding.examples[:most])
            if most is not None and len(finding.examples) > most:
                yield f"         and {len(finding.examples) - most:,} more; headstart check lists all"


def truncation(shares: Mapping[str, float]) -> Finding:
    """Say what share of all tokens (0 to 1) each contender cannot see, since its window cuts them off.

    >>> truncation({"linear": 0.0, "scratch": 0.02}).sentence
    'The window cuts off the ends of long texts, which the model then does not see: scratch 2.0 % of all tokens.'
    """
    cut = {name: share for name, share in shares.items() if share > 0}
    if not cut:
        return Finding("truncation", "fine", 0, 0.0, "No text is too long for any contender's window.")
    told = ", ".join(f"{name} {100 * share:.1f} %" for name, share in cut.items())
    worst = max(cut.values())
    sentence = f"The window cuts off the ends of long texts, which the model then does not see: {told} of all tokens."
    return Finding("truncation", "warning" if worst > MUCH else "note", 0, worst, sentence)


def windows(train: Rows, backbone: str | Sequence[str]) -> list[Finding]:
    """Find what windows would cut off, and which backbones do not know the language or cannot be opened."""
    from headstart.checkpoints import header
    from headstart.text import vocabulary

    scratch = rooms.load("contenders", "scratch")
    tokenizers = {"scratch": vocabulary.train(train.inputs, scratch.vocabulary, window=scratch.window)}
    closed = []
    opened = {}
    for name, source in backbones.named(backbones.read(backbone)).items():
        try:
            opened[source] = header.open_header(source).tokenizer
            tokenizers[f"finetuned@{name}" if name else "finetuned"] = opened[source]
        except (UsageError, CheckpointError) as error:
            sentence = f"The backbone {shown(source)} cannot be opened, so nothing can be fine-tuned from it: {error}"
            closed.append(Finding("backbone", "warning", 0, 0.0, sentence))
    cut_off = truncation({name: made.encode(train.inputs).cut_off for name, made in tokenizers.items()})
    return [cut_off, *language.findings(opened, train.inputs), *closed]
