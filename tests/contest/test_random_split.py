import numpy as np

from headstart import tasks
from headstart.contest import random_split
from headstart.core.records import Rows
from headstart.data.split import split

TASK = tasks.load("classification")


def persons(own_words: bool) -> Rows:
    """Texts of persons who each have one label; where they have words of their own, these give the person away."""
    random = np.random.default_rng(0)
    texts, labels, groups = [], [], []
    for person in range(60):
        word, label = f"word{person}" if own_words else "word", "ab"[person % 2]
        for number in range(8):
            hint = label if random.random() < 0.7 else "ab"[random.integers(2)]
            texts.append(f"{word} {word}s say {hint}{hint} today, {person * 8 + number} {random.integers(10**6)}")
            labels.append(label)
            groups.append(str(person))
    return Rows(tuple(map(str, range(len(texts)))), tuple(texts), tuple(labels), tuple(groups))


def test_a_random_split_promises_more_where_persons_are_recognised():
    rows = persons(own_words=True)
    finding = random_split.gap(rows, split(rows, TASK), TASK, TASK.metrics[0], 0)
    assert finding.severity == "warning"
    assert finding.sentence.startswith("linear reaches ")
    assert "which a random split would have hidden" in finding.sentence


def test_and_no_more_where_they_are_not():
    rows = persons(own_words=False)
    finding = random_split.gap(rows, split(rows, TASK), TASK, TASK.metrics[0], 0)
    assert finding.severity == "note"
    assert finding.sentence.endswith("within its uncertainty.")
