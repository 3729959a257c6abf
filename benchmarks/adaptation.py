"""What does it give to go on pretraining MiniLM on one's own text, before it is fine-tuned? IMDB reviews.

Twenty minutes of hidden words on the texts of the training rows and 50,000 unlabelled ones (`headstart pretrain
--from minilm`), then full fine-tuning on some of the training rows, beside the same from MiniLM as it is. Test rows are
IMDB's own, every fifth; nobody reads them before the judgement. No option of the fine-tuning is set.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmarks._common import ROOT, record, show, spread, table

# Labelled rows: so many that a fine-tuning of whole reviews takes about a quarter of an hour on 2 cores.
ROWS, TEST_ROWS = 1000, 5000
PRETRAINING: dict[str, Any] = {"start": "minilm", "window": 256, "minutes": 20.0}


def main() -> None:
    """Pretrain and compare (about an hour on 2 cores; what was interrupted goes on) and write the record."""
    from headstart import compare, pretrain
    from headstart.metrics import stats

    runs = ROOT / "runs" / "benchmark-adaptation"
    folder = Path(os.environ.get("HEADSTART_DATA", ROOT.parent / "shared" / "data"))
    adapted = runs / "minilm-imdb"
    learnt = pretrain([folder / f"imdb_{part}.parquet" for part in ("train", "unlabelled")], adapted, **PRETRAINING)
    results = {
        name: compare(
            spread("imdb_train", ROWS),
            test=spread("imdb_test", TEST_ROWS),
            contenders=("finetuned",),
            strategies=("full",),
            backbone=backbone,
            sizes=("all",),
            seeds=1,
            out=runs / name,
        ).result
        for name, backbone in (("plain", "minilm"), ("adapted", str(adapted)))
    }
    answers = {name: [entry.predictions.values for entry in result.records] for name, result in results.items()}
    targets = results["plain"].splits.test.targets
    duel = stats.compare(targets, answers["adapted"], answers["plain"], results["plain"].metric)
    scores = {name: vars(result.standings[0].score) for name, result in results.items()}
    said = {key: learnt[key] for key in ("steps", "seconds", "tokens_per_second", "share_of_matrix_rate", "held_out")}
    gain = {**vars(duel.difference), "p_value": duel.p_value}
    record(
        "adaptation",
        {"rows": ROWS, "test_rows": TEST_ROWS, "seeds": 1, "pretraining": said, "scores": scores, "gain": gain},
    )
    lines = [[name, *(f"{100 * score[key]:.1f}" for key in ("value", "low", "high"))] for name, score in scores.items()]
    lines.append(["gain, points", *(f"{100 * gain[key]:+.1f}" for key in ("value", "low", "high"))])
    show("adaptation", table(["test accuracy, %", "", "from", "to"], lines))
