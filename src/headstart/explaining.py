"""Explain what a saved model predicts for texts that a person types, or for the rows of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from headstart.contest.rank import winner
from headstart.core.contracts import Fitted, Task, Value
from headstart.core.errors import DataError, DiskError, UsageError
from headstart.core.records import ReadWarning, Rejected, Rows, Table
from headstart.core.results import Result
from headstart.data.read import read
from headstart.data.roles import Given, trained_columns
from headstart.explain import chosen, faithfulness, methods, occlusion
from headstart.explain.chosen import Choice
from headstart.explain.overview import Overview, overview
from headstart.saved.model_folder import open_model
from headstart.text.scripts import words as count_words

# Of the explanations in a report: how long they may take, and how many rows there are at least.
SECONDS, LEAST_ROWS = 3.0, 6
# Of the methods' measurement after a comparison: how long it may take, and the least and the largest number of rows.
MEASURE_SECONDS, LEAST_MEASURED, MOST_MEASURED = 20.0, 10, 50
# How many predictions of a text take as long as its attribution by gradients.
PREDICTIONS = {"contributions": 1.0, "integrated-gradients": 90.0, "gradient-x-input": 10.0}


def inputs_of(task: Task, texts: Sequence[str]) -> tuple[Value, ...]:
    """Turn texts into inputs of a task: one each, or for pairs and questions several texts after each other.

    Raises:
        UsageError: another number of texts than the task's inputs have.
        DataError: a text that the task cannot read.
    """
    roles = [column.role for column in task.columns if not column.target and column.required]
    if len(texts) % len(roles):
        raise UsageError(f"an input of this model is a {' and a '.join(roles)}; give --text for each, in this order.")
    inputs = []
    for place in range(0, len(texts), len(roles)):
        cells = dict(zip(roles, texts[place : place + len(roles)], strict=True))
        try:
            inputs.append(task.read(cells)[0])
        except DataError as error:
            raise DataError(f"the text {place + 1} of --text {error}.") from error
    return tuple(inputs)


def overview_of(
    model: Fitted,
    folder: Path,
    file: Path,
    *,
    columns: Given | None = None,
    encoding: str | None = None,
    method: str | None = None,
    name: str | None = None,
    rows: int = faithfulness.ROWS,
    seed: int = 0,
    attention: bool = False,
    report: Callable[[Rejected | ReadWarning], None] = lambda _: None,
) -> Overview:
    """Measure the model's methods on rows of a file, and explain these rows by the most comprehensive one.

    What was measured is noted in the model's folder, if that can be written, for explanations of single texts.

    Args:
        model: the model.
        folder: where it was opened.
        file: rows that the model has not learnt from, with targets or without.
        columns: role -> column; others are those that the model was trained on, or detected.
        encoding: of a text file; None to detect it.
        method: the method that explains; None for the most comprehensive one.
        name: the class to explain; None for what is predicted.
        rows: the largest number of rows, which are drawn at random.
        seed: of the draw and of the random orders.
        attention: whether to compute the attention for the first example.
        report: called with each row that cannot be used, and each warning about how the file was read.

    Raises:
        UsageError: no such column, or the model does not have the method or the class.
        DataError: the file does not exist, is not a table, or has no row to explain.
    """
    table = _read(model.task, file, columns, encoding)
    for sentence in table.warnings:
        report(ReadWarning(sentence))
    for rejected in table.rejected:
        report(rejected)
    choice = None if method is None else Choice(method)
    if method is not None and method not in methods(model):
        return overview(model, table.rows, choice=choice, name=name)  # which says why not
    measured = faithfulness.measure(model, table.rows.inputs, most_rows=rows, seed=seed)
    with suppress(DiskError):
        chosen.store(folder, measured)
    return overview(
        model,
        table.rows,
        choice=choice,
        name=name,
        measured=measured,
        most_rows=rows,
        seed=seed,
        attention=attention,
    )


def _read(task: Task, file: Path, columns: Given | None, encoding: str | None) -> Table:
    """Read rows with their targets if the file has them."""
    labels = Rows((), (), task.classes if task.kind == "label" else ())
    like = Table("", labels, trained_columns(task), "")
    try:
        return read(file, task, columns, encoding=encoding, like=like)
    except (DataError, UsageError):
        return read(file, task, columns, encoding=encoding, like=like, labelled=False)


def best_of(result: Result, folder: Path) -> Overview | None:
    """Explain the best model of a comparison on test rows, as many as take a few seconds.

    Its methods are measured before on validation rows, likewise, unless that was done; the figures are noted in its
    folder.

    Args:
        result: the comparison.
        folder: of its best model.

    Returns:
        None if there is nothing to explain, such as texts that a model has written.
    """
    if result.rules.generates:
        return None
    model = open_model(folder)
    throughput = winner(result.standings).cost.throughput
    if not chosen.is_noted(folder) and len(methods(model)) > 1:
        _measure(model, folder, result.splits.validation, throughput)
    choice = chosen.read(folder, model)
    test = result.splits.test
    rows = int(SECONDS * throughput / _predictions(model, test, choice.method))
    found = overview(model, test, choice=choice, most_rows=max(LEAST_ROWS, min(faithfulness.ROWS, rows)))
    return found if found.examples else None


def _measure(model: Fitted, folder: Path, validation: Rows, throughput: float) -> None:
    """Measure a model's methods on as many validation rows as a few seconds allow, not at all on a handful."""
    cost = sum(_predictions(model, validation, method) for method in methods(model))
    removals = len(faithfulness.SHARES) * (2 * len(methods(model)) + faithfulness.ORDERS)
    rows = min(MOST_MEASURED, int(MEASURE_SECONDS * throughput / (cost + removals)))
    if min(rows, len(validation)) < LEAST_MEASURED:
        return
    with suppress(DataError):  # no row has an answer
        measured = faithfulness.measure(model, validation.inputs, most_rows=rows)
        chosen.store(folder, measured)


def _predictions(model: Fitted, rows: Rows, method: str) -> float:
    """Return how many predictions of a row take as long as its attribution by a method."""
    if method in PREDICTIONS:
        return PREDICTIONS[method]
    some = rows.inputs[: faithfulness.ROWS]
    words = sum(count_words(text) for value in some for text in model.task.texts(value)) / max(1, len(some))
    return max(1.0, min(words, occlusion.MOST))
