"""Do models know that they do not know? TREC, one of its six classes held out of training in turn.

`linear` and `finetuned:frozen` are trained without a class, as `compare --hold-out-class` does it, and then asked texts
of it: AUROC of the confidence of test texts of the other classes against these, and the shares of both that
`--abstain coverage=0.9` answers. 2,000 training rows of the other classes, or OUT_OF_SCOPE_ROWS for a small try.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import data, record, show, table
from headstart import contenders, tasks
from headstart.contest import confidence, out_of_scope
from headstart.core.abstain import confidence_of
from headstart.core.records import Rows, Run, Splits, Table
from headstart.data.split import split

CONTENDERS = {"linear": {}, "finetuned:frozen": {"strategy": "frozen"}}
ROWS = int(os.environ.get("OUT_OF_SCOPE_ROWS", "2000"))


def main() -> None:
    """Train twelve models (about three minutes of one core), and write the record."""
    import torch

    torch.set_num_threads(1)
    whole = splits()
    classes = sorted(set(whole.train.targets))
    results: dict[str, Any] = {}
    for label in classes:
        results[label] = judged(whole, label)
        record("out_of_scope", {"data": "trec", "coverage": out_of_scope.COVERAGE, "results": results})
    shown(results)


def shown(results: dict[str, Any]) -> None:
    """Put the table of a record into the page."""
    lines = []
    for label, by_contender in results.items():
        rows = by_contender[next(iter(CONTENDERS))]["rows"]
        lines.append([f"{label} ({rows})", *(cell for name in CONTENDERS for cell in cells(by_contender[name]))])
    header = ["held out (texts)", *(f"{name}: {what}" for name in CONTENDERS for what in ("AUROC, %", "answered, %"))]
    show("out-of-scope", table(header, lines))


def cells(found: dict[str, Any]) -> list[str]:
    """Write the area with its interval, and the share of held-out texts answered with that of the others."""
    auroc = found["auroc"]
    value, low, high = (100 * auroc[end] for end in ("value", "low", "high"))
    return [
        f"{value:.1f} ({low:.1f} to {high:.1f})",
        f"{100 * found['answered_outside']:.0f}, of others {100 * found['answered']:.0f}",
    ]


def splits() -> Splits:
    """Return the public test rows, and the training rows without a tenth for validation."""
    parts = []
    for name in ("trec_train", "trec_test"):
        texts, labels = data(name)
        places = np.random.default_rng(0).permutation(len(texts)).tolist()
        parts.append(
            Rows(
                tuple(f"{name}:{place}" for place in places),
                tuple(texts[place] for place in places),
                tuple(labels[place] for place in places),
            )
        )
    return split(parts[0], tasks.load("classification"), test=parts[1])


def judged(whole: Splits, label: str) -> dict[str, Any]:
    """Train each contender without a class, and measure its confidence of all rows of that class."""
    task = tasks.load("classification")
    every = Table("trec", whole.train, {}, "")
    _, less, outside = out_of_scope.held_out(every, whole, task, label)
    train = less.train.take(range(min(ROWS, len(less.train))))
    found: dict[str, Any] = {}
    for name, options in CONTENDERS.items():
        contender = contenders.load(name.partition(":")[0], dict(options))
        with tempfile.TemporaryDirectory() as folder:
            fitted = contender.fit(train, less.validation, task.fitted(train), Run(0, Path(folder)))
        fitted, temperature = confidence.calibrated(fitted, less.validation)
        sure = {name: confidence_of(fitted.predict(rows.inputs)) for name, rows in parts(less, outside).items()}
        limit = confidence.at_coverage(np.sort(sure["validation"]), out_of_scope.COVERAGE)
        found[name] = asdict(out_of_scope.measured(sure["test"], sure["outside"], limit))
        found[name] |= {"temperature": temperature, "threshold": limit, "test_rows": len(less.test)}
    return found


def parts(less: Splits, outside: Rows) -> dict[str, Rows]:
    """Return the rows that are predicted."""
    return {"validation": less.validation, "test": less.test, "outside": outside}
