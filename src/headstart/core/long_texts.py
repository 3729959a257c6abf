"""What a model reads of a text that is longer than its window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from headstart.core.contracts import Value
from headstart.core.errors import UsageError, did_you_mean, shown

Windows = Literal["mean", "max"]
Long = Literal["first", "head-tail", "mean", "max"]
LONGS: tuple[Long, ...] = get_args(Long)


@dataclass(frozen=True)
class LongTexts:
    """What a model reads of a text that is longer than its window.

    way: 'first' for its beginning; 'head-tail' for its beginning and its end, a quarter and three quarters of the
        window (Sun et al. 2019, "How to Fine-Tune BERT for Text Classification?", section 5.3.1); 'mean' or 'max' for
        windows, each read by itself, whose pooled states are averaged, or of whose values the largest are taken.
    most_windows: maximum number of windows of a text; what comes after them is cut off.
    """

    way: Long = "first"
    most_windows: int = 8

    def __post_init__(self) -> None:
        """Refuse values that no way has.

        Raises:
            UsageError: an unknown way, or no windows.
        """
        if self.way not in LONGS:
            raise UsageError(f"no way {shown(self.way)} to read long texts; {did_you_mean(str(self.way), LONGS)}")
        if type(self.most_windows) is not int or self.most_windows < 1:
            raise UsageError(f"'most_windows' is {shown(self.most_windows)}; give a number from 1 up.")

    @property
    def windows(self) -> Windows | None:
        """How the states of a text's windows are pooled; None for one sequence per text."""
        return self.way if self.way == "mean" or self.way == "max" else None


def read(value: Value) -> LongTexts:
    """Read what `dataclasses.asdict` made.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(value, dict) or set(value) != {"way", "most_windows"}:
        raise UsageError(f"{shown(value)} is no way to read long texts.")
    return LongTexts(**value)
