"""Checkpoints from which a killed training resumes bit for bit: one file, written atomically."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from headstart.core.errors import TrainingError
from headstart.core.files import replacing
from headstart.training.stopping import Best

FILE = "checkpoint.safetensors"


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
) -> None:
    """Write a checkpoint atomically: a kill at any moment leaves either the old one or the new one."""
    tensors = {f"weight/{name}": weight.detach() for name, weight in weights.items()}
    tensors |= {f"best/{name}": weight for name, weight in best_weights.items()}
    for name, weight in weights.items():
        for key, value in optimizer.state.get(weight, {}).items():
            tensors[f"{key}/{name}"] = value
    header = {"state": json.dumps(asdict(state)), "fingerprint": fingerprint}
    with replacing(folder / FILE) as fresh:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, fresh, metadata=header)


def restore(
    folder: Path, fingerprint: str, weights: dict[str, nn.Parameter], optimizer: torch.optim.Optimizer
) -> tuple[State, dict[str, Tensor]]:
    """Restore weights and optimiser, in place, from the last checkpoint.

    Args:
        folder: where :func:`save` wrote.
        fingerprint: hash of settings, data and initial weights.
        weights: name -> parameter.
        optimizer: the optimiser of these weights.

    Returns:
        The state and the best weights so far; an initial state and no weights if there is no checkpoint.

    Raises:
        TrainingError: the checkpoint was written by a training with other settings or data.
    """
    path = folder / FILE
    if not path.is_file():
        return State(), {}
    best_weights: dict[str, Tensor] = {}
    with safe_open(path, "pt") as file, torch.no_grad():
        header: dict[str, Any] = file.metadata()
        if header["fingerprint"] != fingerprint:
            raise TrainingError(
                f"the checkpoint in {folder} belongs to a training with other settings or data; "
                "delete it or choose another folder."
            )
        for entry in file.keys():  # noqa: SIM118 (safe_open is no dictionary)
            kind, name = entry.split("/", 1)
            tensor = file.get_tensor(entry)
            if kind == "weight":
                weights[name].copy_(tensor)
            elif kind == "best":
                best_weights[name] = tensor.to(weights[name].device)
            else:
                # AdamW has its step counter on the CPU unless it is fused.
                optimizer.state[weights[name]][kind] = tensor.to(weights[name].device)
    values = json.loads(header["state"])
    return State(**{**values, "best": Best(**values["best"])}), best_weights
