"""Strategies that change the model, and int8, with a task of each kind that is not one label: on the task's sample."""

import numpy as np
import pytest

from headstart.activations import forward
from headstart.core import rooms
from headstart.core.records import Rows, Run
from headstart.saved import model_folder


@pytest.mark.parametrize("task_name", ["ner", "qa", "multilabel", "regression"])
@pytest.mark.parametrize("strategy", ["lora", "adapter", "bitfit", "gradual"])
def test_it_learns_and_answers_the_same_from_its_folder_and_nearly_in_int8(task_name, strategy, backbone, tmp_path):
    task = rooms.load("tasks", task_name)
    inputs, targets = zip(*task.SAMPLE, strict=True)
    rows = Rows(tuple(map(str, range(len(inputs)))), inputs, targets)
    options = {"backbone": backbone, "strategy": strategy, "epochs": 1}
    run = Run(0, tmp_path / "work", metric=task.metrics[0].name)
    fitted = rooms.load("contenders", "finetuned", options).fit(rows, rows, task.fitted(rows), run)
    assert 0 < fitted.trained_parameters <= fitted.parameters
    fitted.save(tmp_path / "saved")
    again = model_folder.open_model(tmp_path / "saved")
    encoded = fitted.task.encode(inputs, fitted.checkpoint.tokenizer)
    logits, reread, small = (
        forward.outputs(model, encoded, "cpu").values for model in (fitted.model, again.model, fitted.with_int8().int8)
    )
    np.testing.assert_allclose(reread, logits, atol=1e-5)
    assert again.task == fitted.task
    assert 0 < np.abs(small - logits).max() < 0.1 * np.abs(logits).max()
