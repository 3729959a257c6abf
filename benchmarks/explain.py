"""Do the methods of attribution find the words that a model needs? `linear` and a fine-tuned MiniLM on SST-2.

Three figures for each method, none of which anything was chosen by:

* the share of 200 test rows, drawn at random, in which the probability of the answer falls more without the three words
  that count most than without three random words; equal falls, as in texts of three words, count as misses. Once for
  one draw of the words, and as the mean of several;
* comprehensiveness and sufficiency, see `headstart.explain.faithfulness`;
* the seconds of one explanation with its prediction, on one thread, for the processor and by the clock.

The models learn from the same 2,000 training rows, which takes minutes. EXPLAIN_ROWS tries everything on so many
validation rows; no record is then written.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks._common import ROOT, parquet, percent, record, show, table
from headstart.explain import chosen, explain, faithfulness
from headstart.explain import methods as methods_of
from headstart.explain._attributing import Asked, attribute

if TYPE_CHECKING:
    from headstart.core.contracts import Fitted
    from headstart.core.results import Interval
    from headstart.explain.chosen import Choice

CONTENDERS = ("linear", "finetuned:full")
TRAIN_ROWS, ROWS, TIMED = 2000, 200, 30
TOP, DRAWS = 3, 10
LONG = 2 * TOP + 1  # words from which on most draws of three are without any of the top three
GOAL, GOAL_SECONDS = 0.9, 1.0


def main() -> None:
    """Train two models, or open them, and measure their methods; write the record (10 CPU minutes, with training)."""
    import polars
    import torch

    torch.set_num_threads(1)
    began = time.process_time()
    rows = int(os.environ.get("EXPLAIN_ROWS", "0"))
    texts = polars.read_parquet(parquet("sst2_dev" if rows else "sst2_test"))["text"].to_list()
    texts = texts[:rows] if rows else texts
    results = {}
    for name in CONTENDERS:
        model, choice = trained(name)
        results[name] = {"used": choice.method, "chosen_on_rows": choice.rows, **measured(model, texts)}
    if rows:
        print(json.dumps(results, indent=1))
        return
    record(
        "explain",
        {
            "data": "sst2",
            "part": "test",
            "train_rows": TRAIN_ROWS,
            "backbone": "minilm",
            "removed": TOP,
            "draws": DRAWS,
            "goal": GOAL,
            "goal_seconds": GOAL_SECONDS,
            "test_rows": len(texts),
            "timed_texts": TIMED,
            "cpu_seconds": time.process_time() - began,
            "results": results,
        },
    )
    show("explain", shown(results))


def trained(contender: str) -> tuple[Fitted, Choice]:
    """Return a contender's model and its best method, trained with defaults on some rows, or from an earlier run."""
    import polars

    import headstart

    train, validation, test = (polars.read_parquet(parquet(f"sst2_{part}")) for part in ("train", "dev", "test"))
    comparison = headstart.compare(
        train.sample(TRAIN_ROWS, seed=0, shuffle=True),
        validation=validation,
        test=test,
        contenders=(contender,),
        backbone="minilm",
        seeds=1,
        sizes=("all",),
        out=ROOT / "runs" / "benchmark-explain" / contender.replace(":", "-"),
    )
    return comparison.best, chosen.read(comparison.model, comparison.best)


def measured(model: Fitted, texts: Sequence[str]) -> dict[str, Any]:
    """Return the figures of each of a model's methods on some rows."""
    asked = faithfulness.sample(model, texts, ROWS, 0)
    words = faithfulness.removable(asked)
    lengths = np.array([len(own) for own in words])
    draws = [faithfulness.in_random_order(words, 0, number) for number in range(DRAWS)]
    by_chance = _falls(model, asked, draws)
    values = {method: [each.values for each in attribute(model, asked, method)] for method in methods_of(model)}
    faithful = {each.method: each for each in faithfulness.judge(model, asked, values, dict.fromkeys(values, 0.0))}
    found: dict[str, Any] = {}
    for method, attributed in values.items():
        orders = [faithfulness.ranked(model, own, each) for own, each in zip(words, attributed, strict=True)]
        above = _falls(model, asked, [orders])[0] - by_chance  # (draws, rows)
        won = above > 0
        each = faithful[method]
        found[method] = {
            "won": _interval(faithfulness.mean(won[0].astype(float))),
            "won_mean_of_draws": _interval(faithfulness.mean(won.mean(axis=0))),
            "equal": float((above == 0).mean()),
            f"won_from_{LONG}_words": _interval(faithfulness.mean(won.mean(axis=0)[lengths >= LONG])),
            "fall": float((above + by_chance).mean()),
            "fall_by_chance": float(by_chance.mean()),
            "comprehensiveness": _interval(each.comprehensiveness),
            "above_random": _interval(each.above_random),
            "sufficiency": _interval(each.sufficiency),
            **timed(model, texts[:TIMED], method),
        }
    return {"rows": len(words), f"rows_from_{LONG}_words": int((lengths >= LONG).sum()), "methods": found}


def timed(model: Fitted, texts: Sequence[str], method: str) -> dict[str, float]:
    """Return the median seconds of an explanation, one text after the other."""
    processor, clock = [], []
    for text in texts:
        began, began_clock = time.process_time(), time.perf_counter()
        explain(model, [text], method=method)
        processor.append(time.process_time() - began)
        clock.append(time.perf_counter() - began_clock)
    return {
        "cpu_seconds": statistics.median(processor),
        "wall_seconds": statistics.median(clock),
        "slowest_cpu_seconds": max(processor),
    }


def shown(results: dict[str, Any]) -> str:
    """Return the table for the docs."""
    lines = []
    for name, found in results.items():
        for method, figures in found["methods"].items():
            lines.append(
                [
                    f"`{name}`",
                    f"`{method}`" + (" (chosen)" if found["chosen_on_rows"] and method == found["used"] else ""),
                    percent(*figures["won_mean_of_draws"]),
                    *(_cell(figures[key]) for key in ("comprehensiveness", "sufficiency")),
                    f"{1000 * figures['cpu_seconds']:.0f}",
                ]
            )
    header = ["model", "method", "top three above random, % of rows", "comprehensiveness", "sufficiency", "ms per text"]
    return table(header, lines)


def _falls(model: Fitted, asked: Asked, orders: Sequence[Sequence[Sequence[int]]]) -> np.ndarray:
    """Return how much less probable each answer is without the first words of each order, ``(orders, rows)``."""
    falls: np.ndarray = faithfulness.fall(model, asked, [[[own[:TOP]] for own in order] for order in orders])[..., 0]
    return falls


def _interval(each: Interval) -> tuple[float, float, float]:
    return each.value, each.low, each.high


def _cell(figures: Sequence[float]) -> str:
    value, low, high = figures
    return f"{value:.3f} ({low:.3f} to {high:.3f})"
