"""Run a model over any number of texts without training: logits, and states of frozen stages that are stored."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from headstart.activations import store
from headstart.core.contracts import Encoded
from headstart.core.records import Progress, Run
from headstart.nn import parallel
from headstart.nn.heads import Model
from headstart.nn.packed import Batch, StoredStates, pack, to_device
from headstart.training.batches import by_length

# State values (tokens times width) in a batch without training. With so few, a layer's results stay in a processor's
# cache, which saves a tenth of the time; a GPU needs many, since every kernel call has a cost.
STATE_BUDGET = {"cpu": 1024 * 384, "cuda": 32_768 * 384}
# Minimum number of frozen stages for which states are stored: reading them from disk takes as long as looking
# embeddings up.
LEAST_KEPT = 2


def scores(
    model: Model, encoded: Encoded, device: str, stored: StoredStates | None = None, texts: np.ndarray | None = None
) -> Tensor:
    """Compute the logits of texts, in order: float32 ``(texts, classes)`` on the CPU.

    Args:
        model: the model.
        encoded: the texts.
        device: 'cpu' or 'cuda'.
        stored: output of the model's frozen stages for all texts of `encoded`, if there is one.
        texts: numbers of the wanted texts, int64; None for all.
    """
    if model.training:  # checked first: switching every module costs as much as tokenising a short text
        model.eval()
    chosen = np.arange(len(encoded)) if texts is None else texts
    out = torch.zeros(len(chosen), model.head.output.out_features, device=device)

    @torch.inference_mode()
    def answer(rows: np.ndarray) -> None:
        batch = pack(encoded.tokens, encoded.boundaries, chosen[rows], stored)
        with precision(device):
            logits = model(batch.to(device))
        out[to_device(torch.from_numpy(rows)[batch.order], device)] = logits.float()

    deque(parallel.each(answer, _batches(model, encoded.lengths[chosen], device), device), maxlen=0)
    return out.cpu()


def _batches(model: Model, lengths: np.ndarray, device: str) -> list[np.ndarray]:
    return list(by_length(lengths, STATE_BUDGET[device] // model.encoder.width))


def frozen_states(model: Model, parts: Sequence[Encoded], run: Run) -> tuple[list[StoredStates | None], float]:
    """Run the model's frozen stages over all texts whose states are not stored yet.

    Returns:
        the stages' output for each part, None if too few stages are frozen or the states would be too large (the stages
        then run in every step); and the seconds saved, see `store.keep`.
    """
    stages = model.frozen_stages()
    if stages < LEAST_KEPT:
        return [None] * len(parts), 0.0
    model.eval()
    by_token = stages < len(model.encoder.stages)
    key = weights_key(model.encoder.stages[:stages], run.device) + ("" if by_token else f"-{model.head.pooling}")
    compute = model.frozen_states
    parts_kept = [
        keep_states(model, part, run, "frozen states", key, compute, stages, by_token=by_token) for part in parts
    ]
    return [states for states, _ in parts_kept], sum(seconds for _, seconds in parts_kept)


def pooled_states(model: Model, encoded: Encoded, device: str) -> StoredStates:
    """Run a wholly frozen encoder over texts and return their pooled states, in memory."""
    states = torch.zeros(len(encoded), model.encoder.width)
    for rows in _batches(model, encoded.lengths, device):
        batch = pack(encoded.tokens, encoded.boundaries, rows)
        with precision(device):
            states[torch.from_numpy(rows)[batch.order]] = model.frozen_states(batch.to(device)).float().cpu()
    return StoredStates(len(model.encoder.stages), states, np.arange(len(encoded)), by_token=False)


def keep_states(
    model: Model,
    encoded: Encoded,
    run: Run,
    doing: str,
    key: str,
    compute: Callable[[Batch], Tensor],
    stages: int,
    *,
    side_by_side: int = 1,
    by_token: bool = True,
) -> tuple[StoredStates | None, float]:
    """Compute states of texts batch by batch and store them, except those that are stored already.

    Args:
        model: the model.
        encoded: the texts.
        run: the context of the training.
        doing: name of the stage, for progress updates.
        key: identifies the weights and which states are stored.
        compute: batch -> states ``(tokens, side_by_side * width)``, or ``(sequences, ...)`` if not `by_token`.
        stages: see `nn.packed.StoredStates`.
        side_by_side: number of outputs per token.
        by_token: see `nn.packed.StoredStates`.

    Returns: as for `store.keep`.
    """

    def batches(missing: np.ndarray) -> Iterator[tuple[np.ndarray, Tensor]]:
        def run_over(places: np.ndarray) -> tuple[np.ndarray, Tensor]:
            texts = missing[places]
            batch = pack(encoded.tokens, encoded.boundaries, texts)
            with precision(run.device):
                return texts[batch.order.numpy()], compute(batch.to(run.device))

        parts = _batches(model, encoded.lengths[missing], run.device)
        done = 0
        for texts, states in parallel.each(run_over, parts, run.device):
            yield texts, states
            done += len(texts)
            run.progress(Progress(doing, done / len(missing)))

    return store.keep(
        run.shared or run.folder,
        key,
        store.name_texts(encoded.tokens, encoded.boundaries),
        encoded.lengths,
        side_by_side * model.encoder.width,
        stages,
        by_token,
        batches,
    )


def weights_key(stages: Sequence[torch.nn.Module], device: str) -> str:
    """Hash stages by their weights, their number and their precision."""
    digest = hashlib.sha256(f"{len(stages)} {device}".encode())
    for stage in stages:
        for weight in stage.state_dict().values():
            digest.update(memoryview(weight.cpu().contiguous().numpy()).cast("B"))
    return digest.hexdigest()[:16]


def precision(device: str) -> torch.autocast:
    """Use bfloat16 on a device that supports it well; weights stay float32."""
    return torch.autocast("cuda", torch.bfloat16, enabled=device == "cuda")
