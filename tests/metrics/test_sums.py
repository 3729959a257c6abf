"""Scores of numbers, sets and texts are those of the libraries that define them, on random cases."""

import functools
import re
import string

import numpy as np
import pytest
from scipy import stats as scipy_stats
from sklearn import metrics

from headstart.core.errors import DataError
from headstart.metrics import numbers, sets, strings, ter

CASES = 1000


def scores(module, targets, predicted) -> dict[str, float]:
    total = module.tally(targets, predicted).total
    return {metric.name: float(metric.of(total)) for metric in module.METRICS}


def test_numbers_are_scored_as_scikit_learn_and_scipy_do():
    """A column of the references' arrays is a case, so that they are called once for all cases of as many rows."""
    random = np.random.default_rng(0)
    for rows in random.integers(2, 40, CASES // 25):
        targets, predicted = np.empty((2, rows, 25))
        for case in range(25):
            targets[:, case] = random.normal(random.choice([0, 1e4]), 1, rows).round(random.integers(0, 4))
            noise = random.normal(0.1, random.choice([0.1, 2]), rows).round(random.integers(0, 3))
            predicted[:, case] = targets[:, case] + noise
        ours = [scores(numbers, *case) for case in zip(targets.T, predicted.T, strict=True)]
        values = {name: [each[name] for each in ours] for name in ours[0]}
        apart = {"multioutput": "raw_values"}
        assert values["RMSE"] == pytest.approx(metrics.root_mean_squared_error(targets, predicted, **apart))
        assert values["MAE"] == pytest.approx(metrics.mean_absolute_error(targets, predicted, **apart))
        assert values["R2"] == pytest.approx(metrics.r2_score(targets, predicted, **apart), rel=1e-6, abs=1e-8)
        differ = (np.ptp(targets, axis=0) > 0) & (np.ptp(predicted, axis=0) > 0)
        pairs = targets[:, differ], predicted[:, differ]
        pearson, spearman = (np.array(values[name]) for name in ("Pearson", "Spearman"))
        assert pearson[differ] == pytest.approx(scipy_stats.pearsonr(*pairs)[0], abs=1e-7)
        ranks = (scipy_stats.rankdata(part, axis=0) for part in pairs)
        assert spearman[differ] == pytest.approx(scipy_stats.pearsonr(*ranks)[0], abs=1e-9)
        assert spearman[differ][0] == pytest.approx(scipy_stats.spearmanr(pairs[0][:, 0], pairs[1][:, 0])[0], abs=1e-9)
        assert not pearson[~differ].any()
        assert not spearman[~differ].any()


def random_tags(random, length: int) -> list[str]:
    """A sequence of BIO tags in which every entity begins with B."""
    tags, kind = [], ""
    choices = random.choice(["O", "B", "I"], length, p=[0.4, 0.3, 0.3])
    for choice, begun in zip(choices.tolist(), random.choice(["PER", "LOC", "ORG"], length).tolist(), strict=True):
        kind = begun if choice == "B" else "" if choice == "O" else kind
        tags.append("O" if choice == "O" or not kind else f"{choice}-{kind}")
    return tags


def entities(tags: list[str]) -> list[tuple[int, int, str]]:
    spans: list[tuple[int, int, str]] = []
    for place, tag in enumerate(tags):
        if tag.startswith("B-"):
            spans.append((place, place + 1, tag[2:]))
        elif tag.startswith("I-"):
            spans[-1] = (spans[-1][0], place + 1, tag[2:])
    return spans


@pytest.mark.filterwarnings("ignore")  # of types without entities, which count 0 on either side
def test_entities_are_scored_as_seqeval_does():
    from seqeval.metrics import sequence_labeling as seqeval

    random = np.random.default_rng(1)
    for _ in range(CASES):
        lengths = random.integers(1, 9, random.integers(1, 4))
        targets, predicted = ([random_tags(random, length) for length in lengths] for _ in range(2))
        values = scores(sets, [entities(tags) for tags in targets], [entities(tags) for tags in predicted])
        expected = seqeval.precision_recall_fscore_support(targets, predicted, average="micro")[:3]
        assert [values[name] for name in ("precision", "recall", "micro-F1")] == pytest.approx(expected)
        if any(entities(tags) for tags in (*targets, *predicted)):
            assert values["macro-F1"] == pytest.approx(seqeval.f1_score(targets, predicted, average="macro"))


def test_several_labels_are_scored_as_scikit_learn_does():
    """A column of the reference's arrays is a case, or a label of one; missing rows are neither true nor answered."""
    random = np.random.default_rng(2)
    sizes = random.integers(1, 20, CASES)
    truth, answer = random.random((2, 20, CASES, 4)) < 0.4
    truth[np.arange(20)[:, None] >= sizes], answer[np.arange(20)[:, None] >= sizes] = False, False
    f1 = functools.partial(metrics.f1_score, average=None, zero_division=0)
    micro = f1(*(part.transpose(0, 2, 1).reshape(-1, CASES) for part in (truth, answer)))
    by_label = f1(*(part.reshape(20, -1) for part in (truth, answer))).reshape(CASES, 4)
    for case, size in enumerate(sizes):
        parts = truth[:size, case], answer[:size, case]
        values = scores(sets, *([[(number,) for number in np.flatnonzero(row)] for row in part] for part in parts))
        assert values["micro-F1"] == pytest.approx(micro[case])
        assert values["exact"] == pytest.approx((parts[0] == parts[1]).all(axis=1).mean())
        occur = np.flatnonzero((parts[0] | parts[1]).any(axis=0))
        macro = by_label[case, occur].mean() if len(occur) else values["macro-F1"]
        assert values["macro-F1"] == pytest.approx(macro)
        if case % 20 == 0:  # the reference's own means, which take the longest
            assert values["micro-F1"] == pytest.approx(metrics.f1_score(*parts, average="micro", zero_division=0))
            assert values["exact"] == pytest.approx(metrics.accuracy_score(*parts))
            means = {"labels": occur, "average": "macro", "zero_division": 0}
            assert values["macro-F1"] == pytest.approx(metrics.f1_score(*parts, **means) if len(occur) else macro)


WORDS = ["the", "A", "dog", "dogs", "barks", "x", "Hund!", "U.S.", "1,000", "an", "-", "", "bell?", "—", "日本"]


def sentence(random, most: int = 9) -> str:
    return " ".join(random.choice(WORDS, random.integers(0, most)))


def squad_words(text: str) -> list[str]:
    """The words that SQuAD compares, one step of its rules after the other."""
    text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return [word for word in re.sub(r"\b(a|an|the)\b", " ", text).split(" ") if word.strip()]


def squad_f1(target: str, answer: str) -> float:
    true, given = squad_words(target), squad_words(answer)
    if not true or not given:
        return float(true == given)
    left, same = list(true), 0
    for word in given:
        if word in left:
            left.remove(word)
            same += 1
    precision, recall = same / len(given), same / len(true)
    return 2 * precision * recall / (precision + recall) if same else 0.0


def test_answers_are_scored_by_the_rules_of_squad():
    random = np.random.default_rng(3)
    for _ in range(CASES):
        rows = [([sentence(random, 4) for _ in range(random.integers(1, 3))], sentence(random, 4)) for _ in range(2)]
        values = scores(strings, [targets for targets, _ in rows], [answer for _, answer in rows])
        exact = [max(squad_words(text) == squad_words(answer) for text in targets) for targets, answer in rows]
        overlap = [max(squad_f1(text, answer) for text in targets) for targets, answer in rows]
        assert values["exact match"] == pytest.approx(np.mean(exact))
        assert values["token F1"] == pytest.approx(np.mean(overlap))


def test_texts_are_scored_as_sacrebleu_does():
    from sacrebleu.metrics import BLEU, CHRF

    random = np.random.default_rng(4)
    bleu, chrf = BLEU(), CHRF()
    for _ in range(CASES):
        count = int(random.integers(1, 3))
        targets = [[sentence(random) for _ in range(count)] for _ in range(random.integers(1, 4))]
        predicted = [texts[0] if random.random() < 0.3 else sentence(random) for texts in targets]
        streams = [list(stream) for stream in zip(*targets, strict=True)]
        values = scores(strings, targets, predicted)
        assert 100 * values["BLEU"] == pytest.approx(bleu.corpus_score(predicted, streams).score, abs=1e-9)
        assert 100 * values["chrF"] == pytest.approx(chrf.corpus_score(predicted, streams).score, abs=1e-9)


def test_edits_are_counted_as_sacrebleu_does():
    from sacrebleu.metrics import TER

    random, reference = np.random.default_rng(6), TER()
    for case in range(CASES // 10):  # each pair may take milliseconds
        count = int(random.integers(1, 3))
        targets = [[sentence(random) for _ in range(count)] for _ in range(random.integers(1, 4))]
        # Shifted blocks of words count as one edit.
        moved = [" ".join([*texts[0].split()[2:], *texts[0].upper().split()[:2]]) for texts in targets]
        predicted = moved if case % 2 else [sentence(random) for _ in targets]
        streams = [list(stream) for stream in zip(*targets, strict=True)]
        values = scores(ter, targets, predicted)
        assert 100 * values["TER"] == pytest.approx(reference.corpus_score(predicted, streams).score, abs=1e-9)
        assert values["BLEU"] == pytest.approx(scores(strings, targets, predicted)["BLEU"])
    assert scores(ter, [[""]], ["a word"])["TER"] == 1.0
    assert scores(ter, [[""]], [""])["TER"] == 0.0


@pytest.mark.parametrize("module", [numbers, sets, strings])
def test_many_resamples_at_once_equal_one_by_one(module):
    random = np.random.default_rng(5)
    if module is numbers:
        counted = numbers.tally(random.normal(size=9), random.normal(size=9))
    elif module is sets:
        rows = [[(int(n), "PER" if n % 2 else "LOC") for n in random.integers(0, 5, 3)] for _ in range(18)]
        counted = sets.tally(rows[:9], rows[9:])
    else:
        counted = strings.tally([[sentence(random)] for _ in range(9)], [sentence(random) for _ in range(9)])
    sums = random.multinomial(9, np.full(9, 1 / 9), size=5) @ counted.rows
    for metric in module.METRICS:
        np.testing.assert_allclose(metric.of(sums), [metric.of(row) for row in sums], err_msg=metric.name)
    for metric in module.METRICS if len(counted.weights) else ():
        assert float(metric.of(counted.right[0])) == pytest.approx(1.0) if module is sets else True
        assert float(metric.of(counted.wrong[0])) == pytest.approx(0.0, abs=0.2)


@pytest.mark.parametrize(
    ("module", "targets", "predicted", "message"),
    [
        (numbers, [], [], "0 predictions for 0 targets; scores need as many, and at least one"),
        (sets, [[]], [], "0 predictions for 1 targets; scores need as many, and at least one"),
        (
            strings,
            [[]],
            ["a"],
            "1 predicted texts for 1 rows of targets; scores need as many, and at least",
        ),
    ],
)
def test_targets_and_predictions_must_match(module, targets, predicted, message):
    with pytest.raises(DataError, match=message):
        module.tally(targets, predicted)
