"""How fast is an exported model? Headstart, onnxruntime, OpenVINO and transformers' pipeline, same weights and texts.

MiniLM with a classifier of random weights, which take as long as trained ones, predicts SST-2's sentences: one by one,
and in bulk. The exported programs are timed as they are written, with their tokenising; the pipeline in batches of 32.
Times are milliseconds per text, medians over rounds in which all alternate: processor time with one thread, which other
processes do not affect, and wall-clock time with two. Each number of threads has a process of its own, and OpenVINO
waits in its own way, so that its processor time may be too long: wall-clock time is recorded too.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks._common import apart, record, show, table, transformers, versions
from benchmarks.prediction import load, sample

ROUNDS, BATCH = 3, 32
BULK, SINGLES = 64, 8
TEXTS = "sst2_test"
PIPELINE, OURS, OURS_INT8 = "pipeline", "Headstart", "Headstart, int8"
EXPORTS = {
    "onnxruntime": ("onnx", ""),
    "onnxruntime, int8": ("onnx", "dynamic"),
    "OpenVINO": ("openvino", ""),
    "OpenVINO, int8": ("openvino", "static"),
}
CLASSES = ("neg", "pos")


def main() -> None:
    """Measure with one and with two threads, and write the record."""
    with tempfile.TemporaryDirectory() as place:
        sizes = prepare(Path(place))
        results = {threads: apart("export", place, threads) for threads in ("1", "2")}
    record(
        "export",
        {
            "rounds": ROUNDS,
            "rows": {"one text": SINGLES, "bulk": BULK},
            "peers": versions("transformers", "onnx", "onnxruntime", "openvino"),
            "megabytes": sizes,
            "threads": results,
        },
    )
    names = [OURS, OURS_INT8, *EXPORTS, PIPELINE]
    columns = [(kind, threads) for kind in ("one text", "bulk") for threads in ("1", "2")]
    lines = [
        [
            name,
            *(f"{results[threads]['ms'][kind][name]:.2f}" for kind, threads in columns),
            f"{sizes[name]:.0f}" if name in sizes else "",
        ]
        for name in names
    ]
    show(
        "export",
        table(["", *(f"{kind}, {threads} thread{'s' * (threads == '2')}" for kind, threads in columns), "MB"], lines),
    )


def prepare(place: Path) -> dict[str, float]:
    """Save the model, and export it in every way; return the sizes in megabytes."""
    import torch

    from headstart.checkpoints import folder as checkpoints
    from headstart.contenders._neural import Neural
    from headstart.contest import meter
    from headstart.export import folder, graph
    from headstart.tasks.classification import Classification

    torch.manual_seed(0)
    task = Classification(CLASSES)
    fitted = Neural("finetuned", task, checkpoints.load("minilm", head=task.head()), 0)
    fitted.save(place / "model")
    for name, (to, method) in EXPORTS.items():
        own = place / name
        own.mkdir()
        chosen = folder.exported(fitted, "openvino" if to == "openvino" else "onnx")
        folder.write(chosen, own)
        source = own / folder.MODEL
        if method == "dynamic" or method == "static":
            full = source.rename(own / "float.onnx")
            graph.quantise(full, source, graph.Quantisation(method), folder.batches(fitted, sample(TEXTS, 64)))
            full.unlink()
        if to == "openvino":
            graph.to_openvino(source, own / "model.xml")
            source.unlink()
    return {name: round(meter.folder_bytes(place / name) / 1e6, 1) for name in EXPORTS} | {
        OURS: round(meter.folder_bytes(place / "model") / 1e6, 1)
    }


def alone(place: str, threads: str) -> None:
    """Time everything with so many threads, and print the medians."""
    os.environ["OMP_NUM_THREADS"] = threads
    import torch

    torch.set_num_threads(int(threads))
    ways = opened(Path(place))
    texts = sample(TEXTS, BULK)
    taken: dict[str, dict[str, list[tuple[float, float]]]] = {
        kind: {name: [] for name in ways} for kind in ("one text", "bulk")
    }
    for answer in ways.values():
        answer(texts[:BATCH])
        answer(texts[:1])
    for _ in range(ROUNDS):
        for name, answer in ways.items():
            taken["one text"][name].append(
                timed(lambda answer=answer: [answer([text]) for text in texts[:SINGLES]], SINGLES)
            )
            taken["bulk"][name].append(timed(lambda answer=answer: answer(texts), BULK))
    medians = [
        {
            kind: {name: round(statistics.median(time[clock] for time in times), 3) for name, times in by_name.items()}
            for kind, by_name in taken.items()
        }
        for clock in (0, 1)
    ]
    ms, wall = (medians[0], medians[1]) if threads == "1" else (medians[1], medians[1])
    print(json.dumps({"ms": ms, "wall_ms": wall, "load": load()}))


def timed(call: Callable[[], Any], rows: int) -> tuple[float, float]:
    """Return the milliseconds of processor and of wall-clock time that a call takes per row."""
    clocks = time.process_time, time.perf_counter
    began = [clock() for clock in clocks]
    call()
    processor, wall = (1000 * (clock() - before) / rows for clock, before in zip(clocks, began, strict=True))
    return processor, wall


def opened(place: Path) -> dict[str, Callable[[Sequence[str]], Any]]:
    """Open the model in every way."""
    import headstart

    fitted: Any = headstart.open_model(place / "model")
    pipeline = transformers().pipeline("text-classification", model=str(place / "model"), device="cpu")
    ways: dict[str, Callable[[Sequence[str]], Any]] = {
        OURS: fitted.predict,
        OURS_INT8: fitted.with_int8().predict,
        PIPELINE: lambda texts: pipeline(list(texts), batch_size=BATCH),
    }
    for name in EXPORTS:
        spec = importlib.util.spec_from_file_location(f"run_{len(ways)}", place / name / "run.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        ways[name] = module.predict
    return ways


if __name__ == "__main__":
    main()
