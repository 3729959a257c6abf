"""Does cost grow linearly with the rows? Reading, tokenising, training and prediction on 1,000 to 1,000,000 texts.

The texts are synthetic: six to ten words of BERT's vocabulary, drawn by rank with the frequencies of running text
(Mandelbrot 1953), some of them concatenated so that new words keep occurring. Near-duplicates are rare. The class
depends on which words occur in a text. Every size of every stage runs in a separate process, which reports its seconds
and its peak resident memory; libraries and inputs are loaded before its clock starts. The trainings alternate in short
stretches, so that changes in the machine's speed affect all sizes. If time grows linearly, microseconds per row and
tokens per second are constant. HEADSTART_ROWS sets the maximum number of rows.
"""

from __future__ import annotations

import csv
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import ROOT, apart, record, show, table
from headstart.core.records import Progress

MOST_ROWS = int(os.environ.get("HEADSTART_ROWS", "1000000"))
LEAST_ROWS = 1000
CHUNK = 10_000
SHORTEST, LONGEST = 6, 10
# Share of words that are two words concatenated.
COMPOUNDS = 0.03
BATCH, WIDTH, LAYERS, WINDOW, VOCABULARY = 128, 128, 2, 64, 5000
# Small sizes train for so many steps, in several epochs, that the first steps do not dominate. Every size is measured
# in so many stretches, and their median is used, so that one disturbance does not matter.
LEAST_STEPS, STRETCHES = 1000, 20

# Prepares a stage for so many rows in a folder and returns the function that is timed, which returns further results.
Stage = Callable[[Path, int], Callable[[], dict[str, float]]]


def main() -> None:
    """Run every stage at every size (about 20 minutes on 2 cores) and write the record."""
    sizes = list(itertools.takewhile(lambda rows: rows <= MOST_ROWS, (LEAST_ROWS * 10**power for power in range(9))))
    results = []
    with tempfile.TemporaryDirectory() as place:
        write_files(Path(place), sizes)
        for stage in STAGES:
            one_by_one = (apart("growing", stage, str(rows), place) for rows in sizes)
            for rows, measured in zip(sizes, in_turns(sizes, place) if stage == "train" else one_by_one, strict=True):
                results.append({"stage": stage, "rows": rows, **measured})
                print(json.dumps(results[-1]), file=sys.stderr)
    rates = [result["tokens_per_second"] for result in results if result["stage"] == "train"]
    record("growing", {"rates_differ_by": round(max(rates) / min(rates) - 1, 3), "results": results})
    lines = [
        [
            *(result["stage"], f"{result['rows']:,}", f"{result['seconds']:.2f}"),
            f"{1e6 * result['seconds'] / result['rows']:.1f}",
            f"{result['tokens_per_second'] / 1000:.0f}" if "tokens_per_second" in result else "",
            *(f"{result['peak_mb']:.0f}", f"{result['grown_mb']:.0f}"),
        ]
        for result in results
    ]
    header = ["stage", "rows", "seconds", "us a row", "1,000 tokens/s", "peak MB", "of them in the stage"]
    show("growing", table(header, lines))


def in_turns(sizes: list[int], folder: str) -> list[dict[str, float]]:
    """Measure the trainings of all sizes, alternating; each is a process that waits for its turn (see `Turns`)."""
    code = "import sys; from benchmarks import growing; growing.alone('train', *sys.argv[1:])"
    processes = []
    for rows in sizes:
        command = [sys.executable, "-c", code, str(rows), folder]
        processes.append(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        _turn(processes[-1], begin="")
    for _ in range(STRETCHES):
        for process in processes:
            _turn(process)
    return [json.loads(_turn(process)) for process in processes]


def _turn(process: subprocess.Popen[str], begin: str = "\n") -> str:
    """Let a process continue until it prints its next line."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(begin)
    process.stdin.flush()
    return process.stdout.readline() or sys.exit(f"growing failed: {process.args}.")


class Turns:
    """Called before each step of a training: times stretches of steps, and waits for input between two of them.

    The first step, which includes initialisation, and the last one, which is followed by an evaluation, are excluded.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.ends = [round(end) for end in np.linspace(1, steps - 1, STRETCHES + 1)]
        self.began = 0.0
        self.seconds_a_step: list[float] = []

    def __call__(self, progress: Progress) -> None:
        step = round(progress.done * self.steps)
        if progress.stage != "training" or step not in self.ends:
            return
        if passed := self.ends.index(step):
            self.seconds_a_step.append((time.perf_counter() - self.began) / (step - self.ends[passed - 1]))
        print(flush=True)
        sys.stdin.readline()
        self.began = time.perf_counter()


def alone(stage: str, rows: str, folder: str) -> None:
    """Measure one stage in this process and print the results as JSON."""
    import psutil

    run = STAGES[stage](Path(folder), int(rows))
    before = psutil.Process().memory_info().rss
    began = time.perf_counter()
    further = run()
    seconds = time.perf_counter() - began
    memory = {"peak_mb": round(peak() / 1e6, 1), "grown_mb": round((peak() - before) / 1e6, 1)}
    print(json.dumps({"seconds": round(seconds, 3), **memory, **further}))


def reading(folder: Path, rows: int) -> Callable[[], dict[str, float]]:
    """Read a CSV file, split its rows and audit the split."""
    from headstart.data.audit import audit
    from headstart.data.split import split
    from headstart.reading import read
    from headstart.tasks.classification import Classification

    task = Classification()

    def run() -> dict[str, float]:
        splits = split(read(_file(folder, rows), task="classification").rows, task)
        counts = {finding.kind: finding.count for finding in audit(splits, task).findings}
        return {"duplicates": counts["duplicates"], "near_duplicates": counts["near-duplicates"]}

    return run


def tokenising(folder: Path, rows: int) -> Callable[[], dict[str, float]]:
    """Turn texts into MiniLM's tokens."""
    from headstart.checkpoints import hub
    from headstart.text import tokenizer

    texts, _ = _columns(folder, rows)
    backend = tokenizer.load(hub.find("minilm"), 512)

    def run() -> dict[str, float]:
        began = time.perf_counter()
        tokens = len(backend.encode(texts).tokens)
        return {"tokens": tokens, "tokens_per_second": round(tokens / (time.perf_counter() - began))}

    return run


def training(folder: Path, rows: int) -> Callable[[], dict[str, float]]:
    """Train the encoder of the `scratch` contender for an epoch; save the model in the folder.

    The seconds are those of an epoch's steps.
    """
    import torch

    from headstart.checkpoints.folder import Checkpoint
    from headstart.contenders import _neural
    from headstart.core import rooms
    from headstart.core.records import Rows, Run
    from headstart.nn.encoder import Encoder
    from headstart.nn.heads import ClassificationHead, Model
    from headstart.strategies.full import Full
    from headstart.text import vocabulary
    from headstart.training.loop import Settings

    given = Rows(tuple(map(str, range(rows))), *map(tuple, _columns(folder, rows)))
    task = rooms.load("tasks", "classification").fitted(given)
    # All sizes use the vocabulary of the same texts, so that a text always has the same number of tokens.
    tokenizer = vocabulary.train((text for text, _ in next(chunks())), VOCABULARY, window=WINDOW)
    arguments: dict[str, Any] = {
        "vocabulary": tokenizer.size,
        "width": WIDTH,
        "layers": LAYERS,
        "heads": 8,
        "feed_forward": 2 * WIDTH,
        "window": WINDOW,
        "sinusoidal": True,
    }
    torch.manual_seed(0)
    model = Model(Encoder(**arguments), ClassificationHead(WIDTH, len(task.classes)))
    checkpoint = Checkpoint(model, tokenizer, "bert", arguments, task.head())
    epochs = -(-LEAST_STEPS * BATCH // rows)
    settings = Settings(epochs=epochs, batch_rows=BATCH, evaluations=1)
    turns = Turns(settings.steps(rows))
    out = Run(seed=0, folder=folder / f"training-{rows}", progress=turns)

    def run() -> dict[str, float]:
        fitted = _neural.fit(
            "scratch",
            checkpoint,
            given,
            given.take(range(LEAST_ROWS)),
            task,
            out,
            strategy=Full(learning_rate=1e-3, layer_decay=1.0, epochs=epochs),
            settings=settings,
        )
        fitted.save(_model(folder, rows))
        a_step = statistics.median(turns.seconds_a_step)
        tokens = len(tokenizer.encode(given.inputs).tokens)
        return {
            "seconds": round(a_step * settings.steps(rows) / epochs, 3),
            "epochs": epochs,
            "tokens_per_second": round(tokens * epochs / settings.steps(rows) / a_step),
        }

    return run


def predicting(folder: Path, rows: int) -> Callable[[], dict[str, float]]:
    """Label a CSV file with the model trained on the fewest rows."""
    from headstart import api

    api.open_model(_model(folder, LEAST_ROWS)).predict(["ready"])  # triggers lazy loading

    def run() -> dict[str, float]:
        out = folder / "labelled.csv"
        written = api.predict_file(_model(folder, LEAST_ROWS), _file(folder, rows), out, report=lambda _: None)
        assert written == rows
        return {}

    return run


STAGES: dict[str, Stage] = {
    "read and audit": reading,
    "tokenise": tokenising,
    "train": training,
    "predict": predicting,
}


def write_files(folder: Path, sizes: list[int]) -> None:
    """Write one CSV file for each size; the smaller ones are prefixes of the larger ones."""
    for rows in sizes:
        with _file(folder, rows).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            writer.writerows(itertools.islice(itertools.chain.from_iterable(chunks()), rows))


def chunks() -> Iterator[list[tuple[str, str]]]:
    """Generate an endless, deterministic stream of texts with labels."""
    words = vocabulary_words()
    random = np.random.default_rng(0)
    shares = np.cumsum(1 / (np.arange(len(words)) + 2.7))
    moods = random.normal(size=len(words))
    while True:
        lengths = random.integers(SHORTEST, LONGEST + 1, CHUNK)
        drawn = np.searchsorted(shares, random.uniform(0, shares[-1], lengths.sum()))
        tails = np.where(random.uniform(size=len(drawn)) < COMPOUNDS, random.permutation(drawn), -1)
        written = [
            words[word] + (words[tail] if tail >= 0 else "")
            for word, tail in zip(drawn.tolist(), tails.tolist(), strict=True)
        ]
        ends = np.cumsum(lengths)
        sums = np.add.reduceat(moods[drawn], ends - lengths)
        yield [
            (" ".join(written[end - length : end]), "good" if mood > 0 else "bad")
            for end, length, mood in zip(ends.tolist(), lengths.tolist(), sums.tolist(), strict=True)
        ]


def vocabulary_words() -> list[str]:
    """Return the whole words of MiniLM's vocabulary, from the most frequent to the rarest."""
    from headstart.checkpoints import hub

    stored = json.loads((hub.find("minilm") / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary: dict[str, int] = stored["model"]["vocab"]
    return [
        word
        for word in sorted(vocabulary, key=vocabulary.__getitem__)
        if len(word) > 1 and word.isascii() and word.isalpha()
    ]


def peak() -> int:
    """Return the peak memory of this process in bytes."""
    try:
        # Not `getrusage`, which on Linux starts from the peak of the parent process.
        with open("/proc/self/status", encoding="ascii") as lines:
            return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else 1024 * most


def _file(folder: Path, rows: int) -> Path:
    return folder / f"{rows}.csv"


def _model(folder: Path, rows: int) -> Path:
    return folder / f"model-{rows}"


def _columns(folder: Path, rows: int) -> tuple[list[str], list[str]]:
    with _file(folder, rows).open(encoding="utf-8", newline="") as file:
        texts, labels = zip(*itertools.islice(csv.reader(file), 1, None), strict=True)
    return list(texts), list(labels)
