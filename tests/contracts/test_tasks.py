"""What every task promises: two inverse functions, and a sample that a contender can learn from."""

import json
from typing import get_args

import numpy as np
import pytest

from headstart.core import rooms
from headstart.core.contracts import Kind, all_texts, metric_values
from headstart.core.errors import DataError
from headstart.core.records import Rows
from headstart.core.sequences import IGNORED, Ragged
from headstart.text import vocabulary
from headstart.text.scripts import spans_of_words

NAMES = rooms.names("tasks")


@pytest.fixture(params=NAMES)
def task(request):
    return rooms.load("tasks", request.param)


def test_the_sample_has_six_examples(task):
    assert len(task.SAMPLE) == 6


def test_texts_and_strata_are_text(task):
    for value, target in task.SAMPLE:
        assert task.texts(value)
        assert all(isinstance(text, str) for text in task.texts(value))
        assert isinstance(task.stratum(target), str)


def test_names_its_kind_metrics_and_columns(task):
    assert task.kind in get_args(Kind)
    assert task.metrics
    roles = [column.role for column in task.columns]
    assert len(set(roles)) == len(roles) > 1
    targets = [column.target for column in task.columns]
    assert targets == sorted(targets)
    assert any(targets)
    assert not all(targets)


def test_reads_no_target_where_there_is_none(task):
    """`predict` gives the cells of inputs only: what a row lacks is said of its inputs."""
    cells = {column.role: None for column in task.columns if not column.target}
    with pytest.raises(DataError, match=r"^has no "):
        task.read(cells)


def words_of(text):
    """The places of words; marks of entities stay, as punctuation does not count as a word here."""
    return [(start, end) for start, end in spans_of_words(text) if text[start:end].isalnum()]


def test_words_are_removed_from_an_input_and_the_others_stay(task):
    for value, _ in task.SAMPLE:
        texts = task.texts(value)
        places = [words_of(text) for text in texts]
        assert json.dumps(task.without(value, [()] * len(texts))) == json.dumps(value)
        less = task.texts(task.without(value, [spans[1:3] for spans in places]))
        for text, spans, shorter in zip(texts, places, less, strict=True):
            words = [text[start:end] for start, end in spans]
            assert [shorter[start:end] for start, end in words_of(shorter)] == words[:1] + words[3:]
        nothing = task.texts(task.without(value, places))
        assert not any(map(words_of, nothing))


@pytest.fixture
def sample(task):
    inputs, targets = zip(*task.SAMPLE, strict=True)
    return Rows(tuple(map(str, range(len(inputs)))), inputs, targets)


@pytest.fixture
def tokenizer(task, sample):
    return vocabulary.train(all_texts(task.fitted(sample), sample.inputs), 200, window=64)


def certain(head, targets, encoded):
    """The outputs of a head that is sure of the right answers."""
    values, outputs = targets.values, len(head.labels)
    if head.suffix == "ForQuestionAnswering":
        logits = np.zeros((len(encoded.tokens), 2), dtype=np.float32)
        for number, places in enumerate(values):
            logits[encoded.boundaries[number] + places, [0, 1]] = 20.0
        return Ragged(logits, encoded.boundaries)
    if head.problem == "regression":
        return targets
    if head.problem == "multi_label_classification":
        return Ragged(40.0 * (values - 0.5), targets.boundaries)
    return Ragged(20.0 * np.eye(outputs, dtype=np.float32)[np.where(values == IGNORED, 0, values)], targets.boundaries)


@pytest.fixture
def scored(task):
    """A task whose answers a model finds by scores; others are written, see the contract of contenders."""
    if task.generates:
        pytest.skip("its answers are generated")
    return task


def test_decode_undoes_targets(scored, sample, tokenizer):
    """Outputs that are sure of the right answers decode to the targets, and score perfectly."""
    fitted = scored.fitted(sample)
    encoded = fitted.encode(sample.inputs, tokenizer)
    outputs = certain(fitted.head(), fitted.targets(sample, encoded), encoded)
    predictions = fitted.decode(outputs, encoded, sample.inputs)
    if scored.kind == "text":  # one of those that are right
        accepted = [{text for text, *_ in target} or {""} for target in sample.targets]
        assert all(value in right for value, right in zip(predictions.values, accepted, strict=True))
    elif scored.kind == "number":
        np.testing.assert_allclose(predictions.values, sample.targets, rtol=1e-6, atol=1e-6)
    else:
        assert predictions.values == sample.targets
    if scored.kind == "label":
        assert np.allclose(predictions.probabilities.sum(axis=1), 1.0, atol=1e-6)
    scores = metric_values(fitted, predictions, sample)
    assert set(scores) == {metric.name for metric in scored.metrics}
    assert all(scores[metric.name] == pytest.approx(float(metric.higher), abs=1e-6) for metric in scored.metrics)


def test_settles_on_the_right_answers_of_predictions_that_are_nearly_certain(scored, sample, tokenizer):
    fitted = scored.fitted(sample)
    encoded = fitted.encode(sample.inputs, tokenizer)
    outputs = certain(fitted.head(), fitted.targets(sample, encoded), encoded)
    later = fitted.settled(fitted.decode(outputs, encoded, sample.inputs), sample.targets)
    assert (later != fitted) == scored.settles
    assert later.decode(outputs, encoded, sample.inputs).values == fitted.decode(outputs, encoded, sample.inputs).values


def test_encoding_keeps_one_entry_per_input(task, sample):
    fitted = task.fitted(sample)
    tokenizer = vocabulary.train(all_texts(fitted, sample.inputs), 200, window=16)
    encoded = fitted.encode(sample.inputs, tokenizer)
    assert len(encoded) == len(sample)
    assert encoded.sequence_lengths.max() <= 16


@pytest.mark.parametrize("task", [name for name in NAMES if rooms.plugin("tasks", name).kind == "text"], indirect=True)
def test_answers_without_training_are_texts_of_so_many_ways(task, sample):
    assert task.ways >= 1
    for value in sample.inputs:
        assert all(isinstance(task.untrained(value, way), str) for way in range(task.ways))
