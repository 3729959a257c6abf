"""The folder of an exported model: its weights, the tokenizer, what the task decides, and a program that predicts.

task.json    settings of the task and of how texts become tokens, which run.py applies
run.py       see `export.programs`
member-N     folders of an ensemble's members, or of a cascade's, each an export of its own
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from headstart.contenders import _answers, _combining
from headstart.contenders._crf import FittedCrf
from headstart.contenders._neural import Neural
from headstart.contenders._pair_words import TOKEN
from headstart.contenders.cascade import FittedCascade
from headstart.contenders.ensemble import FittedEnsemble
from headstart.contenders.linear import FittedLinear
from headstart.core.contracts import Fitted, Kind, Task, Value
from headstart.core.errors import UsageError
from headstart.core.files import write_text, writing
from headstart.export import graph, programs, settings
from headstart.export.place import Format
from headstart.nn.disentangled import DisentangledEncoder
from headstart.nn.encoder import Encoder
from headstart.nn.entities import EntityPairHead
from headstart.nn.heads import ClassificationHead
from headstart.tasks.event import Event

MODEL, OPENVINO = "model.onnx", "model.xml"
# What the graph of a model that scores whole texts returns, by the kind of answer.
OUTPUTS: Mapping[Kind, graph.Output] = {"label": "probabilities", "labels": "several", "number": "logits"}
CERTAIN = 100.0  # score of no fact for a word without tokens
RUNTIMES: Mapping[Format, str] = {"onnx": "onnxruntime", "openvino": "openvino"}
NUMPY = "Needs numpy only."
TEXT, PAIR, QUESTION, COLUMNS = (
    programs.LINE,
    "A line is JSON: a list of two texts.",
    "A line is JSON.",
    'A line is JSON: `{"text": ..., "columns": {...}}`.',
)


@dataclass(frozen=True)
class Exported:
    """How a model is exported.

    settings: content of task.json.
    template: name of the template of run.py.
    parts: see `programs.program`.
    sections: see `programs.program`.
    runtime: what predicts, such as 'onnxruntime'.
    write: writes the weights into a folder.
    line: see `programs.program`.
    needs: see `programs.program`.
    tokenizer: content of tokenizer.json; '' for none.
    neural: the model whose graph is written; None for none.
    members: folder -> export of a model that this one builds on.
    """

    settings: Mapping[str, Value]
    template: str
    parts: tuple[str, ...]
    sections: frozenset[str]
    runtime: str
    write: Callable[[Path], None] = lambda folder: None
    line: str = TEXT
    needs: str = programs.NEEDS
    tokenizer: str = ""
    neural: Neural | None = None
    members: Mapping[str, Exported] = field(default_factory=dict)

    @property
    def graphs(self) -> dict[str, Neural]:
        """The folders with a graph, relative to the export's own, and the model of each."""
        found = {} if self.neural is None else {".": self.neural}
        for name, member in self.members.items():
            found |= {str(Path(name) / inner): neural for inner, neural in member.graphs.items()}
        return found


def exported(fitted: Fitted, to: Format, *, member: bool = False) -> Exported:
    """Choose how a model is exported.

    Args:
        fitted: the model.
        to: the format of graphs.
        member: whether another program builds on it.

    Raises:
        UsageError: models of this kind cannot be exported, or a package is missing.
    """
    if isinstance(fitted, Neural):
        graph.check_installed(to)
        return _transformer(fitted, to, {"marginals"} if member else set())
    if isinstance(fitted, FittedLinear):
        return _n_grams(fitted)
    if isinstance(fitted, FittedCrf):
        return _features(fitted, {"marginals"} if member else set())
    if isinstance(fitted, FittedEnsemble):
        return _ensemble(fitted, to, {"marginals"} if member else set())
    if isinstance(fitted, FittedCascade):
        return _cascade(fitted, to)
    raise UsageError(
        "a model that writes texts, a baseline and one that searches the training rows cannot be exported; export the "
        "next on the leaderboard."
    )


def write(export: Exported, folder: Path) -> None:
    """Write everything but the certificate into an empty folder."""
    export.write(folder)
    write_program(export, folder)
    for name, member in export.members.items():
        (folder / name).mkdir()
        write(member, folder / name)


def write_program(export: Exported, folder: Path) -> None:
    """Write what does not hold weights: the program, its settings and the tokenizer."""
    if export.tokenizer:
        write_text(folder / "tokenizer.json", export.tokenizer)
    write_text(folder / "task.json", json.dumps(export.settings, ensure_ascii=False, indent=1) + "\n")
    write_text(folder / "run.py", program(export))


def program(export: Exported) -> str:
    """Return the text of run.py."""
    return programs.program(export.template, export.parts, export.sections, line=export.line, needs=export.needs)


def _reading(task: Task) -> tuple[str, set[str]]:
    """Return what a line of a program's input is, and the sections that read inputs from lines."""
    if task.tabular.names:
        return COLUMNS, {"json"}
    if settings.is_pair(task):
        return PAIR, {"json"}
    return (QUESTION, set()) if task.kind == "text" else (TEXT, {"lines"})


# --- Transformers ----------------------------------------------------------------------------------------------


def _transformer(fitted: Neural, to: Format, more: set[str]) -> Exported:
    tokenizer, model, task = fitted.checkpoint.tokenizer, fitted.model, fitted.task
    line, sections = _reading(task)
    sections |= {"runtime"} | more
    sections |= {"split"} if tokenizer.backend.encode_special_tokens else set()
    parts = {"onnx": (), "openvino": ("openvino",)}[to]
    own = settings.of_task(task)
    content = tokenizer.backend.to_str(pretty=True)
    output: graph.Output = "logits"
    if task.kind == "facts":
        template, (of_facts, more_settings) = "words", _facts(task)
        own |= settings.of_tokenizer(tokenizer, with_prefix=True) | more_settings
        moves = model.head.transitions
        own["moves"] = [[0.0]] if moves is None else moves.tolist()
        sections |= of_facts
    elif task.kind == "text":
        template, output = "answers", "spans"
        own |= settings.of_tokenizer(tokenizer, with_prefix=False)
        sections |= {"candidates"} | ({"segments"} if _reads_segments(fitted) else set())
    else:
        template = "texts"
        output = OUTPUTS[task.kind]
        how, part, whole = _how_texts_are_read(fitted)
        parts += part
        own |= settings.of_tokenizer(tokenizer, with_prefix=bool(part) and part[0] == "relations")
        own["batch"] = settings.batch(tokenizer)
        sections |= how | {"encoded", task.kind} | settings.decides(task)
        content = settings.whole(tokenizer) if whole else content

    def write_files(folder: Path) -> None:
        graph.write(model, folder / MODEL, inputs_of(fitted), output)

    needs = programs.NEEDS.replace("onnxruntime", RUNTIMES[to])
    return Exported(
        own, template, parts, frozenset(sections), RUNTIMES[to], write_files, line, needs, content, neural=fitted
    )


def _how_texts_are_read(fitted: Neural) -> tuple[set[str], tuple[str, ...], bool]:
    """Return sections and parts of a program that scores whole inputs, and whether its tokenizer truncates and pads."""
    tokenizer, task = fitted.checkpoint.tokenizer, fitted.task
    beside = fitted.model.head.columns is not None
    sections: set[str] = set()
    parts: tuple[str, ...] = ()
    if isinstance(fitted.model.head, EntityPairHead):
        parts = ("relations",)
        sections |= {"parts"}
    elif tokenizer.long.way == "head-tail":
        parts = ("windows",)
        sections |= {"head_tail"}
    elif tokenizer.long.windows is not None:
        parts = ("windows",)
        sections |= {"several", "owners"}
    elif settings.is_pair(task):
        sections |= {"pair"} | ({"segments"} if _reads_segments(fitted) else set())
    else:
        sections |= {"single"} | ({"prefix"} if tokenizer.prefix else set())
    whole = not parts
    if beside or (task.tabular.names and task.tabular.way == "words"):
        parts += ("columns",)
        sections |= {"columns", "beside" if beside else "worded"}
    else:
        sections |= {"unread" if task.tabular.names else "plain"}
    return sections, parts, whole


def _facts(task: Task) -> tuple[set[str], dict[str, Value]]:
    """Return sections and settings of a program that finds facts."""
    event = isinstance(task, Event)
    return {"scores", "event" if event else "list"}, {"certain": CERTAIN, "moves": [[0.0]]}


def inputs_of(fitted: Neural) -> list[str]:
    """Return what a model's graph reads besides tokens and their mask, see `graph.write`."""
    head = fitted.model.head
    found = {
        "token_type_ids": _reads_segments(fitted),
        "features": head.columns is not None,
        "windows": isinstance(head, ClassificationHead) and fitted.checkpoint.tokenizer.long.windows is not None,
        "marks": head.marks > 0,
        "readable": fitted.task.kind == "text",
    }
    return [name for name, read in found.items() if read]


def _reads_segments(fitted: Neural) -> bool:
    """Return whether a model is called with the segments of tokens: two texts, and an embedding of each segment."""
    if len([column for column in fitted.task.columns if not column.target and column.form == "text"]) < 2:
        return False
    encoder = fitted.model.encoder
    segment = encoder.embeddings.segment if isinstance(encoder, Encoder | DisentangledEncoder) else None
    return segment is not None and len(segment.weight) > 1 and any(fitted.checkpoint.tokenizer.segments)


def batches(fitted: Neural, inputs: Sequence[Value]) -> list[dict[str, np.ndarray]]:
    """Return inputs as a Transformer's graph reads them, in batches of one sequence each."""
    encoded = fitted.task.encode(inputs, fitted.checkpoint.tokenizer)
    reads = inputs_of(fitted)
    parts = []
    for row in range(len(inputs)):
        for sequence in encoded.sequences(np.array([row])).tolist():
            start, end = encoded.boundaries[sequence : sequence + 2].tolist()
            ids = encoded.tokens[start:end].astype(np.int64)[None]
            given: dict[str, np.ndarray] = {
                "input_ids": ids,
                "attention_mask": np.ones_like(ids),
                "token_type_ids": np.zeros_like(ids),
                "windows": np.ones((1, 1), dtype=np.float32),
            }
            if encoded.segments is not None:
                given["token_type_ids"] = encoded.segments[start:end].astype(np.int64)[None]
            if encoded.features is not None:
                given["features"] = encoded.features[[row]]
            if encoded.marks is not None:
                given["marks"] = encoded.marks[[sequence]].astype(np.int64)
            if encoded.characters is not None:
                places = encoded.characters[start:end]
                given["readable"] = (places[:, 1] > places[:, 0]).astype(np.float32)[None]
            parts.append({name: given[name] for name in ("input_ids", "attention_mask", *reads)})
    return parts


# --- linear models ---------------------------------------------------------------------------------------------


def _n_grams(fitted: FittedLinear) -> Exported:
    task, reader = fitted.task, fitted.reader
    line, sections = _reading(task)
    sections |= {task.kind} | settings.decides(task)
    sections |= {"pair"} if settings.is_pair(task) else set()
    sections |= {"characters"} if reader.characters else set()
    sections |= set() if fitted.presence else {"frequencies"}
    if task.kind == "label":
        outputs = fitted.weights.shape[1]
        sections |= {"two"} if outputs == 1 else {"rest"} if fitted.presence else set()
    parts: tuple[str, ...] = ()
    if task.head().suffix == EntityPairHead.suffix:
        parts += ("relations",)
        sections |= {"parts", "marked"}
    if task.tabular.names:
        parts += ("columns",)
        beside = task.tabular.way in ("beside", "alone")
        sections |= {"worded", "columns"} if task.tabular.way == "words" else {"unread"}
        sections |= {"beside", "columns"} if beside else set()
    own = {**settings.of_task(task), "token": TOKEN, "temperature": fitted.temperature}
    first = task.tabular.width
    columns, words, characters = np.split(fitted.weights, [first, first + len(reader.words)])

    def write_files(folder: Path) -> None:
        with writing(folder / "weights.npz"):
            np.savez(
                folder / "weights.npz",
                columns=columns,
                words=words,
                characters=characters,
                intercept=fitted.intercept,
                words_idf=reader.word_idf,
                characters_idf=reader.character_idf,
            )
        write_text(folder / "n_grams.json", json.dumps({"words": reader.words, "characters": reader.characters}))

    return Exported(own, "ngrams", parts, frozenset(sections), "numpy", write_files, line, NUMPY)


def _features(fitted: FittedCrf, more: set[str]) -> Exported:
    sections, more_settings = _facts(fitted.task)
    own = {**settings.of_task(fitted.task), **more_settings, "moves": fitted.moves.tolist()}

    def write_files(folder: Path) -> None:
        with writing(folder / "weights.npy"):
            np.save(folder / "weights.npy", fitted.weights)
        write_text(folder / "features.json", json.dumps(fitted.features))

    sections |= {"runtime"} | more
    return Exported(own, "words", ("features",), frozenset(sections), "numpy", write_files, TEXT, NUMPY)


# --- several models --------------------------------------------------------------------------------------------


def _ensemble(fitted: FittedEnsemble, to: Format, more: set[str]) -> Exported:
    task = fitted.task
    members = {f"member-{number}": exported(each, to, member=True) for number, each in enumerate(fitted.members)}
    own = {**settings.of_task(task), "members": list(members), "weights": fitted.weights.tolist()}
    own["least"] = _answers.LEAST
    line, sections = _reading(task)
    template = "combined"
    parts: tuple[str, ...] = ()
    if task.kind == "facts":
        template, parts = "words", ("members",)
        of_facts, more_settings = _facts(task)
        sections |= {"runtime"} | of_facts | more
        own |= more_settings
    elif task.kind == "text":
        template, parts = "answers", ("members",)
        sections |= {"runtime", "candidates"}
    elif task.kind == "number":
        sections |= {"members", "number"}
    else:
        combined = "mean" if fitted.stacked is None else "stacked"
        sections |= {"members", "shares", task.kind, combined} | settings.decides(task)
        own["tie"] = _combining.TIE
        if fitted.vote:
            sections |= {"vote"}
        if fitted.stacked is not None:
            own["stacked"] = fitted.stacked.tolist()
        if fitted.temperature != 1:
            sections |= {"tempered"}
            own["temperature"] = fitted.temperature
    return Exported(own, template, parts, frozenset(sections), _runtime(members), line=line, members=members)


def _cascade(fitted: FittedCascade, to: Format) -> Exported:
    members = {f"member-{number}": exported(each, to) for number, each in enumerate((fitted.cheap, fitted.expensive))}
    own = {**settings.of_task(fitted.task), "members": list(members), "threshold": fitted.threshold}
    line, sections = _reading(fitted.task)
    sections |= {"members"}
    if fitted.temperature != 1:
        sections |= {"tempered"}
        own["temperature"] = fitted.temperature
    return Exported(own, "combined", ("cascade",), frozenset(sections), _runtime(members), line=line, members=members)


def _runtime(members: Mapping[str, Exported]) -> str:
    """Return what predicts, of several members."""
    return next((each.runtime for each in members.values() if each.runtime != "numpy"), "numpy")
