"""What does further pretraining of MiniLM on one's own text gain before fine-tuning? IMDB reviews.

Twenty minutes of masked words on the texts of the training rows and 50,000 unlabelled ones (`headstart pretrain --from
minilm`), then full fine-tuning on some of the training rows, compared with the same from the original MiniLM. Test rows
are every fifth of IMDB's own; pretraining does not read them. No option of the fine-tuning is set.
"""

from __future__ import annotations

from typing import Any

from benchmarks._common import ROOT, answers, data, paired, parquet, percent, record, show, table

# Every so many rows: 1,000 training rows, which take a quarter of an hour on 2 cores, and 5,000 test rows.
TRAIN_EVERY, TEST_EVERY = 25, 5
PRETRAINING: dict[str, Any] = {"start": "minilm", "window": 256, "minutes": 20.0}


def main() -> None:
    """Pretrain and compare (about an hour on 2 cores; rerun to resume) and write the record."""
    from headstart import compare, pretrain

    runs = ROOT / "runs" / "benchmark-adaptation"
    adapted = runs / "minilm-imdb"
    learnt = pretrain([parquet(f"imdb_{part}") for part in ("train", "unlabelled")], adapted, **PRETRAINING)
    results = {
        name: compare(
            tuple(column[::TRAIN_EVERY] for column in data("imdb_train")),
            test=tuple(column[::TEST_EVERY] for column in data("imdb_test")),
            contenders=("finetuned",),
            strategies=("full",),
            backbone=backbone,
            sizes=("all",),
            seeds=1,
            out=runs / name,
        ).result
        for name, backbone in (("plain", "minilm"), ("adapted", str(adapted)))
    }
    predicted = {name: answers(result)["finetuned:full"] for name, result in results.items()}
    plain = results["plain"]
    compared = paired(plain.splits.test.targets, predicted["adapted"], predicted["plain"], plain.metric)
    scores = {name: vars(result.standings[0].score) for name, result in results.items()}
    costs = {key: learnt[key] for key in ("steps", "seconds", "tokens_per_second", "share_of_matrix_rate", "held_out")}
    gain = {**vars(compared.difference), "p_value": compared.p_value}
    rows = {part: len(getattr(plain.splits, part)) for part in ("train", "validation", "test")}
    record("adaptation", {"rows": rows, "seeds": 1, "pretraining": costs, "scores": scores, "gain": gain})
    lines = [[name, percent(*score.values())] for name, score in scores.items()]
    lines.append(["gain, points", percent(*vars(compared.difference).values(), sign="+")])
    show("adaptation", table(["MiniLM", "test accuracy, %"], lines))
