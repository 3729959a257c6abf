"""Columns beside the text are read with the rows, and doubts about them are said before anything is trained."""

import numpy as np
import pandas
import pytest

from headstart import reading, tasks
from headstart.core.errors import DataError, UsageError
from headstart.data import tabular
from headstart.data.audit import audit
from headstart.data.read import read
from headstart.data.split import read_and_split

WORDS = {"good": ("love", "great", "fine", "happy"), "bad": ("hate", "poor", "broken", "sad")}


def frame(count=120, seed=0, **columns):
    """Make rows with a text and a label, and further columns of as many cells."""
    random = np.random.default_rng(seed)
    labels = random.choice(["good", "bad"], count)
    texts = [f"{' '.join(random.choice(WORDS[label], 3))} number {row * 7919}" for row, label in enumerate(labels)]
    return pandas.DataFrame({"text": texts, "label": labels, **columns})


def task(*names, of="classification"):
    return tabular.reading(tasks.load(of), names or None)


def findings(data, *names, of="classification"):
    """Return the doubts of the audit: kind -> sentence."""
    rules = task(*names, of=of)
    found = audit(read_and_split(data, rules)[1], rules).findings
    kinds = {"columns", "constant-column", "many-categories", "column-values", "column-leak"}
    return {finding.kind: finding.sentence for finding in found if finding.kind in kinds}


def test_cells_are_read_beside_the_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label,price,country\na b,x,3.5,DE\nc d,y, ,\ne f,x,n/a,FR\n", encoding="utf-8")
    table = read(path, task("country", "price"))
    assert table.rows.inputs[0] == {"text": "a b", "columns": {"country": "DE", "price": "3.5"}}
    assert table.rows.inputs[1] == {"text": "c d", "columns": {"country": None, "price": None}}
    assert table.columns == {"text": ("text",), "label": ("label",)}


def test_cells_of_typed_tables_are_read_by_their_type():
    data = frame(
        3, 1, price=[1.5, None, 2], sold=[True, False, None], at=pandas.to_datetime(["2024-01-02", None, None])
    )
    data["tags"] = [["a", "b"], [], None]
    cells = [value["columns"] for value in read(data, task("price", "sold", "at", "tags")).rows.inputs]
    assert cells[0] == {"price": 1.5, "sold": "true", "at": "2024-01-02 00:00:00", "tags": ["a", "b"]}
    assert cells[1] == {"price": None, "sold": "false", "at": None, "tags": None}


def test_columns_beside_the_text_are_no_label():
    data = frame().rename(columns={"label": "mood"})
    data["rating"], data["stars"] = range(len(data)), 3  # usual names of labels, as 'mood' is not
    assert read(data, task("rating", "stars")).columns["label"] == ("mood",)
    assert reading.guess(data, None, None, "rating,stars") == "classification"
    with pytest.raises(UsageError, match=r"'rating' is read as the label, .* name it with --label NAME"):
        read(data.drop(columns="stars"), task("rating"))


@pytest.mark.parametrize(
    ("names", "arguments", "message"),
    [
        (("prise",), {}, r"table has no column 'prise' \(--columns\); did you mean 'price'"),
        (("question=price",), {}, "to name the column of a role, use --column ROLE=NAME"),
        (("text",), {}, r"column 'text' is read as the text, and --columns names others; .* name it with --text NAME"),
        (("price", "label"), {}, "column 'label' is read as the label"),
        (("price",), {"columns": {"label": "price"}}, "column 'price' is read as the label"),
        (("who",), {"group": "who"}, r"column 'who' is read as the group, .*--group NAME"),
        (("price",), {"time": "price"}, "column 'price' is read as the time"),
    ],
)
def test_columns_that_cannot_be_read_beside_the_text_are_refused(names, arguments, message):
    data = frame(price=range(120), who=["a", "b"] * 60)
    with pytest.raises(UsageError, match=message):
        read(data, task(*names), **arguments)


def test_what_is_missing_for_another_reason_is_said_as_ever():
    data = frame(price=range(120)).rename(columns={"text": "c1", "label": "c2"}).assign(c1="x", c2="y")
    with pytest.raises(UsageError, match="which column holds the text"):
        read(data, task("price"))


def test_test_rows_need_the_columns_too():
    data = frame(price=range(120))
    with pytest.raises(UsageError, match="has no column 'price'"):
        read_and_split(data, task("price"), frame(20, 1))


def test_a_table_that_was_read_before_lacks_the_columns():
    with pytest.raises(UsageError, match="was read without the columns of --columns"):
        read_and_split(read(frame(), task()), task("price"))


@pytest.mark.parametrize("names", ["", " , ", []])
def test_no_name_is_refused(names):
    with pytest.raises(UsageError, match="--columns names no column; write it as in --columns price,country"):
        tabular.reading(tasks.load("classification"), names)


@pytest.mark.parametrize("name", ["ner", "qa"])
def test_tasks_of_other_kinds_say_why_not(name):
    with pytest.raises(
        UsageError, match="--columns is for tasks whose answers are a label, several labels or a number"
    ):
        tabular.reading(tasks.load(name), "price")


def test_a_column_for_each_row_is_refused():
    with pytest.raises(DataError, match=r"column 'id' has 1\d\d different values in 1\d\d training rows"):
        findings(frame(180, id=[f"r{row}" for row in range(180)]), "id")


def test_the_audit_says_how_each_column_is_read():
    random = np.random.default_rng(1)
    data = frame(price=random.normal(size=120), country=random.choice(["DE", "FR", None], 120))
    assert findings(data, "price", "country").keys() == {"columns"}
    assert "'price' (numbers), 'country' (2 categories, " in findings(data, "price", "country")["columns"]
    assert findings(data) == {}


@pytest.mark.parametrize(("value", "said"), [("x", "the same value"), (3.0, "the same value"), (None, "no value")])
def test_a_column_with_one_value_is_found(value, said):
    found = findings(frame(empty=[value] * 120), "empty")
    assert found["constant-column"].startswith(f"Column 'empty' has {said} in all training rows")


def test_rare_categories_are_counted():
    random = np.random.default_rng(1)
    found = findings(frame(900, city=random.choice([f"c{n}" for n in range(150)], 900)), "city")
    assert "147 categories: the 100 most frequent are read, and the others" in found["many-categories"]


def test_values_that_training_does_not_know_are_counted_by_part():
    data = frame(price=[*range(119), "many"], country=["DE"] * 60 + ["FR"] * 60)
    rules = task("price", "country")
    found = audit(read_and_split(data, rules, frame(30, 1, price=["?"] * 30, country=["XX"] * 30))[1], rules).findings
    sentences = [finding.sentence for finding in found if finding.kind == "column-values"]
    assert (
        "Column 'price': 30 of 30 test rows have something else than a number, which is read as no value." in sentences
    )
    assert any("'country': 30 of 30 test rows have a category that training does not know" in one for one in sentences)


@pytest.mark.parametrize("noise", [0, 0.3])
def test_a_column_that_gives_the_label_away_is_found(noise):
    data = frame(400)
    random = np.random.default_rng(1)
    data["stars"] = np.where((data.label == "good") ^ (random.random(400) < noise), 4, 0) + random.integers(0, 3, 400)
    found = findings(data, "stars")
    assert ("column-leak" in found) == (noise == 0)
    if not noise:
        assert "Column 'stars' alone gives the answer of 100.0% of the rows that are held out" in found["column-leak"]


@pytest.mark.parametrize("noise", [0, 0.3])
def test_a_column_that_is_the_number_is_found(noise):
    random = np.random.default_rng(1)
    numbers = random.normal(size=400)
    data = frame(400).assign(label=numbers, twice=2 * numbers + noise * random.normal(size=400))
    assert ("column-leak" in findings(data, "twice", of="regression")) == (noise == 0)


def test_a_column_that_gives_all_labels_away_is_found():
    labels = [";".join(sorted({"a", "bcd"[row % 3]})) for row in range(300)]
    data = frame(300).assign(label=labels, code=[row % 3 for row in range(300)])
    assert "column-leak" in findings(data, "code", of="multilabel")
