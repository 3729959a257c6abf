"""An encoder and decoder that begin as a pretrained encoder: the beginning, what strategies train, what is saved."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers

from headstart.checkpoints import folder as checkpoints
from headstart.contenders import _warm
from headstart.contenders.finetuned import Finetuned
from headstart.core.errors import UsageError
from headstart.core.records import Rows, Run
from headstart.nn.packed import pack_pairs
from headstart.tasks.translation import Translation

inputs, targets = zip(*Translation.SAMPLE, strict=True)
ROWS = Rows(tuple(map(str, range(6))), inputs, targets)


@pytest.fixture
def train(backbone, tmp_path):
    def fit(strategy, **options):
        contender = Finetuned(strategy=strategy, backbone=backbone, epochs=1, **options)
        return contender.fit(ROWS, ROWS, Translation(), Run(0, tmp_path / strategy, metric="BLEU"))

    return fit


@pytest.fixture(scope="module")
def initial(backbone):
    return _warm.checkpoint(backbone, Translation(), ROWS, 0), checkpoints.load(backbone).model


def test_the_encoder_is_the_backbone_and_the_decoder_begins_as_its_blocks(initial):
    started, encoder = initial
    for name, weight in encoder.state_dict().items():
        assert torch.equal(started.model.encoder.state_dict()[name], weight)
    layer, block = started.model.decoder.blocks[0], encoder.blocks[0]
    assert torch.equal(layer.attention.qkv.weight, block.attention.qkv.weight)
    assert torch.equal(layer.feed_forward_norm.weight, block.output_norm.weight)
    assert torch.equal(started.model.decoder.embeddings.position.weight, encoder.embeddings.position.weight)


def test_targets_have_a_vocabulary_that_can_write_them(initial):
    started, _ = initial
    text = "Eine Katze schläft."
    assert (
        started.writing.backend.decode(started.writing.backend.encode(text, add_special_tokens=False).ids) == f" {text}"
    )


@pytest.mark.parametrize("strategy", ["frozen", "partial", "lora"])
def test_strategies_choose_what_of_the_encoder_is_trained(train, initial, strategy):
    before, after = initial[0].model, train(strategy).checkpoint.model
    changed = {
        name
        for name, weight in after.named_parameters()
        if not torch.equal(weight, before.state_dict()[name].to(weight.device))
    }
    assert any(name.startswith("decoder.blocks.0.cross") for name in changed)
    encoder = {name for name in changed if name.startswith("encoder.")}
    assert bool(encoder) == (strategy != "frozen")
    assert not any(name.startswith("encoder.embeddings") for name in encoder)
    if strategy == "lora":
        assert all(name.endswith(".weight") and "norm" not in name for name in encoder)


def test_the_saved_model_opens_in_transformers_with_equal_logits(train, tmp_path):
    fitted = train("full")
    fitted.save(tmp_path / "saved")
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "saved").eval()
    source = fitted.checkpoint.tokenizer.encode(["A dog runs."]).tokens.astype("int64")
    begun = torch.tensor([[fitted.checkpoint.search.start, 7, 8]])
    with torch.no_grad():
        expected = theirs(input_ids=torch.from_numpy(source)[None], decoder_input_ids=begun).logits[0]
        sides = (source, np.array([0, len(source)])), (begun[0].numpy(), np.array([0, 3]))
        batch = pack_pairs(*sides, np.array([0]))
        torch.testing.assert_close(fitted.checkpoint.model(batch), expected, rtol=0, atol=1e-4)


def test_adapters_are_refused(train):
    with pytest.raises(UsageError, match="adapters cannot be saved where answers are written; use lora or partial"):
        train("adapter")


def test_another_family_is_refused(monkeypatch, backbone):
    other = checkpoints.load(backbone)
    monkeypatch.setattr(_warm.checkpoints, "load", lambda source: replace(other, family="electra"))
    with pytest.raises(UsageError, match="is of the family 'electra'; texts are only written with one of the family"):
        _warm.checkpoint(backbone, Translation(), ROWS, 0)
