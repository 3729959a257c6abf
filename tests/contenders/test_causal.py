"""Decoders alone: what they learn and are judged by, compared with transformers; strategies; the saved folder."""

import math

import numpy as np
import pytest
import torch
import transformers
from torch.nn import functional as F

from headstart.checkpoints import generating
from headstart.checkpoints.generating import GeneratorCheckpoint, find_generators
from headstart.contenders import _causal, _lessons, _likelihood, _unigram
from headstart.contenders.finetuned import Finetuned
from headstart.core.contracts import metric_values
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.records import Rows, Run
from headstart.nn.generate import Search
from headstart.saved import model_folder
from headstart.tasks.generation import Generation
from headstart.tasks.translation import Translation
from headstart.text import vocabulary
from headstart.training import loop

TASK = Generation()
inputs, targets = zip(*Generation.SAMPLE, strict=True)
ROWS = Rows(tuple(map(str, range(6))), inputs, targets)
METRIC = "perplexity per character"


@pytest.fixture(scope="module")
def started(decoder_backbone):
    return _causal.checkpoint(decoder_backbone)


@pytest.fixture(scope="module")
def theirs(decoder_backbone):
    return transformers.AutoModelForCausalLM.from_pretrained(decoder_backbone).eval()


@pytest.fixture
def train(decoder_backbone, tmp_path, monkeypatch):
    monkeypatch.setattr(loop.Settings, "steps", lambda self, rows: 3)

    def fit(strategy, task=TASK, rows=ROWS, metric=METRIC):
        contender = Finetuned(strategy=strategy, backbone=decoder_backbone)
        return contender.fit(rows, rows, task, Run(0, tmp_path / strategy, metric=metric))

    return fit


def expected_loss(theirs, started, row):
    """Return the sum of Hugging Face's losses of the answer's tokens and its end."""
    source = TASK.encode([inputs[row]], started.tokenizer).tokens.tolist()
    answer = [*started.tokenizer.encode_whole(targets[row]).tokens.tolist(), started.search.end[0]]
    whole = torch.tensor([[*source, *answer]])
    labels = whole.clone()
    labels[0, : len(source)] = -100
    with torch.no_grad():
        return float(theirs(whole, labels=labels).loss) * len(answer), len(answer)


def test_only_answers_count_and_each_as_much_as_in_transformers(started, theirs):
    lessons = _lessons.lessons(TASK, ROWS, started)
    losses = _likelihood.losses(started, lessons, "cpu")
    for row in range(6):
        loss, count = expected_loss(theirs, started, row)
        assert losses[row] == pytest.approx(loss, rel=1e-4)
        assert lessons.targets[row] == count
        assert lessons.characters[row] == len(targets[row][0]) + 1


def test_labels_and_rows_are_those_of_the_states(started):
    lessons = _lessons.lessons(TASK, ROWS, started)
    chosen = np.array([4, 0, 3])
    states, labels, owners = lessons.states(started.model, chosen, "cpu")
    for place, row in enumerate(chosen):
        alone, own, _ = lessons.states(started.model, np.array([row]), "cpu")
        assert labels[owners == place].tolist() == own.tolist()
        torch.testing.assert_close(states[owners == place], alone, atol=1e-5, rtol=0)


def test_candidates_are_scored_by_their_mean_likelihood(started, theirs):
    score = _likelihood.scorer(TASK, ROWS, started, "cpu", 200)
    scores = score(np.arange(6), [[targets[row][0], "Yes."] for row in range(6)])
    for row in range(6):
        loss, count = expected_loss(theirs, started, row)
        assert scores[row, 0] == pytest.approx(-loss / count, rel=1e-4)


def test_the_right_text_is_ranked_among_different_ones(started):
    many = Rows(tuple(map(str, range(40))), inputs[:1] * 40, tuple((f"answer {row % 20}",) for row in range(40)))
    seen = []

    def score(ranked, candidates):
        seen.extend(candidates)
        right = np.tile(np.eye(10)[0], (len(ranked), 1))
        right[::2, 3] = 2.0
        return right

    sums = np.zeros((40, 5))
    assert _likelihood.rank(sums, TASK, many, score).tolist() == list(range(40))
    assert all(len(set(each)) == 10 and each[0] == many.targets[row][0] for row, each in enumerate(seen))
    assert sums.sum(axis=0).tolist() == [0, 0, 0, 40, 20]
    assert len({tuple(each[1:]) for each in seen}) > 30  # others are drawn for each row


def test_answers_beyond_the_window_count_as_far_as_they_are_read(started):
    long = Rows(("1",), inputs[:1], (("raining again " * 90,),))
    lessons = _lessons.lessons(TASK, long, started)
    assert lessons.targets.tolist() == [27]
    text = started.tokenizer.backend.decode(lessons.labels[:-1].tolist())
    assert lessons.characters.tolist() == [len(text) + 1]
    assert text.strip()[:20] == "raining again rainin"


@pytest.mark.parametrize("strategy", ["full", "lora", "partial", "frozen"])
def test_strategies_choose_what_is_trained(train, started, strategy):
    fitted = train(strategy)
    before = started.model.state_dict()
    after = fitted.checkpoint.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert before.keys() == after.keys()
    blocks = {name.split(".")[2] for name in changed if ".blocks." in name}
    assert blocks == (set() if strategy == "frozen" else {"0", "1"})
    assert ("decoder.embeddings.word.weight" in changed) == (strategy == "full")
    if strategy == "lora":
        qkv = "decoder.blocks.0.attention.qkv.weight"
        assert all((before[qkv][a:b] != after[qkv][a:b]).any() for a, b in ((0, 16), (16, 24), (24, 32)))


def test_training_makes_right_answers_likelier(train, started, monkeypatch):
    monkeypatch.setattr(loop.Settings, "steps", lambda self, rows: 20)
    before = _likelihood.losses(started, _lessons.lessons(TASK, ROWS, started), "cpu").sum()
    fitted = train("lora")
    after = fitted.judge(ROWS).likelihoods[:, 0].sum()
    assert after < 0.97 * before


def test_the_saved_model_is_judged_as_before_and_opens_in_transformers(train, tmp_path):
    fitted = train("full")
    judged = fitted.judge(ROWS)
    fitted.save(tmp_path / "saved")
    again = model_folder.open_model(tmp_path / "saved")
    np.testing.assert_allclose(again.judge(ROWS).likelihoods, judged.likelihoods, atol=1e-4)
    assert again.predict(inputs).values == fitted.predict(inputs).values == judged.values
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "saved").eval()
    loss, _ = expected_loss(theirs, again.checkpoint, 2)
    assert judged.likelihoods[2, 0] == pytest.approx(loss, rel=1e-4)


def test_the_share_of_right_answers_of_ten_can_decide(train):
    fitted = train("partial", metric="right of ten")
    assert 0 <= metric_values(TASK, fitted.judge(ROWS), ROWS)["right of ten"] <= 1


def test_a_decoder_writes_answers_of_other_tasks_too(train):
    sources, translations = zip(*Translation.SAMPLE, strict=True)
    fitted = train("full", Translation(), Rows(ROWS.ids, sources, translations), "BLEU")
    assert len(fitted.predict(sources).values) == 6


def test_an_encoder_with_a_decoder_is_refused(tmp_path):
    tokenizer = vocabulary.train_bytes(["a b c"] * 3, 280, window=16)
    sizes = dict.fromkeys(("width", "encoder_feed_forward", "feed_forward"), 8)
    sizes |= dict.fromkeys(("encoder_layers", "layers", "encoder_heads", "heads"), 1)
    arguments = {**sizes, "vocabulary": tokenizer.size, "window": 16, "dropout": 0.0, "activation": "gelu"}
    arguments["scaled"] = False
    model = find_generators("mbart", "").build(arguments)
    generating.save(tmp_path, GeneratorCheckpoint(model, tokenizer, "mbart", arguments, Search((3,), 16, 2)))
    with pytest.raises(UsageError, match="is an encoder with a decoder \\('mbart'\\)"):
        _causal.checkpoint(str(tmp_path))


def test_the_floor_is_a_distribution_over_all_texts():
    fitted = _unigram.fit(ROWS, TASK)
    assert np.exp([fitted._logged(bytes([n]).decode("latin-1"))[0] for n in range(128)]).sum() < 1
    counts = np.array(fitted.counts) + 1
    assert sum(fitted.counts) == sum(len(text.encode()) + 1 for (text,) in targets)
    judged = fitted.judge(ROWS)
    word = targets[0][0]
    expected = -sum(math.log(counts[byte] / counts.sum()) for byte in [*word.encode(), 256])
    assert judged.likelihoods[0, :3].tolist() == pytest.approx([expected, len(word) + 1, len(word) + 1])


@pytest.mark.parametrize("extra", [{}, {"counts": [1, 2], "answer": "a"}, {"counts": [-1] * 257, "answer": "a"}])
def test_a_damaged_floor_is_refused(extra):
    with pytest.raises(CheckpointError, match="the manifest must hold counts of all bytes and an answer"):
        _unigram.load(TASK, extra)


def test_losses_of_pairs_are_those_of_their_rows(tmp_path, monkeypatch, tiny_seq2seq):
    lessons = _lessons.lessons(TASK, ROWS, tiny_seq2seq)
    losses = _likelihood.losses(tiny_seq2seq, lessons, "cpu")
    for row in range(6):
        batch, labels = lessons.pack(np.array([row]))
        with torch.no_grad():
            loss = F.cross_entropy(tiny_seq2seq.model(batch), labels, reduction="sum")
        assert losses[row] == pytest.approx(float(loss), rel=1e-4)


@pytest.fixture(scope="module")
def tiny_seq2seq(tmp_path_factory):
    from headstart.contenders.seq2seq import Seq2Seq

    tiny = Seq2Seq(vocabulary=280, layers=1, width=16, heads=2, feed_forward=16, window=32, epochs=1)
    run = Run(0, tmp_path_factory.mktemp("run"), metric=METRIC, minutes=0.001)
    return tiny.fit(ROWS, ROWS, TASK, run).checkpoint
