"""Which method explains a model: the one that was measured on the most rows, noted in its folder."""

from dataclasses import replace

import pytest

from headstart.checkpoints import manifest
from headstart.core import sealed
from headstart.core.errors import CheckpointError
from headstart.core.results import Interval
from headstart.explain import chosen
from headstart.explain.chosen import Choice
from headstart.explain.faithfulness import Faithfulness
from headstart.prediction import open_model


def measured(method, value, rows=5):
    none = Interval(0.0, 0.0, 0.0)
    return Faithfulness(method, rows, Interval(value, value - 0.1, value + 0.1), none, none, 1.0)


@pytest.fixture(scope="module")
def trained(linear):
    return linear("classification")[0]


@pytest.fixture
def saved(trained, tmp_path):
    trained.save(tmp_path / "model")
    return trained, tmp_path / "model"


def test_a_measurement_is_noted_and_read_again(saved):
    model, folder = saved
    assert chosen.read(folder, model) == Choice("contributions", 2, 0)
    assert not chosen.is_noted(folder)
    before = manifest.verify(folder)
    chosen.store(folder, [measured("occlusion", 0.5), measured("contributions", 0.4)])
    assert chosen.read(folder, model) == Choice("occlusion", 2, 5)
    assert chosen.is_noted(folder)
    assert manifest.verify(folder) == before  # it is another model to nobody
    open_model(folder)


def test_a_measurement_on_more_rows_stays(saved):
    model, folder = saved
    chosen.store(folder, [measured("occlusion", 0.5, rows=50), measured("contributions", 0.4, rows=50)])
    chosen.store(folder, [measured("contributions", 0.9, rows=49), measured("occlusion", 0.1, rows=49)])
    assert chosen.read(folder, model) == Choice("occlusion", 2, 50)
    chosen.store(folder, [measured("contributions", 0.9, rows=50), measured("occlusion", 0.1, rows=50)])
    assert chosen.read(folder, model) == Choice("contributions", 2, 50)


@pytest.mark.parametrize(
    "note",
    [
        {},
        {"rows": 0, "comprehensiveness": {"occlusion": [0.5, 0.4, 0.6]}},
        {"rows": "5", "comprehensiveness": {"occlusion": [0.5, 0.4, 0.6]}},
        {"rows": 5, "comprehensiveness": {}},
        {"rows": 5, "comprehensiveness": {"occlusion": ["high"]}},
        {"rows": 5, "comprehensiveness": {"occlusion": []}},
        {"rows": 5, "comprehensiveness": {"no-such-method": [0.5, 0.4, 0.6]}},
    ],
)
def test_another_note_counts_as_none(saved, note):
    model, folder = saved
    sealed.write_note(folder / manifest.EXPLANATION, note)
    assert chosen.read(folder, model) == Choice("contributions", 2, 0)


def test_a_damaged_note_counts_as_none_and_one_that_cannot_be_read_is_an_error(saved):
    model, folder = saved
    chosen.store(folder, [measured("occlusion", 0.5)])
    path = folder / manifest.EXPLANATION
    path.write_text(path.read_text().replace("0.5", "0.7"))
    assert chosen.read(folder, model) == Choice("contributions", 2, 0)
    assert open_model(folder).task == model.task
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "read_note", lambda path: path.open("x"))
        with pytest.raises(CheckpointError, match="cannot be read as a model"):
            chosen.read(folder, model)


def test_a_choice_says_how_it_was_made():
    named = Choice("occlusion")
    assert named.sentence == "occlusion"
    assert replace(named, methods=1).sentence == "occlusion, the model's only method"
