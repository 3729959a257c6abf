"""Scores of label sets equal scikit-learn's, and thresholds are the best that there are."""

import itertools

import numpy as np
import pytest
from sklearn import metrics as theirs

from headstart.metrics import multilabel

CLASSES = tuple("abcd")


def sets_of(truth):
    return [tuple(label for label, has in zip(CLASSES, row, strict=True) if has) for row in truth]


@pytest.mark.parametrize("seed", range(20))
def test_scores_equal_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth, predicted = rng.random((2, 30, 4)) < rng.uniform(0.2, 0.6)
    truth[0] = predicted[0] = True  # macro-F1 is over the labels that occur
    probabilities = rng.integers(0, 4, (30, 4)) / 4  # with ties
    total = multilabel.tally(sets_of(truth), sets_of(predicted), CLASSES, probabilities).total
    assert {metric.name: pytest.approx(float(metric.of(total))) for metric in multilabel.METRICS} == {
        "micro-F1": theirs.f1_score(truth, predicted, average="micro"),
        "macro-F1": theirs.f1_score(truth, predicted, average="macro"),
        "subset-accuracy": theirs.accuracy_score(truth, predicted),
        "LRAP": theirs.label_ranking_average_precision_score(truth, probabilities),
    }


def test_a_label_that_the_model_does_not_know_ranks_last():
    ranked = multilabel.ranking_precision([("a", "new")], ("a", "b"), np.array([[0.9, 0.5]]))
    assert ranked == pytest.approx([(1 + 2 / 3) / 2])
    assert multilabel.ranking_precision([()], (), np.zeros((1, 0))).tolist() == [1.0]


def test_without_probabilities_predicted_labels_rank_before_others():
    total = multilabel.tally([("a",), ("b",)], [("a",), ("a",)]).total
    assert float(multilabel.METRICS[-1].of(total)) == pytest.approx((1 + 1 / 2) / 2)


def micro(truth, predicted):
    return 2 * (truth & predicted).sum() / max(1, truth.sum() + predicted.sum())


@pytest.mark.parametrize("seed", range(10))
def test_no_other_thresholds_have_a_higher_micro_f1(seed, monkeypatch):
    monkeypatch.setattr(multilabel, "FEW", 0)
    rng = np.random.default_rng(seed)
    truth, probabilities = rng.random((6, 3)) < 0.4, rng.integers(1, 5, (6, 3)) / 5
    truth[0, 0] = True
    chosen = multilabel.thresholds(truth.astype(float), probabilities)
    others = itertools.product(*[[0.0, *sorted(set(column))] for column in probabilities.T])
    best = max(micro(truth, probabilities > np.array(other)) for other in others)
    assert micro(truth, probabilities > chosen) == pytest.approx(best)


def test_labels_with_few_rows_share_a_threshold():
    rng = np.random.default_rng(0)
    truth = rng.random((200, 3)) < [0.3, 0.02, 0.02]
    probabilities = np.clip(truth * 0.3 + rng.random((200, 3)) * [0.6, 0.3, 0.3], 0, 1)
    own, one, other = multilabel.thresholds(truth.astype(float), probabilities)
    assert one == other != own


def test_without_true_labels_the_threshold_is_a_half():
    assert multilabel.thresholds(np.zeros((3, 2)), np.full((3, 2), 0.7)).tolist() == [0.5, 0.5]
