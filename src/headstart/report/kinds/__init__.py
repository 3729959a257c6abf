"""What the page shows for each kind of answer: a file a kind, whose `view` computes it, and its part of the page.

KIND.py      returns from a comparison a frozen dataclass, the view of the kind
KIND.html    shows the view: sections of the page between the costs and the data audit
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from headstart.core.contracts import Kind
from headstart.core.results import Result
from headstart.report.kinds import facts, label, labels, number, text


class View(Protocol):
    """What a kind's part of the page shows; what else it holds is between the two files of the kind."""

    @property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """Return (anchor, title) of each section, in the page's order."""


VIEWS: Mapping[Kind, Callable[[Result], View]] = {
    "label": label.view,
    "labels": labels.view,
    "number": number.view,
    "facts": facts.view,
    "text": text.view,
}


def view(result: Result) -> View:
    """Return what the page shows for the kind of this comparison's task."""
    return VIEWS[result.rules.kind](result)
