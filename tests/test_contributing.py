"""The contender that CONTRIBUTING.md shows works unchanged."""

import re
import sys
from pathlib import Path

import pytest

import headstart.contenders
from headstart.contest import plan
from headstart.core import rooms
from headstart.core.records import Rows, Run
from headstart.saved import model_folder

PAGE = Path(__file__).parent.parent / "CONTRIBUTING.md"


@pytest.fixture
def closest(tmp_path, monkeypatch):
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "closest.py").write_text(code[1], encoding="utf-8")
    monkeypatch.setattr(headstart.contenders, "__path__", [*headstart.contenders.__path__, str(tmp_path)])
    yield "closest"
    sys.modules.pop("headstart.contenders.closest", None)


def test_the_example_is_found_planned_fitted_and_saved(closest, tmp_path):
    assert closest in rooms.names("contenders")
    assert rooms.promise("contenders", closest) == "The label of the most similar training text by TF-IDF."
    task = rooms.load("tasks", "classification")
    inputs, targets = zip(*task.SAMPLE, strict=True)
    rows = Rows(tuple("123456"), inputs, targets)
    trials = plan.plan(task=task, train_rows=6, contenders=[closest]).trials
    assert [(trial.contender, trial.size) for trial in trials] == [("closest", None)]
    fitted = rooms.load("contenders", closest).fit(rows, rows, task.fitted(rows), Run(0, tmp_path / "run"))
    assert fitted.predict(inputs).values == targets
    assert fitted.predict([]).values == ()
    fitted.save(tmp_path / "model")
    assert model_folder.open_model(tmp_path / "model").predict(inputs).values == targets
