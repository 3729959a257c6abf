"""Checkpoints from which a killed training resumes bit for bit: one file with its own hash, written atomically."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from headstart.core import sealed
from headstart.core.errors import TrainingError
from headstart.core.files import flush, replacing
from headstart.core.hashing import arrays_sha256, parts_sha256
from headstart.core.tensors import save_tensors
from headstart.core.terminal import say
from headstart.training.stopping import Best

FILE = "checkpoint.safetensors"
RECENT = "recent-"  # before the place of the weights of one of the last evaluations, which are averaged


@dataclass(frozen=True)
class State:
    """The state of a training between two steps, apart from its settings and data.

    step: optimiser steps done.
    seconds: time spent so far.
    best: see `stopping`.
    finished: whether the training is complete.
    evaluations: step, score and loss of each evaluation.
    """

    step: int = 0
    seconds: float = 0.0
    best: Best = field(default_factory=Best)
    finished: bool = False
    evaluations: list[dict[str, float]] = field(default_factory=list)


def save(
    folder: Path,
    state: State,
    fingerprint: str,
    weights: dict[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    best_weights: dict[str, Tensor],
    recent: Sequence[dict[str, Tensor]] = (),
) -> None:
    """Write a checkpoint atomically: a kill at any moment leaves either the old one or the new one."""
    stored = {f"weight/{name}": weight.detach() for name, weight in weights.items()}
    stored |= {f"best/{name}": weight for name, weight in best_weights.items()}
    for place, those in enumerate(recent):
        stored |= {f"{RECENT}{place}/{name}": weight for name, weight in those.items()}
    for name, weight in weights.items():
        for key, value in optimizer.state.get(weight, {}).items():
            stored[f"{key}/{name}"] = value
    tensors = {name: tensor.cpu().contiguous() for name, tensor in stored.items()}
    header = {"state": json.dumps(asdict(state)), "fingerprint": fingerprint}
    header["sha256"] = _sha256(header, tensors)
    with replacing(folder / FILE) as fresh:
        save_tensors(tensors, fresh, header)
    flush(folder)


def restore(
    folder: Path,
    fingerprint: str,
    weights: dict[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    *,
    replace_others: bool = False,
) -> tuple[State, dict[str, Tensor], list[dict[str, Tensor]]]:
    """Restore weights and optimiser, in place, from the last checkpoint.

    A damaged checkpoint is deleted with a sentence on standard error, and so is one of another training with
    `replace_others`.

    Args:
        folder: where :func:`save` wrote.
        fingerprint: hash of settings, data and initial weights.
        weights: name -> parameter.
        optimizer: the optimiser of these weights.
        replace_others: delete the checkpoint of a training with other settings or data instead of refusing it.

    Returns:
        The state, the best weights so far, and those of the last evaluations that are averaged, the oldest first; an
        initial state and no weights if there is no sound checkpoint.

    Raises:
        TrainingError: the checkpoint was written by a training with other settings or data.
    """
    path = folder / FILE
    checkpoint = _read(path)
    if checkpoint is None:
        if path.exists():
            sealed.discard(path)
        return State(), {}, []
    header, tensors = checkpoint
    if header["fingerprint"] != fingerprint:
        if replace_others:
            say(f"headstart: '{path}' is of a model or of states that have changed since: this training starts again.")
            sealed.remove(path)
            return State(), {}, []
        raise TrainingError(
            f"the checkpoint in {folder} belongs to a training with other settings or data; "
            "delete it or choose another folder."
        )
    best_weights: dict[str, Tensor] = {}
    recent: dict[int, dict[str, Tensor]] = {}
    with torch.no_grad():
        for entry, tensor in tensors.items():
            kind, name = entry.split("/", 1)
            if kind == "weight":
                weights[name].copy_(tensor)
            elif kind == "best":
                best_weights[name] = tensor.to(weights[name].device)
            elif kind.startswith(RECENT):
                those = recent.setdefault(int(kind.removeprefix(RECENT)), {})
                those[name] = tensor.to(weights[name].device)
            else:
                # AdamW has its step counter on the CPU unless it is fused.
                optimizer.state[weights[name]][kind] = tensor.to(weights[name].device)
    values = json.loads(header["state"])
    state = State(**{**values, "best": Best(**values["best"])})
    return state, best_weights, [those for _, those in sorted(recent.items())]


def seconds(folder: Path) -> float:
    """Return the time that a training had taken at its last checkpoint; 0 if there is no sound one."""
    checkpoint = _read(folder / FILE)
    return float(json.loads(checkpoint[0]["state"])["seconds"]) if checkpoint else 0.0


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]] | None:
    """Read a checkpoint; None where there is none, or not what was written."""
    try:
        with safe_open(path, "pt") as file:
            header: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no dictionary)
    except (OSError, SafetensorError):
        return None
    expected = header.pop("sha256", "")
    return (header, tensors) if _sha256(header, tensors) == expected else None


def _sha256(header: dict[str, str], tensors: dict[str, Tensor]) -> str:
    """Hash all that a checkpoint holds, whatever the order of its tensors."""
    names = sorted(tensors)
    kinds = [(name, str(tensors[name].dtype), tuple(tensors[name].shape)) for name in names]
    content = arrays_sha256([tensors[name].reshape(-1).view(torch.uint8).numpy() for name in names])
    return parts_sha256(sorted(header.items()), kinds, content)
