"""The heads of pretraining against transformers, from folder to gradient."""

import os

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForMaskedLM, AutoTokenizer, BertConfig, BertForPreTraining

from headstart.checkpoints import folder
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.packed import pack
from headstart.nn.pretraining import LENGTH, MEAN, Pretraining, PretrainingHead, begin_with, operations, word_loss
from headstart.text import vocabulary

TEXTS = ["the cat sat on the mat", "a longer text about the cat and the hat"] * 9
LENGTHS, WINDOW = (7, 3, 12, 7), 16


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder as transformers writes it, with weights large enough for a mistake to show."""
    saved_folder = tmp_path_factory.mktemp("theirs")
    tokenizer = vocabulary.train(TEXTS, 60, window=WINDOW)
    tokenizer.save(saved_folder)
    config = BertConfig(
        vocab_size=tokenizer.size,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=32,
        max_position_embeddings=WINDOW,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        layer_norm_eps=0.01,
        attn_implementation="eager",
    )
    torch.manual_seed(0)
    theirs = BertForPreTraining(config)
    with torch.no_grad():
        for name, weight in theirs.named_parameters():
            weight.normal_(mean=float("Norm.weight" in name), std=0.3)
    theirs.save_pretrained(saved_folder)
    return saved_folder


@pytest.fixture(scope="module")
def asked():
    """Pairs of passages of several lengths, packed, and the same padded; hidden places in either order."""
    rng = np.random.default_rng(0)
    boundaries = np.cumsum([0, *LENGTHS])
    tokens = rng.integers(5, 40, size=boundaries[-1])
    segments = np.concatenate([np.arange(length) >= length // 2 for length in LENGTHS]).astype(int)
    batch = pack(tokens, boundaries, np.arange(len(LENGTHS)), segments=segments)
    rows = np.repeat(batch.order.numpy(), np.array(LENGTHS)[batch.order])
    places = torch.tensor([1, 4, 9, 20])
    shape = (len(LENGTHS), max(LENGTHS))
    ids, kinds, mask, labels = (torch.full(shape, fill) for fill in (0, 0, 0, -100))
    words = torch.from_numpy(rng.integers(5, 40, size=len(places)))
    ids[rows, batch.positions], kinds[rows, batch.positions] = batch.ids, batch.segments
    mask[rows, batch.positions] = 1
    labels[rows[places], batch.positions[places]] = words
    pairs = torch.tensor([0, 1, 1, 0])
    padded = {"input_ids": ids, "token_type_ids": kinds, "attention_mask": mask, "labels": labels}
    return batch, places, words, pairs, {**padded, "next_sentence_label": pairs}, (rows, labels)


def load(place):
    checkpoint = folder.load(place, pretraining=True)
    assert isinstance(checkpoint.model, Pretraining)
    return checkpoint


def test_logits_losses_and_gradients_are_those_of_transformers(place, asked):
    batch, places, words, pairs, padded, (rows, _) = asked
    theirs, ours = BertForPreTraining.from_pretrained(place, attn_implementation="eager"), load(place).model
    assert load(place).fresh == ()
    expected = theirs(**padded)
    logits, pair_logits = ours(batch, places, True)
    their_words = expected.prediction_logits[rows[places], batch.positions[places]]
    torch.testing.assert_close(logits, their_words, atol=1e-4, rtol=0)
    torch.testing.assert_close(pair_logits, expected.seq_relationship_logits[batch.order], atol=1e-4, rtol=0)
    loss = F.cross_entropy(logits, words) + F.cross_entropy(pair_logits, pairs[batch.order])
    torch.testing.assert_close(loss, expected.loss, atol=1e-4, rtol=0)
    loss.backward()
    expected.loss.backward()
    for mine, yours in (
        (ours.encoder.embeddings.word, theirs.bert.embeddings.word_embeddings),
        (ours.encoder.embeddings.segment, theirs.bert.embeddings.token_type_embeddings),
        (ours.encoder.blocks[1].down, theirs.bert.encoder.layer[1].output.dense),
        (ours.head.words.dense, theirs.cls.predictions.transform.dense),
        (ours.head.next, theirs.cls.seq_relationship),
    ):
        torch.testing.assert_close(mine.weight.grad, yours.weight.grad, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(ours.head.words.bias.grad, theirs.cls.predictions.bias.grad, atol=1e-4, rtol=1e-3)


def test_transformers_opens_what_is_saved_with_equal_logits(place, asked, tmp_path):
    batch, places, *_, padded, (rows, _) = asked
    ours = load(place)
    folder.save(tmp_path, ours.model, ours.tokenizer, ours.family, ours.arguments, None)
    plain = {name: padded[name] for name in ("input_ids", "token_type_ids", "attention_mask")}
    with torch.no_grad():
        logits, pair_logits = ours.model.eval()(batch, places, True)
        whole, reason = BertForPreTraining.from_pretrained(tmp_path, output_loading_info=True)
        assert not reason["missing_keys"]
        assert not reason["unexpected_keys"]
        outputs = whole.eval()(**plain)
        masked = AutoModelForMaskedLM.from_pretrained(tmp_path).eval()(**plain).logits
    at = (rows[places], batch.positions[places])
    torch.testing.assert_close(outputs.prediction_logits[at], logits, atol=1e-4, rtol=0)
    torch.testing.assert_close(outputs.seq_relationship_logits[batch.order], pair_logits, atol=1e-4, rtol=0)
    torch.testing.assert_close(masked[at], logits, atol=1e-4, rtol=0)
    assert AutoTokenizer.from_pretrained(tmp_path).mask_token == "[MASK]"


def test_a_classifier_takes_encoder_and_pooler_along(place):
    ours = load(place).model
    tuned = folder.load(place, head=HeadPlan.numbered(3))
    assert isinstance(tuned.model, Model)
    assert torch.equal(tuned.model.head.dense.weight, ours.head.dense.weight)
    assert tuned.fresh == ("head.output.bias", "head.output.weight")


def test_heads_that_a_folder_lacks_begin_fresh(tmp_path):
    tokenizer = vocabulary.train(TEXTS, 60, window=WINDOW)
    arguments = {"vocabulary": tokenizer.size, "width": 8, "layers": 1, "heads": 2, "feed_forward": 8, "window": WINDOW}
    plain = Model(Encoder(**arguments), ClassificationHead(8, 2))
    folder.save(tmp_path, plain, tokenizer, "bert", {**arguments, "dropout": 0.1}, HeadPlan(("a", "b")))
    loaded = load(tmp_path)
    assert torch.equal(loaded.model.head.dense.weight, plain.head.dense.weight)
    assert "head.words.bias" in loaded.fresh
    assert "head.dense.weight" not in loaded.fresh
    assert not loaded.model.head.words.bias.any()


def test_another_family_is_refused(tmp_path):
    tokenizer = vocabulary.train(TEXTS, 60, window=WINDOW)
    arguments = {"vocabulary": tokenizer.size, "width": 8, "layers": 1, "heads": 2, "feed_forward": 8, "window": WINDOW}
    arguments |= {"types": 0, "dropout": 0.1}
    folder.save(tmp_path, Encoder(**arguments), tokenizer, "distilbert", arguments, None)
    with pytest.raises(CheckpointError, match="is of type 'distilbert', whose heads of pretraining are not known"):
        folder.load(tmp_path, pretraining=True)


def test_some_places_are_those_of_all(place, asked):
    batch, places, *_ = asked
    encoder = load(place).model.encoder.eval()
    torch.testing.assert_close(encoder(batch, places=places), encoder(batch)[places], atol=1e-6, rtol=0)
    encoder.train().recompute = True
    torch.testing.assert_close(encoder(batch, places=places), encoder(batch)[places], atol=1e-6, rtol=0)


def test_operations_are_those_that_torch_counts():
    """Forward and backward are three times forward; torch does not count attention's two products."""
    shape = {"vocabulary": 64, "width": 32, "layers": 2, "heads": 2, "feed_forward": 128, "window": 64}
    model = Pretraining(Encoder(**shape, dropout=0.0), PretrainingHead(32, 64)).eval()
    batch = pack(np.arange(40), np.array([0, 40]), np.array([0]))
    for asked in (10, 40):
        with FlopCounterMode(display=False) as counted, torch.no_grad():
            model(batch, torch.arange(asked), False)
        attention = shape["layers"] * 4 * 32 * 40 * 40
        assert operations(shape, 40, asked / 40) * 40 / 3 == counted.get_total_flops() + attention


def test_the_loss_of_words_is_cross_entropy(rng):
    logits = torch.from_numpy(rng.normal(size=(7, 50)).astype("float32") * 9).requires_grad_()
    same = logits.detach().clone().requires_grad_()
    words = torch.from_numpy(rng.integers(50, size=7))
    loss, expected = word_loss(logits, words), F.cross_entropy(same, words, reduction="sum")
    torch.testing.assert_close(loss, expected)
    (loss / 7).backward()
    (expected / 7).backward()
    torch.testing.assert_close(logits.grad, same.grad)
    assert word_loss(torch.zeros(0, 50), torch.zeros(0, dtype=torch.long)) == 0


def test_a_model_begins_with_known_words_and_hands_on_their_mean():
    torch.manual_seed(0)
    encoder = Encoder(vocabulary=20, width=16, layers=2, heads=4, feed_forward=32, window=WINDOW, dropout=0.0)
    vectors = F.normalize(torch.randn(20, 16))
    vectors[:3] = 0
    before = encoder.embeddings.word.weight.clone()
    begin_with(encoder, vectors)
    words = encoder.embeddings.word.weight
    assert torch.equal(words[:3], before[:3])
    torch.testing.assert_close(words[3:], vectors[3:] * LENGTH * 0.02 * 4)
    # Where queries are nothing every token counts alike, and the mean is exact.
    attention = encoder.blocks[0].attention
    with torch.no_grad():
        attention.qkv.weight[:16] = 0
    batch = pack(np.arange(12), np.array([0, 5, 12]), np.arange(2))
    hidden = encoder.embeddings(batch)
    means = torch.cat([part.mean(0).expand_as(part) for part in hidden.split([5, 7])])
    torch.testing.assert_close(attention(hidden, batch), MEAN * means, atol=1e-5, rtol=0)
