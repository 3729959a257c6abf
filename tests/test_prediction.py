"""What `predict_file` adds to the rows of a file, by the kind of the answers."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from headstart import prediction, tasks
from headstart.core.contracts import Fitted, Task
from headstart.core.errors import UsageError
from headstart.core.records import Predictions, Rows

TEXT = "Anna Li lives in 北京 ."
ENTITIES = ((0, 7, "PER"), (17, 19, "LOC"))
QUESTION = {"question": "Who?", "context": TEXT}


@dataclass
class Answering(Fitted):
    """Has one answer for each of two rows."""

    task: Task
    answer: Predictions

    def predict(self, inputs):
        return self.answer


@pytest.fixture
def added(monkeypatch, tmp_path):
    """Return what is written beside the first of two equal rows."""

    def written(name, row, predictions, classes=(), abstain=None):
        rows = Rows(tuple(map(str, classes)), tuple(classes), tuple(classes))
        task = tasks.load(name).fitted(rows) if classes else tasks.load(name)
        monkeypatch.setattr(prediction, "open_model", lambda folder: Answering(task, predictions))
        source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        source.write_text(2 * (json.dumps(row) + "\n"), encoding="utf-8")
        prediction.predict_file("model", source, out, abstain=abstain, report=lambda message: None)
        line, _ = out.read_text(encoding="utf-8").splitlines()
        return {key: value for key, value in json.loads(line).items() if key not in row}

    return written


def test_entities_have_their_words_and_are_read_again(added):
    predictions = Predictions((ENTITIES,) * 2, confidence=np.array([0.123456789] * 2))
    for text in (TEXT, ["Anna", "Li", "lives", "in", "北", "京", "."]):
        cells = added("ner", {"text": text}, predictions)
        assert cells == {
            "prediction": [
                {"start": 0, "end": 7, "label": "PER", "text": "Anna Li"},
                {"start": 17, "end": 19, "label": "LOC", "text": "北京"},
            ],
            "confidence": 0.123457,
        }
    assert tasks.load("ner").read({"text": TEXT, "entities": cells["prediction"]}) == (TEXT, ENTITIES)


def test_an_argument_names_the_trigger_of_its_event(added):
    facts = ((0, 7, 8, 13, "living:who"),)
    cells = added("event", {"text": TEXT}, Predictions((facts, facts)))
    of = {"start": 8, "end": 13, "text": "lives"}
    assert cells["prediction"] == [{"start": 0, "end": 7, "text": "Anna Li", "label": "living:who", "of": of}]


@pytest.mark.parametrize(("confidence", "cell"), [(np.array([0.5, 0.5]), 0.5), (None, None)])
def test_an_answer_has_a_confidence_if_the_model_gives_one(added, confidence, cell):
    predictions = Predictions(("Anna Li",) * 2, confidence=confidence)
    assert added("qa", QUESTION, predictions) == {"prediction": "Anna Li", "confidence": cell}


def test_numbers_stand_alone_and_labels_have_probabilities(added):
    assert added("regression", {"text": TEXT}, Predictions((2.5,) * 2)) == {"prediction": 2.5}
    predictions = Predictions(("a", "a"), ("a", "b"), np.array([[0.75, 0.25]] * 2, dtype=np.float32))
    assert added("classification", {"text": TEXT}, predictions, ("a", "b")) == {
        "label": "a",
        "p(a)": 0.75,
        "p(b)": 0.25,
    }


@pytest.fixture
def sure_by_half():
    """Predictions of two rows, of which the first is below a confidence of 0.8."""
    return Predictions(("a", "a"), ("a", "b"), np.array([[0.75, 0.25], [0.9, 0.1]], dtype=np.float32))


def test_an_uncertain_row_has_no_label_but_its_confidence(added, sure_by_half, capsys):
    cells = added("classification", {"text": TEXT}, sure_by_half, ("a", "b"), abstain="confidence=0.8")
    assert cells == {"label": None, "confidence": 0.75, "p(a)": 0.75, "p(b)": 0.25}
    assert "1 of 2 rows get no label: their confidence is below 0.8 (confidence=0.8)." in capsys.readouterr().err


def test_facts_are_left_out_too(added, capsys):
    predictions = Predictions((ENTITIES, ()), confidence=np.array([0.5, 0.9]))
    assert added("ner", {"text": TEXT}, predictions, abstain="confidence=0.8") == {
        "prediction": None,
        "confidence": 0.5,
    }
    assert "1 of 2 rows get no prediction" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "predictions"),
    [("regression", Predictions((2.5,) * 2)), ("ner", Predictions((ENTITIES,) * 2)), ("qa", Predictions(("",) * 2))],
)
def test_answers_without_a_confidence_cannot_be_left_out(added, name, predictions):
    with pytest.raises(UsageError, match="abstaining needs the confidence of each answer as a whole"):
        added(name, QUESTION if name == "qa" else {"text": TEXT}, predictions, abstain="confidence=0.8")
