"""The findings of an audit as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headstart.core.errors import visible
from headstart.core.records import Finding


def lines(findings: Iterable[Finding], most: int | None = None) -> Iterator[str]:
    """Yield a line for each finding and for each rejected row; control characters are made visible.

    Args:
        most: rejected rows that are listed; None for all.

    >>> list(lines([Finding("imbalance", "note", 0, 0.0, "The label 'a\\x1b[31m' is rare.")]))
    ["note     The label 'a\\\\x1b[31m' is rare."]
    """
    for finding in findings:
        yield f"{finding.severity:<8} {visible(finding.sentence)}"
        if finding.kind == "rejected":
            yield from (f"         {visible(' '.join(row))}" for row in finding.examples[:most])
            if most is not None and len(finding.examples) > most:
                yield f"         and {len(finding.examples) - most:,} more; headstart check lists all"
