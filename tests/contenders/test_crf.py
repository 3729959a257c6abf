"""The conditional random field of 'linear': equal to CRFsuite's own tagger, saved as arrays, refused when damaged."""

import dataclasses
import json
import sys
from itertools import pairwise

import numpy as np
import pytest

from headstart.contenders import _crf
from headstart.contenders.linear import Linear
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.records import Rows, Run
from headstart.tasks.ner import Ner
from headstart.text import tags


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    names, others = ("Anna", "Li", "Turing"), ("runs", "sees", "the", "of")
    inputs, targets = [], []
    for _ in range(60):
        name, words = str(rng.choice(names)), rng.choice(others, size=3).tolist()
        inputs.append(f"{words[0]} {name} {words[1]} in {words[2]}ville.")
        start = len(words[0]) + 1
        place = start + len(name) + len(words[1]) + 5
        targets.append(((start, start + len(name), "PER"), (place, place + len(words[2]) + 5, "LOC")))
    return Rows(tuple(map(str, range(60))), tuple(inputs), tuple(targets))


@pytest.fixture(scope="module")
def fitted(rows, tmp_path_factory):
    task = Ner().fitted(rows)
    return Linear().fit(rows, rows, task, Run(0, tmp_path_factory.mktemp("run") / "work", metric="micro-F1"))


def test_it_learns_entities(fitted, rows):
    assert fitted.predict(rows.inputs).values == rows.targets
    assert fitted.predict(["the Turing sees in runsville."]).values == (((4, 10, "PER"), (19, 28, "LOC")),)


def test_tags_are_those_of_crfsuite(rows, tmp_path, monkeypatch):
    import pycrfsuite

    monkeypatch.setattr(_crf.Path, "unlink", lambda *_: None)  # leave CRFsuite's own model where it is
    monkeypatch.setattr(_crf, "STRENGTHS", _crf.STRENGTHS[:1])
    task = Ner().fitted(rows)
    model = _crf.fit(rows, rows, task, Run(0, tmp_path, metric="micro-F1"))
    words = _crf.WordTokens()
    encoded = task.encode(rows.inputs, words)
    by_word = list(_crf._by_word(words.words, encoded.boundaries))
    _, numbered = _crf._numbered(by_word, 1)
    tagger = pycrfsuite.Tagger()
    tagger.open(str(tmp_path / "crfsuite.model"))
    theirs, shares = [], []
    for start, end in pairwise(encoded.boundaries):
        found = tagger.tag(numbered[start:end])
        theirs += map(int, found)
        shares.append(tagger.probability(found))
    scores = _crf._matrix(iter(by_word), {name: n for n, name in enumerate(model.features)}) @ model.weights
    seen = np.array(sorted(map(int, tagger.labels())))  # CRFsuite has no tag that no row has
    free = scores[:, seen], encoded.boundaries, model.moves[np.ix_(seen, seen)], np.zeros(len(seen), np.float32)
    best = tags.viterbi(*free)
    assert seen[best].tolist() == theirs
    np.testing.assert_allclose(tags.probabilities(*free, best), shares, rtol=1e-4)


def test_the_strength_with_the_best_score_on_validation_is_taken(rows, tmp_path, monkeypatch):
    """Of two strengths one predicts no entity; it is right only where the validation rows have none."""
    monkeypatch.setattr(_crf, "STRENGTHS", ((1000.0, 0.1), _crf.STRENGTHS[0], (1000.0, 0.1)))
    task, run = Ner().fitted(rows), Run(0, tmp_path, metric="exact")
    assert _crf.fit(rows, rows, task, run).predict(rows.inputs).values == rows.targets
    nothing = dataclasses.replace(rows, targets=((),) * len(rows))
    assert _crf.fit(rows, nothing, task, run).predict(rows.inputs).values == nothing.targets


def test_weights_of_neighbouring_tags_count():
    """Each word alone is an entity; a weight for I after B makes them one."""
    weights = np.array([[0, 1, -9], [0, 1, 0.5]], dtype=np.float32)
    for weight, expected in ((0, ((0, 4, "PER"), (5, 7, "PER"))), (2, ((0, 7, "PER"),))):
        moves = np.zeros((3, 3), dtype=np.float32)
        moves[1, 2] = weight
        model = _crf.FittedCrf(Ner(("PER",)), ("w=Anna", "w=Li"), weights, moves)
        assert model.predict(["Anna Li"]).values == (expected,)


@pytest.mark.parametrize("names", [["a", "a"], "a", [1], None])
def test_damaged_features_are_refused(fitted, tmp_path, names):
    fitted.save(tmp_path / "model")
    (tmp_path / "model" / "features.json").write_text(json.dumps({"features": names}))
    with pytest.raises(CheckpointError, match="must list each feature once"):
        Linear.load(tmp_path / "model", fitted.task, {})


def test_a_missing_package_is_named(rows, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycrfsuite", None)
    with pytest.raises(UsageError, match=r"pip install 'headstart\[ner\]'"):
        Linear().fit(rows, rows, Ner().fitted(rows), Run(0, tmp_path, metric="micro-F1"))


def test_texts_and_pairs_are_words_too():
    words = _crf.WordTokens()
    assert words.encode_pairs(["a b"], ["c"]).lengths.tolist() == [3]
    assert words.encode(["d"]).tokens.tolist() == [3]
    assert words.words == ["a", "b", "c", "d"]


def test_no_minutes_stop_after_the_first_strength(rows, tmp_path):
    stages = []
    run = Run(0, tmp_path, metric="micro-F1", minutes=0.0, progress=lambda progress: stages.append(progress.stage))
    Linear().fit(rows, rows, Ner().fitted(rows), run)
    assert stages.count("fitting") == 1


@pytest.mark.parametrize(("many", "known"), [(360, False), (361, True)])
def test_of_many_words_features_that_occur_once_do_not_count(many, known, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(_crf, "MANY_WORDS", many)
    monkeypatch.setattr(_crf, "STRENGTHS", ((0.0, 1.0),))  # no feature has a weight of zero
    inputs = ("of Zola runs in ofville.", *rows.inputs[1:])
    rare = dataclasses.replace(rows, inputs=inputs, targets=(((3, 7, "PER"), (16, 23, "LOC")), *rows.targets[1:]))
    model = _crf.fit(rare, rows, Ner().fitted(rare), Run(0, tmp_path, metric="micro-F1"))
    assert ("w=Zola" in model.features) == known
    assert "w=runs" in model.features
