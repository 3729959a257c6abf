"""How fast are predictions? Compared with transformers' pipeline and onnxruntime, same weights and texts, alternating.

MiniLM, with its top two blocks trained on 2,000 sentences, predicts 1,000 sentences (SST-2's test rows, of similar
lengths) and 1,000 text messages (most of them short, some long; with one thread only). The references are the pipeline
in batches of 32 and text by text, and onnxruntime in float32 on texts sorted by length, in batches of 32 padded to the
longest. All tokenise inside the timed part. Times are medians over rounds, in milliseconds per text: processor time
with one thread, which other processes do not affect, and wall-clock time with two.

A single text is predicted a hundred times by each side, alternating, as a server would; medians again. Then two threads
are compared with one, on an idle machine and next to a process that keeps one core busy.
"""

from __future__ import annotations

import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import data, record, show, table, transformers, versions
from benchmarks.training import operations
from headstart.core.device import matrix_rate

ROUNDS, BATCH, SINGLES = 3, 32, 100
TRAINED = 2000
# The data set and number of rows of each kind of text, and the numbers of threads.
TEXTS = {"sentences": ("sst2_test", 1000, (1, 2)), "messages": ("sms_spam", 1000, (1,))}
# Of these, one is predicted text by text, since each takes the same time.
EVERY = 5
PIPELINE, SINGLE, ONNX = "pipeline, batch 32", "pipeline, text by text", "onnxruntime, sorted"
FLOAT, INT8 = "Headstart", "Headstart, int8"
# The required and the desired speed-up over each reference.
GOALS = {(FLOAT, PIPELINE): (3.7, 4.5), (FLOAT, ONNX): (1.5, 1.8), (INT8, PIPELINE): (5.5, 8.0)}
SINGLE_GOAL, THREADS_GOAL = 1.25, 1.8

Answer = Callable[[Sequence[str]], Any]


def main() -> None:
    """Measure one and two threads (about eight minutes on two idle cores) and write the record."""
    import torch

    with tempfile.TemporaryDirectory() as place:
        model = Path(place) / "model"
        agreement = prepare(model)
        texts = {name: sample(source, rows) for name, (source, rows, _) in TEXTS.items()}
        lines, results = [], []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            variants = build(model, Path(place), threads)
            for name, given in texts.items():
                if threads not in TEXTS[name][2]:
                    continue
                times, rate = measure(variants, given, threads)
                shares = {side: round(share(given, times[side], rate), 3) for side in (FLOAT, ONNX)}
                entry = {"threads": threads, "texts": name, "gflops": round(rate, 1), "load": load(), "ms": times}
                results.append({**entry, "of_peak": shares})
                lines += compared(name, threads, times)
            times = latency(variants, texts["sentences"], threads)
            results.append({"threads": threads, "texts": "one sentence", "load": load(), "ms": times})
            lines += compared("one sentence", threads, times)
        equality = checked(model, texts["sentences"])
        both = two_threads(model, texts["sentences"])
    record(
        "prediction",
        {
            "rounds": ROUNDS,
            "rows": {name: len(given) for name, given in texts.items()},
            "peers": versions("transformers", "onnxruntime", "onnx", "onnxscript"),
            "goals": {f"{ours} against {theirs}": goals for (ours, theirs), goals in GOALS.items()},
            "goal_single": SINGLE_GOAL,
            "goal_threads": THREADS_GOAL,
            "results": results,
            "equality": equality,
            "int8": agreement,
            "two_threads": both,
        },
    )
    show("prediction", table(["texts", "threads", "ours", "ms a text", "against", "ms a text", "times faster"], lines))
    print(f"int8: {agreement}", f"against the pipeline: {equality}", f"two threads: {both}", sep="\n")


def prepare(model: Path) -> dict[str, Any]:
    """Train the top of MiniLM, save the model, and compare its int8 version on SST-2's development rows."""
    from headstart.contest import int8
    from headstart.core import rooms
    from headstart.core.records import Rows, Run

    rows = {}
    for name in ("sst2_train", "sst2_dev"):
        texts, labels = data(name)
        places = np.random.default_rng(0).permutation(len(texts))[:TRAINED].tolist()
        rows[name] = Rows(tuple(map(str, range(len(texts)))), tuple(texts), tuple(labels)).take(places)
    train, validation = rows.values()
    task = rooms.load("tasks", "classification").fitted(train)
    contender = rooms.load("contenders", "finetuned", {"strategy": "partial"})
    contender.fit(train, validation, task, Run(0, model.with_name("run"))).save(model)
    comparison = int8.judge(model, validation, "accuracy")
    return {**vars(comparison), "offered": comparison.offered}


def sample(name: str, rows: int) -> list[str]:
    """Sample texts at random, so that neither length nor label is sorted."""
    texts = data(name)[0]
    return [texts[place] for place in np.random.default_rng(0).permutation(len(texts))[:rows]]


def build(model: Path, place: Path, threads: int) -> dict[str, Answer]:
    """Open the model in every way that is timed."""
    import headstart
    from headstart.contenders import _neural

    fitted: _neural.Neural = headstart.open_model(model)
    eight_bits = fitted.with_int8()
    pipeline = transformers().pipeline("text-classification", model=str(model), device="cpu")
    return {
        PIPELINE: lambda texts: pipeline(list(texts), batch_size=BATCH),
        SINGLE: lambda texts: [pipeline(text) for text in texts],
        ONNX: onnx(model, place / "model.onnx", threads),
        FLOAT: fitted.predict,
        INT8: eight_bits.predict,
    }


def onnx(model: Path, file: Path, threads: int) -> Answer:
    """Export the model from transformers, and predict in batches of similar length."""
    import onnxruntime
    import torch

    peer = transformers()
    tokenizer = peer.AutoTokenizer.from_pretrained(model)
    if not file.exists():
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns about optional packages
        classifier = peer.AutoModelForSequenceClassification.from_pretrained(model).eval()
        ids = torch.ones(2, 16, dtype=torch.long)
        rows, tokens = torch.export.Dim("rows", min=1, max=512), torch.export.Dim("tokens", min=2, max=512)
        program = torch.onnx.export(
            classifier,
            kwargs={"input_ids": ids, "attention_mask": ids},
            dynamo=True,
            dynamic_shapes={"input_ids": {0: rows, 1: tokens}, "attention_mask": {0: rows, 1: tokens}},
            output_names=["logits"],
            verbose=False,
        )
        program.save(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def answer(texts: Sequence[str]) -> np.ndarray:
        ids = tokenizer(list(texts), truncation=True)["input_ids"]
        order = np.argsort([len(text) for text in ids], kind="stable")
        logits = np.zeros((len(ids), 2), dtype=np.float32)
        for start in range(0, len(ids), BATCH):
            places = order[start : start + BATCH]
            padded = np.zeros((len(places), max(len(ids[place]) for place in places)), dtype=np.int64)
            for line, row in enumerate(places):
                padded[line, : len(ids[row])] = ids[row]
            # MiniLM's padding token has id 0, which is used for nothing else.
            given = {"input_ids": padded, "attention_mask": (padded != 0).astype(np.int64)}
            logits[places] = session.run(["logits"], given)[0]
        return logits

    return answer


def measure(variants: dict[str, Answer], texts: Sequence[str], threads: int) -> tuple[dict[str, float], float]:
    """Time every variant, alternating; milliseconds per text and matrix-product rate, medians over rounds."""
    given = {name: texts[::EVERY] if name == SINGLE else texts for name in variants}
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for name, answer in variants.items():
        answer(given[name][: 2 * BATCH])
    rates = []
    for _ in range(ROUNDS):
        for name, answer in variants.items():
            if name in (FLOAT, ONNX):
                rates.append(matrix_rate())
            taken[name].append(1000 * timed(answer, given[name], threads) / len(given[name]))
    medians = {name: round(statistics.median(values), 3) for name, values in taken.items()}
    return medians, statistics.median(rates)


def share(texts: Sequence[str], milliseconds: float, gflops: float) -> float:
    """Return the share of the matrix-product rate used by a step's forward pass, which a prediction requires."""
    from headstart.checkpoints import hub
    from headstart.text import tokenizer

    lengths = tokenizer.load(hub.find("minilm"), 512).encode(texts).lengths
    forward = operations([range(length) for length in lengths.tolist()]) / 3
    return 1e-6 * forward / len(texts) / milliseconds / gflops


def latency(variants: dict[str, Answer], texts: Sequence[str], threads: int) -> dict[str, float]:
    """Time single texts; milliseconds, the median over texts and rounds."""
    taken: dict[str, list[float]] = {name: [] for name in (SINGLE, FLOAT, INT8)}
    for _ in range(ROUNDS):
        for name, values in taken.items():
            for text in [*texts[:3], *texts[:SINGLES]]:
                values.append(1000 * timed(variants[name], [text], threads))
            del values[-SINGLES - 3 : -SINGLES]
    return {name: round(statistics.median(values), 3) for name, values in taken.items()}


def timed(answer: Answer, texts: Sequence[str], threads: int) -> float:
    """Return the seconds of one call."""
    clock = time.process_time if threads == 1 else time.perf_counter
    began = clock()
    answer(texts)
    return clock() - began


def compared(texts: str, threads: int, times: dict[str, float]) -> list[list[str]]:
    """Compare our times with each reference's."""
    return [
        [
            texts,
            str(threads),
            ours,
            f"{times[ours]:.2f}",
            peer,
            f"{times[peer]:.2f}",
            f"{times[peer] / times[ours]:.2f}",
        ]
        for ours in (FLOAT, INT8)
        for peer in (PIPELINE, SINGLE, ONNX)
        if peer in times
    ]


def checked(model: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Compare our predictions with the pipeline's: labels, and the largest difference of logits."""
    import headstart
    from headstart.activations import forward

    pipeline = transformers().pipeline("text-classification", model=str(model), device="cpu")
    ours = headstart.open_model(model)
    encoded = ours.task.encode(texts, ours.checkpoint.tokenizer)
    logits = forward.outputs(ours.model, encoded, "cpu").values
    answers = pipeline(list(texts), batch_size=BATCH, top_k=None, function_to_apply="none")
    by_label = [{entry["label"]: entry["score"] for entry in answer} for answer in answers]
    theirs = np.array([[one[name] for name in ours.task.classes] for one in by_label])
    return {
        "rows": len(texts),
        "labels_equal": int((logits.argmax(axis=1) == theirs.argmax(axis=1)).sum()),
        "greatest_difference": float(np.abs(logits - theirs).max()),
    }


def two_threads(model: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Time two threads and one by wall clock, on an idle machine and next to a busy process; milliseconds per text."""
    import torch

    import headstart

    fitted = headstart.open_model(model)
    times: dict[str, Any] = {}
    for neighbours in (0, 1):
        with busy(neighbours):
            taken: dict[int, list[float]] = {1: [], 2: []}
            for _ in range(ROUNDS):
                for threads, values in taken.items():
                    torch.set_num_threads(threads)
                    fitted.predict(texts[:BATCH])
                    values.append(1000 * timed(fitted.predict, texts[: len(texts) // 2], threads=2) / (len(texts) // 2))
            one, two = (round(statistics.median(values), 3) for values in taken.values())
            times["beside a busy process" if neighbours else "alone"] = {
                "one": one,
                "two": two,
                "times_faster": round(one / two, 2),
                "load": load(),
            }
    return times


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep cores busy while the block runs."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def load() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 2)
