"""Every task with every contender that can learn it: on the task's sample, and again from the saved folder."""

from itertools import product

import pytest

from headstart.contenders import _members
from headstart.core import rooms
from headstart.core.contracts import metric_values
from headstart.core.records import Rows, Run
from headstart.distillation import phases
from headstart.saved import model_folder

# Contenders of tasks with one label for each text have a contract of their own; relations have a head of their own.
PAIRS = [
    (task, contender)
    for task, contender in product(rooms.names("tasks"), rooms.names("contenders"))
    if (rooms.plugin("tasks", task).kind != "label" or task == "relation")
    and not _members.unsupported(rooms.plugin("contenders", contender), rooms.plugin("tasks", task))
]


@pytest.mark.parametrize(("task_name", "name"), PAIRS)
def test_it_learns_predicts_and_is_saved(task_name, name, tiny_options, tmp_path, monkeypatch):
    monkeypatch.setattr(phases, "LEAST_STEPS", 1)
    task = rooms.load("tasks", task_name)
    inputs, targets = zip(*task.SAMPLE, strict=True)
    rows = Rows(tuple(map(str, range(len(inputs)))), inputs, targets)
    fitted_task = task.fitted(rows)
    run = Run(0, tmp_path / "work", metric=task.metrics[0].name)
    fitted = rooms.load("contenders", name, tiny_options(name)).fit(rows, rows, fitted_task, run)
    predictions = fitted.predict(inputs)
    assert len(predictions.values) == len(inputs)
    assert set(metric_values(fitted_task, fitted.judge(rows), rows)) == {metric.name for metric in task.metrics}
    assert fitted.predict([]).values == ()
    alone = fitted.predict(inputs[:1]).values
    assert alone == (
        pytest.approx(predictions.values[:1], rel=1e-5) if task.kind == "number" else predictions.values[:1]
    )
    fitted.save(tmp_path / "saved")
    again = model_folder.open_model(tmp_path / "saved")
    assert again.task == fitted.task
    assert again.predict(inputs).values == predictions.values
    assert (again.parameters, again.trained_parameters) == (fitted.parameters, fitted.trained_parameters)
