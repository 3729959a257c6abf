"""The folder of an exported model: its weights, the tokenizer, what the task decides, and a program that predicts.

task.json    settings of the task and of how texts become tokens, which run.py applies
run.py       a template of `export.templates`, without the sections that the model does not need
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from headstart.contenders._crf import FittedCrf
from headstart.contenders._neural import Neural
from headstart.contenders._pair_words import TOKEN
from headstart.contenders.linear import FittedLinear
from headstart.core import rooms
from headstart.core.contracts import Fitted, Task, Value
from headstart.core.errors import UsageError
from headstart.core.files import write_text, writing
from headstart.export import graph
from headstart.export.place import Format
from headstart.nn.disentangled import DisentangledEncoder
from headstart.nn.encoder import Encoder
from headstart.nn.entities import EntityPairHead
from headstart.nn.heads import ClassificationHead
from headstart.tasks import multilabel, qa
from headstart.tasks.classification import Classification
from headstart.tasks.event import Event
from headstart.tasks.multilabel import Multilabel
from headstart.tasks.qa import QuestionAnswering
from headstart.tasks.regression import Regression
from headstart.text import _words, scripts, sentences, windows
from headstart.text.tokenizer import CHARACTERS_PER_TOKEN, Tokenizer

MODEL = "model.onnx"
SECTION = re.compile(r"^ *# <(\w+)>\n(.*?)^ *# </\1>\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Exported:
    """How a model is exported.

    settings: content of task.json.
    template: name of the template of run.py.
    sections: those of its sections that are needed.
    write: writes the weights into a folder.
    runtime: what predicts, such as 'onnxruntime'.
    tokenizer: content of tokenizer.json; '' for none.
    """

    settings: Mapping[str, Value]
    template: str
    sections: frozenset[str]
    write: Callable[[Path], None]
    runtime: str
    tokenizer: str = ""


def exported(fitted: Fitted, to: Format) -> Exported:
    """Choose how a model is exported.

    Raises:
        UsageError: models of this kind cannot be exported, or a package is missing.
    """
    if fitted.task.tabular.names and fitted.task.tabular.way != "none":
        raise UsageError("a model that reads columns beside its text cannot be exported; export one without --columns.")
    if fitted.task.head().suffix == EntityPairHead.suffix:
        raise UsageError("a model of relations cannot be exported, as its program would have to find marked entities.")
    if isinstance(fitted, Neural):
        graph.check_installed(to)
        return _transformer(fitted, to)
    if isinstance(fitted, FittedLinear):
        return _n_grams(fitted)
    if isinstance(fitted, FittedCrf):
        return _features(fitted)
    raise UsageError(
        "only a single encoder or linear model can be exported, not an ensemble, a cascade, a baseline or a model that "
        "writes texts; export one of its members, or the next on the leaderboard."
    )


def write(export: Exported, folder: Path) -> None:
    """Write everything but the certificate into an empty folder."""
    export.write(folder)
    write_program(export, folder)


def write_program(export: Exported, folder: Path) -> None:
    """Write what does not hold weights: the program, its settings and the tokenizer."""
    if export.tokenizer:
        write_text(folder / "tokenizer.json", export.tokenizer)
    write_text(folder / "task.json", json.dumps(export.settings, ensure_ascii=False, indent=1) + "\n")
    write_text(folder / "run.py", program(export))


def program(export: Exported) -> str:
    """Return the text of run.py."""
    text = _template(export.template)
    if "openvino" in export.sections:
        (start,) = (match for match in SECTION.finditer(_template("start_openvino")) if match[1] == "openvino")
        text = re.sub(r"^# <onnx>\n.*?^# </onnx>\n", lambda _: start[0], text, flags=re.MULTILINE | re.DOTALL)
        text = text.replace("Needs onnxruntime", "Needs openvino")
    return _chosen(text, export.sections)


def _template(name: str) -> str:
    return (resources.files("headstart.export.templates") / f"{name}.py").read_text("utf-8")


def _chosen(text: str, sections: Collection[str]) -> str:
    """Remove the marks of some sections and the whole of all others.

    >>> _chosen("a\\n# <x>\\nb\\n# </x>\\n# <y>\\nc\\n# </y>\\n", ["y"])
    'a\\nc\\n'
    """
    return SECTION.sub(lambda match: _chosen(match[2], sections) if match[1] in sections else "", text)


def _of_task(task: Task) -> dict[str, Value]:
    """Return what follows the outputs of a model: names, thresholds, scales."""
    settings: dict[str, Value] = {
        "task": rooms.name_of(type(task)),
        "kind": task.kind,
        "classes": list(task.classes),
        "pairs": len([column for column in task.columns if not column.target and column.form == "text"]) == 2,
    }
    if isinstance(task, Multilabel):
        settings["thresholds"] = list(task.thresholds) or [multilabel.USUAL_THRESHOLD] * len(task.classes)
    if isinstance(task, Classification) and (task.costs.values or task.offsets):
        settings["costs"] = task.costs.matrix(task.classes).tolist() if task.costs.values else None
        settings["offsets"] = list(task.offsets) or [0.0] * len(task.classes)
    if isinstance(task, Regression):
        settings |= {"mean": float(task.mean), "scale": task.scale}
    if isinstance(task, QuestionAnswering):
        settings |= {
            "unanswerable": task.unanswerable,
            "threshold": float(task.threshold or 0.0),
            "longest": qa.LONGEST,
            "candidates": qa.KEPT,
            "stride": windows.STRIDE,
        }
    if task.kind == "facts":
        settings |= {"tags": list(task.head().labels), "word": scripts.WORD.pattern, "unspaced": scripts.START.pattern}
    if isinstance(task, Event):
        settings |= {"roles": [list(pair) for pair in task.roles], "sentence": sentences.END.pattern}
    return settings


def _of_tokenizer(tokenizer: Tokenizer) -> dict[str, Value]:
    """Return how texts become tokens."""
    return {
        "window": tokenizer.window,
        "characters": tokenizer.window * CHARACTERS_PER_TOKEN,
        "prefix": tokenizer.prefix,
        "opening": tokenizer.opening,
        "between": tokenizer.between,
        "closing": tokenizer.closing,
        "segments": list(tokenizer.segments),
        "padding": tokenizer.padding,
        "long": tokenizer.long.way,
        "most_windows": tokenizer.long.most_windows,
        "overlap": _words.OVERLAP,
    }


def _transformer(fitted: Neural, to: Format) -> Exported:
    tokenizer, model, task = fitted.checkpoint.tokenizer, fitted.model, fitted.task
    settings = {**_of_task(task), **_of_tokenizer(tokenizer)}
    sections = {"transformer", to}
    if task.kind == "facts":
        empty = tokenizer.encode_words([[]]).tokens.tolist()  # with the prefix
        settings |= {
            "opening": empty[: len(empty) - len(tokenizer.closing)],
            "crf": False,
            "moves": np.zeros((1, 1)).tolist() if model.head.transitions is None else model.head.transitions.tolist(),
        }
        template = "words"
        sections |= {"event"} & {rooms.name_of(type(task))}
    elif task.kind == "text":
        template = "answers"
    else:
        template = "texts"
        sections |= {"pair"} if settings["pairs"] else set()
        sections |= {"long"} if tokenizer.long.way != "first" else set()
        sections |= {"decided"} if "offsets" in settings else set()

    def write_files(folder: Path) -> None:
        segments, by_windows = _reads_segments(fitted), _reads_windows(fitted)
        graph.write(model, folder / MODEL, segments=segments, windows=by_windows)

    runtime = {"onnx": "onnxruntime", "openvino": "openvino"}[to]
    content = tokenizer.backend.to_str(pretty=True)
    return Exported(settings, template, frozenset(sections), write_files, runtime, content)


def _reads_segments(fitted: Neural) -> bool:
    """Return whether a model is called with the segments of tokens: two texts, and an embedding of each segment."""
    if len([column for column in fitted.task.columns if not column.target and column.form == "text"]) < 2:
        return False
    encoder = fitted.model.encoder
    segment = encoder.embeddings.segment if isinstance(encoder, Encoder | DisentangledEncoder) else None
    return segment is not None and len(segment.weight) > 1 and any(fitted.checkpoint.tokenizer.segments)


def batches(fitted: Fitted, inputs: Sequence[Value]) -> list[dict[str, np.ndarray]]:
    """Return inputs as a Transformer's ONNX file reads them, in batches of one text each."""
    assert isinstance(fitted, Neural)  # nothing else has such a file
    encoded = fitted.task.encode(inputs, fitted.checkpoint.tokenizer)
    parts = []
    for start, end in itertools.pairwise(encoded.boundaries.tolist()):
        ids = encoded.tokens[start:end].astype(np.int64)[None]
        part = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        if _reads_segments(fitted):
            segments = np.zeros_like(ids) if encoded.segments is None else encoded.segments[start:end][None]
            part["token_type_ids"] = segments.astype(np.int64)
        if _reads_windows(fitted):
            part["windows"] = np.ones((1, 1), dtype=np.float32)
        parts.append(part)
    return parts


def _reads_windows(fitted: Neural) -> bool:
    """Return whether a model is called with the windows of texts."""
    return isinstance(fitted.model.head, ClassificationHead) and fitted.checkpoint.tokenizer.long.windows is not None


def _n_grams(fitted: FittedLinear) -> Exported:
    settings = {**_of_task(fitted.task), "presence": fitted.presence, "token": TOKEN}

    def write_files(folder: Path) -> None:
        with writing(folder / "weights.npz"):
            np.savez(
                folder / "weights.npz",
                weights=fitted.weights,
                intercept=fitted.intercept,
                words_idf=fitted.reader.word_idf,
                characters_idf=fitted.reader.character_idf,
            )
        n_grams = {"words": fitted.reader.words, "characters": fitted.reader.characters}
        write_text(folder / "n_grams.json", json.dumps(n_grams))

    sections = ({"pair"} if settings["pairs"] else set()) | ({"decided"} if "offsets" in settings else set())
    return Exported(settings, "ngrams", frozenset(sections), write_files, "numpy")


def _features(fitted: FittedCrf) -> Exported:
    settings = {**_of_task(fitted.task), "crf": True, "moves": fitted.moves.tolist()}

    def write_files(folder: Path) -> None:
        with writing(folder / "weights.npy"):
            np.save(folder / "weights.npy", fitted.weights)
        write_text(folder / "features.json", json.dumps(fitted.features))

    sections = {"crf"} | ({"event"} & {rooms.name_of(type(fitted.task))})
    return Exported(settings, "words", frozenset(sections), write_files, "numpy")
