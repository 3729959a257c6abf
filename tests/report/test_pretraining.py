"""Messages of a pretraining: cost, progress and results."""

import io
from pathlib import Path

from rich.console import Console

from headstart.core.records import Progress
from headstart.pretraining.job import Plan
from headstart.report import pretraining

PLAN = Plan(
    tokens=20_400_000,
    epochs=2.5,
    steps=12_345,
    seconds=21_600,
    rate=108.2,
    used=0.62,
    alternatives={"mini": 5000.0, "small": 21_600.0, "base": 41 * 86_400.0},
)
RECORD = {
    "held_out": {"documents": 1500, "accuracy": 0.412, "perplexity": 22.345, "next_sentence_accuracy": 0.8},
    "steps": 12_345,
    "seconds": 7200.0,
    "tokens_per_second": 4321.0,
    "share_of_matrix_rate": 0.6,
}


def test_the_cost_is_printed_with_that_of_other_sizes():
    assert list(pretraining.planned(PLAN, "small")) == [
        "20,000,000 tokens, 2.5 passes, 12,345 steps: 6.0 h (62% of the 108 GFLOP/s of this machine's matrix products)",
        "with another size, about: mini 1.4 h, base 41 days",
    ]


def test_a_continued_model_has_no_other_size():
    plan = Plan(tokens=1000, epochs=1, steps=1, seconds=1, rate=1, used=1, alternatives={})
    assert len(list(pretraining.planned(plan, "mini"))) == 1


def test_the_summary_has_scores_and_the_next_command():
    assert list(pretraining.summary(RECORD, Path("model"))) == [
        "held-out text (1,500 documents): 41.2 % of masked words predicted; perplexity 22.3",
        "next-passage accuracy 80.0 %",
        "12,345 steps in 2.0 h: 4,300 tokens per second, 60% of the machine's matrix-product rate",
        "the model is in model; to fine-tune it, run headstart compare DATA --backbone model",
    ]
    silent = {**RECORD, "held_out": {**RECORD["held_out"], "next_sentence_accuracy": None}}
    assert len(list(pretraining.summary(silent, Path("model")))) == 3


def test_on_a_pipe_each_stage_is_one_line_then_one_line_per_half_minute():
    out, now = io.StringIO(), 0.0
    with pretraining.Watch(Console(file=out), clock=lambda: now) as watch:
        watch(Progress("tokenising", 0.0))
        for step in range(1, 9):
            now = 10.0 * step
            watch(Progress("training", step / 8, 80 - now, {"loss": 4.0}))
        watch.say("a line", "and another")
    assert out.getvalue().splitlines() == [
        "tokenising",
        "training 12 %, 1.2 min left, loss 4.00",
        "training 50 %, 40 s left, loss 4.00",
        "training 88 %, 10 s left, loss 4.00",
        "a line",
        "and another",
    ]


def test_on_a_terminal_a_bar_moves():
    out = io.StringIO()
    with pretraining.Watch(Console(file=out, force_terminal=True, width=80)) as watch:
        watch(Progress("training", 0.5, 60, {"loss": 3.0}))
        watch._live.refresh()
    assert "training 50 %, 1.0 min left, loss 3.00" in out.getvalue()
