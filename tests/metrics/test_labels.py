import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from headstart.core.errors import DataError, UsageError
from headstart.metrics import labels


def reference(targets, predicted):
    """Every metric as scikit-learn computes it; it warns where there is one class, or one that is never true."""
    return {
        "accuracy": metrics.accuracy_score(targets, predicted),
        "macro-F1": metrics.f1_score(targets, predicted, average="macro", zero_division=0),
        "weighted-F1": metrics.f1_score(targets, predicted, average="weighted", zero_division=0),
        "balanced-accuracy": metrics.recall_score(targets, predicted, labels=sorted({*targets}), average="macro"),
        "MCC": metrics.matthews_corrcoef(targets, predicted) if len({*targets, *predicted}) > 1 else 0.0,
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abce")), min_size=1, max_size=40))
def test_scores_are_scikit_learns(pairs):
    targets, predicted = zip(*pairs, strict=True)
    scores = labels.score(targets, predicted)
    assert set(scores) == set(labels.METRICS)
    assert scores == pytest.approx(reference(targets, predicted), abs=1e-12)
    assert all(type(value) is float for value in scores.values())


def test_many_resamples_at_once_equal_one_by_one():
    counts = np.random.default_rng(0).integers(0, 9, (2, 5, 3))
    actual = counts[0] + counts[1]
    for name in labels.METRICS:
        together = labels.from_counts(name, counts[0], actual[:, ::-1], actual)
        alone = [labels.from_counts(name, h, p, a) for h, p, a in zip(counts[0], actual[:, ::-1], actual, strict=True)]
        np.testing.assert_allclose(together, alone)


def test_a_label_never_seen_in_training_is_an_error_and_a_class():
    scores = labels.score(["a", "b", "new"], ["a", "b", "a"])
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["macro-F1"] == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_unknown_metric_is_named():
    with pytest.raises(UsageError, match=r"no metric 'makro-F1'; did you mean 'macro-F1'\?"):
        labels.check("makro-F1")


@pytest.mark.parametrize(("targets", "predicted"), [([], []), (["a"], ["a", "b"])])
def test_targets_and_predictions_must_match(targets, predicted):
    with pytest.raises(DataError, match=r"predictions for . targets; scores need as many"):
        labels.score(targets, predicted)
