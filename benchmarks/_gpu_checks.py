"""What the GPU benchmark checks before and after the clock: correctness, and where the time of a step is spent."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import _gpu
from headstart.activations.forward import precision
from headstart.nn.disentangled import DisentangledEncoder
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.modern import ModernEncoder
from headstart.nn.packed import drop_words, pack

TOP = 15


def families(device: str) -> dict[str, float]:
    """Train and predict with small models of every kind: the relative difference of logits from the CPU's float32."""

    sizes: dict[str, Any] = {"vocabulary": 99, "width": 96, "layers": 3, "heads": 3, "feed_forward": 192, "window": 300}
    kinds: dict[str, Callable[[], Any]] = {
        "BERT": lambda: Encoder(**sizes),
        "26 per head": lambda: Encoder(**{**sizes, "width": 78}),
        "ALBERT": lambda: Encoder(**sizes, one_block=True, embedding_width=32),
        "MPNet": lambda: Encoder(**sizes, distance_buckets=32),
        "ModernBERT": lambda: ModernEncoder(**sizes, reach=8),
        "DeBERTa": lambda: DisentangledEncoder(**sizes, convolution=3),
    }
    lengths = [5, 2, 5, 290, 1, 40]
    tokens = np.random.default_rng(0).integers(0, 99, size=sum(lengths))
    batch = pack(tokens, np.cumsum([0, *lengths]), np.arange(len(lengths)))
    found = {}
    for name, build in kinds.items():
        for pooling in ("first", "mean"):
            torch.manual_seed(0)
            encoder = build()
            model = Model(encoder, ClassificationHead(encoder.width, 3, pooling=pooling)).eval()
            with torch.no_grad():
                for weight in model.parameters():
                    weight.mul_(4 if weight.ndim > 1 else 1)  # so that layers do more than pass states on
                expected = model(batch)
            model.to(device).train()
            with precision(device):
                model(drop_words(batch.to(device), 0.3, 3, [0, 1])).float().square().sum().backward()
            assert all(torch.isfinite(w.grad).all() for w in model.parameters() if w.grad is not None), name
            with torch.inference_mode(), precision(device):
                logits = model.eval()(batch.to(device)).float().cpu()
            found[f"{name}, {pooling}"] = round(float((logits - expected).norm() / expected.norm()), 5)
    return found


def parity(model: Path, device: str, scale: _gpu.Scale) -> dict[str, float]:
    """Train all sides on the same rows without dropout; compare losses, and norms of the first gradient."""
    work = _gpu.load(_gpu.texts_of(scale)[0], scale.parity_steps, model)
    sides = {
        f"{name}, {kind}": build(kind == "bfloat16")
        for kind in ("float32", "bfloat16")
        for name, build in {
            "ours": lambda half: _gpu.ours(model, work, device, 0.0, half=half),
            "HF": lambda half: _gpu.theirs(model, work.batches, device, 0.0, half=half),
        }.items()
    }
    seen = {name: [step.take(number) for number in range(scale.parity_steps)] for name, step in sides.items()}
    losses = {name: np.array([float(loss) for loss, _ in pairs]) for name, pairs in seen.items()}
    norms = {name: float(pairs[0][1]) for name, pairs in seen.items()}
    reference = "HF, float32"
    found: dict[str, float] = {"steps": scale.parity_steps, "last_loss": round(float(losses[reference][-1]), 4)}
    for name in sides:
        if name != reference:
            differences = np.abs(losses[name] - losses[reference])
            found[f"{name}: largest difference of losses"] = float(differences.max())
            found[f"{name}: mean difference of losses"] = float(differences.mean())
            found[f"{name}: relative difference of the first norm"] = abs(norms[name] / norms[reference] - 1)
    return found


def profiles(model: Path, device: str, scale: _gpu.Scale) -> dict[str, Any]:
    """Trace steps on small and large batches of sentences: kernels and milliseconds a step, and the longest kernels."""
    found = {}
    for texts in _gpu.texts_of(scale)[:2]:
        work = _gpu.load(texts, scale.batches, model)
        for side, step in (
            ("ours", _gpu.ours(model, work, device, 0.1)),
            ("HF grouped", _gpu.theirs(model, work.grouped, device, 0.1)),
        ):
            found[f"{side}, {texts.rows} texts"] = _profile(step, device, scale.batches)
    return found


def _profile(step: _gpu.Step, device: str, count: int) -> dict[str, Any]:
    for number in range(count):
        step.take(number)
    _gpu.wait(device)
    with torch.profiler.profile() as traced:
        for number in range(count):
            step.take(number)
        queued = time.perf_counter()
        _gpu.wait(device)
    waited = time.perf_counter() - queued
    averages = traced.key_averages()
    print(averages.table(sort_by="self_cpu_time_total", row_limit=40, max_name_column_width=60))
    on_device = [event for event in averages if event.device_type != torch._C._autograd.DeviceType.CPU]
    longest = sorted(on_device, key=lambda event: -event.self_device_time_total)[:TOP]
    waits = ("Synchronize", "Memcpy DtoH", "aten::item")
    return {
        "kernels": round(sum(event.count for event in on_device) / count, 1),
        "device_ms": round(1e-3 * sum(event.self_device_time_total for event in on_device) / count, 3),
        "host_ms": round(1e-3 * sum(event.self_cpu_time_total for event in averages) / count, 3),
        "waited_ms_at_the_end": round(1e3 * waited / count, 3),
        "waits": {e.key: e.count / count for e in averages if any(name in e.key for name in waits)},
        "longest": {e.key[:90]: [e.count / count, round(1e-3 * e.self_device_time_total / count, 4)] for e in longest},
    }
