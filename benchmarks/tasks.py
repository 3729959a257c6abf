"""What do the contenders reach on each task? One comparison per data set, on its own test rows, with defaults.

Each comparison leaves a record of its own, ``tasks-NAME.json``; the README shows one line for each. No option is set
and nothing is chosen on test rows. What the data lack is cut once, by fixed rules: see `CONTESTS`.

TASKS names the comparisons to run (default: all), TASKS_SEEDS the trainings of each contender (default: 1). TASKS_ROWS
tries them on so many training rows; no record is then written.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks._common import RECORDS, ROOT, parquet, percent, record, show, table, versions

if TYPE_CHECKING:
    import polars

Parts = tuple["polars.DataFrame", "polars.DataFrame | None", "polars.DataFrame"]
FLOOR, LINEAR, FULL = "majority", "linear", "finetuned:full"
NEAREST, SCRATCH = "nearest", "seq2seq"
ANSWERS, WRITES = (FLOOR, LINEAR, FULL), (FLOOR, NEAREST, SCRATCH, FULL)


@dataclass(frozen=True)
class Contest:
    """A comparison.

    task: name of the task.
    data: name of the data set for readers.
    parts: reads training, validation (None: a tenth of the training rows) and test rows.
    published: figures of others on this data, with their source; '' for none.
    metric: what is reported; None for the task's first.
    contenders: what is trained.
    backbone: the pretrained model.
    minutes: time limit of a training; None for none.
    """

    task: str
    data: str
    parts: Callable[[], Parts]
    published: str = ""
    metric: str | None = None
    contenders: tuple[str, ...] = ANSWERS
    backbone: str = "minilm"
    minutes: float | None = None


def main() -> None:
    """Run the comparisons (hours on 2 cores; rerun to resume), write their records and show all records."""
    rows, seeds = int(os.environ.get("TASKS_ROWS", "0")), int(os.environ.get("TASKS_SEEDS", "1"))
    chosen = os.environ.get("TASKS", ",".join(CONTESTS)).split(",")
    if unknown := set(chosen) - set(CONTESTS):
        sys.exit(f"no comparison {', '.join(sorted(unknown))}; known: {', '.join(CONTESTS)}.")
    for name in chosen:
        result = compared(name, rows, seeds)
        if rows:
            print(json.dumps(result["leaderboard"], indent=1))
        else:
            record(f"tasks-{name}", {"seeds": seeds, "versions": versions("python-crfsuite"), **result})
            show("tasks", leaderboard(ANSWERS))
            show("written", leaderboard(WRITES))


def compared(name: str, rows: int, seeds: int) -> dict[str, Any]:
    """Compare the contenders on a data set, at most so many training rows (0: all); return what the record holds."""
    from headstart import compare

    contest = CONTESTS[name]
    train, validation, test = contest.parts()
    comparison = compare(
        train.head(rows or len(train)),
        task=contest.task,
        validation=validation,
        test=test,
        contenders=contest.contenders,
        backbone=contest.backbone,
        metric=contest.metric,
        seeds=seeds,
        budget=contest.minutes,
        sizes=("all",),
        out=ROOT / "runs" / f"benchmark-tasks{rows or ''}" / name,
    )
    result = comparison.result
    return {
        "task": contest.task,
        "data": contest.data,
        "backbone": contest.backbone,
        "minutes": contest.minutes,
        "metric": result.metric,
        "train_rows": len(result.splits.train),
        "test_rows": len(result.splits.test),
        "leaderboard": comparison.leaderboard,
        "scores": {f"{entry.trial.contender}, seed {entry.trial.seed}": dict(entry.scores) for entry in result.records},
        "verdict": list(comparison.verdict),
    }


def leaderboard(contenders: Sequence[str]) -> str:
    """Return the table of all records of comparisons of some of these contenders: one line per data set."""
    lines = []
    for name, contest in CONTESTS.items():
        path = RECORDS / f"tasks-{name}.json"
        if not path.is_file() or not set(contest.contenders) <= set(contenders):
            continue
        result = json.loads(path.read_text(encoding="utf-8"))
        scores = {
            line["contender"]: percent(line["score"], line["low"], line["high"]) for line in result["leaderboard"]
        }
        columns = (scores.get(contender, "") for contender in contenders)
        lines.append([f"`{contest.task}`", contest.data, result["metric"], *columns, contest.published])
    return table(["task", "data", "100 x score", *contenders, "published by others"], lines)


def _frame(name: str, columns: Sequence[str] = ()) -> polars.DataFrame:
    """Read a data set, or these columns of it."""
    import polars

    return polars.read_parquet(parquet(name), columns=list(columns) or None)


def _by_part(name: str, *columns: str) -> Callable[[], Parts]:
    """Return a reader of a data set whose column `part` says train, dev or test."""

    def read() -> Parts:
        frame = _frame(name, (*columns, "part"))
        train, validation, test = (
            frame.filter(frame["part"] == part).drop("part") for part in ("train", "dev", "test")
        )
        return train, validation, test

    return read


def _files(name: str, *columns: str, dev: bool = False) -> Callable[[], Parts]:
    """Return a reader of a data set with a file for each part; with `dev`, one for validation too."""
    return lambda: (
        _frame(f"{name}_train", columns),
        _frame(f"{name}_dev", columns) if dev else None,
        _frame(f"{name}_test", columns),
    )


def _multi30k() -> Parts:
    """Read the English and German captions."""
    train, validation, test = (
        _frame(f"multi30k_{part}", ("en", "de")).rename({"en": "source", "de": "target"})
        for part in ("train", "val", "test")
    )
    return train, validation, test


def _msra() -> Parts:
    """Take the first 10,000 sentences of MSRA for training and the last tenth for testing; the data have no parts."""
    frame = _frame("msra_ner_zh")
    return frame.head(10_000), None, frame.tail(len(frame) // 10)


def _imdb_ratings() -> Parts:
    """Take every fifth training review and every tenth test review, as they are ordered by label."""
    train, test = (_frame(f"imdb_{part}", ("text", "rating")) for part in ("train", "test"))
    return train.gather_every(5), None, test.gather_every(10)


def _lee_pairs() -> Parts:
    """Take the pairs among the last 15 of 50 texts for testing, among the first 28 for training, and of the 7 between.

    Each text is in 49 pairs. Pairs of texts of two parts are left out, so that no text is in two.
    """
    frame = _frame("gensim_lee_pairs")
    older, newer = frame["id_a"], frame["id_b"]  # the first is always the smaller number

    def among(first: int, end: int) -> polars.DataFrame:
        return frame.filter((older >= first) & (newer < end)).select("text_a", "text_b", "score")

    return among(0, 28), among(28, 35), among(35, 50)


def _topical_chat() -> Parts:
    """Make every turn but the first of a talk the answer of an assistant to all turns before it."""
    import polars

    rows: dict[str, list[list[dict[str, str]]]] = {"train": [], "dev": [], "test": []}
    for talk in _frame("topical_chat").partition_by("talk", maintain_order=True):
        said = talk.sort("turn").to_dicts()
        for place in range(1, len(said)):
            own = said[place]["speaker"]
            roles = ("assistant" if turn["speaker"] == own else "user" for turn in said)
            turns = [
                {"role": role, "content": turn["text"]} for role, turn in zip(roles, said[: place + 1], strict=False)
            ]
            rows[said[place]["part"]].append(turns)
    train, validation, test = (polars.DataFrame({"messages": each}) for each in rows.values())
    return train, validation, test


CONTESTS = {
    "vitaminc": Contest(
        "pairs",
        "VitaminC, 14,014 pairs of evidence and claim",
        _by_part("vitaminc", "evidence", "claim", "label"),
        "54.0 (six overlap features, scikit-learn)",
    ),
    "semeval2010": Contest(
        "relation",
        "SemEval-2010 task 8",
        _files("semeval2010"),
        "89.3 (R-BERT with BERT-base, Wu & He 2019)",
    ),
    "debian": Contest(
        "multilabel",
        "descriptions of Debian packages, 40 tags",
        _by_part("debian_descriptions_en", "description", "labels"),
        "63.8 (one-vs-rest logistic regression, scikit-learn)",
    ),
    "toxicity": Contest(
        "regression",
        "a toxicity score, 695 texts",
        _by_part("toxicity8", "text", "toxicity"),
        "25 (ridge, scikit-learn)",
        metric="R2",
    ),
    "lee-pairs": Contest(
        "pair-regression",
        "similarity of news texts (Lee et al. 2005), 378 pairs of 28 texts",
        _lee_pairs,
        metric="Spearman",
    ),
    "imdb-rating": Contest("regression", "IMDB ratings 1 to 10, 5,000 reviews", _imdb_ratings, metric="R2"),
    "wnut17": Contest(
        "ner",
        "WNUT17, noisy English",
        _files("wnut17", dev=True),
        "56.5 (BERTweet-base, Nguyen et al. 2020)",
    ),
    "peoples_daily": Contest(
        "ner",
        "People's Daily 1998, Chinese",
        _by_part("peoples_daily_ner", "tokens", "tags"),
        "60.6 (regression on windows of 5 characters, scikit-learn)",
        backbone="e5-small",
    ),
    "msra": Contest(
        "ner",
        "MSRA, Chinese, 10,000 of 46,000 sentences",
        _msra,
        "95.0 (BERT-BiLSTM-CRF on all sentences, Liu et al. 2021)",
        backbone="e5-small",
    ),
    "casie": Contest("event", "CASIE, cyber-security news, 774 documents", _files("casie", "text", "events")),
    "multi30k": Contest(
        "translation",
        "Multi30k, English captions to German, an hour on one core",
        _multi30k,
        "38 to 41 (text-only Transformers on a GPU, tokenised)",
        contenders=(FLOOR, NEAREST, SCRATCH),
        minutes=60,
    ),
    "topical_chat": Contest(
        "generation",
        "Topical-Chat, open talks of two people",
        _topical_chat,
        contenders=(FLOOR, "decoder", "finetuned:lora"),
        backbone="smollm2",
    ),
}
