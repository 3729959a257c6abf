import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.core.errors import DataError, UsageError
from headstart.metrics import labels


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abce")), min_size=1, max_size=40))
def test_counts_give_what_scikit_learn_gives(pairs):
    targets, predicted = zip(*pairs, strict=True)
    classes = np.array(list("abcde"))
    truth, answer = np.array(targets)[:, None] == classes, np.array(predicted)[:, None] == classes
    expected = labels.score(targets, predicted)
    assert set(expected) == set(labels.METRICS)
    for name, value in expected.items():
        got = labels.from_counts(name, (truth & answer).sum(0), answer.sum(0), truth.sum(0))
        assert got == pytest.approx(value, abs=1e-12), name


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
