"""Abstaining: how a rule is written, and what is left of predictions."""

import numpy as np
import pytest

from headstart.core.abstain import Abstain, abstained, confidence_of, parse
from headstart.core.errors import UsageError
from headstart.core.records import Predictions

LABELS = Predictions(("a", "b"), ("a", "b"), np.array([[0.75, 0.25], [0.45, 0.55]], dtype=np.float32))


def test_a_rule_names_what_its_number_means():
    assert parse("confidence=0.8") == Abstain("confidence", 0.8)
    assert str(parse("coverage=0.90")) == "coverage=0.9"


@pytest.mark.parametrize(
    "given", ["0.9", "coverage", "coverage=", "coverage=0", "confidence=1.1", "confidence=nan", "x=1"]
)
def test_anything_else_is_refused(given):
    with pytest.raises(
        UsageError, match=r"cannot parse --abstain .*; write coverage=0\.9 to answer about nine rows in"
    ):
        parse(given)


def test_uncertain_labels_are_left_out_with_their_confidence():
    left = abstained(LABELS, 0.6)
    assert left.values == ("a", None)
    assert left.confidence.tolist() == pytest.approx([0.75, 0.55])
    assert abstained(LABELS, 0.75).values == ("a", None)  # a confidence that reaches the threshold is enough
    assert abstained(Predictions(()), 0.5).values == ()


def test_the_confidence_of_a_label_is_its_own_though_another_is_more_probable():
    decided = Predictions(("b",), ("a", "b"), np.array([[0.75, 0.25]], dtype=np.float32))
    assert confidence_of(decided).tolist() == [0.25]


def test_answers_without_probabilities_have_a_confidence_of_their_own():
    facts = Predictions((((0, 1, "PER"),), ()), confidence=np.array([0.9, 0.2]))
    assert abstained(facts, 0.5).values == (((0, 1, "PER"),), None)


@pytest.mark.parametrize(
    "predictions",
    [
        Predictions((1.5,)),
        Predictions((("a",),), ("a",), np.ones((1, 1), dtype=np.float32)),
        Predictions((((0, 1, "X"),),)),
    ],
)
def test_answers_without_a_confidence_cannot_be_left_out(predictions):
    with pytest.raises(UsageError, match="abstaining needs the confidence of each answer as a whole"):
        abstained(predictions, 0.5)
