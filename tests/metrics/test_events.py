"""Scores of events are those of a slow plain count, on random cases."""

import numpy as np
import pytest

from headstart.core.errors import DataError
from headstart.metrics import events, stats

CASES = 1000


def random_facts(random):
    """Triggers and arguments that do not overlap, each argument of up to two events; of few types, so that many hit."""
    parts, place = [], 0
    while place < 14:
        length = int(random.integers(1, 4))
        if random.random() < 0.7:
            parts.append((place, place + length))
        place += length
    triggers = {part: str(random.choice(["A", "B"])) for part in parts if random.random() < 0.5}
    facts = [(*part, kind) for part, kind in triggers.items()]
    for part in parts:
        if part not in triggers and triggers:
            for number in random.choice(len(triggers), size=random.integers(1, 3)):
                trigger = [*triggers][number]
                facts.append((*part, *trigger, f"{triggers[trigger]}:{random.choice(['who', 'what'])}"))
    return facts + facts[: random.integers(0, 2)]  # some are listed twice


def random_row(random):
    """True and predicted facts, often with some in common."""
    truth = random_facts(random)
    if random.random() < 0.5:
        return truth, random_facts(random)
    return truth, [fact for fact in truth if random.random() < 0.7]


def best_matching(true, given):
    """The largest number of pairs that overlap and are of one type, by trying all."""
    if not true:
        return 0
    (start, end, kind), *rest = true
    pairs = [other for other in given if other[2] == kind and start < other[1] and other[0] < end]
    return max([best_matching(rest, given), *(1 + best_matching(rest, given - {other}) for other in pairs)])


def plain_f1(rows, part, equal):
    """F1 of what `part` takes of each row's facts; `equal` counts the hits of a row."""
    hits = predicted = actual = 0
    for truth, answer in rows:
        true, given = ({part(fact) for fact in facts} - {None} for facts in (truth, answer))
        hits += equal(true, given)
        predicted += len(given)
        actual += len(true)
    if not hits:
        return 0.0
    precision, recall = hits / predicted, hits / actual
    return 2 * precision * recall / (precision + recall)


def same(true, given):
    return sum(item in given for item in true)


PLAIN = {
    "trigger-F1": (lambda fact: fact if len(fact) == 3 else None, same),
    "trigger-overlap-F1": (lambda fact: fact if len(fact) == 3 else None, best_matching),
    "trigger-identification-F1": (lambda fact: fact[:2] if len(fact) == 3 else None, same),
    "argument-F1": (lambda fact: (*fact[:2], fact[4]) if len(fact) == 5 else None, same),
    "argument-overlap-F1": (lambda fact: (*fact[:2], fact[4]) if len(fact) == 5 else None, best_matching),
    "argument-link-F1": (lambda fact: fact if len(fact) == 5 else None, same),
}


def test_scores_are_those_of_a_plain_count():
    assert [metric.name for metric in events.METRICS] == [*PLAIN]
    random, seen = np.random.default_rng(0), {name: set() for name in PLAIN}
    for _ in range(CASES):
        rows = [random_row(random) for _ in range(random.integers(1, 4))]
        total = events.tally(*zip(*rows, strict=True)).total
        for metric in events.METRICS:
            expected = plain_f1(rows, *PLAIN[metric.name])
            assert float(metric.of(total)) == pytest.approx(expected), metric.name
            seen[metric.name].add(round(expected, 3))
    assert all(len(values) > 20 for values in seen.values())  # the cases tell metrics apart


def test_each_row_adds_its_own_sums():
    truth = [[(0, 3, "A"), (4, 6, 0, 3, "A:who")], [], [(2, 5, "B")]]
    answer = [[(0, 3, "A")], [(0, 1, "A")], [(1, 4, "B")]]
    rows = events.tally(truth, answer).rows.toarray()
    assert rows[:, :3].tolist() == [[1, 1, 1], [0, 1, 0], [0, 1, 1]]
    assert rows[:, 3:6].tolist() == [[1, 1, 1], [0, 1, 0], [1, 1, 1]]
    assert rows[:, 9:12].tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_the_interval_holds_the_score_and_smoothing_has_right_and_wrong_rows():
    random = np.random.default_rng(1)
    truth = [random_facts(random) for _ in range(60)]
    answer = [facts if random.random() < 0.6 else random_facts(random) for facts in truth]
    tally = events.tally(truth, answer)
    for metric in events.METRICS:
        assert metric.of(tally.right[0]) == 1.0
        assert metric.of(tally.wrong[0]) == 0.0
        found = stats.interval([tally], metric)
        assert 0 < found.low < found.value < found.high < 1


def test_one_long_prediction_is_right_at_most_once():
    truth = [[(0, 2, "A"), (4, 6, "A"), (8, 10, "A")]]
    total = events.tally(truth, [[(0, 10, "A")]]).total
    assert total[3:6].tolist() == [1, 1, 3]


@pytest.mark.parametrize(("targets", "predicted"), [([], []), ([[]], []), ([[]], [[], []])])
def test_rows_and_predictions_must_be_as_many(targets, predicted):
    with pytest.raises(DataError, match="scores need as many, and at least one"):
        events.tally(targets, predicted)


def test_rows_without_facts_score_zero():
    total = events.tally([[], []], [[], []]).total
    assert [float(metric.of(total)) for metric in events.METRICS] == [0.0] * len(events.METRICS)
