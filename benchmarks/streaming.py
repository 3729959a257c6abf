"""Does memory depend on the number of rows? `headstart predict` on files of up to a million short texts.

Each file is predicted in a separate process by a small untrained Transformer; the peak memory of the process is read
from the kernel. The cost of a row does not depend on what the model has learnt.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks._common import record, show, table

SIZES = (10_000, 100_000, 1_000_000)
# Maximum memory for ten million rows, in gigabytes.
GOAL = 1.5
WORDS, WINDOW = 5000, 64
# Run in a separate process; the arguments are a model's folder, a file and the output file.
COMMAND = """
import json, resource, sys, time
from headstart import api
began = time.perf_counter()
rows = api.predict_file(*sys.argv[1:], report=print)
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"rows": rows, "seconds": time.perf_counter() - began, "gigabytes": 1024 * most / 1e9}))
"""


def main() -> None:
    """Predict files of each size (about three minutes on 2 cores) and write the record."""
    results = []
    with tempfile.TemporaryDirectory() as place:
        model = small_model(Path(place) / "model")
        for rows in SIZES:
            source = write(Path(place) / f"{rows}.csv", rows)
            command = [sys.executable, "-c", COMMAND, str(model), str(source), str(source.with_suffix(".out.csv"))]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            results.append(json.loads(done.stdout))
    record("streaming", {"goal_gigabytes": GOAL, "results": results})
    lines = [[f"{one['rows']:,}", f"{one['gigabytes']:.2f}", f"{one['seconds']:.0f}"] for one in results]
    show("streaming", table(["rows", "most memory, GB", "seconds"], lines))


def words() -> list[str]:
    """Generate a vocabulary of short words."""
    chance = random.Random(0)
    return ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(WORDS)]


def write(path: Path, rows: int) -> Path:
    """Write a table of texts of 3 to 14 words."""
    chance, known = random.Random(rows), words()
    with path.open("w", encoding="utf-8") as file:
        file.write("id,text\n")
        file.writelines(f"{row},{' '.join(chance.choices(known, k=chance.randint(3, 14)))}\n" for row in range(rows))
    return path


def small_model(folder: Path) -> Path:
    """Save a Transformer like those of `scratch`, but smaller and with random weights."""
    from headstart.checkpoints.folder import Checkpoint
    from headstart.contenders._neural import Neural
    from headstart.core import rooms
    from headstart.core.contracts import HeadPlan
    from headstart.nn.encoder import Encoder
    from headstart.nn.heads import ClassificationHead, Model
    from headstart.text import vocabulary

    classes = ("no", "yes")
    tokenizer = vocabulary.train([" ".join(words())], WORDS, window=WINDOW)
    arguments = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32, "window": WINDOW, "dropout": 0.0}
    arguments["vocabulary"] = tokenizer.size
    model = Model(Encoder(**arguments), ClassificationHead(16, len(classes)))
    task = rooms.load("tasks", "classification", {"classes": classes})
    checkpoint = Checkpoint(model, tokenizer, "bert", arguments, HeadPlan(classes))
    Neural("scratch", task, checkpoint, trained_parameters=0).save(folder)
    return folder
