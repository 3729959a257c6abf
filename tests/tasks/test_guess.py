"""Which task rows are for, where a person does not say it."""

import pytest

from headstart import tasks
from headstart.core import rooms
from headstart.core.errors import UsageError

COLUMNS = {
    "classification": ("text", "label"),
    "pairs": ("first", "second", "label"),
    "translation": ("text", "translation"),
}


class Task:
    def __init__(self, name):
        self.columns = COLUMNS[name]


@pytest.fixture
def several(monkeypatch):
    monkeypatch.setattr(rooms, "names", lambda room: [*COLUMNS])
    monkeypatch.setattr(tasks, "load", Task)


def test_the_only_task_is_taken_without_a_look_at_the_columns():
    def columns():
        raise AssertionError("the file would be opened twice")

    assert tasks.guess(columns) == "classification"


def test_the_one_task_whose_columns_are_there_is_taken(several):
    assert tasks.guess(lambda: ["id", "label", "text"]) == "classification"
    assert tasks.guess(lambda: ["first", "label", "second"]) == "pairs"


def test_columns_of_two_tasks_are_no_guess(several):
    with pytest.raises(UsageError, match="label, translation could be for the tasks classification, translation: "):
        tasks.guess(lambda: ["text", "label", "translation"])


def test_columns_of_no_task_name_all_that_there_are(several):
    with pytest.raises(UsageError, match="columns a could be for the tasks classification, pairs, translation: choose"):
        tasks.guess(lambda: ["a"])
