"""Answers to questions: a training step beside Hugging Face's, the contenders on SQuAD, and other articles.

A step is forward, backward, clipping and AdamW on 16 questions with their contexts. The references are
`AutoModelForQuestionAnswering` with the same weights, padded to 384 tokens (the usual example) and to the longest
sequence of the batch. Times are medians over rounds, in microseconds per token without padding. Their loss gives
padding a share of the probability, so losses are compared with padding masked, and logits at the same tokens.

Then the contenders are trained on the training part of `squad_dev` and tested on its test part, other articles of
Wikipedia (`squad_newwiki`) included: how much is lost on articles that were gathered later.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks._common import ROOT, parquet, percent, record, show, table, transformers, versions
from benchmarks._steps import packed_step

ROUNDS, STEPS, WARM, BATCH = 3, 3, 1, 16
WINDOW = 384
CONTENDERS = ("majority", "scratch", "finetuned:frozen", "finetuned:partial", "finetuned:full")
OURS, LONGEST, FIXED = "packed", "padded to the longest", f"padded to {WINDOW}"


def main() -> None:
    """Measure steps (two minutes), train all contenders (hours on 2 cores; rerun to resume); write a record of each.

    QA_PARTS names what is done, QA_ROWS limits the questions of each part, QA_SEEDS the seeds; the record of the scores
    then says so in its name.
    """
    rows, seeds = int(os.environ.get("QA_ROWS", "0")), int(os.environ.get("QA_SEEDS", "3"))
    chosen = os.environ.get("QA_PARTS", "steps,scores").split(",")
    parts = {name: load("squad_dev", name, rows) for name in ("train", "dev", "test")}
    if "steps" in chosen:
        speed = steps(parts["train"])
        record("qa-steps", {"versions": versions("transformers"), **speed})
        times = [[name, f"{us:.0f}", f"{us / speed['us'][OURS]:.2f}"] for name, us in speed["us"].items()]
        show("qa-steps", table(["step", "us a token", "times slower than ours"], times))
    if "scores" not in chosen:
        return
    lines, scores = contest(parts, load("squad_newwiki", "", rows), seeds)
    sizes = {name: len(part[0]) for name, part in parts.items()}
    limited = f"-{rows}-questions" if rows else ""
    record(f"qa{limited}", {"questions": sizes, "seeds": seeds, "scores": scores})
    show("qa", table(["%", "squad_dev: F1", "exact match", "squad_newwiki: F1", "exact match"], lines))


def load(name: str, part: str, most: int) -> tuple[list[str], list[str], list[Any]]:
    """Read questions, contexts and answers of a part of a data set, at most so many; 0 for all."""
    import pyarrow.parquet

    rows = [row for row in pyarrow.parquet.read_table(parquet(name)).to_pylist() if not part or row["part"] == part]
    order = np.random.default_rng(0).permutation(len(rows))[: most or None]
    chosen = [rows[place] for place in order]
    return tuple([row[key] for row in chosen] for key in ("question", "context", "answers"))  # type: ignore[return-value]


def steps(part: tuple[list[str], list[str], list[Any]]) -> dict[str, Any]:
    """Time a step of each kind, alternating; microseconds per token without padding, and the largest differences."""
    import torch

    from headstart.checkpoints import folder, hub
    from headstart.core.contracts import HeadPlan
    from headstart.core.records import Rows
    from headstart.tasks.qa import QuestionAnswering

    torch.manual_seed(0)
    task = QuestionAnswering()
    ours: Any = folder.load("minilm", head=HeadPlan(("start", "end"), "ForQuestionAnswering"), dropout=0.0)
    ours.tokenizer.window = WINDOW
    read = [task.read({"question": q, "context": c, "answers": a}) for q, c, a in zip(*part, strict=True)]
    rows = Rows(tuple(map(str, range(len(read)))), *(tuple(side) for side in zip(*read, strict=True)))
    rows = rows.take(range(min(len(rows), BATCH * STEPS * ROUNDS)))
    encoded = task.encode(rows.inputs, ours.tokenizer)
    places = task.targets(rows, encoded)
    targets = torch.from_numpy(places.values)
    peer = transformers().AutoModelForQuestionAnswering.from_pretrained(
        hub.find("minilm"), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="sdpa"
    )
    with torch.no_grad():
        peer.qa_outputs.weight.copy_(ours.model.head.output.weight)
        peer.qa_outputs.bias.copy_(ours.model.head.output.bias)
    batches = [np.arange(start, start + BATCH) for start in range(0, len(encoded.boundaries) - BATCH, BATCH)]
    sizes = [int(encoded.sequence_lengths[batch].sum()) for batch in batches]
    differences = parity(ours.model, peer, encoded, batches[0], targets)
    run: dict[str, Callable[[np.ndarray], object]] = {
        OURS: packed_step(ours.model, encoded, places),
        LONGEST: padded_step(peer, encoded, targets, None),
        FIXED: padded_step(peer, encoded, targets, WINDOW),
    }
    taken: dict[str, list[float]] = {name: [] for name in run}
    for turn in range(-WARM, ROUNDS * STEPS):
        number = turn % len(batches)
        for name, step in run.items():
            began = time.perf_counter()
            step(batches[number])
            if turn >= 0:
                taken[name].append(1e6 * (time.perf_counter() - began) / sizes[number])
    medians = {name: round(statistics.median(values), 1) for name, values in taken.items()}
    return {"us": medians, "threads": torch.get_num_threads(), "questions": BATCH, **differences}


def parity(ours: Any, peer: Any, encoded: Any, batch: np.ndarray, targets: Any) -> dict[str, float]:
    """Return the largest differences of logits and of losses, theirs with padding masked."""
    import torch
    from torch.nn import functional

    from headstart.nn.packed import pack

    packed = pack(encoded.tokens, encoded.boundaries, batch, segments=encoded.segments)
    order = packed.order.tolist()
    inputs, lengths = padded(encoded, batch, None)
    with torch.no_grad():
        logits = ours.eval()(packed)
        answer = peer.eval()(**inputs)
        theirs = torch.stack([answer.start_logits, answer.end_logits], dim=-1)
        at_tokens = torch.cat([theirs[row, : lengths[row]] for row in order])
        right = targets[torch.from_numpy(batch)]
        loss = ours.head.loss(logits, right[packed.order], packed.boundaries) / len(batch)
        masked = theirs.masked_fill(inputs["attention_mask"][..., None] == 0, -torch.inf)  # (sequences, tokens, 2)
        their_loss = functional.cross_entropy(masked, right)
    return {
        "largest_difference_of_logits": float((logits - at_tokens).abs().max()),
        "difference_of_losses": abs(float(loss) - float(their_loss)),
    }


def padded_step(model: Any, encoded: Any, targets: Any, window: int | None) -> Callable[[np.ndarray], None]:
    """Build Hugging Face's step, padded to a window or to the longest sequence of the batch."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, fused=True)

    def step(rows: np.ndarray) -> None:
        model.train()
        inputs, _ = padded(encoded, rows, window)
        right = targets[torch.from_numpy(rows)]
        model(**inputs, start_positions=right[:, 0], end_positions=right[:, 1]).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def padded(encoded: Any, batch: Sequence[int] | np.ndarray, window: int | None) -> tuple[dict[str, Any], list[int]]:
    """Return the arguments of Hugging Face's model for some sequences, and their lengths."""
    import torch

    lengths = encoded.sequence_lengths[batch].tolist()
    shape = len(lengths), window or max(lengths)
    ids, types, mask = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
    for row, (sequence, length) in enumerate(zip(batch, lengths, strict=True)):
        place = slice(encoded.boundaries[sequence], encoded.boundaries[sequence + 1])
        ids[row, :length] = torch.from_numpy(encoded.tokens[place].astype(np.int64))
        types[row, :length] = torch.from_numpy(encoded.segments[place].astype(np.int64))
        mask[row, :length] = 1
    return {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}, lengths


def contest(parts: Any, later: Any, seeds: int) -> tuple[list[list[str]], list[dict[str, Any]]]:
    """Train the contenders; return the lines of the table, and each contender's scores with intervals.

    The later questions are answered by the best model and by the floor.
    """
    from headstart import compare
    from headstart.core.records import Predictions
    from headstart.metrics import stats
    from headstart.tasks.qa import QuestionAnswering

    task = QuestionAnswering()
    comparison = compare(
        parts["train"],
        task="qa",
        validation=parts["dev"],
        test=parts["test"],
        contenders=CONTENDERS,
        seeds=seeds,
        sizes=("all",),
        out=ROOT / "runs" / f"benchmark-qa-{len(parts['train'][0])}",
    )
    read = [task.read({"question": q, "context": c, "answers": a}) for q, c, a in zip(*later, strict=True)]
    inputs, targets = zip(*read, strict=True)
    shifted = {
        "majority": Predictions(tuple(task.untrained(value)[0] for value in inputs)),
        comparison.leaderboard[0]["contender"]: comparison.best.predict(inputs),
    }
    lines, scores = [], []
    for entry in comparison.leaderboard:
        name = entry["contender"]
        of_name = [record for record in comparison.result.records if record.trial.contender == name]
        exact = statistics.fmean(record.scores["exact match"] for record in of_name)
        line = [name, percent(entry["score"], entry["low"], entry["high"]), f"{100 * exact:.1f}", "", ""]
        later_scores = {}
        if name in shifted:
            tally = task.tally(shifted[name], targets)
            for place, metric in enumerate(task.metrics):
                found = stats.interval([tally], metric)
                later_scores[metric.name] = vars(found)
                line[3 + place] = percent(found.value, found.low, found.high)
        lines.append(line)
        scores.append({**entry, "exact match": exact, "squad_newwiki": later_scores})
    return lines, scores
