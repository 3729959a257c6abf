"""Run a model over any number of texts without training: logits, and states of frozen stages that are stored."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from headstart.activations import store
from headstart.core.records import Progress, Run
from headstart.core.sequences import Encoded, Ragged, spans
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


def outputs(
    model: Model,
    encoded: Encoded,
    device: str,
    stored: StoredStates | None = None,
    units: np.ndarray | None = None,
) -> Ragged:
    """Compute the head's outputs for units, in order: float32 ``(items, outputs)`` on the CPU.

    A unit is a sequence, or a row if the head pools a row's windows (see :func:`joins_windows`).

    Args:
        model: the model.
        encoded: the texts.
        device: 'cpu' or 'cuda'.
        stored: output of the model's frozen stages for all sequences of `encoded`, if there is one.
        units: numbers of the wanted ones, int64; None for all.
    """
    if model.training:  # checked first: switching every module costs as much as tokenising a short text
        model.eval()
    lengths = encoded.lengths if joins_windows(model, encoded) else encoded.sequence_lengths
    chosen = np.arange(len(lengths)) if units is None else units
    lengths = lengths[chosen]
    by_token = model.head.reads_all
    ends = np.concatenate([[0], np.cumsum(lengths)]) if by_token else np.arange(len(chosen) + 1)
    out = torch.zeros(int(ends[-1]), model.head.output.out_features, device=device)

    @torch.inference_mode()
    def answer(places: np.ndarray) -> None:
        batch, order = pack_units(model, encoded, chosen[places], stored)
        packed = places[order]
        items = spans(ends, packed)[0] if by_token else packed
        with precision(device):
            logits = model(batch.to(device))
        out[to_device(torch.from_numpy(items), device)] = logits.float()

    deque(parallel.each(answer, _batches(model, lengths, device), device), maxlen=0)
    return Ragged(out.cpu().numpy(), ends, model.head.transitions)


def joins_windows(model: Model, encoded: Encoded) -> bool:
    """Return whether the head has one row of logits for each row, and not for each of its windows or tokens."""
    return encoded.rows is not None and not model.head.reads_all


def pack_units(
    model: Model, encoded: Encoded, units: np.ndarray, stored: StoredStates | None = None
) -> tuple[Batch, np.ndarray]:
    """Pack some sequences, or all windows of some rows, and return the place in `units` of each unit of the logits.

    Args:
        model: the model.
        encoded: the texts.
        units: int64 ``(units,)``, numbers of sequences, or of rows if :func:`joins_windows`.
        stored: output of the model's frozen stages for all sequences of `encoded`, if there is one.
    """
    if not joins_windows(model, encoded):
        batch = pack(encoded.tokens, encoded.boundaries, units, stored, encoded.segments, marks=encoded.marks)
        order = batch.order.numpy()
    else:
        places, order = encoded.sequences(units), np.arange(len(units))
        owners = np.repeat(order, encoded.windows[units])  # (sequences,)
        batch = pack(encoded.tokens, encoded.boundaries, places, stored, encoded.segments, owners)
    if encoded.features is not None:
        batch = replace(batch, features=torch.from_numpy(encoded.features[units[order]]))
    return batch, order


def features(model: Model, encoded: Encoded, stored: StoredStates) -> np.ndarray:
    """Return what the head scores, from pooled states of a wholly frozen encoder: float32 ``(units, width)``.

    What it reads beside the text comes after the states, ``(units, width + features)``.
    """
    states = stored.states[torch.from_numpy(stored.starts)].float()  # (sequences, width)
    if joins_windows(model, encoded):
        batch, _ = pack_units(model, encoded, np.arange(len(encoded)))
        in_order = states[torch.from_numpy(encoded.sequences(np.arange(len(encoded))))[batch.order]]
        states = model.head.join(in_order, batch)
    return states.numpy() if encoded.features is None else np.hstack([states.numpy(), encoded.features])


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
    by_token = stages < len(model.encoder.stages) or model.head.reads_all
    side_by_side = 1 if by_token else max(1, model.head.marks)
    kind = "first" if model.head.first_only else f"{side_by_side} marks" if model.head.marks else "mean"
    key = weights_key(model.encoder.stages[:stages], run.device) + ("" if by_token else f"-{kind}")
    compute = model.frozen_states
    parts_kept = [
        keep_states(
            model, part, run, "frozen states", key, compute, stages, side_by_side=side_by_side, by_token=by_token
        )
        for part in parts
    ]
    return [states for states, _ in parts_kept], sum(seconds for _, seconds in parts_kept)


def pooled_states(model: Model, encoded: Encoded, device: str) -> StoredStates:
    """Run a wholly frozen encoder over texts and return their pooled states, in memory; for heads that pool."""
    lengths = encoded.sequence_lengths
    states = torch.zeros(len(lengths), max(1, model.head.marks) * model.encoder.width)
    for sequences in _batches(model, lengths, device):
        batch = pack(encoded.tokens, encoded.boundaries, sequences, segments=encoded.segments, marks=encoded.marks)
        with precision(device):
            states[torch.from_numpy(sequences)[batch.order]] = model.frozen_states(batch.to(device)).float().cpu()
    return StoredStates(len(model.encoder.stages), states, np.arange(len(lengths)), by_token=False)


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
        side_by_side: number of outputs per token, or of states per text.
        by_token: see `nn.packed.StoredStates`.

    Returns: as for `store.keep`.
    """

    lengths = encoded.sequence_lengths

    def batches(missing: np.ndarray) -> Iterator[tuple[np.ndarray, Tensor]]:
        def run_over(places: np.ndarray) -> tuple[np.ndarray, Tensor]:
            texts = missing[places]
            batch = pack(encoded.tokens, encoded.boundaries, texts, segments=encoded.segments, marks=encoded.marks)
            with precision(run.device):
                return texts[batch.order.numpy()], compute(batch.to(run.device))

        parts = _batches(model, lengths[missing], run.device)
        done = 0
        for texts, states in parallel.each(run_over, parts, run.device):
            yield texts, states
            done += len(texts)
            run.progress(Progress(doing, done / len(missing)))

    return store.keep(
        run.shared or run.folder,
        key,
        store.name_texts(
            encoded.tokens, encoded.boundaries, encoded.segments, marks=None if by_token else encoded.marks
        ),
        lengths,
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
