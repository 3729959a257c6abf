"""Summaries: what is read, and the floors that need no training."""

import pytest

from headstart.contenders import _untrained
from headstart.core.errors import DataError
from headstart.core.records import Rows
from headstart.tasks.summary import Summary
from headstart.text import sentences

TASK = Summary()
TEXT = "Ada lives in Rome. It rains. Ada lives by the sea in Rome. The sea is cold."


def test_a_row_may_have_several_summaries():
    assert TASK.read({"document": TEXT, "summary": ["Ada in Rome.", "Rome."]}) == (TEXT, ("Ada in Rome.", "Rome."))
    assert TASK.read({"document": TEXT}) == (TEXT, None)


@pytest.mark.parametrize(
    ("cells", "message"),
    [({"document": ""}, "has no document"), ({"document": TEXT, "summary": " "}, "has no summary")],
)
def test_what_cannot_be_used_says_why(cells, message):
    with pytest.raises(DataError, match=message):
        TASK.read(cells)


def test_floors_are_the_beginning_and_the_central_sentence():
    assert [TASK.untrained(TEXT, way) for way in range(TASK.ways)] == [
        "Ada lives in Rome.",
        "Ada lives in Rome. It rains.",
        "Ada lives in Rome. It rains. Ada lives by the sea in Rome.",
        "Ada lives by the sea in Rome.",
    ]
    assert [TASK.untrained("One word", way) for way in range(TASK.ways)] == ["One word"] * 4


@pytest.mark.parametrize(("summary", "way"), [("Ada lives in Rome.", 0), ("Ada lives by the sea in Rome.", 3)])
def test_the_floor_is_the_way_that_suits_the_training_rows(summary, way):
    rows = Rows(("1", "2"), (TEXT, TEXT), ((summary,),) * 2)
    fitted = _untrained.fit(rows, TASK, "ROUGE-2")
    assert fitted.way == way
    assert fitted.predict([TEXT]).values == (summary,)


def test_only_the_chosen_floor_is_computed(monkeypatch):
    monkeypatch.setattr(sentences, "central", lambda parts: pytest.fail("it was not asked for"))
    assert _untrained.FittedText(TASK, 0).predict([TEXT]).values == ("Ada lives in Rome.",)
