"""A class that no training row has: its rows are held out, and the model's confidence of them is measured."""

import json

import numpy as np
import pytest

from headstart import cli, open_model, tasks
from headstart.contest import out_of_scope, rows
from headstart.contest.out_of_scope import OutOfScope, finding, held_out, measured
from headstart.core.errors import DataError, UsageError
from headstart.core.records import Rows, Splits, Table
from headstart.core.results import Interval
from headstart.metrics import calibration

TASK = tasks.load("classification")


def some(name, labels):
    return Rows(
        tuple(f"{name}:{n}" for n in range(len(labels))), tuple(f"{name} {n}" for n in range(len(labels))), labels
    )


@pytest.fixture
def parts():
    train, validation, test = (
        some("a", ("x", "y", "z") * 4),
        some("b", ("x", "y", "z")),
        some("c", ("z", "x", "y", "z")),
    )
    whole = Rows(
        *((*getattr(train, k), *getattr(validation, k), *getattr(test, k)) for k in ("ids", "inputs", "targets"))
    )
    return Table("t", whole, {}, ""), Splits(train, validation, test, frozenset({"c:0", "c:1"}), "hash")


def test_all_rows_of_the_class_are_held_out_of_every_part(parts):
    table, splits, outside = held_out(*parts, TASK, "z")
    assert set(outside.targets) == {"z"}
    assert len(outside) == 7
    for part in (splits.train, splits.validation, splits.test, table.rows):
        assert set(part.targets) == {"x", "y"}
    assert len(table.rows) + len(outside) == len(parts[0].rows)
    assert splits.leaked == {"c:1"}
    assert splits.sha256 not in ("hash", held_out(*parts, TASK, "x")[1].sha256)


def test_what_cannot_be_held_out_is_refused(parts):
    with pytest.raises(UsageError, match="no row has the label 'zz' to hold out; did you mean 'z'"):
        held_out(*parts, TASK, "zz")
    with pytest.raises(UsageError, match="a class can be held out where each row has one label"):
        held_out(*parts, tasks.load("multilabel"), "z")
    table, splits, _ = held_out(*parts, TASK, "z")
    with pytest.raises(DataError, match="without the label 'x' the training rows have one class; hold out another one"):
        held_out(table, splits, TASK, "x")


def test_the_area_is_the_share_of_pairs_and_its_interval_that_of_resamples(rng):
    inside, outside = rng.normal(1, 1, 120).round(1), rng.normal(0, 1, 80).round(1)
    found = calibration.auroc(inside, outside)
    pairs = (inside[:, None] > outside) + 0.5 * (inside[:, None] == outside)
    assert found.value == pytest.approx(pairs.mean())
    drawn = [pairs[rng.integers(0, 120, 120)][:, rng.integers(0, 80, 80)].mean() for _ in range(2000)]
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.01)


def test_shares_that_reach_the_threshold_and_the_sentence():
    found = measured(np.array([0.9, 0.8, 0.7, 0.6]), np.array([0.75, 0.1]), 0.7)
    assert (found.rows, found.answered, found.answered_outside) == (2, 0.75, 0.5)
    note = finding("z", "linear", OutOfScope(200, Interval(0.8, 0.75, 0.85), 0.9, 0.4))
    assert note.sentence == (
        "Out of scope: linear never saw the label 'z'. It is more confident of a test text than of one of the 200 "
        "texts held out in 80 % of pairs (AUROC, 95 % interval 75 to 85 %). "
        "With --abstain coverage=0.9 it answers 40 % of these, and 90 % of the test texts."
    )
    assert (note.severity, note.count, note.share) == ("note", 200, 0.4)
    assert finding("z", "linear", OutOfScope(200, Interval(0.6, 0.45, 0.75), 0.9, 0.9)).severity == "warning"


def test_a_comparison_holds_a_class_out_and_its_rows_can_be_read_again(tmp_path, capsys):
    words = {"x": "alpha", "y": "beta", "z": "gamma"}
    lines = [f"{words[label]} {n} {label},{label}" for n, label in enumerate(["x", "y", "z"] * 40)]
    (tmp_path / "data.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    command = ["compare", str(tmp_path / "data.csv"), "--contenders", "linear", "--sizes", "all", "--seeds", "1"]
    command += ["--hold-out-class", "z", "--out", str(tmp_path / "run")]
    assert cli.run(command) == 0
    assert "Out of scope: linear never saw the label 'z'." in " ".join(capsys.readouterr().out.split())
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    (found,) = (one for one in result["audit"]["findings"] if one["kind"] == "out-of-scope")
    assert found["count"] == 40
    assert sum(result["splits"]["rows"].values()) == 80
    best = tmp_path / "run" / "best"
    assert open_model(best).task.classes == ("x", "y")
    splits, _ = rows.read(rows.origin(best))
    assert splits.sha256 == result["splits"]["sha256"]
    assert out_of_scope.COVERAGE == 0.9
