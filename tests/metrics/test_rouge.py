"""ROUGE against the package rouge-score."""

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from headstart.core.errors import DataError
from headstart.metrics import rouge

WORDS = ["the", "a", "dog", "cat", "ran", "home", "2", "Red,", "house.", "isn't", "well-known"]


def texts(rng, most=12):
    return " ".join(rng.choice(WORDS, rng.integers(0, most)))


def test_scores_are_those_of_rouge_score_on_a_thousand_random_rows():
    rng = np.random.default_rng(0)
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    predicted = [texts(rng) for _ in range(1000)]
    targets = [[texts(rng) for _ in range(rng.integers(1, 4))] for _ in range(1000)]
    counted = rouge.tally(targets, predicted).rows.toarray()
    for row, answer, right in zip(counted, predicted, targets, strict=True):
        expected = scorer.score_multi(right, answer)
        assert row[1:] == pytest.approx([expected[name].fmeasure for name in scorer.rouge_types])


def test_the_score_of_rows_is_their_mean():
    total = rouge.tally([["a b"], ["a b"]], ["a b", "c"]).total
    assert [float(metric.of(total)) for metric in rouge.METRICS] == [0.5, 0.5, 0.5]


def test_words_of_other_scripts_are_read():
    total = rouge.tally([["狗跑回家"], ["Größe"]], ["狗回家", "größe"]).total
    assert float(rouge.METRICS[0].of(total)) == pytest.approx((6 / 7 + 1) / 2)


def test_rows_and_predictions_must_match():
    with pytest.raises(DataError, match="1 predicted texts for 2 rows of targets"):
        rouge.tally([["a"], ["b"]], ["a"])
