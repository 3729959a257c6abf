"""Train a fitted Transformer further, on more rows and perhaps more classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from headstart import strategies
from headstart.activations.forward import outputs
from headstart.contenders import _neural
from headstart.core import seed
from headstart.core.contracts import Task, Value
from headstart.core.errors import UsageError
from headstart.core.records import Rows, Run
from headstart.nn.heads import Head
from headstart.training.loop import Settings

# Of the rate at which the model was trained, for rows of known classes alone: it moves from what it knows.
SLOWER = 1 / 3
EPOCHS, LEAST_STEPS, MOST_EPOCHS = 2, 200, 10
FURTHER = ("full", "partial", "frozen", "bitfit")


def fit(
    fitted: _neural.Neural,
    train: Rows,
    validation: Rows,
    task: Task,
    run: Run,
    *,
    options: Mapping[str, Value],
    tuning: Mapping[str, Value],
) -> _neural.Neural:
    """Train a model further, in place, as it was trained before; without new classes at a third of its learning rate.

    A head on frozen layers is solved again on all rows.

    Args:
        fitted: the model.
        train: old rows and new ones.
        validation: old rows and new ones.
        task: fitted, with all classes of the model and perhaps others.
        run: the context of the training.
        options: those of the contender.
        tuning: those of its strategy.

    Raises:
        UsageError: the strategy adds modules or changes its set of weights.
        TrainingError: see `training.loop.train`.
    """
    name = options.get("strategy", "full")
    if name not in FURTHER:
        raise UsageError(
            f"a model that was fine-tuned by '{name}' cannot be trained further; compare again with all rows, or "
            f"update one that was trained by {', '.join(FURTHER)}."
        )
    slower = SLOWER if task.classes == fitted.task.classes else 1.0
    given = tuning or options  # of a contender without a choice of strategies
    rate = {"learning_rate": given["learning_rate"] * slower} if "learning_rate" in given else {}
    torch.manual_seed(seed.derive(run.seed, "weights"))
    widen(fitted.model.head, fitted.task.classes, task.classes)
    fitted.model.to(run.device)
    aim(fitted, train, [name for name in task.classes if name not in fitted.task.classes], task, run.device)
    return _neural.fit(
        fitted.contender,
        # Its word embeddings are no longer a few rows away from those of its backbone.
        replace(fitted.checkpoint, head=task.head(), source="", base=""),
        train,
        validation,
        task,
        run,
        strategy=strategies.load(name, {**tuning, **rate}),
        settings=Settings(
            epochs=EPOCHS,
            least_steps=LEAST_STEPS,
            most_epochs=MOST_EPOCHS,
            batch_rows=options.get("batch_rows", Settings.batch_rows),
            patience=Settings.evaluations,  # a new class may take most of the training
        ),
        class_weights=options.get("class_weights", "none"),
        word_dropout=options.get("word_dropout", 0.0),
        long=fitted.long,
    )


@torch.no_grad()
def widen(head: Head, old: Sequence[str], new: Sequence[str]) -> None:
    """Give a head outputs for more classes, in place; those of the old classes keep their weights.

    The new ones get small random weights and the mean of the other biases.

    Args:
        head: the head, with an output for each old class.
        old: the old classes.
        new: all classes, in their new order.
    """
    if tuple(old) == tuple(new):
        return
    before = head.output
    output = nn.Linear(before.in_features, len(new), device=before.weight.device)
    nn.init.normal_(output.weight, std=0.02)
    nn.init.constant_(output.bias, float(before.bias.mean()))
    places = [new.index(name) for name in old]
    output.weight[places] = before.weight  # (classes, width)
    output.bias[places] = before.bias  # (classes,)
    head.output = output


@torch.no_grad()
def aim(fitted: _neural.Neural, train: Rows, added: Sequence[str], task: Task, device: str) -> None:
    """Start the outputs of new classes from their training rows, in place.

    Otherwise a training at low rates would hardly reach them. Each is a logistic regression of its rows against all
    others, on what the head's last layer reads; where that does not separate them, its logit is low everywhere, and the
    old classes are predicted as before.

    Args:
        fitted: the model, with an output for each class of `task`.
        train: rows, some of each new class.
        added: the new classes.
        task: with all classes.
        device: where the model is.
    """
    if not added:
        return
    head = fitted.model.head
    output, width = head.output, head.output.in_features
    head.output = nn.Linear(width, width, device=output.weight.device)
    nn.init.eye_(head.output.weight)
    nn.init.zeros_(head.output.bias)
    encoded = fitted.task.encode(train.inputs, fitted.checkpoint.tokenizer)
    features = torch.from_numpy(outputs(fitted.model, encoded, device).values).to(output.weight.device)
    head.output = output
    old = [place for place, name in enumerate(task.classes) if name not in added]
    level = float(output(features)[:, old].logsumexp(dim=1).mean())  # features: (rows, width)
    for name in added:
        own = np.array([target == name for target in train.targets])
        fitted_row = LogisticRegression(max_iter=300).fit(features.cpu().numpy(), own)
        place = task.classes.index(name)
        output.weight[place] = torch.from_numpy(fitted_row.coef_[0]).to(output.weight)
        output.bias[place] = float(fitted_row.intercept_[0]) + level
