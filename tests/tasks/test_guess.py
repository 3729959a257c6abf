"""Which task rows are for, where a person does not say it."""

import pytest

from headstart import reading, tasks
from headstart.core import rooms
from headstart.core.contracts import Column
from headstart.core.errors import UsageError
from headstart.data import read as data
from headstart.data.read import Look
from headstart.data.roles import LABEL, TEXT


def column(role, *names, **fields):
    return Column(role, frozenset(names), **fields)


TASKS = {
    "classification": ("label", (TEXT, LABEL)),
    "pairs": ("label", (column("first", form="text"), column("second", form="text"), LABEL)),
    "regression": ("number", (TEXT, column("value", "score", "label", target=True))),
    "translation": ("text", (TEXT, column("translation", target=True))),
    "qa": ("text", (column("question"), column("context"), column("answers", "answer", target=True))),
}


class Task:
    def __init__(self, name):
        self.kind, self.columns = TASKS[name]


@pytest.fixture
def several(monkeypatch):
    monkeypatch.setattr(rooms, "names", lambda room: [*TASKS])
    monkeypatch.setattr(tasks, "load", Task)


def test_the_only_task_is_taken_without_a_look_at_the_columns(monkeypatch):
    def look():
        raise AssertionError("the file would be opened twice")

    monkeypatch.setattr(rooms, "names", lambda room: ["classification"])
    assert tasks.guess(look) == "classification"


def guess(*columns, sample=(), named=True, **given):
    return tasks.guess(lambda: Look(columns, sample, named), given)


def test_the_one_task_whose_columns_are_there_is_taken(several):
    assert guess("id", "Review Text", "stars") == "classification"
    assert guess("first", "label", "second") == "pairs"


def test_the_task_that_reads_more_of_the_columns_is_taken(several):
    assert guess("question", "answer") == "classification"
    assert guess("question", "answer", "context") == "qa"


def test_a_text_and_a_number_are_a_text_and_a_label(several):
    assert guess("text", "score") == "classification"
    assert guess("text", "value") == "regression"


def test_columns_with_other_names_are_judged_by_their_values(several):
    rows = [{"v1": "ham", "v2": "See you at the station"}, {"v1": "spam", "v2": "You have won a holiday"}] * 2
    assert guess("v1", "v2", sample=rows) == "classification"


def test_sequences_are_told_apart_by_their_number(several):
    assert guess("1", "2", named=False) == "classification"
    assert guess("1", "2", "3", named=False) == "pairs"


def test_named_columns_are_those_of_the_task(several):
    assert guess("a", "b", "c", text="a", label="c") == "classification"
    assert guess("a", "b", "c", text="a", value="c") == "regression"
    assert guess("a", "text", "c", value="c") == "regression"
    assert guess("a", "b", "c", text="a", label="no such column") == "classification"  # which says what is missing
    assert guess("first", "second", "c", label="c") == "pairs"


def test_columns_that_no_task_has_are_refused_by_the_task_that_has_most_of_them(several):
    with pytest.raises(UsageError, match=r"the task reads no 'tone' \(--column tone\); its columns are text and value"):
        guess("a", "b", text="a", value="b", tone="c")
    with pytest.raises(UsageError, match="both read from column 'a'; name two columns"):
        guess("a", "b", text="a", label="a")


def test_columns_of_two_tasks_are_no_guess(several):
    with pytest.raises(UsageError, match="label, translation could be for the tasks classification, translation: "):
        guess("text", "label", "translation")


def test_columns_of_no_task_name_all_that_there_are(several):
    with pytest.raises(UsageError, match=r"columns a could be for the tasks classification, pairs, .*, qa: choose"):
        guess("a")


def test_a_file_is_looked_at_once_until_it_changes(tmp_path, monkeypatch):
    looks = []
    real = data.look
    monkeypatch.setattr(data, "look", lambda *given: looks.append(given) or real(*given))
    path = tmp_path / "rows.csv"
    path.write_text("text,label\ngood day,a\nbad night,b\n")
    assert [reading.guess(path, None), reading.guess(str(path), None)] == ["classification"] * 2
    assert len(looks) == 1
    path.write_text("question,context,answers\nWho?,Ada did.,Ada\n")
    assert reading.guess(path, None) == "qa"
    assert len(looks) == 2
