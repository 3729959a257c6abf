"""Show a pretraining: what it will cost, how far it is, what came of it. Progress goes to standard error."""

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
    from headstart.contenders._pretraining import Plan


class Watch:
    """Take the progress of one training and show it; use as a context manager and call it with each word.

    On a terminal a bar that moves; elsewhere a line as each stage begins, and one at most every 30 seconds.

    Args:
        console: standard error where None.
        clock: seconds that only grow.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console or Console(stderr=True)
        self._clock = clock
        self._spoke = clock()
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

    def __call__(self, news: Progress) -> None:
        """Take in how far it is, and show it."""
        begins = news.stage != self._last.stage
        self._last = news
        if not self.console.is_terminal and (begins or self._clock() - self._spoke >= QUIET_SECONDS):
            self._spoke = self._clock()
            self.say(_words(news))

    def say(self, *lines: str) -> None:
        """Write lines that stay."""
        for line in lines:
            self.console.print(Text(visible(line)), soft_wrap=True)

    def _render(self) -> RenderableType:
        line = Table.grid(padding=(0, 2))
        line.add_column(width=20)
        line.add_column(no_wrap=True, overflow="ellipsis")
        line.add_row(ProgressBar(1.0, self._last.done, width=20), Text(visible(_words(self._last))))
        return line


def _words(news: Progress) -> str:
    left = [f"{duration(news.seconds_left)} left"] if news.seconds_left is not None else []
    loss = [f"loss {news.values['loss']:.2f}"] if "loss" in news.values else []
    done = [f"{100 * news.done:.0f} %"] if news.done else []
    return ", ".join([" ".join([news.stage, *done]), *left, *loss])


def planned(plan: Plan, size: str) -> Iterator[str]:
    """Word what a pretraining will cost, and what other sizes would cost on this machine, a line each."""
    yield (
        f"{about(plan.tokens)} tokens, {plan.epochs:.2g} passes, {count(plan.steps)} steps: {duration(plan.seconds)} "
        f"({plan.used:.0%} of the {plan.rate:.0f} GFLOP/s of this machine's matrix products)"
    )
    others = [f"{name} {duration(seconds)}" for name, seconds in plan.alternatives.items() if name != size]
    if others:
        yield f"the same with another size: about {', '.join(others)}"


def summary(record: Mapping[str, Any], out: Path) -> Iterator[str]:
    """Word what came of a pretraining, a line each."""
    held = record["held_out"]
    yield (
        f"of hidden words in {plural(held['documents'], 'document')} set apart, {percent(held['accuracy'])} were "
        f"guessed; perplexity {held['perplexity']:.1f}"
    )
    if held["next_sentence_accuracy"] is not None:
        yield f"of passages, {percent(held['next_sentence_accuracy'])} were told to follow each other or not"
    yield (
        f"{count(record['steps'])} steps in {duration(record['seconds'])}: {about(record['tokens_per_second'])} tokens "
        f"a second, {record['share_of_matrix_rate']:.0%} of the machine's matrix products"
    )
    yield f"the model is in {out}: fine-tune it with headstart compare DATA --backbone {out}"
