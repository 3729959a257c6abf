"""A task of its own needs one class: it says what its columns are, and is read, split, checked and predicted by it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas
import pyarrow
import pytest
from pyarrow import parquet

from headstart.contenders.majority import FittedMajority
from headstart.core.contracts import Column, Value
from headstart.core.errors import DataError, UsageError
from headstart.core.records import Rows
from headstart.data import write
from headstart.data.audit import audit
from headstart.data.cells import label_cell, list_cell, number_cell, text_cell, words_cell
from headstart.data.read import read
from headstart.data.roles import LABEL, TEXT, input_columns
from headstart.data.split import read_and_split, split
from headstart.tasks.classification import Classification


@dataclass(frozen=True)
class Pairs(Classification):
    """Two texts and how they relate."""

    columns: ClassVar[tuple[Column, ...]] = (
        Column("premise", frozenset({"sentence1", "evidence"}), form="text"),
        Column("hypothesis", frozenset({"sentence2", "claim"}), form="text"),
        LABEL,
    )

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        pair = [text_cell(cells["premise"], "premise"), text_cell(cells["hypothesis"], "hypothesis")]
        return pair, label_cell(cells["label"]) if "label" in cells else None

    def texts(self, value: Value) -> tuple[str, ...]:
        return tuple(value)


@dataclass(frozen=True)
class Spans(Classification):
    """Words, and the tag of each."""

    kind = "facts"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("tokens", frozenset({"words"})),
        Column("tags", frozenset({"nertags"}), target=True),
    )

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        words = words_cell(cells["tokens"], "tokens")
        if "tags" not in cells:
            return {"words": words}, None
        tags = list_cell(cells["tags"], "tags")
        if len(tags) != len(words):
            raise DataError(f"has {len(tags)} tags for {len(words)} tokens")
        return {"words": words}, [[place, tag] for place, tag in enumerate(tags) if tag != "O"]

    def texts(self, value: Value) -> tuple[str, ...]:
        return (" ".join(value["words"]),)

    def stratum(self, target: Value) -> str:
        return ""


@dataclass(frozen=True)
class Scored(Classification):
    """A number for each text."""

    kind = "number"
    columns: ClassVar[tuple[Column, ...]] = (TEXT, Column("score", target=True), Column("lang", required=False))

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        text = text_cell(cells["text"]) + str(cells.get("lang", ""))
        return text, number_cell(cells["score"], "score") if "score" in cells else None

    def stratum(self, target: Value) -> str:
        return ""


@dataclass(frozen=True)
class Flags(Classification):
    """Several labels for each text, in one column or in a column for each."""

    kind = "labels"
    columns: ClassVar[tuple[Column, ...]] = (TEXT, Column("labels", target=True, several=True))

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        if "labels" not in cells:
            return text_cell(cells["text"]), None
        found = cells["labels"]
        if isinstance(found, Mapping):
            found = [name for name, cell in found.items() if number_cell(cell) > 0]
        return text_cell(cells["text"]), sorted(list_cell(found, separator=";"))

    def stratum(self, target: Value) -> str:
        return ""


LETTERS = "abcdefghijklmnopqrstuvwxyz"
CLAIMS = [f"claim {letter * 3} about {number * 7919}" for number, letter in enumerate(LETTERS)]
EVIDENCE = [f"evidence {letter * 4} was {number * 104729} reported" for number, letter in enumerate(LETTERS)]
VERDICTS = ["yes" if number % 3 else "no" for number in range(26)]


def lines(path, rows: Sequence[Mapping[str, Value]]):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def pairs_file(path):
    named = zip(EVIDENCE, CLAIMS, VERDICTS, strict=True)
    return lines(path, [{"id": 3, "evidence": e, "claim": c, "label": v} for e, c, v in named])


# --- two texts -------------------------------------------------------------------------------------------------------


def test_pairs_are_read_split_checked_and_predicted(tmp_path):
    task = Pairs()
    table, splits = read_and_split(pairs_file(tmp_path / "pairs.jsonl"), task)
    assert table.columns == {"premise": ("evidence",), "hypothesis": ("claim",), "label": ("label",)}
    assert table.rows.inputs[0] == [EVIDENCE[0], CLAIMS[0]]
    assert sum(map(len, (splits.train, splits.validation, splits.test))) == 26
    kinds = [finding.kind for finding in audit(splits, task).findings]
    assert kinds.count("side-leakage") == 2
    assert "imbalance" in kinds
    task = replace(task.fitted(splits.train), input_columns=input_columns(task, table.columns))
    assert task.input_columns == ("premise=evidence", "hypothesis=claim")
    majority = FittedMajority(task, (0.25, 0.75))

    def answer(inputs):
        assert all(len(pair) == 2 for pair in inputs)
        return [(value, 0.75) for value in majority.predict(inputs).values]

    reported = []
    source = lines(
        tmp_path / "new.jsonl",
        [{"claim": "a claim", "evidence": "a fact", "hypothesis": "no, this"}, {"claim": "another", "evidence": " "}],
    )
    out = tmp_path / "out.jsonl"
    assert write.extend(source, out, ("label", "p"), answer, task=task, report=reported.append) == 2
    assert [json.loads(line)["label"] for line in out.read_text().splitlines()] == ["yes", None]
    assert [(item.line, item.reason) for item in reported] == [(2, "has no premise: it gets no label")]


def test_a_text_that_occurs_on_both_sides_of_the_split_is_found_by_itself():
    train = Rows(
        ("1", "2"),
        (["The bridge opened in 1932", "Trains cross it"], ["Rain fell all day", "Nobody went out"]),
        ("yes", "no"),
    )
    test = Rows(
        ("3", "4"),
        (
            ["the bridge  opened in 1932", "Its colour is green and it was painted twice by hand"],
            ["Coffee grows on hills", "Tea does too"],
        ),
        ("yes", "no"),
    )
    splits = split(train, Pairs(), validation=train, test=test)
    assert splits.leaked == frozenset()
    premise, hypothesis = (f for f in audit(splits, Pairs()).findings if f.kind == "side-leakage")
    assert (premise.severity, premise.count, premise.share) == ("warning", 1, 0.5)
    assert premise.sentence.startswith("1 of 2 rows (50.0%) of the test set have a premise that also occurs in train")
    assert (hypothesis.severity, hypothesis.count) == ("fine", 0)


def test_texts_of_another_number_in_each_row_have_no_sides():
    inputs = ([*"ab"], [*"cde"], [*"fg"], [*"hijk"])
    rows = Rows(tuple("1234"), inputs, ("yes", "no", "yes", "no"))
    splits = split(rows, Pairs(), validation=rows, test=rows)
    assert "side-leakage" not in {finding.kind for finding in audit(splits, Pairs()).findings}


def test_pairs_in_memory():
    sequences = (["a b", "c d", "e"], ["e f", "g h", " "], ["yes", "no", "no"])
    table = read(sequences, Pairs())
    assert (table.rows.inputs, table.rows.targets) == ((["a b", "e f"], ["c d", "g h"]), ("yes", "no"))
    assert [(row.line, row.reason) for row in table.rejected] == [(3, "has no hypothesis")]
    frame = pandas.DataFrame(dict(zip("xyz", sequences, strict=True)))
    named = read(frame, Pairs(), {"premise": "x", "hypothesis": "y", "label": "z"})
    assert named.rows.inputs == table.rows.inputs
    assert read(sequences[:2], Pairs(), labelled=False).rows.inputs == table.rows.inputs
    assert read(sequences[:2], Pairs(), labelled=False).rows.targets == ()
    with pytest.raises(UsageError, match="3 premises but 2 hypothesis: give one hypothesis for each premise"):
        read((["a", "b", "c"], ["d", "e"], ["f", "g", "h"]), Pairs())
    with pytest.raises(
        UsageError, match=r"a list of 3 sequences may be 3 rows.*tuple \(premises, hypothesis, labels\)"
    ):
        read([["a", "b", "c"], ["d", "e", "f"], ["f", "g", "h"]], Pairs())


def test_columns_of_a_task_that_are_not_there_are_asked_for(tmp_path):
    path = lines(
        tmp_path / "a.jsonl", [{"x": c, "y": e, "label": v} for c, e, v in zip(CLAIMS, EVIDENCE, VERDICTS, strict=True)]
    )
    with pytest.raises(
        UsageError, match=r"which column holds the premise\? .*: use --column premise=NAME and --column h"
    ):
        read(path, Pairs())
    with pytest.raises(UsageError, match=r"a.jsonl has no column 'z' \(--column premise\); known: label, x, y"):
        read(path, Pairs(), {"premise": "z"})
    # Of two columns for two texts, the one that is left is the other.
    assert read(path, Pairs(), {"premise": "y"}).columns["hypothesis"] == ("x",)
    with pytest.raises(DataError, match="has only 2 columns, where a premise, a hypothesis and a label are needed"):
        read(lines(tmp_path / "b.jsonl", [{"x": "a b", "label": "c"}]), Pairs())


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": "x"}, r"the task reads no 'text' \(--text\); its columns are premise, hypothesis and label"),
        ({"question": "x"}, r"the task reads no 'question' \(--column question\); its columns are premise"),
        ({"premise": ["x", "y"]}, r"2 columns are named for the premise \(--column premise\): name one"),
        ({"premise": []}, r"0 columns are named for the premise \(--column premise\): name one"),
        ({"premise": "x", "label": "x"}, "the premise and the label are both read from column 'x'; name two columns"),
    ],
)
def test_roles_that_cannot_be_read_are_refused(columns, message):
    with pytest.raises(UsageError, match=message):
        read(pandas.DataFrame({"x": ["a"]}), Pairs(), columns)


def test_a_model_reads_the_column_it_learnt_from_or_the_one_that_replaces_it(tmp_path):
    trained = read(pairs_file(tmp_path / "pairs.jsonl"), Pairs())
    new = [{"sentence1": e, "claim": c, "verdict": v} for e, c, v in zip(EVIDENCE, CLAIMS, VERDICTS, strict=True)]
    table = read(lines(tmp_path / "new.jsonl", new), Pairs(), like=trained)
    assert table.columns == {"premise": ("sentence1",), "hypothesis": ("claim",), "label": ("verdict",)}
    assert len(table.warnings) == 2
    flags = read((["a b", "c d"], ["x", "y;z"]), Flags())
    with pytest.raises(
        UsageError, match=r"has no column 'labels', which holds the labels .* none is plausible: use --co"
    ):
        read(lines(tmp_path / "c.jsonl", [{"text": "a b", "x": "c", "y": "d"}]), Flags(), like=flags)


# --- a set of facts --------------------------------------------------------------------------------------------------

SENTENCES = [
    {"tokens": [f"word{number * 7919}", "meets", name], "ner_tags": ["O", "O", "PER"]}
    for number, name in enumerate(LETTERS)
]


def test_facts_are_read_split_checked_and_predicted(tmp_path):
    task = Spans()
    bad = [{"tokens": ["a"], "ner_tags": []}, {"tokens": [], "ner_tags": []}, {"tokens": [1], "ner_tags": ["O"]}]
    table, splits = read_and_split(lines(tmp_path / "a.jsonl", [*SENTENCES, *bad]), task)
    assert table.rows.inputs[1] == {"words": ["word7919", "meets", "b"]}
    assert table.rows.targets[1] == [[2, "PER"]]
    assert table.warnings == ()
    assert [row.reason for row in table.rejected] == [
        "has 0 tags for 1 tokens",
        "has no tokens",
        "has a list of other things than words where tokens are expected",
    ]
    checked = audit(splits, task)
    assert checked.labels == {"train": {}, "validation": {}, "test": {}}
    assert [finding.kind for finding in checked.findings] == ["duplicates", "near-duplicates", "leakage"]
    out = tmp_path / "out.jsonl"

    def answer(inputs):
        return [([[0, words["words"][0]]],) for words in inputs]

    assert write.extend(tmp_path / "a.jsonl", out, ("prediction",), answer, task=task, report=lambda _: None) == 29
    assert json.loads(out.read_text().splitlines()[0])["prediction"] == [[0, "word0"]]


@pytest.mark.parametrize(("answers", "texts"), [([[0, "PER"], {"a": None}], 1), (2.5, 0)])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_predictions_that_are_no_text_are_written_in_every_format(tmp_path, answers, texts, name):
    source = lines(tmp_path / "in.jsonl", SENTENCES[:2])
    out = tmp_path / name
    write.extend(
        source,
        out,
        ("prediction",),
        lambda inputs: [(answers,)] * len(inputs),
        task=Spans(),
        texts=texts,
        report=pytest.fail,
    )
    if name == "a.csv":
        written = pandas.read_csv(out)["prediction"][1]
    elif name == "a.jsonl":
        written = json.loads(out.read_text().splitlines()[1])["prediction"]
    else:
        written = parquet.read_table(out)["prediction"].to_pylist()[1]
    assert (json.loads(written) if isinstance(written, str) else written) == answers


def test_the_hash_of_a_split_does_not_depend_on_the_order_of_keys():
    def hashed(*keys):
        rows = Rows(tuple("abcd"), tuple({key: [key, number] for key in keys} for number in range(4)), ((),) * 4)
        return split(rows, replace_texts, validation=rows, test=rows).sha256

    class Unordered(Spans):
        def texts(self, value: Value) -> tuple[str, ...]:
            return (str(sorted(value.items())),)

    replace_texts = Unordered()
    assert hashed("x", "y") == hashed("y", "x")
    assert hashed("x", "y") != hashed("x", "z")


def test_numbers_of_classes_in_a_list_become_their_names(tmp_path):
    features = {"ner_tags": {"feature": {"names": ["O", "PER"], "_type": "ClassLabel"}, "_type": "List"}}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table = pyarrow.table({"tokens": [["a", "b"]], "ner_tags": [[0, 1]]}).replace_schema_metadata(metadata)
    parquet.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", Spans()).rows.targets == ([[1, "PER"]],)


# --- a number, or several labels -------------------------------------------------------------------------------------


def test_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,score,lang\na b,1,en\nc d,-2.5,\ne f,,en\ng h,inf,en\ni j,much,en\n", encoding="utf-8")
    table = read(path, Scored())
    assert (table.rows.inputs, table.rows.targets) == (("a ben", "c d"), (1.0, -2.5))
    assert [row.reason for row in table.rejected] == [
        "has no score",
        "has 'inf' where a number is expected",
        "has 'much' where a number is expected",
    ]
    assert read((["a b", "c d"], [1, 2]), Scored()).columns == {"text": ("text",), "score": ("score",)}


def test_a_number_that_is_not_finite_is_refused_whatever_the_task_does():
    class Careless(Scored):
        def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
            return cells["text"], cells["score"]

    table = read((["a", "b", "c"], [1.0, float("inf"), "x"]), Careless())
    assert table.rows.targets == (1.0,)
    assert [row.reason for row in table.rejected] == [
        "has 'inf' where a finite number is expected",
        "has 'x' where a finite number is expected",
    ]


def test_several_labels_in_one_column_or_in_a_column_for_each(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,labels,rude,mad\na b,x; y,1,0\nc d,"[""z""]",0,0\ne f,,0,1\n', encoding="utf-8")
    assert read(path, Flags()).rows.targets == (["x", "y"], ["z"], [])
    table = read(path, Flags(), {"labels": "rude, mad"})
    assert table.rows.targets == (["rude"], [], ["mad"])
    assert table.columns["labels"] == ("rude", "mad")


# --- cells -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "value", "reason"),
    [
        (text_cell, None, "has no text"),
        (text_cell, "  ", "has no text"),
        (text_cell, {"a": 1}, "has an object with the keys 'a' where a text is expected"),
        (label_cell, " ", "has no label"),
        (label_cell, {}, "has an object where a label is expected"),
        (number_cell, True, "has 'True' where a number is expected"),
        (number_cell, float("nan"), "has no number"),
        (number_cell, "1e999", "has '1e999' where a number is expected"),
        (number_cell, 10**400, "where a number is expected"),
        (number_cell, [1], r"has '\[1\]' where a number is expected"),
        (list_cell, None, "has no list"),
        (list_cell, " ", "has no list"),
        (list_cell, "a;b", r"has 'a;b' where a list \(list\) is expected"),
        (list_cell, "[1, ", r"has '\[1, ' where a list"),
        (list_cell, "['a' 'b']", r"has '\['a' 'b'\]' where a list"),
        (list_cell, "[{1}]", r"has '\[\{1\}\]' where a list"),
        (list_cell, "[1" + ", 1" * 500_000 + ",]", r"has '\[1, 1, .*' where a list"),
        (list_cell, "[" * 100_000, r"where a list"),
        (list_cell, '["\\ud800"]', "holds half of a surrogate pair"),
        (list_cell, {"a": 1}, r"has an object where a list"),
        (list_cell, b"a", r"has a bytes where a list"),
        (words_cell, [], "has no words"),
        (words_cell, ["a", 1], "has a list of other things than words where words are expected"),
    ],
)
def test_cells_that_hold_something_else(cell, value, reason):
    with pytest.raises(DataError, match=reason):
        cell(value)


def test_cells_of_other_types():
    assert number_cell(np.float32(0.5)) == 0.5
    assert list_cell(("a", 1)) == ["a", 1]
    assert list_cell('[[1, 2], {"a": null}]') == [[1, 2], {"a": None}]
    assert list_cell("", separator=";") == []
    assert list_cell(" ['a',\n ('b', None)]") == ["a", ["b", None]]
