from __future__ import annotations

import io

import pytest
from rich.console import Console

from headstart.contest.run import Event
from headstart.core.records import Progress, Record, Trial
from headstart.core.results import Result
from headstart.metrics.labels import METRICS
from headstart.report.live import Watch


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def watch(plan: list[Trial], *, terminal: bool, clock: Clock) -> tuple[Watch, io.StringIO]:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100, height=40)
    return Watch(METRICS[0], plan, console, clock), stream


def drawn(board: Watch) -> str:
    stream = io.StringIO()
    Console(file=stream, width=100).print(board._board.render())
    return stream.getvalue()


@pytest.fixture
def records(result: Result) -> list[Record]:
    return [r for r in result.records if r.trial.contender in ("linear", "scratch") and r.trial.size in (100, None)]


def test_a_pipe_gets_one_line_for_each_finished_trial(records: list[Record]) -> None:
    clock = Clock()
    board, stream = watch([], terminal=False, clock=clock)
    with board:
        for index, record in enumerate(records, 1):
            board(Event("start", record.trial, index, len(records)))
            clock.now += 2
            board(Event("progress", record.trial, index, len(records), Progress("training", 0.5, 2.0)))
            board(Event("finished", record.trial, index, len(records), record=record))
    lines = stream.getvalue().splitlines()
    assert len(lines) == len(records)
    score = 100 * records[0].scores["accuracy"]
    assert lines[0] == f"[1/12] linear, 100 rows, seed 0: accuracy {score:.1f} % in 2.0 s"
    assert "\x1b" not in stream.getvalue()


def test_a_pipe_gets_progress_at_most_every_half_minute(records: list[Record]) -> None:
    clock = Clock()
    board, stream = watch([], terminal=False, clock=clock)
    for second in range(0, 100, 5):
        clock.now = float(second)
        board(Event("progress", records[0].trial, 1, 12, Progress("training", second / 100, 100.0 - second)))
    lines = stream.getvalue().splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "training 30 %, 1.2 min left",
        "training 60 %, 40 s left",
        "training 90 %, 10 s left",
    ]


def test_a_pipe_says_what_failed_and_what_was_there_already(records: list[Record]) -> None:
    board, stream = watch([], terminal=False, clock=Clock())
    board(Event("cached", records[0].trial, 1, 2, record=records[0]))
    board(Event("failed", records[1].trial, 2, 2, reason="the loss is not a number\x1b[31m"))
    cached, failed = stream.getvalue().splitlines()
    assert cached.endswith("from an earlier run")
    assert failed.endswith(r"failed, the loss is not a number\x1b[31m")


def test_the_table_shows_means_seeds_done_and_what_runs(records: list[Record]) -> None:
    plan = [record.trial for record in records]
    board, _ = watch(plan, terminal=True, clock=Clock())
    linear = [r for r in records if r.trial.contender == "linear" and r.trial.size == 100]
    for index, record in enumerate(linear[:2], 1):
        board(Event("finished", record.trial, index, len(plan), record=record))
    board(Event("progress", linear[2].trial, 3, len(plan), Progress("training", 0.25, 8.0, {"loss": 0.5})))
    text = drawn(board)
    mean = 50 * (linear[0].scores["accuracy"] + linear[1].scores["accuracy"])
    assert f"{mean:.1f} % 2/3" in text
    assert "100 rows" in text
    assert "all rows" in text
    assert "scratch" in text
    assert "training, 8.0 s left, loss 0.5" in text
    assert "2 of 12 trials" in text


def test_time_left_grows_with_the_rows_and_is_a_lower_bound_until_all_are_known(records: list[Record]) -> None:
    clock = Clock()
    linear = [r for r in records if r.trial.contender == "linear"]
    small = next(r for r in linear if r.trial.size == 100)
    whole = [r for r in linear if r.trial.size is None]
    board, _ = watch([small.trial, *(r.trial for r in whole)], terminal=True, clock=clock)
    board(Event("start", small.trial, 1, 4))
    assert "remaining time unknown yet" in drawn(board)
    clock.now = 1.0
    board(Event("finished", small.trial, 1, 4, record=small))
    board(Event("start", whole[0].trial, 2, 4))
    clock.now = 23.4
    board(Event("finished", whole[0].trial, 2, 4, record=whole[0]))
    board(Event("progress", whole[1].trial, 3, 4, Progress("training", 0.5, 10.0)))
    # One more trial on all rows (22.4 s) and 10 s of the one that runs.
    assert "32 s left" in drawn(board)
    assert "at least" not in drawn(board)


def test_a_failed_cell_says_so(records: list[Record]) -> None:
    board, _ = watch([], terminal=True, clock=Clock())
    board(Event("failed", records[0].trial, 1, 1, reason="out of memory"))
    assert "failed" in drawn(board)


def test_the_live_table_stays_when_interrupted_and_goes_when_done(records: list[Record]) -> None:
    def after(error: type[BaseException] | None) -> str:
        board, stream = watch([], terminal=True, clock=Clock())
        try:
            with board:
                board(Event("finished", records[0].trial, 1, 1, record=records[0]))
                if error:
                    raise error
        except KeyboardInterrupt:
            pass
        return stream.getvalue()

    erase = "\x1b[2K"
    assert after(None).count(erase) > after(KeyboardInterrupt).count(erase)
    assert "1 of 1 trials" in after(KeyboardInterrupt)


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch, records: list[Record]) -> None:
    def drawn_codes() -> str:
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=True, width=100, color_system="truecolor")
        with Watch(METRICS[0], [], console) as board:
            board(Event("progress", records[0].trial, 1, 1, Progress("training", 0.5)))
        return stream.getvalue()

    coloured = "\x1b[36m"
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured in drawn_codes()
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured not in drawn_codes()


def test_standard_error_is_the_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], records: list[Record]
) -> None:
    with Watch(METRICS[0]) as board:
        board(Event("finished", records[0].trial, 1, 1, record=records[0]))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "linear, 100 rows" in captured.err
