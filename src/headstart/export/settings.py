"""What task.json holds: how inputs become tokens, and what follows the outputs of a model."""

from __future__ import annotations

import json
from collections.abc import Sequence

import tokenizers

from headstart.core import rooms
from headstart.core.contracts import Task, Value
from headstart.core.tabular import LARGEST, MOST_DEVIATIONS, TabularColumn
from headstart.tasks import multilabel, qa, relation
from headstart.tasks.classification import Classification
from headstart.tasks.event import Event
from headstart.tasks.multilabel import Multilabel
from headstart.tasks.qa import QuestionAnswering
from headstart.tasks.regression import Regression
from headstart.tasks.relation import Relation
from headstart.text import _words, scripts, sentences, windows
from headstart.text.tokenizer import CHARACTERS_PER_TOKEN, Tokenizer

MOST = 2**22  # sequences in a batch times their squared length
BATCH = 32  # the most sequences in a batch
HIDDEN = -1e8  # the score of an answer that cannot be chosen is below it


def decides(task: Task) -> set[str]:
    """Return the sections of a program that choose a label otherwise than by its probability alone."""
    if not isinstance(task, Classification):
        return set()
    costs = {"decided", "costs"} if task.costs.values else set()
    return costs | ({"decided"} if task.offsets else set())


def is_pair(task: Task) -> bool:
    """Return whether an input is a pair of texts."""
    texts = [column for column in task.columns if not column.target and column.form == "text"]
    return len(texts) == 2 and not isinstance(task, QuestionAnswering)


def of_task(task: Task) -> dict[str, Value]:
    """Return what follows the outputs of a model: names, thresholds, scales."""
    settings: dict[str, Value] = {"task": rooms.name_of(type(task)), "kind": task.kind, "classes": list(task.classes)}
    if isinstance(task, Multilabel):
        settings["thresholds"] = list(task.thresholds) or [multilabel.USUAL_THRESHOLD] * len(task.classes)
    if isinstance(task, Classification) and (task.costs.values or task.offsets):
        settings["offsets"] = list(task.offsets) or [0.0] * len(task.classes)
        if task.costs.values:
            settings["costs"] = task.costs.matrix(task.classes).tolist()
    if isinstance(task, Regression):
        settings |= {"mean": float(task.mean), "scale": task.scale}
    if isinstance(task, QuestionAnswering):
        settings |= {
            "unanswerable": task.unanswerable,
            "threshold": float(task.threshold or 0.0),
            "candidates": qa.KEPT,
            "stride": windows.STRIDE,
            "hidden": HIDDEN,
        }
    if isinstance(task, Relation):
        settings["marks"] = relation.MARKS
    if task.kind == "facts":
        settings |= {"tags": list(task.head().labels), "word": scripts.WORD.pattern, "unspaced": scripts.START.pattern}
    if isinstance(task, Event):
        settings |= {"roles": [list(pair) for pair in task.roles], "sentence": sentences.END.pattern}
    if task.tabular.names:
        settings |= {"columns": [_column(column) for column in task.tabular.columns]}
        settings |= {"largest": LARGEST, "most_deviations": MOST_DEVIATIONS}
    return settings


def _column(column: TabularColumn) -> dict[str, Value]:
    return {
        "name": column.name,
        "form": column.form,
        "mean": float(column.mean),
        "scale": column.scale,
        "categories": list(column.categories),
        "gaps": column.gaps,
    }


def of_tokenizer(tokenizer: Tokenizer, *, with_prefix: bool) -> dict[str, Value]:
    """Return how texts become tokens, for programs that do not leave it to :func:`whole`.

    Args:
        tokenizer: the tokenizer.
        with_prefix: whether what is before each text includes the prefix.
    """
    before = tokenizer.encode_words([[]]).tokens.tolist() if with_prefix else [*tokenizer.opening, *tokenizer.closing]
    return {
        "window": tokenizer.window,
        "characters": tokenizer.window * CHARACTERS_PER_TOKEN,
        "prefix": tokenizer.prefix,
        "opening": before[: len(before) - len(tokenizer.closing)],
        "between": tokenizer.between,
        "closing": tokenizer.closing,
        "segments": list(tokenizer.segments),
        "padding": tokenizer.padding,
        "most_windows": tokenizer.long.most_windows,
        "overlap": _words.OVERLAP,
    }


def batch(tokenizer: Tokenizer) -> int:
    """Return how many inputs a program may predict at once."""
    several = tokenizer.long.most_windows if tokenizer.long.windows else 1
    return max(1, min(BATCH, MOST // (tokenizer.window**2 * several)))


def whole(tokenizer: Tokenizer) -> str:
    """Return tokenizer.json of a tokenizer that itself truncates and pads texts, and adds special tokens."""
    content = json.loads(tokenizer.backend.to_str())
    opening, between, closing = (
        _special(name, ids, tokenizer)
        for name, ids in (
            ("opening", tokenizer.opening),
            ("between", tokenizer.between),
            ("closing", tokenizer.closing),
        )
    )
    kinds = tokenizer.segments
    single = [*_piece(opening, 0), {"Sequence": {"id": "A", "type_id": 0}}, *_piece(closing, 0)]
    pair = [
        *_piece(opening, kinds[0]),
        {"Sequence": {"id": "A", "type_id": kinds[1]}},
        *_piece(between, kinds[2]),
        {"Sequence": {"id": "B", "type_id": kinds[3]}},
        *_piece(closing, kinds[4]),
    ]
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": single,
        "pair": pair,
        "special_tokens": {each["id"]: each for each in (opening, between, closing) if each["ids"]},
    }
    backend = tokenizers.Tokenizer.from_str(json.dumps(content))
    backend.enable_truncation(tokenizer.window)
    token = tokenizer.backend.id_to_token(tokenizer.padding) or ""
    backend.enable_padding(pad_id=tokenizer.padding, pad_token=token)
    text: str = backend.to_str(pretty=True)
    return text


def _special(name: str, ids: Sequence[int], tokenizer: Tokenizer) -> dict[str, Value]:
    return {"id": name, "ids": list(ids), "tokens": [tokenizer.backend.id_to_token(number) for number in ids]}


def _piece(special: dict[str, Value], segment: int) -> list[dict[str, Value]]:
    return [{"SpecialToken": {"id": special["id"], "type_id": segment}}] if special["ids"] else []
