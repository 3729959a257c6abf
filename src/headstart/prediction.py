"""Open a saved model, and predict texts or a whole file with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from headstart import reading
from headstart.checkpoints import manifest
from headstart.contest import backbones, confidence, stress
from headstart.contest import int8 as eight_bits
from headstart.core import memory, tabular
from headstart.core.abstain import abstained, parse
from headstart.core.contracts import Fitted, Kind, Task, Value
from headstart.core.records import Predictions, ReadWarning, Rejected, Rows, Table
from headstart.core.results import StressResult
from headstart.core.tally import Metric, named
from headstart.core.terminal import say
from headstart.data import write as writing
from headstart.data.read import read
from headstart.data.roles import Given, trained_columns
from headstart.saved import model_folder
from headstart.tasks._requested import with_metric

# Kinds whose rows have a confidence instead of a probability for each class.
WITH_CONFIDENCE: frozenset[Kind] = frozenset({"facts", "text"})


def open_model(folder: str | Path, *, int8: bool = False) -> Fitted:
    """Open a saved model, such as ``runs/NAME/best``; it has `predict(texts)`.

    Args:
        folder: the model folder.
        int8: predict with 8-bit weights, about one and a half times as fast as float32 on a CPU. Only if the comparison
            found that the labels of the validation rows are unchanged; see `contest.int8`.

    Raises:
        CheckpointError: the folder is missing, damaged, or not a model; or int8 was never compared.
        UsageError: int8 was refused, or the model or the machine does not support it.
    """
    return eight_bits.open_model(Path(folder))[0] if int8 else model_folder.open_model(Path(folder))


def predict(
    model: str | Path, inputs: Sequence[Value], *, int8: bool = False, abstain: str | None = None
) -> Predictions:
    """Predict inputs with a saved model: `values` in order, `probabilities` ``(inputs, classes)``.

    Args:
        model: the model folder.
        inputs: what the task reads; for classification texts. If the model reads columns beside the text, each is an
            object: ``{"text": "Fine.", "columns": {"price": 3.5}}``. A cell that is read otherwise than it is written,
            such as a category that no training row has, is counted on standard error.
        int8: see :func:`open_model`.
        abstain: see :func:`abstention`; the values of uncertain inputs are None. None to answer all.

    Raises:
        CheckpointError: as for :func:`open_model` and :func:`abstention`.
        UsageError: as for :func:`open_model` and :func:`abstention`; or the model gives no confidence.
    """
    threshold = None if abstain is None else abstention(model, abstain)
    fitted = open_model(model, int8=int8)
    for sentence in tabular.sentences(fitted.task.tabular.doubts(inputs), len(inputs)):
        say(sentence)
    predictions = fitted.predict(inputs)
    return predictions if threshold is None else abstained(predictions, threshold)


def abstention(model: str | Path, given: str) -> float:
    """Return the confidence, 0 to 1, below which a saved model abstains; see `core.abstain.abstained`.

    Args:
        model: the model folder.
        given: 'confidence=0.8', that confidence; or 'coverage=0.9', the one that at least nine in ten validation rows
            of the comparison reached, so that about as many other rows of their kind do.

    Raises:
        UsageError: anything else.
        CheckpointError: the folder is no model; or a coverage, and it does not hold the confidences of validation rows.
    """
    return confidence.threshold(Path(model), parse(given))


def predict_file(
    model: str | Path,
    file: str | Path,
    out: str | Path | None = None,
    *,
    text: str | None = None,
    columns: Given | None = None,
    encoding: str | None = None,
    int8: bool = False,
    abstain: str | None = None,
    report: Callable[[Rejected | ReadWarning], None],
) -> int:
    """Copy a file with predictions added, and how probable they are; return the number of rows written.

    For labels that is the probability of each class, otherwise that of the prediction as a whole, see
    `Predictions.confidence`. A fact is written as an object with its start, end, label and text; an argument of an
    event also with those of the trigger that it is `of`.

    Rows are read, predicted and written a few thousand at a time, so that memory does not depend on their number.

    Args:
        model: the model folder.
        file: the file with the inputs.
        out: a CSV, TSV, JSON Lines or Parquet file; None for standard output in the file's own format.
        text: the column with the texts; None for the one that the model was trained on. If the file does not have that,
            the only plausible column, with a warning.
        columns: names of other columns, such as ``{"question": "query"}``; missing ones as for `text`.
        encoding: of a text file; None to detect it.
        int8: see :func:`open_model`; the comparison that allows it is printed on standard error.
        abstain: see :func:`abstention`; an uncertain row gets no answer but its confidence, and their number is printed
            on standard error. None to answer all.
        report: called with each row without an input, which is copied, each that cannot be read, which is not, and each
            warning about how the file was read.

    Raises:
        CheckpointError: as for :func:`open_model` and :func:`abstention`.
        UsageError: as for :func:`open_model` and :func:`abstention`; the model gives no confidence; no such column,
            also of those read beside the text, or a format that cannot be written.
        DataError: the file does not exist or is not a table.
        DiskError: `out` cannot be written.
    """
    threshold = None if abstain is None else abstention(model, abstain)
    if int8:
        fitted, agreement = eight_bits.open_model(Path(model))
        say(agreement.sentence)
    else:
        fitted = open_model(model)

    give_back_now_and_then = memory.giving_back()

    doubts: Counter[tuple[str, str]] = Counter()
    unanswered = 0

    def answer(inputs: list[Value]) -> list[list[Value]]:
        nonlocal unanswered
        give_back_now_and_then()
        doubts.update(fitted.task.tabular.doubts(inputs))
        predictions = fitted.predict(inputs)
        if threshold is not None:
            predictions = abstained(predictions, threshold)
            unanswered += predictions.values.count(None)
        values = written_values(fitted.task, inputs, predictions)
        own = predictions.confidence
        if fitted.task.kind in WITH_CONFIDENCE:
            rows = [[None]] * len(values) if own is None else own.round(6)[:, None].tolist()
        elif fitted.task.kind == "number":
            rows = [[]] * len(values)
        else:
            assert predictions.probabilities is not None  # tasks of these kinds have them
            rows = predictions.probabilities.astype(float).round(6).tolist()
            if threshold is not None and own is not None:
                rows = [[sure, *row] for sure, row in zip(own.round(6).tolist(), rows, strict=True)]
        return [[value, *row] for value, row in zip(values, rows, strict=True)]

    names = written_columns(fitted.task, threshold is not None)
    written = writing.extend(
        Path(file),
        Path(out) if out else None,
        names,
        answer,
        task=fitted.task,
        columns=reading.named(text, None, columns),
        texts=0 if fitted.task.kind == "number" else 1,
        encoding=encoding,
        report=report,
    )
    for sentence in tabular.sentences(doubts, written):
        report(ReadWarning(sentence))
    if threshold is not None:
        reason = f"their confidence is below {threshold:.4g} ({abstain})"
        say(f"{unanswered:,} of {written:,} rows get no {names[0]}: {reason}.")
    return written


def stress_file(
    model: str | Path,
    file: str | Path,
    *,
    columns: Given | None = None,
    encoding: str | None = None,
    only: Sequence[str] | None = None,
    rows: int = stress.MOST_ROWS,
    metric: str | None = None,
    seed: int = 0,
    backbone: str | Sequence[str] = "minilm",
    report: Callable[[Rejected | ReadWarning], None] = lambda _: None,
) -> tuple[StressResult, Metric]:
    """Measure what transformations of the texts do to a model; return that and the score it is measured by.

    Args:
        model: the model folder.
        file: labelled rows, which the model should not be trained on.
        columns: role -> column; others are those that the model was trained on, or detected.
        encoding: of a text file; None to detect it.
        only: names of transformations; None for all that suit the task and the language.
        rows: the largest number of rows, which are chosen at random.
        metric: the score; None for the task's default.
        seed: of the choice and of the transformations.
        backbone: pretrained models; the first with a head for masked words gives substitutes of words.
        report: called with each row that cannot be used, and each warning about how the file was read.

    Raises:
        CheckpointError: as for :func:`open_model`.
        UsageError: no such column, metric or transformation.
        DataError: the file does not exist, is not a table, or has no labels.
    """
    fitted = open_model(model)
    task = with_metric(fitted.task, metric)
    score = named(task.metrics, metric) if metric else task.metrics[0]
    labels = Rows((), (), task.classes if task.kind == "label" else ())
    table = read(file, task, columns, encoding=encoding, like=Table("", labels, trained_columns(task), ""))
    for sentence in table.warnings:
        report(ReadWarning(sentence))
    for rejected in table.rejected:
        report(rejected)
    chosen = stress.prepare(table.rows, task, names=only, most=rows, seed=seed, backbones=backbones.read(backbone))
    before = fitted.predict(chosen.rows.inputs)
    name = manifest.read(Path(model)).contender
    return stress.result({name: (before, stress.answers(fitted, chosen))}, chosen, task, score), score


def written_columns(task: Task, abstains: bool) -> list[str]:
    """Return the names of the columns that predictions are written to, with that of the confidence if one abstains."""
    names = ["label" if task.kind == "label" else "prediction"]
    if task.kind in WITH_CONFIDENCE or abstains:
        names.append("confidence")
    if task.kind not in (*WITH_CONFIDENCE, "number"):
        names += [f"p({name})" for name in task.classes]
    return names


def written_values(task: Task, inputs: Sequence[Value], predictions: Predictions) -> Sequence[Value]:
    """Return predicted values as they are written to a file: facts as objects with what is written at their places."""
    if task.kind != "facts":
        return predictions.values
    return [value and _facts(task, each, value) for each, value in zip(inputs, predictions.values, strict=True)]


def _facts(task: Task, value: Value, facts: Sequence[Sequence[Value]]) -> list[dict[str, Value]]:
    """Return facts as objects, with what is written at their places; entities in the form in which they are read."""
    text = task.texts(value)[0]
    written = []
    for *places, name in facts:
        own, *others = ((start, end) for start, end in zip(places[::2], places[1::2], strict=True))
        fact: dict[str, Value] = {**_place(text, *own), "label": name}
        written.append({**fact, "of": _place(text, *others[0])} if others else fact)
    return written


def _place(text: str, start: int, end: int) -> dict[str, Value]:
    return {"start": start, "end": end, "text": text[start:end]}
