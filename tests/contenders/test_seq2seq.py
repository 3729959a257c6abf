"""A model that learns to write: what it can learn, what resumes, and what it refuses."""

import numpy as np
import pytest
import torch

from headstart.contenders import _lessons, _members
from headstart.contenders.seq2seq import Seq2Seq
from headstart.core import rooms
from headstart.core.errors import UsageError
from headstart.core.records import Rows, Run
from headstart.tasks.qa import QuestionAnswering
from headstart.tasks.translation import Translation

WORDS = dict(
    zip(["one", "two", "three", "four", "five", "six"], ["eins", "zwei", "drei", "vier", "fünf", "sechs"], strict=True)
)
TINY = {"vocabulary": 300, "layers": 1, "width": 32, "heads": 2, "feed_forward": 64, "window": 32, "dropout": 0.0}


def numbers(count, seed=0):
    """Numbers in words, of which each has its own translation."""
    rng = np.random.default_rng(seed)
    sources = [" ".join(rng.choice(list(WORDS), rng.integers(1, 4))) for _ in range(count)]
    targets = [(" ".join(WORDS[word] for word in source.split()),) for source in sources]
    return Rows(tuple(map(str, range(count))), tuple(sources), tuple(targets))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    run = Run(0, tmp_path_factory.mktemp("run"), metric="BLEU")
    contender = Seq2Seq(**TINY, epochs=12, batch_rows=16, learning_rate=5e-3)
    return contender.fit(numbers(160), numbers(20, 1), Translation(), run)


def test_it_learns_to_translate(fitted):
    held_out = numbers(30, 2)
    predictions = fitted.predict(held_out.inputs)
    right = [value == target[0] for value, target in zip(predictions.values, held_out.targets, strict=True)]
    assert np.mean(right) > 0.8
    assert predictions.confidence.min() >= 0
    assert predictions.confidence.max() <= 1


def test_the_labels_are_the_next_tokens(fitted):
    rows = numbers(5)
    tokenizer, search = fitted.checkpoint.tokenizer, fitted.checkpoint.search
    pairs = _lessons.pairs(Translation(), rows, fitted.checkpoint)
    for row in range(5):
        start, stop = pairs.inputs.boundaries[row : row + 2]
        inputs, labels = pairs.inputs.tokens[start:stop], pairs.labels[start:stop]
        assert inputs[0] == search.start
        assert labels[-1] == search.end[0]
        assert (inputs[1:] == labels[:-1]).all()
        assert tokenizer.backend.decode(labels[:-1].tolist()).strip() == rows.targets[row][0]


def test_packed_labels_are_those_of_their_inputs(fitted):
    pairs = _lessons.pairs(Translation(), numbers(6), fitted.checkpoint)
    batch, labels = pairs.pack(np.array([4, 0, 3]))
    for place, row in enumerate(np.array([4, 0, 3])[batch.target.order.numpy()]):
        own = labels[batch.target.boundaries[place] : batch.target.boundaries[place + 1]]
        start, stop = pairs.inputs.boundaries[row : row + 2]
        assert own.tolist() == pairs.labels[start:stop].tolist()


def test_texts_beyond_the_window_are_truncated_on_both_sides(fitted):
    long = Rows(("1",), ("one " * 200,), (("eins " * 200,),))
    pairs = _lessons.pairs(Translation(), long, fitted.checkpoint)
    assert pairs.source.lengths.tolist() == pairs.inputs.lengths.tolist() == [32]
    assert fitted.cut_off(long.inputs) > 0.5
    assert len(fitted.predict(long.inputs).values) == 1


def test_the_loss_does_not_depend_on_what_is_packed_together(fitted):
    pairs = _lessons.pairs(Translation(), numbers(8), fitted.checkpoint)

    def total(rows):
        batch, labels = pairs.pack(np.array(rows))
        with torch.no_grad():
            logits = fitted.checkpoint.model(batch)
        return float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))

    assert total([0, 1, 2, 3, 4, 5, 6, 7]) == pytest.approx(sum(total([row]) for row in range(8)), rel=1e-4)


def test_what_it_cannot_learn_is_said():
    reason = "it writes texts of its own, and answers of this task are parts of its inputs"
    assert _members.unsupported(Seq2Seq, QuestionAnswering) == reason
    assert (
        _members.unsupported(rooms.plugin("contenders", "scratch"), Translation) == "it cannot write texts of its own"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beams": 0}, "'beams' is 0"),
        ({"average": -1}, "'average' is -1"),
        ({"smoothing": 1.0}, "'smoothing' is 1.0; it must be at least 0 and below 1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Seq2Seq(**options)
