"""Costs of errors: what is predicted, how it is scored, and which files are refused."""

import dataclasses
import json

import numpy as np
import pytest

from headstart import cli, open_model, predict, tasks
from headstart.contenders.cascade import FittedCascade
from headstart.contenders.ensemble import FittedEnsemble
from headstart.contenders.majority import FittedMajority, Majority
from headstart.core.contracts import metric_values
from headstart.core.costs import Costs
from headstart.core.errors import CheckpointError, DataError, UsageError
from headstart.core.records import Predictions, Rows, Run
from headstart.core.sequences import Encoded, Ragged
from headstart.data import costs as files
from headstart.metrics import labels, stats
from headstart.saved import model_folder
from headstart.tasks._costs import check_classes, with_costs

FILE = ",ham,spam,phish\nham,0,5,5\nspam,1,0,0.5\nphish,20,2,0\n"


@pytest.fixture
def costs(tmp_path):
    (tmp_path / "costs.csv").write_text(FILE)
    return files.read(tmp_path / "costs.csv")


@pytest.fixture(params=["classification", "pairs"])
def unfitted(request, costs):
    return with_costs(tasks.load(request.param), costs)


@pytest.fixture
def task(unfitted):
    return unfitted.fitted(Rows(("1", "2"), ("x", "y"), ("phish", "ham")))  # without 'spam'


def decoded(task, probabilities):
    outputs = Ragged.single(np.log(np.array(probabilities)))
    return task.decode(outputs, Encoded.without_tokens(len(probabilities)), ["x"] * len(probabilities))


def test_the_label_of_the_lowest_expected_cost_is_predicted(task):
    assert task.classes == ("ham", "phish")
    predictions = decoded(task, [[0.9, 0.1], [0.7, 0.3], [0.79, 0.21], [0.81, 0.19]])
    # 'phish' costs 5 where 'ham' is true, 'ham' 20 where 'phish' is true: from a fifth on.
    assert predictions.values == ("ham", "phish", "phish", "ham")
    np.testing.assert_allclose(predictions.probabilities[1], [0.7, 0.3], atol=1e-6)


def test_the_cost_is_the_mean_over_rows_and_the_other_scores_are_as_ever(task):
    targets, values = ("ham", "ham", "spam", "phish"), ("ham", "phish", "ham", "ham")
    rows = Rows(tuple("abcd"), tuple("abcd"), targets)
    scores = metric_values(task, Predictions(values), rows)
    assert scores.pop("cost") == (0 + 5 + 1 + 20) / 4
    assert scores == labels.score(targets, values)
    assert not task.metrics[0].higher


def test_a_label_without_costs_cannot_be_scored(task):
    with pytest.raises(DataError, match="the label 'eggs' has no costs; add a row and a column for it to their file"):
        task.tally(Predictions(("ham",)), ("eggs",))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"costs": {"classes": ["a", "b"], "values": [0, 1, 1]}}, "2 labels have as many costs squared, not 3"),
        ({"costs": {"classes": ["a"], "values": [1]}}, "there are classes without costs; add a row and a column"),
        ({"offsets": [0.5]}, "2 classes have as many offsets, or none, not 1"),
        ({"offsets": ["x", "y"]}, "option 'offsets' of task 'classification' must be Signed"),
    ],
)
def test_a_saved_task_that_does_not_fit_its_classes_is_refused(fields, reason, tmp_path):
    model = FittedMajority(tasks.load("classification", {"classes": ["a", "b"]}), (0.5, 0.5))
    model.save(tmp_path / "model")
    path = tmp_path / "model" / "headstart.json"
    stored = json.loads(path.read_text())
    stored["task"]["fields"].update(fields)
    del stored["sha256"]
    path.write_text(json.dumps(stored))
    with pytest.raises(CheckpointError, match=reason):
        open_model(tmp_path / "model")


def test_a_difference_of_costs_has_an_interval(task):
    targets = ("ham", "phish") * 40
    tallies = [task.tally(Predictions(values), targets) for values in (targets, ("ham",) * 80)]
    compared = stats.compare([tallies[0]], [tallies[1]], task.metrics[0])
    assert compared.difference.value == pytest.approx(10)  # as the cost is 0 instead of 10, and lower is better
    assert compared.p_value < 0.001
    assert stats.interval([tallies[1]], task.metrics[0]).value == 10


def test_the_floor_an_ensemble_and_a_cascade_decide_by_costs_too(task, tmp_path):
    rows = Rows(tuple("abcd"), tuple("abcd"), ("ham", "ham", "ham", "phish"))
    majority = Majority().fit(rows, rows, task, Run(0, tmp_path))
    assert majority.predict(["x"]).values == ("phish",)
    members = FittedMajority(task, (0.9, 0.1)), FittedMajority(task, (0.6, 0.4))
    ensemble = FittedEnsemble(task, ("x", "y"), members, np.array([0.5, 0.5]))
    cascade = FittedCascade(task, ("x", "y"), *members, 0.95)
    for number, model in enumerate([ensemble, cascade]):
        model.save(tmp_path / str(number))
        for each in (model, model_folder.open_model(tmp_path / str(number))):
            assert each.predict(["x"]).values == ("phish",)
            assert each.task == task


def test_a_temperature_changes_decisions_as_it_changes_what_is_expected(task):
    probabilities = np.array([[0.9, 0.1]])
    assert decoded(task, probabilities).values == ("ham",)
    assert decoded(task, np.sqrt(probabilities)).values == ("phish",)


def test_the_order_of_labels_does_not_matter(task):
    turned = Costs(("phish", "ham", "spam"), (0, 20, 2, 5, 0, 5, 0.5, 1, 0))
    probabilities = np.random.default_rng(0).dirichlet((1, 1), 50)
    assert decoded(dataclasses.replace(task, costs=turned), probabilities).values == decoded(task, probabilities).values


@pytest.mark.parametrize("name", ["relation", "multilabel", "regression"])
def test_costs_are_for_one_label_a_row(costs, name):
    with pytest.raises(UsageError, match="--costs is for the tasks classification and pairs, with one label"):
        with_costs(tasks.load(name), costs)


def test_the_labels_of_the_file_are_those_of_the_rows(unfitted):
    check_classes(unfitted, ("ham", "spam", "phish", "ham"))
    check_classes(tasks.load("classification"), ("any",))
    with pytest.raises(UsageError, match="the file of costs lacks the label 'eggs'; add a row and a column for it"):
        check_classes(unfitted, ("ham", "spam", "phish", "eggs"))
    with pytest.raises(UsageError, match="the file of costs has the label 'spam', which no row has; correct or remove"):
        check_classes(unfitted, ("ham", "phish"))


@pytest.fixture(scope="module")
def mail(tmp_path_factory):
    """A comparison of rows of which some words say little, by costs, and what it printed."""
    place = tmp_path_factory.mktemp("costs")
    words = {"ham": ("lunch", "hello"), "spam": ("prize", "hello")}
    rows = [(f"{words[label][n // 2 % 2]} {7 * n}", label) for n in range(90) for label in [("ham", "spam")[n % 2]]]
    (place / "mail.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    (place / "costs.csv").write_text(",ham,spam\nham,0,9\nspam,1,0\n")
    command = ["compare", place / "mail.csv", "--contenders", "majority,linear", "--sizes", "all", "--seeds", "1"]
    command += ["--costs", place / "costs.csv", "--out", place / "run"]
    assert cli.run([str(part) for part in command]) == 0
    return place


def test_a_comparison_is_decided_by_the_cost_and_its_model_predicts_by_it(mail, capsys):
    result = json.loads((mail / "run" / "result.json").read_text())
    assert (result["metric"], result["higher_is_better"]) == ("cost", False)
    scores = {one["contender"]: one["scores"] for one in result["standings"]}
    assert scores["linear"]["cost"] < scores["majority"]["cost"] == 0.5
    assert "cost ↓" in (mail / "run" / "report.html").read_text()
    best = mail / "run" / "best"
    assert open_model(best).task.costs.values == (0, 9, 1, 0)
    (mail / "new.csv").write_text("text\nhello\nprize\n")  # 'hello' is in both, and ham the better error
    assert cli.run(["predict", str(best), str(mail / "new.csv")]) == 0
    assert [line.split(",")[1] for line in capsys.readouterr().out.splitlines()] == ["label", "ham", "spam"]
    probabilities = predict(best, ["hello"]).probabilities[0]
    assert probabilities.min() > 0.1


@pytest.mark.parametrize(
    ("content", "code", "reason"),
    [
        (",ham,spam\nham,0,-9\nspam,1,0\n", 3, "is '-9', not a number from 0 up"),
        (",ham,eggs\nham,0,9\neggs,1,0\n", 2, "the file of costs lacks the label 'spam'"),
        (",ham,spam,eggs\nham,0,9,1\nspam,1,0,1\neggs,1,1,0\n", 2, "the file of costs has the label 'eggs'"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong_with_the_file(mail, content, code, reason, capsys, tmp_path):
    (tmp_path / "costs.csv").write_text(content)
    command = ["compare", str(mail / "mail.csv"), "--costs", str(tmp_path / "costs.csv"), "--out", str(tmp_path / "x")]
    assert cli.run(command) == code
    said = capsys.readouterr().err.splitlines()
    assert len([line for line in said if line.startswith("headstart: ")]) == 1
    assert reason in said[-1]
    assert not (tmp_path / "x").exists()


# --- files ---------------------------------------------------------------------------------------------------------


def test_a_file_is_read_in_the_order_of_its_columns(costs, tmp_path):
    assert costs == Costs(("ham", "spam", "phish"), (0, 5, 5, 1, 0, 0.5, 20, 2, 0))
    lines = FILE.splitlines()
    (tmp_path / "turned.csv").write_text("\ufeff" + "\n".join([lines[0], *reversed(lines[1:])]) + "\n\n")
    assert files.read(tmp_path / "turned.csv") == costs


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "the first line of .* must be an empty cell and then two or more different labels"),
        (",a\na,0", "the first line of .* must be an empty cell and then two or more different labels"),
        (",a,a\na,0,1", "the first line of .* must be an empty cell and then two or more different labels"),
        (",a,b\na,0,1\na,0,1", "has two rows for the label 'a'; leave one"),
        (",a,b\na,0,1", "has the label 'b' only among its columns; it needs a row and a column for each label"),
        (",a,b\na,0,1\nb,1,0\nc,1,1", "has the label 'c' only among its rows; it needs a row and a column for each"),
        (",a,b\na,0,1\nb,1", "the row 'b' of .* has 1 costs for 2 labels"),
        (",a,b\na,0,1\nb,-1,0", "the cost of predicting 'a' for 'b' is '-1', not a number from 0 up"),
        (",a,b\na,0,x\nb,1,0", "the cost of predicting 'b' for 'a' is 'x', not a number from 0 up"),
        (",a,b\na,0,nan\nb,1,0", "the cost of predicting 'b' for 'a' is 'nan', not a number from 0 up"),
        (",a,b\na,0,inf\nb,1,0", "the cost of predicting 'b' for 'a' is 'inf', not a number from 0 up"),
        (",a,b\na,0,\nb,1,0", "the cost of predicting 'b' for 'a' is '', not a number from 0 up"),
        (",a,b\na,0,0\nb,0,0", "all costs in .* are 0, so that any label would do; give a number above 0"),
        (b"\xff\xfe\xff", "is not a CSV file in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(content, reason, tmp_path):
    path = tmp_path / "costs.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=reason) as caught:
        files.read(path)
    assert str(caught.value).count(". ") == 0


def test_a_file_that_does_not_exist(tmp_path):
    with pytest.raises(DataError, match="no file"):
        files.read(tmp_path / "none.csv")
