"""Pairs of texts, and the score of relations: what is read, refused and scored."""

import numpy as np
import pytest

from headstart import tasks
from headstart.core.records import Predictions
from headstart.metrics import relations
from headstart.reading import guess, read

DIRECTED = ["Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Component-Whole(e1,e2)", "Component-Whole(e2,e1)", "Other"]


def test_a_table_of_two_texts_is_for_pairs(tmp_path):
    path = tmp_path / "claims.csv"
    path.write_text("claim,evidence,label\nIt rains.,The street is wet.,yes\nIt snows.,,no\nIt hails.,It is July.,no\n")
    table = read(path)
    assert table.rows.inputs == (("The street is wet.", "It rains."), ("It is July.", "It hails."))
    assert [(row.line, row.reason) for row in table.rejected] == [(3, "has no first text")]


def test_two_texts_with_a_number_that_is_no_class_are_for_pair_regression(tmp_path):
    path = tmp_path / "similar.csv"
    path.write_text("id,text_a,text_b,similarity\n1,It rains.,It is wet.,0.5\n2,It snows.,It hails.,x\n", "utf-8")
    assert guess(path, None) == "pair-regression"
    table = read(path)
    assert table.rows.inputs == (("It rains.", "It is wet."),)
    assert table.rows.targets == (0.5,)
    assert [(row.line, row.reason) for row in table.rejected] == [(3, "has 'x' where a number is expected")]


def test_two_texts_with_a_score_are_for_pairs_since_it_may_be_a_class(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("sentence1,sentence2,score\nIt rains.,It is wet.,1\nIt snows.,It hails.,2\n", "utf-8")
    assert guess(path, None) == "pairs"


def test_a_text_and_a_label_are_for_classification_whatever_specialises_it(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n<e1>a</e1> <e2>b</e2>,x\nc d,y\n")
    assert read(path).rows.inputs == ("<e1>a</e1> <e2>b</e2>", "c d")


def official(targets, predicted):
    """The rules of SemEval-2010 task 8, the slow way: F1 of each relation, whose wrong directions are errors."""
    scores = []
    for name in sorted({label.partition("(")[0] for label in [*targets, *predicted]} - {"Other"}):
        right = sum(one == other and one.startswith(name) for one, other in zip(targets, predicted, strict=True))
        given, true = (sum(label.startswith(name) for label in labels) for labels in (predicted, targets))
        precision, recall = right / given if given else 0.0, right / true if true else 0.0
        scores.append(2 * precision * recall / (precision + recall) if right else 0.0)
    return sum(scores) / len(scores) if scores else 0.0


def test_the_macro_f1_is_the_official_one(rng):
    for _ in range(1000):
        targets, predicted = (tuple(rng.choice(DIRECTED, size=12).tolist()) for _ in range(2))
        total = tasks.load("relation").tally(Predictions(predicted), targets).total
        macro, accuracy = (float(metric.of(total)) for metric in relations.METRICS)
        assert macro == pytest.approx(official(targets, predicted))
        assert accuracy == pytest.approx(np.mean([one == other for one, other in zip(targets, predicted, strict=True)]))
