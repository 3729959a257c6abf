"""Answers of a Transformer as sums of its head's outputs, and what its tokens add to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from headstart.activations import gradients
from headstart.activations.forward import joins_windows, outputs
from headstart.activations.gradients import Score
from headstart.core.attribution import Aim, Attributed, Steps
from headstart.core.contracts import Task, Value
from headstart.core.sequences import Encoded, Ragged
from headstart.nn.heads import Model
from headstart.tasks._words import word_tokens
from headstart.text import places
from headstart.text.places import NO_TEXT, Places
from headstart.text.tokenizer import Tokenizer


def attribute(
    model: Model,
    task: Task,
    tokenizer: Tokenizer,
    device: str,
    inputs: Sequence[Value],
    aims: Sequence[Aim],
    steps: Steps,
) -> tuple[Attributed, ...]:
    """Return what each token of the inputs adds to the scores of answers, see `Fitted.gradients`."""
    if not aims:
        return ()
    encoded, where = places.encode(task, inputs, tokenizer)
    blank = _blank(encoded, where, tokenizer) if steps.baseline == "mask" else None
    parts = list(_scores(model, task, encoded, where, device, aims))
    line = gradients.along(model, encoded, [score for _, score in parts], steps, blank, device)
    joined = joins_windows(model, encoded)
    starts = encoded.boundaries if encoded.rows is None or not joined else encoded.boundaries[encoded.rows]
    found: list[Attributed] = []
    for number in range(len(aims)):
        own = [place for place, (owner, _) in enumerate(parts) if owner == number]
        tokens = np.concatenate([starts[parts[place][1].unit] + np.arange(len(line.values[place])) for place in own])
        values = np.concatenate([line.values[place] for place in own])
        inside = where.texts[tokens] != NO_TEXT
        found.append(
            Attributed(
                where.texts[tokens][inside].astype(np.int64),
                where.characters[tokens][inside].astype(np.int64),
                values[inside],
                float(line.score[own].sum()),
                float(line.base[own].sum()) + float(values[~inside].sum()),
            )
        )
    return tuple(found)


def _blank(encoded: Encoded, where: Places, tokenizer: Tokenizer) -> np.ndarray:
    """Return the tokens of the baselines: special tokens unchanged, all others masked."""
    ids = (tokenizer.mask, tokenizer.unknown, tokenizer.padding)
    return np.where(where.texts == NO_TEXT, encoded.tokens, next(number for number in ids if number is not None))


def _scores(
    model: Model, task: Task, encoded: Encoded, where: Places, device: str, aims: Sequence[Aim]
) -> Iterator[tuple[int, Score]]:
    """Yield the scores that each aim is the sum of, with its number."""
    head = task.head()
    count = len(head.labels)
    if head.suffix in ("ForSequenceClassification", "ForEntityPairClassification"):
        others = head.problem == "single_label_classification"
        for number, aim in enumerate(aims):
            yield number, _of_outputs(aim.row, 0, aim.outputs[0], count, others)
    elif head.suffix == "ForTokenClassification":
        chosen, ends = word_tokens(encoded, [*map(len, where.words)])
        for number, aim in enumerate(aims):
            words = {span: place for place, span in enumerate(where.words[aim.row], start=ends[aim.row])}
            tokens = [int(chosen[words[span]]) for span in aim.places]
            for token, output in zip(tokens, aim.outputs, strict=True):
                if token >= 0:
                    unit = int(np.searchsorted(encoded.boundaries, token, "right")) - 1
                    yield number, _of_outputs(unit, token - int(encoded.boundaries[unit]), output, count, True)
    else:
        units = np.concatenate([encoded.sequences(np.array([aim.row])) for aim in aims])
        logits = outputs(model, encoded, device, units=units)
        before = 0
        for number, aim in enumerate(aims):
            own = encoded.sequences(np.array([aim.row]))
            yield number, _of_span(encoded, where, own, aim, logits.take(np.arange(before, before + len(own))))
            before += len(own)


def _of_outputs(unit: int, item: int, output: int, count: int, others: bool) -> Score:
    """Return an output of one item, minus the mean of its other outputs if `others`."""
    if not others or count == 1:
        return Score(unit, np.array([item]), np.array([output]), np.ones(1, dtype=np.float32))
    weights = np.full(count, -1 / (count - 1), dtype=np.float32)
    weights[output] = 1
    return Score(unit, np.full(count, item), np.arange(count), weights)


def _of_span(encoded: Encoded, where: Places, sequences: np.ndarray, aim: Aim, logits: Ragged) -> Score:
    """Return the logits of the first and the last token of an answer, minus the means of the other tokens'."""
    best: tuple[float, int, int, int, int] | None = None  # score, sequence, tokens, first, last
    for number, sequence in enumerate(sequences.tolist()):
        own = slice(*encoded.boundaries[sequence : sequence + 2].tolist())
        values = logits.values[logits.boundaries[number] : logits.boundaries[number + 1]]  # (tokens, 2)
        texts, characters = where.texts[own], where.characters[own]
        spans = [(0, 0)] if not aim.places else []
        for start, end in aim.places:
            inside = np.flatnonzero((texts == 1) & (characters[:, 1] > start) & (characters[:, 0] < end))
            if len(inside) and characters[inside[0], 0] <= start and characters[inside[-1], 1] >= end:
                spans.append((int(inside[0]), int(inside[-1])))
        for first, last in spans:
            score = float(values[first, 0] + values[last, 1] - (values[0].sum() if aim.places else 0.0))
            if best is None or score > best[0]:
                best = score, sequence, len(values), first, last
    assert best is not None  # the answer was found in these tokens
    _, sequence, count, *ends = best
    weights = np.full((2, count), -1 / max(1, count - 1), dtype=np.float32)
    weights[[0, 1], ends] = 1
    return Score(sequence, np.tile(np.arange(count), 2), np.repeat([0, 1], count), weights.ravel())
