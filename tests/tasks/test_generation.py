"""Conversations: how rows are read, what is rejected, and what perplexity is of."""

import json
import math

import numpy as np
import pytest

from headstart import tasks
from headstart.contenders import _members
from headstart.contest import stress
from headstart.core import rooms
from headstart.core.contracts import metric_values
from headstart.core.errors import DataError, UsageError
from headstart.core.records import Predictions, Rows
from headstart.data.read import look, read
from headstart.metrics import likelihood
from headstart.tasks.generation import Generation

TASK = Generation()
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi."},
    {"role": "assistant", "content": "Hello!"},
]


def test_the_last_turn_of_the_assistant_is_the_answer():
    later = [*TALK, {"role": "user", "content": "And you?"}, {"role": "assistant", "content": "Fine."}]
    inputs, target = TASK.read({"prompt": later, "response": later})
    assert (inputs, target) == (tuple(later[:-1]), ("Fine.",))
    waiting = later[:-1]
    assert TASK.read({"prompt": waiting, "response": waiting}) == (tuple(TALK[:-1]), ("Hello!",))


def test_without_answers_a_conversation_is_read_up_to_the_one_that_is_asked_for():
    assert TASK.read({"prompt": TALK}) == (tuple(TALK[:-1]), None)
    assert TASK.read({"prompt": TALK[:-1]}) == (tuple(TALK[:-1]), None)


def test_a_prompt_and_a_response_are_two_turns():
    assert TASK.read({"prompt": "Hi.", "response": "Hi."}) == (({"role": "user", "content": "Hi."},), ("Hi.",))
    assert TASK.read({"prompt": TALK[:2], "response": "Hello!"}) == (tuple(TALK[:2]), ("Hello!",))


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([], "has no prompt"),
        ([*TALK, "Bye."], r"has a turn \(4\) that is no object with 'role' and 'content'"),
        (
            [{"role": "bot", "content": "Hi."}],
            "has the unknown role 'bot' in turn 1; roles are system, user",
        ),
        ([{"role": "user", "content": " "}], r"has a turn \(1\) without content"),
        (TALK[:2], "has no turn of the assistant to learn"),
        (TALK[2:], "has no turn before the first one of the assistant"),
    ],
)
def test_a_row_that_cannot_be_used_is_listed_with_its_reason(turns, message, tmp_path):
    with pytest.raises(DataError, match=f"^{message}"):
        TASK.read({"prompt": turns, "response": turns})
    path = tmp_path / "talks.jsonl"
    path.write_text("".join(json.dumps({"messages": each}) + "\n" for each in (TALK, turns)))
    table = read(path, TASK)
    assert table.rows.targets == (("Hello!",),)
    assert [row.line for row in table.rejected] == [2]


def test_the_task_follows_from_the_columns(tmp_path):
    for name, row in (("a.jsonl", {"messages": TALK}), ("b.jsonl", {"prompt": "Hi.", "response": "Hello!"})):
        (tmp_path / name).write_text(2 * (json.dumps(row) + "\n"))
        assert tasks.guess(lambda path=tmp_path / name: look(path)) == "generation"


def test_predicted_conversations_need_no_answer(tmp_path):
    (tmp_path / "a.jsonl").write_text(2 * (json.dumps({"messages": TALK[:2]}) + "\n"))
    table = read(tmp_path / "a.jsonl", TASK, labelled=False)
    assert table.rows.inputs == (tuple(TALK[:2]),) * 2
    assert not table.rows.targets


def test_perplexity_is_of_sums_over_rows():
    sums = np.array([[2.0, 1, 4, 1, 1], [4.0, 2, 8, 1, 0], [3.0, 1, 2, 0, 0]])
    rows = Rows(("1", "2", "3"), ((), (), ()), (("a",), ("b",), ("c",)))
    scores = metric_values(TASK, Predictions(("", "", ""), likelihoods=sums), rows)
    assert scores == {
        "perplexity per character": pytest.approx(math.exp(9 / 14)),
        "perplexity per token": pytest.approx(math.exp(9 / 4)),
        "right of ten": 0.5,
    }
    assert [metric.higher for metric in likelihood.METRICS] == [False, False, True]


def test_answers_without_likelihoods_are_not_scored():
    rows = Rows(("1",), ((),), (("a",),))
    with pytest.raises(DataError, match="0 likelihoods for 1 rows of targets"):
        metric_values(TASK, Predictions(("a",)), rows)


def test_contenders_without_likelihoods_and_stress_are_refused():
    reason = "it does not say how likely a text is, by which this task is judged"
    assert _members.unsupported(rooms.plugin("contenders", "nearest"), Generation) == reason
    with pytest.raises(UsageError, match="is not measured where models are judged by likelihood"):
        stress.prepare(Rows((), (), ()), TASK)


def test_words_are_removed_from_the_turn_that_they_are_in():
    left = TASK.without(tuple(TALK), [(), ((0, 2),), ()])
    assert [turn["content"] for turn in left][::2] == ["Be brief.", "Hello!"]
    assert "Hi" not in left[1]["content"]
