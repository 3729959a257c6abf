"""Show the cost, the progress and the result of a pretraining. Progress is printed on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from headstart.core.errors import visible
from headstart.core.records import Progress
from headstart.report._format import about, count, duration, percent, plural
from headstart.report.live import QUIET_SECONDS

if TYPE_CHECKING:
    from headstart.pretraining.job import Plan


class Watch:
    """Show the progress of one training; use as a context manager and call it with each progress update.

    On a terminal, a progress bar; elsewhere a line at the start of each stage, and then at most one every 30 seconds.

    Args:
        console: where to print; None is standard error.
        clock: monotonic time in seconds.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console or Console(stderr=True)
        self._clock = clock
        self._printed = clock()
        self._last = Progress("reading", 0.0)
        self._live = Live(console=self.console, get_renderable=self._render, refresh_per_second=4, transient=True)

    def __enter__(self) -> Watch:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Show a progress update."""
        new_stage = progress.stage != self._last.stage
        self._last = progress
        if not self.console.is_terminal and (new_stage or self._clock() - self._printed >= QUIET_SECONDS):
            self._printed = self._clock()
            self.say(_words(progress))

    def say(self, *lines: str) -> None:
        """Print lines that are not overwritten by the progress bar."""
        for line in lines:
            self.console.print(Text(visible(line)), soft_wrap=True)

    def _render(self) -> RenderableType:
        line = Table.grid(padding=(0, 2))
        line.add_column(width=20)
        line.add_column(no_wrap=True, overflow="ellipsis")
        line.add_row(ProgressBar(1.0, self._last.done, width=20), Text(visible(_words(self._last))))
        return line


def _words(progress: Progress) -> str:
    left = [f"{duration(progress.seconds_left)} left"] if progress.seconds_left is not None else []
    loss = [f"loss {progress.values['loss']:.2f}"] if "loss" in progress.values else []
    done = [f"{100 * progress.done:.0f} %"] if progress.done else []
    return ", ".join([" ".join([progress.stage, *done]), *left, *loss])


def planned(plan: Plan, size: str) -> Iterator[str]:
    """Yield the expected cost of a pretraining and that of other sizes on this machine, one line each."""
    yield (
        f"{about(plan.tokens)} tokens, {plan.epochs:.2g} passes, {count(plan.steps)} steps: {duration(plan.seconds)} "
        f"({plan.used:.0%} of the {plan.rate:.0f} GFLOP/s of this machine's matrix products)"
    )
    others = [f"{name} {duration(seconds)}" for name, seconds in plan.alternatives.items() if name != size]
    if others:
        yield f"with another size, about: {', '.join(others)}"


def summary(record: Mapping[str, Any], out: Path) -> Iterator[str]:
    """Yield the results of a pretraining, one line each."""
    held = record["held_out"]
    yield (
        f"held-out text ({plural(held['documents'], 'document')}): {percent(held['accuracy'])} of masked words "
        f"predicted; perplexity {held['perplexity']:.1f}"
    )
    if held["next_sentence_accuracy"] is not None:
        yield f"next-passage accuracy {percent(held['next_sentence_accuracy'])}"
    yield (
        f"{count(record['steps'])} steps in {duration(record['seconds'])}: {about(record['tokens_per_second'])} tokens "
        f"per second, {record['share_of_matrix_rate']:.0%} of the machine's matrix-product rate"
    )
    yield f"the model is in {out}; to fine-tune it, run headstart compare DATA --backbone {out}"
