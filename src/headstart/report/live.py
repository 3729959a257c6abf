"""Show the progress of a contest on standard error: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from headstart.core.errors import visible
from headstart.core.records import Trial
from headstart.core.tally import Metric
from headstart.metrics import format as form
from headstart.report._format import count, duration

if TYPE_CHECKING:
    from headstart.contest.run import Event

Cell = tuple[str, int | None]
# Without a terminal, progress is printed at most once in this many seconds.
QUIET_SECONDS = 30.0


class Watch:
    """Show the progress of a contest; use as a context manager and call it with each event.

    On a terminal: a table with a row per contender and a column per number of training rows, the running trial with
    its remaining time, and the total with its remaining time. Elsewhere: a line for each finished trial, and progress
    at most every 30 seconds. NO_COLOR turns colours off.

    Args:
        metric: the score that is shown.
        plan: all planned trials, for empty cells and the remaining time; may be empty.
        console: where to print; None is standard error.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        metric: Metric,
        plan: Sequence[Trial] = (),
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.console = console or Console(stderr=True)
        self._board = _Board(metric, plan, clock)
        self._clock = clock
        self._printed = clock()
        self._live = (
            Live(console=self.console, get_renderable=self._board.render, refresh_per_second=4)
            if self.console.is_terminal
            else None
        )

    def __enter__(self) -> Watch:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            # The table of a finished contest is replaced by the leaderboard; that of an interrupted contest stays.
            self._live.transient = kind is None
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Process an event and show it."""
        self._board.take(event)
        if self._live is None:
            line = self._line(event)
            if line:
                self._printed = self._clock()
                self.console.print(Text(visible(line)), soft_wrap=True)

    def _line(self, event: Event) -> str:
        """Return the log line of an event, or '' if it needs none."""
        head = f"[{event.index}/{event.total}] {_words(event.trial)}"
        if event.kind in ("finished", "cached") and event.record:
            how = f"in {duration(self._board.last_seconds)}" if event.kind == "finished" else "from an earlier run"
            metric = self._board.metric
            return f"{head}: {metric.name} {form.score(metric, event.record.scores[metric.name])} {how}"
        if event.kind == "failed":
            return f"{head}: failed, {event.reason}"
        if event.kind == "progress" and event.progress and self._clock() - self._printed >= QUIET_SECONDS:
            left = event.progress.seconds_left
            rest = f", {duration(left)} left" if left is not None else ""
            return f"{head}: {event.progress.stage} {100 * event.progress.done:.0f} %{rest}"
        return ""


class _Board:
    """The state of a running contest, and how it is drawn."""

    def __init__(self, metric: Metric, plan: Sequence[Trial], clock: Callable[[], float]) -> None:
        self.metric = metric
        self.last_seconds = 0.0
        self._plan = list(plan)
        self._clock = clock
        self._begun = self._trial_begun = clock()
        self._scores: dict[Cell, list[float]] = {}
        self._failed: dict[Cell, str] = {}
        self._over: set[tuple[str, int | None, int]] = set()
        self._rates: dict[str, float] = {}
        self._rows: dict[int | None, int] = {}
        self._now: Event | None = None
        for trial in plan:
            self._scores.setdefault((trial.contender, trial.size), [])

    def take(self, event: Event) -> None:
        """Update the state with an event."""
        cell = (event.trial.contender, event.trial.size)
        self._scores.setdefault(cell, [])
        self._now = event
        if event.kind == "start":
            self._trial_begun = self._clock()
        elif event.kind == "failed":
            self._failed[cell] = event.reason
            self._over.add(_key(event.trial))
        elif event.record and event.kind in ("finished", "cached"):
            self._scores[cell].append(event.record.scores[self.metric.name])
            self._rows[event.trial.size] = event.record.train_rows
            self._over.add(_key(event.trial))
            if event.kind == "finished":
                self.last_seconds = self._clock() - self._trial_begun
                self._rates[event.trial.contender] = self.last_seconds / max(event.record.train_rows, 1)

    def render(self) -> RenderableType:
        """Draw the table, the running trial, and the total."""
        if self._now is None:
            return Text("Reading the data", style="dim")
        return Group(self._table(), Text(), self._status(self._now))

    def _table(self) -> Table:
        sizes = sorted({size for _, size in self._scores}, key=lambda size: (size is None, size or 0))
        table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim", collapse_padding=True)
        table.add_column("contender", no_wrap=True)
        for size in sizes:
            table.add_column("all rows" if size is None else f"{count(size)} rows", justify="right", no_wrap=True)
        for contender in dict.fromkeys(name for name, _ in self._scores):
            table.add_row(Text(visible(contender)), *(self._cell((contender, size)) for size in sizes))
        return table

    def _cell(self, cell: Cell) -> Text:
        """Word a cell: the mean score so far, and the number of finished seeds."""
        scores = self._scores.get(cell)
        planned = sum((t.contender, t.size) == cell for t in self._plan)
        running = self._now and self._now.kind in ("start", "progress") and cell == _cell_of(self._now.trial)
        if not scores:
            if cell in self._failed:
                return Text("failed", style="red")
            return Text("running" if running else "", style="cyan")
        done = f" {len(scores)}/{planned}" if planned else f" {len(scores)}"
        mean = form.score(self.metric, sum(scores) / len(scores))
        return Text.assemble((mean, "cyan" if running else "bold"), (done, "dim"))

    def _status(self, event: Event) -> RenderableType:
        lines = Table.grid(padding=(0, 2))
        lines.add_column(width=20)
        lines.add_column(no_wrap=True, overflow="ellipsis")
        progress = event.progress if event.kind == "progress" else None
        done = progress.done if progress else 0.0
        if event.kind in ("start", "progress"):
            left = progress.seconds_left if progress else None
            state = [progress.stage if progress else "starting"]
            state += [f"{duration(left)} left"] if left is not None else []
            state += [f"{name} {value:.3g}" for name, value in (progress.values if progress else {}).items()][:2]
            words = Text.assemble(visible(f"{_words(event.trial)}: "), (", ".join(state), "dim"))
            lines.add_row(ProgressBar(1.0, done, width=20), words)
        over = len(self._over)
        times = [f"{duration(self._clock() - self._begun)} so far"]
        if self._plan and over < event.total:
            times.append(self._left(progress.seconds_left if progress else None))
        words = Text.assemble(f"{count(over)} of {count(event.total)} trials: ", (", ".join(times), "dim"))
        lines.add_row(ProgressBar(1.0, (over + done) / max(event.total, 1), width=20), words)
        return lines

    def _left(self, current: float | None) -> str:
        """Estimate the remaining time from the seconds per row of each contender's last trial."""
        running = _key(self._now.trial) if self._now else None
        ahead = [t for t in self._plan if _key(t) not in self._over and _key(t) != running]
        known = [t for t in ahead if t.contender in self._rates and t.size in self._rows]
        seconds = sum(self._rates[t.contender] * self._rows[t.size] for t in known) + (current or 0.0)
        if not known and current is None:
            return "remaining time unknown yet"
        return f"{'at least ' if len(known) < len(ahead) or current is None else ''}{duration(seconds)} left"


def _key(trial: Trial) -> tuple[str, int | None, int]:
    return trial.contender, trial.size, trial.seed


def _cell_of(trial: Trial) -> Cell:
    return trial.contender, trial.size


def _words(trial: Trial) -> str:
    rows = "all rows" if trial.size is None else f"{count(trial.size)} rows"
    return f"{trial.contender}, {rows}, seed {trial.seed}"
