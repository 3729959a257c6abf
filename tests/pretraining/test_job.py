"""Pretraining from text to folder: what it reuses, what a kill changes, what it refuses."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from headstart.contenders.selfpretrained import SelfPretrained
from headstart.core import sealed, seed
from headstart.core.errors import DataError, UsageError
from headstart.core.records import Rows, Run
from headstart.data import corpus
from headstart.nn.pretraining import Pretraining
from headstart.pretraining import job
from headstart.pretraining.job import Plan, Recipe, pretrain
from headstart.tasks.classification import Classification
from headstart.text import vocabulary
from headstart.training import loop

CHANCE = np.random.default_rng(0)
NOUNS, VERBS = ["cat", "dog", "hat", "box"], ["sat", "ran", "fell", "broke"]


def sentence(noun):
    return f"The {noun} {CHANCE.choice(VERBS)} and the {noun} {CHANCE.choice(VERBS)}."


# In a document every sentence is about one thing, so that hidden words and next passages can be guessed.
TEXTS = [" ".join(sentence(noun) for _ in range(4)) for noun in NOUNS * 15]
TRUE_SIZE = job.SIZES["tiny"]
TINY = Recipe(size="tiny", vocabulary=80, window=24, epochs=2, batch_tokens=200)
COUNTED = dataclasses.replace(TINY, counted=True)


@pytest.fixture(autouse=True)
def one_narrow_layer(monkeypatch):
    """Let the smallest size be half as large, for tests of all that is not learning."""
    monkeypatch.setattr(job, "SIZES", {**job.SIZES, "tiny": (1, 64)})


class Killed(Exception):
    """Simulates a kill in the middle of a training."""


def weights(place):
    return load_file(place / "model.safetensors")


@pytest.mark.parametrize("counted", [False, True])
def test_it_learns_and_says_how_well(counted, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "HELD_OUT", 0.25)
    monkeypatch.setattr(job, "SIZES", {**job.SIZES, "tiny": TRUE_SIZE})
    seen, plans = [], []
    recipe = dataclasses.replace(TINY, counted=counted, epochs=20, learning_rate=3e-3, batch_tokens=600)
    run = Run(0, tmp_path / "run", progress=seen.append)
    record = pretrain(corpus.of_texts(TEXTS), recipe, run, tmp_path / "out", tmp_path, plans.append)
    held = record["held_out"]
    assert held["documents"] == 15
    # Everything but the verbs can be known, and one verb in four is guessed by chance.
    assert 0.6 < held["accuracy"] < 0.9
    best = min(evaluation["loss"] for evaluation in record["evaluations"])
    assert held["perplexity"] == pytest.approx(np.exp(best))
    assert record["steps"] == plans[0].steps
    assert record == json.loads((tmp_path / "out" / "pretraining.json").read_text())
    stages = {"learning a vocabulary", "tokenising", "timing a few steps", "training"}
    assert {news.stage for news in seen} == stages | ({"counting words"} if counted else set())
    assert 0 < record["share_of_matrix_rate"] < 1.5
    assert set(plans[0].alternatives) == {"tiny", "mini", "small", "base"}


@pytest.mark.parametrize("threads", [1, 2])
def test_a_kill_changes_nothing(threads, tmp_path, monkeypatch, set_threads):
    set_threads(threads)
    texts = corpus.of_texts(TEXTS)
    pretrain(texts, COUNTED, Run(3, tmp_path / "whole"), tmp_path / "out", tmp_path / "work")
    monkeypatch.setitem(loop.train.__kwdefaults__, "checkpoint_seconds", 0.0)

    def die(news):
        if news.stage == "training" and news.done > 0.5:
            raise Killed

    with pytest.raises(Killed):
        pretrain(texts, COUNTED, Run(3, tmp_path / "cut", progress=die), tmp_path / "again", tmp_path / "work")
    planned = sealed.read_note(next((tmp_path / "cut").glob("training-*/plan.json")))
    record = pretrain(texts, COUNTED, Run(3, tmp_path / "cut"), tmp_path / "again", tmp_path / "work")
    assert record["planned"] == planned
    one, other = weights(tmp_path / "out"), weights(tmp_path / "again")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_vocabulary_tokens_and_words_are_made_once(tmp_path, monkeypatch):
    texts = corpus.of_texts(TEXTS)
    pretrain(texts, COUNTED, Run(0, tmp_path / "a"), tmp_path / "out", tmp_path / "work")
    made = sorted(path.name.partition("-")[0] for path in (tmp_path / "work").glob("[!.]*"))
    assert made == ["shards", "vocabulary", "words"]
    with monkeypatch.context() as patch:
        patch.setattr(vocabulary, "train", None)
        patch.setattr(job.shards, "write", None)
        pretrain(texts, COUNTED, Run(1, tmp_path / "b"), tmp_path / "other", tmp_path / "work")
    assert not torch.equal(*(weights(tmp_path / name)["cls.predictions.bias"] for name in ("out", "other")))
    pretrain(corpus.of_texts(TEXTS[1:]), COUNTED, Run(0, tmp_path / "c"), tmp_path / "third", tmp_path / "work")
    # Documents that judge depend on the seed, and no word is counted in them.
    assert sum(path.name.startswith("words-") for path in (tmp_path / "work").iterdir()) == 3
    assert len(list((tmp_path / "work").glob("[!.]*"))) == 7


@pytest.mark.parametrize("name", ["vocabulary-*/tokenizer.json", "shards-*/tokens.bin", "words-*/vectors.npy"])
def test_what_is_damaged_is_made_again(tmp_path, name, capsys):
    texts = corpus.of_texts(TEXTS)
    pretrain(texts, COUNTED, Run(0, tmp_path / "a"), tmp_path / "out", tmp_path / "work")
    (path,) = (tmp_path / "work").glob(name)
    sound = path.read_bytes()
    path.write_bytes(sound[: len(sound) // 2])
    pretrain(texts, COUNTED, Run(0, tmp_path / "b"), tmp_path / "again", tmp_path / "work")
    assert path.read_bytes() == sound
    one, other = weights(tmp_path / "out"), weights(tmp_path / "again")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert f"'{path.parent}' is damaged, so it is deleted and made again." in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "[]", '{"steps": 1}'])
def test_a_checkpoint_whose_plan_is_damaged_is_not_resumed(tmp_path, content, capsys):
    texts, run = corpus.of_texts(TEXTS), Run(0, tmp_path / "run")
    record = pretrain(texts, TINY, run, tmp_path / "out", tmp_path / "work")
    (plan,) = run.folder.glob("training-*/plan.json")
    plan.unlink()
    if content is not None:
        plan.write_text(content)
    again = pretrain(texts, TINY, run, tmp_path / "out", tmp_path / "work")
    assert again["steps"] == record["steps"]
    assert again["seconds"] != record["seconds"]
    assert "checkpoint.safetensors' is damaged, so it is deleted and made again." in capsys.readouterr().err


def test_minutes_cut_the_plan_and_its_schedule(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "_time", lambda *_: 1.0)
    recipe = dataclasses.replace(TINY, epochs=1000, minutes=0.1)
    plans: list[Plan] = []
    run = Run(0, tmp_path / "run")
    record = pretrain(corpus.of_texts(TEXTS), recipe, run, tmp_path / "out", tmp_path, plans.append)
    assert record["steps"] == plans[0].steps == int(0.9 * 6)
    rates = [json.loads(line) for line in next(run.folder.glob("*/metrics.jsonl")).read_text().splitlines()]
    assert [line["rate"] for line in rates if "rate" in line][-1] < 0.3


def test_a_pretrained_model_is_gone_on_with(tmp_path):
    texts = corpus.of_texts(TEXTS)
    pretrain(texts, TINY, Run(0, tmp_path / "a"), tmp_path / "first", tmp_path / "work")
    more = dataclasses.replace(TINY, backbone=str(tmp_path / "first"), epochs=1, learning_rate=1e-9)
    plans: list[Plan] = []
    record = pretrain(texts, more, Run(0, tmp_path / "b"), tmp_path / "second", tmp_path / "work", plans.append)
    assert plans[0].alternatives == {}
    assert record["arguments"]["width"] == 64
    one, other = weights(tmp_path / "first"), weights(tmp_path / "second")
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)
    # Other weights of the same name begin another training.
    pretrain(texts, TINY, Run(1, tmp_path / "a"), tmp_path / "first", tmp_path / "work")
    pretrain(texts, more, Run(0, tmp_path / "b"), tmp_path / "second", tmp_path / "work")
    assert len(list((tmp_path / "b").iterdir())) == 2


@pytest.mark.parametrize(
    ("change", "texts", "error", "sentence"),
    [
        ({"size": "smal"}, TEXTS, UsageError, "no size 'smal'; did you mean 'small'?"),
        ({"window": 4}, TEXTS, UsageError, "a window of 4 tokens has no room for text; ask for at least 8"),
        ({}, TEXTS[:1], DataError, "the text holds 1 document, and at least two are needed"),
    ],
)
def test_what_it_refuses(tmp_path, change, texts, error, sentence):
    recipe = dataclasses.replace(TINY, **change)
    with pytest.raises(error, match=sentence.replace("?", r"\?")):
        pretrain(corpus.of_texts(texts), recipe, Run(0, tmp_path / "run"), tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


def test_documents_set_apart_change_no_weight(tmp_path):
    pretrain(corpus.of_texts(TEXTS), TINY, Run(0, tmp_path / "a"), tmp_path / "first", tmp_path / "work")
    apart = seed.generator(0, "held-out").permutation(len(TEXTS))[0]  # of sixty documents one
    recipe = dataclasses.replace(TINY, backbone=str(tmp_path / "first"), counted=True, epochs=1, learning_rate=1e-3)

    def learnt(name, place, text):
        texts = [text if number == place else old for number, old in enumerate(TEXTS)]
        pretrain(corpus.of_texts(texts), recipe, Run(0, tmp_path / name), tmp_path / f"{name}-out", tmp_path / "work")
        return weights(tmp_path / f"{name}-out")

    clean, poisoned = learnt("clean", apart, TEXTS[apart]), learnt("poisoned", apart, "dog dog dog dog box box. Hat")
    assert all(torch.equal(clean[name], poisoned[name]) for name in clean)
    other = learnt("other", apart - 1, "dog dog dog dog box box. Hat")
    assert not all(torch.equal(clean[name], other[name]) for name in clean)


def test_a_vocabulary_of_bytes(tmp_path):
    recipe = dataclasses.replace(TINY, byte_level=True, vocabulary=300, epochs=1)
    record = pretrain(corpus.of_texts(TEXTS), recipe, Run(0, tmp_path / "run"), tmp_path / "out", tmp_path)
    assert 261 < record["arguments"]["vocabulary"] <= 300


def test_a_folder_with_something_else_is_not_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").touch()
    with pytest.raises(UsageError, match="out' exists and is not a pretrained model, so it is not replaced"):
        pretrain(corpus.of_texts(TEXTS), TINY, Run(0, tmp_path / "run"), tmp_path / "out", tmp_path)
    assert (tmp_path / "out" / "thesis.txt").exists()


# --- the contender -------------------------------------------------------------------------------------------


@pytest.fixture
def rows():
    return Rows(tuple(map(str, range(8))), tuple(TEXTS[:8]), tuple("ab" * 4))


def fit(rows, run, passes=1):
    contender = SelfPretrained(size="tiny", vocabulary=80, window=24, pretraining_epochs=passes, epochs=1)
    return contender.fit(rows, rows, Classification().fitted(rows), run)


def test_a_pretraining_is_shared_by_what_reads_the_same_texts(rows, tmp_path):
    shared, run = tmp_path / "shared", Run(0, tmp_path / "a", unlabelled=tuple(TEXTS), shared=tmp_path / "shared")
    first = fit(rows, run)
    assert first.reused_seconds == 0
    made = {path.name for path in shared.glob("pretrained-*")}
    again = fit(rows, dataclasses.replace(run, folder=tmp_path / "b"))
    record = json.loads(next(shared.glob("pretrained-*/model/pretraining.json")).read_text(encoding="utf-8"))
    assert again.reused_seconds == record["preparation_seconds"] + record["seconds"]
    # Learning the vocabulary, tokenising, counting and timing a few steps all take time.
    assert 0 < record["preparation_seconds"] < 60
    assert {path.name for path in shared.glob("pretrained-*")} == made
    assert torch.equal(first.model.head.output.weight, again.model.head.output.weight)
    fit(rows, dataclasses.replace(run, folder=tmp_path / "c", seed=1))
    # Fewer rows make no other corpus of texts that hold them all, but one of texts that do not.
    assert fit(rows.take(range(6)), dataclasses.replace(run, folder=tmp_path / "d")).reused_seconds > 0
    assert len(list(shared.glob("pretrained-*"))) == 2
    fit(rows, dataclasses.replace(run, folder=tmp_path / "e", unlabelled=tuple(TEXTS[8:])))
    run = dataclasses.replace(run, unlabelled=tuple(TEXTS[8:]))
    assert fit(rows.take(range(6)), dataclasses.replace(run, folder=tmp_path / "f")).reused_seconds == 0
    assert len(list(shared.glob("pretrained-*"))) == 4


def test_it_reads_unlabelled_text_and_the_rows_it_trains_on_and_no_others(rows, tmp_path, monkeypatch):
    read = []

    def spy(texts, *rest):
        read.extend(texts.walk())
        raise Killed

    monkeypatch.setattr(job, "pretrain", spy)
    validation = Rows(("v",), ("a secret",), ("a",))
    contender = SelfPretrained()
    with pytest.raises(Killed):
        contender.fit(rows, validation, Classification().fitted(rows), Run(0, tmp_path, unlabelled=("more text",)))
    assert read == ["more text", *rows.inputs]


def test_a_budget_is_divided_between_pretraining_and_fine_tuning(rows, tmp_path, monkeypatch):
    asked = []

    def spy(texts, recipe, *rest):
        asked.append(recipe.minutes)
        raise Killed

    monkeypatch.setattr(job, "pretrain", spy)
    for minutes in (3.0, 30.0, None):
        with pytest.raises(Killed):
            SelfPretrained().fit(rows, rows, Classification().fitted(rows), Run(0, tmp_path, minutes=minutes))
    assert asked == [2.0, 10.0, 10.0]


@pytest.mark.parametrize("name", ["model/model.safetensors", "model/pretraining.json", "sealed.json"])
def test_a_damaged_pretraining_is_done_again(rows, tmp_path, name):
    run = Run(0, tmp_path / "a", shared=tmp_path / "shared")
    first = fit(rows, run)
    (place,) = run.shared.glob("pretrained-*")
    data = bytearray((place / name).read_bytes())
    data[len(data) // 2] ^= 1
    (place / name).write_bytes(data)
    again = fit(rows, dataclasses.replace(run, folder=tmp_path / "b"))
    assert again.reused_seconds == 0
    assert torch.equal(first.model.head.output.weight, again.model.head.output.weight)


def test_it_goes_on_in_either_phase(rows, tmp_path, monkeypatch):
    whole = fit(rows, Run(0, tmp_path / "whole"))
    monkeypatch.setitem(loop.train.__kwdefaults__, "checkpoint_seconds", 0.0)
    for stage in ("pretraining", "training"):

        def die(news, stage=stage):
            if news.stage == stage and news.done > 0.4:
                raise Killed

        with pytest.raises(Killed):
            fit(rows, Run(0, tmp_path / "cut", progress=die))
    again = fit(rows, Run(0, tmp_path / "cut"))
    assert again.reused_seconds > 0
    assert not isinstance(again.model, Pretraining)
    assert np.array_equal(again.predict(TEXTS).probabilities, whole.predict(TEXTS).probabilities)


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_fine_tuning_starts_again_after_its_pretraining_was_made_again(
    rows, tmp_path, monkeypatch, capsys, elsewhere
):
    """With limited time a pretraining made again takes another number of steps, and gives other weights."""
    monkeypatch.setitem(loop.train.__kwdefaults__, "checkpoint_seconds", 0.0)
    run = Run(0, tmp_path / "run", minutes=30, shared=tmp_path / "shared" if elsewhere else None)

    def die(news):
        if news.stage == "training" and news.done > 0.4:
            raise Killed

    monkeypatch.setattr(job, "_time", lambda *_: 270.0)
    with pytest.raises(Killed):
        fit(rows, dataclasses.replace(run, progress=die), passes=4)
    place = run.shared or run.folder
    for leftover in (*place.glob("pretrained-*"), run.folder / "pretraining"):
        shutil.rmtree(leftover)
    monkeypatch.setattr(job, "_time", lambda *_: 540.0)
    capsys.readouterr()
    again = fit(rows, run, passes=4)
    assert again.reused_seconds == 0
    assert "checkpoint.safetensors' is of a model or of states that have changed since" in capsys.readouterr().err
