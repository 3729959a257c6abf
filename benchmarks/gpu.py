"""How fast is a GPU? Training, prediction and pretraining beside Hugging Face, alternating in one process.

Both sides have the same weights and texts, bfloat16 autocast with float32 weights, fused AdamW and clipping. The
reference is padded to the longest text of a batch, at random or grouped by length, with attention by SDPA. Times are
medians over rounds after a warm-up; each is of several steps and ends when the device has finished. The models are
MiniLM-L6 and one of BERT-base's size with random weights.

Before that, losses are compared with the reference in float32; after it, a whole comparison runs on the GPU. A part
that fails leaves its traceback in the record. Without a GPU nothing is measured, unless HEADSTART_TINY is 'tiny', for a
run that leaves no record ('short' is a run of a minute). HEADSTART_BACKBONE names a folder with MiniLM if its package
is not installed.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

import headstart
from benchmarks import _gpu, _gpu_checks, pretraining
from benchmarks._common import data, record, show, table, transformers, versions
from benchmarks.training import operations
from headstart.activations.forward import outputs
from headstart.checkpoints import folder
from headstart.core.contracts import HeadPlan
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.pretraining import operations as operations_of_pretraining

SOURCE = os.environ.get("HEADSTART_BACKBONE", "minilm")
LONGEST, LONGEST_0 = "HF longest", "HF longest, dropout 0"
GROUPED, GROUPED_0 = "HF grouped", "HF grouped, dropout 0"
SORTED = "HF sorted"
MASKED = 0.15
OURS, OURS_0 = "ours", "ours, dropout 0"
PAIRS = ((LONGEST, OURS), (LONGEST_0, OURS_0), (GROUPED, OURS), (GROUPED_0, OURS_0))
EVEN_ODD = HeadPlan(("even", "odd"))
CONTENDERS, STRATEGIES = ["linear", "scratch", "finetuned", "distilled"], ["full", "lora", "frozen"]


def main() -> None:
    """Measure every part (minutes) and write the record."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    asked = os.environ.get("HEADSTART_TINY", "")
    if device == "cpu" and not asked:
        print("no GPU: nothing is measured.")
        return
    scale = _gpu.SCALES.get(asked, _gpu.FULL)
    result: dict[str, Any] = {"rounds": scale.rounds, "batches": scale.batches, "peers": versions("transformers")}
    result |= {"training": [], "prediction": [], "pretraining": [], "failed": {}}

    def attempt(name: str, measure: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        found = None
        try:
            found = measure()
        except Exception:
            traceback.print_exc()
            result["failed"][name] = traceback.format_exc()
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
        if asked != "tiny":
            record("gpu", result)
        return found

    def collect(kind: str, name: str, measure: Callable[[], Any]) -> None:
        entry = attempt(f"{kind}, {name}", measure)
        result[kind] += [entry] if entry else []

    with tempfile.TemporaryDirectory() as folder_of_models:
        place = Path(folder_of_models)
        result["card"] = attempt("card", lambda: card(device, scale))
        models = prepare(place, scale)
        result["families"] = attempt("families", lambda: _gpu_checks.families(device))
        result["parity"] = attempt("parity", lambda: _gpu_checks.parity(models["MiniLM"][0], device, scale))
        for name, (model, shape) in models.items():
            for texts in _gpu.texts_of(scale):
                measure = partial(training, name, model, shape, device, scale, texts)
                collect("training", f"{name}, {texts.name}, {texts.rows}", measure)
            for texts in _gpu.predicted_texts(scale):
                measure = partial(predictions, name, model, shape, device, scale, texts)
                collect("prediction", f"{name}, {texts.name}, {texts.rows}", measure)
        for build in (pretraining.full_windows, pretraining.sentence_pairs):
            collect("pretraining", build.__name__, partial(pretrainings, place, device, scale, build))
        result["profile"] = attempt("profile", lambda: _gpu_checks.profiles(models["MiniLM"][0], device, scale))
        result["comparison"] = attempt("comparison", lambda: comparison(place, scale))
    if asked != "tiny" and not result["failed"]:
        show("gpu", lines(result))
    print(result)


def card(device: str, scale: _gpu.Scale) -> dict[str, Any]:
    """Name the card, and measure its rate of bfloat16 products in TFLOP/s."""

    known = {"matrix_tflops": round(_gpu.matrix_rate(device, scale.product), 1)}
    if device == "cpu":
        return known
    of = torch.cuda.get_device_properties(0)
    return {"name": of.name, "gigabytes": round(of.total_memory / 2**30), "cuda": torch.version.cuda, **known}


def prepare(place: Path, scale: _gpu.Scale) -> dict[str, tuple[Path, dict[str, int]]]:
    """Write MiniLM with a new head, and a model of BERT-base's size with random weights: name -> folder and shape."""
    torch.manual_seed(0)
    small = folder.load(SOURCE, head=EVEN_ODD)
    width = scale.width
    arguments = {
        "vocabulary": small.arguments["vocabulary"],
        "width": width,
        "layers": scale.layers,
        "heads": width // 64,
        "feed_forward": 4 * width,
        "window": 512,
        "dropout": 0.1,
    }
    large = Model(Encoder(**arguments), ClassificationHead(width, 2))
    made = {}
    for name, model, given in (("MiniLM", small.model, small.arguments), ("BERT-base", large, arguments)):
        (place / name).mkdir()
        folder.save(place / name, model, small.tokenizer, "bert", given, EVEN_ODD)
        shape = {"width": given["width"], "wide": given["feed_forward"], "layers": given["layers"]}
        made[name] = (place / name, shape)
    return made


def training(
    name: str, model: Path, shape: dict[str, int], device: str, scale: _gpu.Scale, texts: _gpu.Sample
) -> dict[str, Any]:
    """Time training steps, in tokens a second."""
    work = _gpu.load(texts, scale.batches, model)
    sides = {
        LONGEST: _gpu.theirs(model, work.batches, device, 0.1),
        LONGEST_0: _gpu.theirs(model, work.batches, device, 0.0),
        GROUPED: _gpu.theirs(model, work.grouped, device, 0.1),
        GROUPED_0: _gpu.theirs(model, work.grouped, device, 0.0),
        OURS: _gpu.ours(model, work, device, 0.1),
        OURS_0: _gpu.ours(model, work, device, 0.0),
    }
    actions = {side: _taking(step.take, scale.batches) for side, step in sides.items()}
    needed = sum(operations(batch, **shape) for batch in work.batches)
    return {
        "model": name,
        "texts": texts.name,
        "rows": texts.rows,
        "tokens_per_step": round(work.tokens / scale.batches),
        "padded_over_real": work.padded,
        **measured(actions, work.tokens, needed, device, scale),
    }


def measured(
    actions: Mapping[str, Callable[[], object]], tokens: int, needed: float, device: str, scale: _gpu.Scale
) -> dict[str, Any]:
    """Time actions in turns: tokens a second, the spread of the rounds, and the share of the card's rate.

    Args:
        actions: name -> what is timed.
        tokens: of each action, without padding.
        needed: the operations that each requires.
        device: 'cpu' or 'cuda'.
        scale: how often they are timed.
    """
    taken = _gpu.rounds(actions, scale.rounds, device)
    rate = _gpu.matrix_rate(device, scale.product)
    medians = {side: statistics.median(values) for side, values in taken.items()}
    return {
        "tokens_per_second": {side: round(tokens / seconds) for side, seconds in medians.items()},
        "spread": {side: round((max(of) - min(of)) / medians[side], 3) for side, of in taken.items()},
        "of_peak": {side: round(1e-12 * needed / seconds / rate, 4) for side, seconds in medians.items()},
        "matrix_tflops": round(rate, 1),
    }


def _taking(take: Callable[[int], object], count: int) -> Callable[[], list[object]]:
    return lambda: [take(number) for number in range(count)]


def predictions(
    name: str, model: Path, shape: dict[str, int], device: str, scale: _gpu.Scale, texts: _gpu.Sample
) -> dict[str, Any]:
    """Time predictions of tokenised texts, in tokens a second, and compare logits with the CPU's float32."""
    net: Any = folder.load(model).model
    peer = transformers().AutoModelForSequenceClassification.from_pretrained(model, attn_implementation="sdpa").eval()
    work = _gpu.load(texts, 1, model)
    some, given = _gpu.encoded(work.texts[:64]), _gpu.encoded(work.texts)
    expected = torch.from_numpy(outputs(net, some, "cpu").values)
    net.to(device)
    peer.to(device)
    few, batches = (list(_gpu.sorted_batches(of, scale.budget, device)) for of in (work.texts[:64], work.texts))
    differences = {
        OURS: torch.from_numpy(outputs(net, some, device).values) - expected,
        SORTED: _gpu.their_scores(peer, few, device) - expected,
    }
    actions: dict[str, Callable[[], object]] = {
        SORTED: lambda: _gpu.their_scores(peer, batches, device),
        OURS: lambda: outputs(net, given, device),
    }
    relative = {side: float(value.norm() / expected.norm()) for side, value in differences.items()}
    return {
        "model": name,
        "texts": texts.name,
        "rows": texts.rows,
        "tokens": work.tokens,
        **measured(actions, work.tokens, operations(work.texts, **shape) / 3, device, scale),
        "relative_difference_of_logits": relative,
    }


def pretrainings(place: Path, device: str, scale: _gpu.Scale, build: Callable[..., pretraining.Load]) -> dict[str, Any]:
    """Time steps of masked words and next passages, in tokens a second."""
    model = place / "pretraining"
    if not model.exists():
        model.mkdir()
        pretraining.fresh_model(model, SOURCE)
    work = build(model, scale.windows, scale.batches)
    sides = {
        "HF": pretraining.theirs(work, str(model), 0.1, device),
        "HF, dropout 0": pretraining.theirs(work, str(model), 0.0, device),
        OURS: pretraining.ours(work, str(model), 0.1, device),
        OURS_0: pretraining.ours(work, str(model), 0.0, device),
    }
    actions = {side: _taking(step, scale.batches) for side, step in sides.items()}
    mean = float(work.lengths.mean())
    shape = {**pretraining.SHAPE, "vocabulary": folder.load(model).arguments["vocabulary"]}
    tokens = int(work.lengths.sum())
    needed = operations_of_pretraining(shape, mean, MASKED) * tokens
    return {"texts": work.name, "rows": work.rows, **measured(actions, tokens, needed, device, scale)}


def comparison(place: Path, scale: _gpu.Scale) -> dict[str, Any]:
    """Compare contenders on SST-2 from rows to report on the fastest device: seconds and scores."""
    texts, classes = data("sst2_train")
    began = time.perf_counter()
    compared = headstart.compare(
        (texts[: scale.rows], classes[: scale.rows]),
        contenders=CONTENDERS,
        strategies=STRATEGIES,
        backbone=SOURCE,
        seeds=1,
        sizes=["all"],
        out=place / "comparison",
        device="auto",
    )
    return {
        "rows": len(texts[: scale.rows]),
        "seconds": round(time.perf_counter() - began, 1),
        "skipped": dict(compared.result.skipped),
        "contenders": {
            record.trial.contender: {
                "seconds": round(record.cost.train_seconds, 2),
                "accuracy": round(record.scores["accuracy"], 4),
                "texts_per_second": round(record.cost.throughput),
                "latency_p50_ms": round(record.cost.latency_p50, 2),
                "device": record.machine["device"],
                "collapsed": record.collapsed,
            }
            for record in compared.result.records
        },
    }


def lines(result: dict[str, Any]) -> str:
    """Format the speeds: thousands of tokens a second, ours beside the reference's."""
    rows = []
    for entry in result["training"]:
        name = f"{entry['model']}, {entry['texts']}, {entry['rows']} a step"
        rows += [_line(name, entry, theirs, ours) for theirs, ours in PAIRS]
    for entry in result["prediction"]:
        name = f"prediction, {entry['model']}, {entry['texts']}"
        rows.append(_line(name, entry, SORTED, OURS))
    for entry in result["pretraining"]:
        name = f"pretraining, {entry['texts']}, {entry['rows']} a step"
        rows += [_line(name, entry, *pair) for pair in (("HF", OURS), ("HF, dropout 0", OURS_0))]
    header = ["step", "against", "its 1,000 tokens/s", "ours", "times faster", "share of peak"]
    return table(header, rows)


def _line(name: str, entry: dict[str, Any], theirs: str, ours: str) -> list[str]:
    speeds = entry["tokens_per_second"]
    its, own = (f"{speeds[side] / 1000:,.0f}" for side in (theirs, ours))
    return [name, theirs, its, own, f"{speeds[ours] / speeds[theirs]:.2f}", f"{entry['of_peak'][ours]:.2f}"]
