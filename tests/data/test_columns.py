"""A model reads the columns it learnt from, and never another one silently."""

import json

import pytest
from tests.data.classified import extend, read

from headstart.core.errors import UsageError
from headstart.core.records import ReadWarning
from headstart.data._columns import Trained, choose
from headstart.data.corpus import unlabelled
from headstart.data.roles import LABEL, TEXT
from headstart.tasks.classification import Classification

PROSE = ["it was a fine film", "a poor plot I think", "I would see it again", "never again, I swear"]
OTHER = ["this is some note here", "that is another note", "and one more of them", "the last note of all"]


def sample(**columns):
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def chosen(trained, columns, labelled=False, text=None, label=None):
    roles = (TEXT, LABEL) if labelled else (TEXT,)
    given = {role: (name,) for role, name in (("text", text), ("label", label)) if name is not None}
    names, warnings = choose("new.csv", tuple(columns), sample(**columns), roles, given, trained)
    return *(names.get(role, (None,))[0] for role in ("text", "label")), len(warnings)


def trained_on(text, label=None, labels=()):
    return Trained({"text": (text,), **({"label": (label,)} if label else {})}, labels)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"text": OTHER, "body": PROSE}, ("body", None, 0)),
        ({"body": ["1", "2", "3", "4"], "text": PROSE}, ("body", None, 0)),
        ({"Body": PROSE, "text": OTHER}, ("Body", None, 1)),
        ({"id": ["1", "2", "3", "4"], "what": PROSE}, ("what", None, 1)),
        ({"x": ["1", "2", "3", "4"]}, ("x", None, 1)),
        ({"label": ["a", "b", "a", "b"], "review": PROSE}, ("review", None, 1)),
    ],
)
def test_the_text_is_where_it_was_in_training(columns, expected):
    assert chosen(trained_on("body", "label"), columns) == expected


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": OTHER, "review": PROSE}, r"\(text, review\) 'text' and 'review' are plausible: use --text NAME"),
        ({"id": ["1", "2", "3", "4"], "n": ["5", "6", "7", "8"]}, r"\(id, n\) none is plausible: use --text NAME"),
    ],
)
def test_a_text_that_is_not_plain_is_asked_for(columns, message):
    with pytest.raises(
        UsageError, match=f"new.csv has no column 'body', which holds the text in the training rows.*{message}"
    ):
        chosen(trained_on("body"), columns)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"body": PROSE, "label": ["x", "y", "x", "y"], "stars": ["a", "b", "a", "b"]}, "label"),
        ({"body": PROSE, "kind": ["x", "y", "x", "y"], "stars": ["a", "b", "a", "b"]}, "stars"),
        ({"body": PROSE, "kind": ["x", "y", "x", "y"], "n": ["1", "2", "3", "4"]}, "kind"),
    ],
)
def test_the_labels_are_where_they_were_or_where_known_ones_are(columns, expected):
    choice = chosen(trained_on("body", "label", ("a", "b")), columns, labelled=True)
    assert choice == ("body", expected, expected != "label")


def test_a_table_without_labels_is_refused():
    with pytest.raises(
        UsageError, match=r"no column 'label', which holds the label in the training rows.*use --label NAME"
    ):
        chosen(trained_on("text", "label", ("a",)), {"text": PROSE}, labelled=True)
    with pytest.raises(UsageError, match=r"new.csv has no column 'lable' \(--label\)"):
        chosen(trained_on("text", "label"), {"text": PROSE, "label": ["a"] * 4}, labelled=True, label="lable")


def test_what_the_caller_says_counts_more():
    assert chosen(trained_on("body"), {"text": OTHER, "body": PROSE}, text="text") == ("text", None, 0)
    assert chosen(None, {"text": OTHER, "body": PROSE}) == ("text", None, 0)


def test_own_test_rows_are_read_from_the_columns_of_training(tmp_path):
    def file(name, **columns):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in sample(**columns)))
        return path

    labels = ["a", "b", "a", "b"]
    train = read(file("train.jsonl", text=OTHER, body=PROSE, label=labels), text="body")
    assert read(file("same.jsonl", text=OTHER, body=PROSE, label=labels), like=train).rows.inputs == tuple(PROSE)
    other = read(file("other.jsonl", review=PROSE, sentiment=labels), like=train)
    assert (other.columns, len(other.warnings)) == ({"text": ("review",), "label": ("sentiment",)}, 2)
    reported = []
    extend(
        tmp_path / "same.jsonl",
        tmp_path / "out.jsonl",
        ("label",),
        lambda texts: [(text,) for text in texts],
        task=Classification(input_columns=("text=body",)),
        report=reported.append,
    )
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["predicted"] for row in rows] == PROSE
    assert reported == []
    extend(
        tmp_path / "other.jsonl",
        tmp_path / "out.jsonl",
        ("label",),
        lambda texts: [(text,) for text in texts],
        task=Classification(input_columns=("text=body",)),
        report=reported.append,
    )
    assert reported == [
        ReadWarning("there is no column 'body', as in the training rows: column 'review' is read as the text.")
    ]
    _, finding = unlabelled(tmp_path / "other.jsonl", ["a test text"], trained_on="body")
    assert finding.severity == "warning"
    assert "other.jsonl: there is no column 'body'" in finding.sentence
    assert unlabelled(tmp_path / "same.jsonl", ["a test text"], trained_on="body")[0] == tuple(PROSE)
