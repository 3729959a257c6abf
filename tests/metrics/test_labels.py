import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from headstart.core.errors import DataError, UsageError
from headstart.core.tally import named
from headstart.metrics import labels

CASES = 1000


def reference(targets, predicted):
    """Every metric as scikit-learn computes it; it warns where there is one class, or one that is never true."""
    return {
        "accuracy": metrics.accuracy_score(targets, predicted),
        "macro-F1": metrics.f1_score(targets, predicted, average="macro", zero_division=0),
        "weighted-F1": metrics.f1_score(targets, predicted, average="weighted", zero_division=0),
        "balanced-accuracy": metrics.recall_score(targets, predicted, labels=sorted({*targets}), average="macro"),
        "MCC": metrics.matthews_corrcoef(targets, predicted) if len({*targets, *predicted}) > 1 else 0.0,
    }


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abce")), min_size=1, max_size=40))
def test_scores_are_scikit_learns(pairs):
    targets, predicted = zip(*pairs, strict=True)
    scores = labels.score(targets, predicted)
    assert scores == pytest.approx(reference(targets, predicted), abs=1e-12)
    assert all(type(value) is float for value in scores.values())


def test_scores_of_many_cases_are_means_of_scikit_learns_by_class():
    """A class of a case is a column of the reference's arrays, called once; short cases have empty rows."""
    random = np.random.default_rng(0)
    sizes = np.minimum(random.integers(1, 80, CASES), random.integers(1, 41, CASES))
    targets, predicted = random.integers(0, random.integers(1, 5, CASES), (2, 40, CASES))
    predicted[predicted == 3] = 4  # a class that no row has
    exists = np.arange(40)[:, None] < sizes
    columns = [(part[..., None] == np.arange(5)) & exists[..., None] for part in (targets, predicted)]
    found = metrics.precision_recall_fscore_support(*(part.reshape(40, -1) for part in columns), zero_division=0)
    _, recalls, f1s, supports = (part.reshape(CASES, 5) for part in found)
    for case, size in enumerate(sizes):
        true, answers = targets[:size, case], predicted[:size, case]
        scores = labels.score(*("".join("abcde"[number] for number in part) for part in (true, answers)))
        support, f1 = supports[case], f1s[case]
        expected = {
            "accuracy": (true == answers).mean(),
            "macro-F1": f1[np.union1d(true, answers)].mean(),
            "weighted-F1": np.average(f1, weights=support),
            "balanced-accuracy": recalls[case, support > 0].mean(),
        }
        assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_many_resamples_at_once_equal_one_by_one():
    sums = np.random.default_rng(0).integers(0, 9, (5, 9))
    for metric in labels.METRICS:
        np.testing.assert_allclose(metric.of(sums), [metric.of(row) for row in sums])


def test_an_artificial_row_is_right_or_the_most_frequent_other_class():
    counted = labels.tally(["a", "b", "b", "c"], ["a", "b", "d", "c"])
    hits, predicted, actual = np.split(counted.wrong, 3, axis=1)
    assert counted.weights.tolist() == [0.25, 0.5, 0.25]
    assert not hits.any()
    assert predicted.argmax(axis=1).tolist() == [1, 0, 1]
    assert actual.argmax(axis=1).tolist() == [0, 1, 2]
    assert (np.split(counted.right, 3, axis=1)[0] == actual).all()


def test_a_label_never_seen_in_training_is_an_error_and_a_class():
    scores = labels.score(["a", "b", "new"], ["a", "b", "a"])
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["macro-F1"] == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_unknown_metric_is_named():
    with pytest.raises(UsageError, match=r"no metric 'makro-F1'; did you mean 'macro-F1'\?"):
        named(labels.METRICS, "makro-F1")


@pytest.mark.parametrize(("targets", "predicted"), [([], []), (["a"], ["a", "b"])])
def test_targets_and_predictions_must_match(targets, predicted):
    with pytest.raises(DataError, match=r"predictions for . targets; scores need as many"):
        labels.score(targets, predicted)
