"""Rows of every task after a transformation: what is changed, what moves with it, and what is left alone."""

from dataclasses import dataclass, replace

import pytest

from headstart import stress, tasks
from headstart.core import rooms
from headstart.core.records import Rows
from headstart.stress import Edit, Transformation, _copies, typos
from headstart.stress._copies import copies, sample, transformed
from headstart.stress._language import is_english

TASKS = rooms.names("tasks")


def rows_of(task) -> Rows:
    inputs, targets = zip(*task.SAMPLE, strict=True)
    return Rows(tuple(f"r:{place}" for place in range(len(inputs))), inputs, targets)


@pytest.fixture
def uppercase():
    return stress.load("case")[1]


@pytest.mark.parametrize("name", TASKS)
def test_rows_of_every_task_are_transformed_and_the_task_still_reads_them(name):
    task = tasks.load(name)
    rows = rows_of(task)
    made, left_out = copies(task, rows, stress.load_all(), 0)
    assert {each.transformation.name for each in made} | set(left_out) == {each.name for each in stress.load_all()}
    assert any(each.changed for each in made)
    for each in made:
        assert each.original == rows
        assert each.rows.ids == rows.ids
        differ = tuple(place for place in range(len(rows)) if each.rows.inputs[place] != rows.inputs[place])
        assert each.changed == differ
        for value in each.rows.inputs:
            assert all(text.strip() for text in task.texts(value))


@pytest.mark.parametrize("name", ["ner", "event"])
def test_facts_move_with_their_text(name):
    task = tasks.load(name)
    rows = rows_of(task)
    made, _ = copies(task, rows, stress.load_all(["case", "spaces", "punctuation"]), 3)
    for each in made:
        assert any(each.rows.targets[place] for place in each.changed)
        for place in each.changed:
            text, new = task.texts(rows.inputs[place])[0], task.texts(each.rows.inputs[place])[0]
            for old, fact in zip(rows.targets[place], each.rows.targets[place], strict=True):
                assert len(fact) == len(old)
                assert fact[-1] == old[-1]
                for start in range(0, len(fact) - 1, 2):
                    one, other = text[slice(*old[start : start + 2])], new[slice(*fact[start : start + 2])]
                    assert other.casefold().split() == one.casefold().split()


def test_words_of_a_list_stay_as_many():
    task = tasks.load("ner")
    words = ("Lovelace", "met", "Babbage", ".")
    rows = Rows(("1",), (words,), (((0, 8, "person"), (13, 20, "person")),))
    made = transformed(task, rows, typos.Typos(1.0), 0)
    (new,), (facts,) = made.rows.inputs, made.rows.targets
    assert len(new) == 4
    assert new[1::2] == ("met", ".")
    assert new[0] != "Lovelace"
    text = task.texts(new)[0]
    assert [text[start:end] for start, end, _ in facts] == [new[0], new[2]]


def test_of_a_question_with_a_context_only_the_question_is_changed(uppercase):
    task = tasks.load("qa")
    made = transformed(task, rows_of(task), uppercase, 0)
    assert made.rows.targets == made.original.targets
    for old, new in zip(made.original.inputs, made.rows.inputs, strict=True):
        assert new == {"question": old["question"].upper(), "context": old["context"]}


@dataclass(frozen=True)
class FirstHalf(Transformation):
    """Cut the text in the middle."""

    def edits(self, text, random):
        return [Edit(len(text) // 2, len(text), "")]


def test_tags_around_the_two_entities_of_a_relation_stay(uppercase):
    task = tasks.load("relation")
    made = transformed(task, rows_of(task), uppercase, 0)
    assert made.rows.inputs[0] == "THE <e1>FIRE</e1> MADE <e2>SMOKE</e2>."
    dots = replace(rows_of(task).take([0]), inputs=("A <e1>.</e1> b <e2>c.</e2>",))
    assert transformed(task, dots, stress.load("punctuation")[0], 0).changed == ()


def test_a_row_that_would_lose_a_fact_or_a_mark_stays_as_it_is():
    relation, ner = tasks.load("relation"), tasks.load("ner")
    assert transformed(relation, rows_of(relation), FirstHalf(), 0).changed == ()
    rows = Rows(("1", "2"), ("Ann met Bob.", "Ann met him."), (((0, 3, "PER"), (8, 11, "PER")), ((0, 3, "PER"),)))
    made = transformed(ner, rows, FirstHalf(), 0)
    assert made.changed == (1,)
    assert (made.rows.inputs[1], made.rows.targets[1]) == ("Ann me", ((0, 3, "PER"),))


def test_columns_beside_the_text_stay(uppercase):
    from headstart.core.tabular import Tabular

    task = replace(tasks.load("classification"), tabular=Tabular.of(["country"]))
    rows = Rows(("1",), ({"text": "good", "columns": {"country": "de"}},), ("a",))
    assert transformed(task, rows, uppercase, 0).rows.inputs == ({"text": "GOOD", "columns": {"country": "de"}},)


def test_what_becomes_of_a_row_depends_on_its_texts_and_the_seed_alone():
    task = tasks.load("classification")
    rows = rows_of(task)
    half = typos.Typos(0.5)
    forward = transformed(task, rows, half, 0).rows.inputs
    order = [5, 3, 0, 1]
    renamed = replace(rows.take(order), ids=tuple("abcd"))
    assert transformed(task, renamed, half, 0).rows.inputs == tuple(forward[place] for place in order)
    assert transformed(task, rows, half, 1).rows.inputs != forward


def test_transformations_that_do_not_suit_are_left_out_with_the_reason():
    @dataclass(frozen=True)
    class English(Transformation):
        """For one English text with a label."""

        kinds = frozenset({"label"})
        language = "English"
        one_text = True

        name = "english"

        def edits(self, text, random):
            return []

    def left_out(name, texts=None):
        task = tasks.load(name)
        rows = rows_of(task)
        if texts:
            rows = replace(rows, inputs=(texts,) * len(rows))
        return copies(task, rows, [English()], 0)[1].get("english", "")

    assert left_out("classification") == ""
    assert left_out("classification", "这本书不好看") == "it is for English texts, and these are not"
    assert left_out("pairs") == "it does not suit inputs of several texts"
    assert left_out("regression") == "it does not suit answers of the kind 'number'"
    worded = _copies.sentence({"a": "no", "b": "why", "c": "no"})
    assert worded == "Left out: a, c (no); b (why)."


def test_english_is_told_from_other_languages():
    assert is_english(["the cast is good and it was fun for all of us"])
    assert not is_english(["die Schauspieler waren gut und es war für alle lustig"])
    assert not is_english(["l'acteur est bon et le film aussi", "los actores son buenos"])
    assert not is_english(["好看"])
    assert not is_english([])


def test_a_sample_is_chosen_by_the_seed():
    rows = Rows(tuple(map(str, range(50))), ("a",) * 50)
    assert sample(rows, 50, 0) == list(range(50))
    chosen = sample(rows, 20, 0)
    assert len(set(chosen)) == 20
    assert chosen == sorted(chosen) == sample(rows, 20, 0) != sample(rows, 20, 1)
