"""How much of its teacher's accuracy does a small student reach? SST-2, with unlabelled sentences of film reviews.

Fine-tuned MiniLM teaches a student with 4 layers of width 256 and one with 2 layers of width 128; both are also trained
without a teacher. Scores are those of one comparison (one seed, SST-2's own train, dev and test rows), differences its
paired tests. Then the models predict SST-2's test rows with one thread, alternating, together with a classifier of
BERT-base's shape as tutorials run it: transformers, batches of 32 padded to 128 tokens, random weights, since its speed
does not depend on them. Times are processor times, medians over rounds.

HEADSTART_ROWS=200 tries everything on so many rows and sentences, with one seed, and writes no record.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks._common import ROOT, data, parquet, record, show, table, transformers, versions

SEEDS = 1
CONTENDERS = ("linear", "finetuned:full", "distilled", "distilled:alone", "distilled:2x128", "distilled:2x128-alone")
TEACHER, STUDENT, SMALL = "finetuned:full", "distilled", "distilled:2x128"
INT8, TUTORIAL = f"{SMALL}, int8", "BERT-base as in tutorials"
SENTENCES, SHORTEST, LONGEST = 20_000, 20, 250  # maximum number; characters of a sentence
ROUNDS, TUTORIAL_TEXTS, BATCH, PADDED = 3, 64, 32, 128
# The student's share of the teacher's accuracy and of its time, the speed-up of the small student, and its speed-up
# with 8-bit weights over a tutorial's BERT-base.
GOALS = {"kept": 0.97, "time": 1 / 3, "small": 15.0, "tutorial": 100.0}


def main() -> None:
    """Compare and measure (half an hour on 2 cores; rerun to resume) and write the record."""
    import torch

    from headstart import compare

    rows = int(os.environ.get("HEADSTART_ROWS", "0")) or None
    given = {part: tuple(column[:rows] for column in data(f"sst2_{part}")) for part in ("train", "dev", "test")}
    result = compare(
        given["train"],
        validation=given["dev"],
        test=given["test"],
        unlabelled=sentences(rows or SENTENCES),
        contenders=CONTENDERS,
        seeds=SEEDS,
        sizes=("all",),
        # The folder of `ladder`, so that the teacher is not trained again.
        out=ROOT / "runs" / f"benchmark-{'distilled' if rows else 'sst2'}{rows or ''}",
    ).result
    torch.set_num_threads(1)
    texts, labels = given["test"]
    models = predictors(result)
    times = measure(models, texts)
    scores = {standing.contender: standing.score.value for standing in result.standings}
    predicted = models[INT8][0](texts).values
    scores[INT8] = sum(one == other for one, other in zip(predicted, labels, strict=True)) / len(labels)
    reached = {
        "kept": scores[STUDENT] / scores[TEACHER],
        "time": times[STUDENT] / times[TEACHER],
        "small": times[TEACHER] / times[SMALL],
        "tutorial": times[TUTORIAL] / times[INT8],
    }
    baselines = [
        {"contender": r.contender, "other": r.other, "role": r.role, "p_value": r.p_value, **vars(r.difference)}
        for r in result.baselines
    ]
    costs = {
        standing.contender: {"disk_bytes": standing.cost.disk_bytes, "train_seconds": standing.cost.train_seconds}
        for standing in result.standings
    }
    lines = [
        [name, f"{100 * scores[name]:.1f}" if name in scores else "", f"{ms:.2f}", f"{times[TEACHER] / ms:.1f}"]
        for name, ms in times.items()
    ]
    text = table(["", "test accuracy, %", "ms a text, one thread", "times the teacher's speed"], lines)
    if rows:
        print(text)
    else:
        record(
            "distilled",
            {
                "seeds": SEEDS,
                "sentences": SENTENCES,
                "scores": scores,
                "costs": costs,
                "baselines": baselines,
                "ms": times,
                "reached": reached,
                "goals": GOALS,
                "peers": versions("transformers"),
            },
        )
        show("distilled", text)
    print(json.dumps({"reached": reached, "goals": GOALS, "baselines": baselines}, indent=1))


def sentences(most: int) -> list[str]:
    """Split unlabelled film reviews into sentences of ordinary length, without duplicates, in the order of the file."""
    import pyarrow.parquet

    unique: dict[str, None] = {}
    for review in pyarrow.parquet.read_table(parquet("imdb_unlabelled"), columns=["text"])["text"].slice(0, most):
        for sentence in re.split(r"(?<=[.!?])\s+|<br />", review.as_py()):
            if SHORTEST <= len(sentence.strip()) <= LONGEST:
                unique.setdefault(sentence.strip())
        if len(unique) >= most:
            break
    return list(unique)[:most]


def predictors(result: Any) -> dict[str, tuple[Callable[[Sequence[str]], Any], int | None]]:
    """Open the saved models of a comparison and build the tutorial's; each with the number of texts it is timed on."""
    from headstart import open_model

    by_name: dict[str, tuple[Callable[[Sequence[str]], Any], int | None]] = {}
    # The folder may contain students of other comparisons, but none with the same training seconds.
    seconds = {record.cost.train_seconds: record.trial.contender for record in result.records}
    for note in sorted((result.folder / "models").glob("*.json")):
        contender = seconds.get(json.loads(note.read_text(encoding="utf-8"))["seconds"])
        if contender in (TEACHER, STUDENT, SMALL):
            model = open_model(note.with_suffix(""))
            by_name[contender] = (model.predict, None)
            if contender == SMALL:
                by_name[INT8] = (model.with_int8().predict, None)
                by_name[TUTORIAL] = (tutorial(note.with_suffix("")), TUTORIAL_TEXTS)
    return {name: by_name[name] for name in (TEACHER, STUDENT, SMALL, INT8, TUTORIAL)}


def tutorial(words: Path) -> Callable[[Sequence[str]], Any]:
    """Build a classifier of BERT-base's shape with random weights and the word pieces of a saved model."""
    import torch

    peer = transformers()
    tokenizer = peer.AutoTokenizer.from_pretrained(words)
    model = peer.BertForSequenceClassification(peer.BertConfig()).eval()

    def answer(texts: Sequence[str]) -> list[int]:
        predicted: list[int] = []
        with torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                some = list(texts[start : start + BATCH])
                batch = tokenizer(some, padding="max_length", truncation=True, max_length=PADDED, return_tensors="pt")
                predicted += model(**batch).logits.argmax(-1).tolist()
        return predicted

    return answer


def measure(
    answers: dict[str, tuple[Callable[[Sequence[str]], Any], int | None]], texts: Sequence[str]
) -> dict[str, float]:
    """Time each side, alternating: the median processor time in milliseconds per text."""
    taken: dict[str, list[float]] = {name: [] for name in answers}
    for turn in range(ROUNDS + 1):  # the first one is the warm-up
        for name, (answer, most) in answers.items():
            given = texts[:most]
            began = time.process_time()
            answer(given)
            if turn:
                taken[name].append(1000 * (time.process_time() - began) / len(given))
    return {name: statistics.median(values) for name, values in taken.items()}
