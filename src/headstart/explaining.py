"""Explain what a saved model predicts for texts that a person types, or for the rows of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from headstart.contest.rank import winner
from headstart.core.contracts import Fitted, Task, Value
from headstart.core.errors import DataError, UsageError
from headstart.core.records import ReadWarning, Rejected, Rows, Table
from headstart.core.results import Result
from headstart.data.read import read
from headstart.data.roles import Given, trained_columns
from headstart.explain import faithfulness, methods, occlusion
from headstart.explain.overview import Overview, overview
from headstart.saved.model_folder import open_model
from headstart.text.scripts import words as count_words

# Of the explanations in a report: how long they may take, how many rows there are at least, and how many predictions of
# a text take as long as its integrated gradients.
SECONDS, LEAST_ROWS, GRADIENT = 3.0, 6, 60.0


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
    file: Path,
    *,
    columns: Given | None = None,
    encoding: str | None = None,
    method: str | None = None,
    name: str | None = None,
    rows: int = faithfulness.ROWS,
    seed: int = 0,
    report: Callable[[Rejected | ReadWarning], None] = lambda _: None,
) -> Overview:
    """Measure the model's methods on rows of a file, and explain these rows by the most comprehensive one.

    Args:
        model: the model.
        file: rows that the model has not learnt from, with targets or without.
        columns: role -> column; others are those that the model was trained on, or detected.
        encoding: of a text file; None to detect it.
        method: the method that explains; None for the most comprehensive one.
        name: the class to explain; None for what is predicted.
        rows: the largest number of rows, which are drawn at random.
        seed: of the draw and of the random orders.
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
    if method is not None and method not in methods(model):
        return overview(model, table.rows, method=method, name=name)  # which says why not
    measured = faithfulness.measure(model, table.rows.inputs, most_rows=rows, seed=seed)
    return overview(model, table.rows, method=method, name=name, measured=measured, most_rows=rows, seed=seed)


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

    Args:
        result: the comparison.
        folder: of its best model.

    Returns:
        None if there is nothing to explain, such as texts that a model has written.
    """
    if result.rules.generates:
        return None
    model = open_model(folder)
    test = result.splits.test
    method = methods(model)[0]
    some = test.inputs[: faithfulness.ROWS]
    words = sum(count_words(text) for value in some for text in model.task.texts(value)) / max(1, len(some))
    # That take as long, for each row.
    predictions = {"contributions": 1.0, "occlusion": min(words, occlusion.MOST)}.get(method, GRADIENT)
    rows = int(SECONDS * winner(result.standings).cost.throughput / max(1.0, predictions))
    found = overview(model, test, most_rows=max(LEAST_ROWS, min(faithfulness.ROWS, rows)))
    return found if found.examples else None
