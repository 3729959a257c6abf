"""The kinds of DeBERTa that files hold, against transformers; and what is refused."""

import os

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, DebertaV2Config
from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

from headstart.checkpoints import folder
from headstart.core import rooms
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError
from headstart.nn.disentangled import Distances
from headstart.nn.packed import pack
from headstart.text import vocabulary

FAMILY = rooms.load("checkpoints.families", "deberta-v2")
SIZES = {"vocab_size": 90, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
# Settings of version 3, with fewer buckets, so that texts of a test reach them all.
V3 = {
    **SIZES,
    "model_type": "deberta-v2",
    "max_position_embeddings": 60,
    "relative_attention": True,
    "max_relative_positions": -1,
    "position_buckets": 8,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
}
VARIANTS = {
    "version 3": {},
    "kinds in one string": {"pos_att_type": "p2c|c2p"},
    "a convolution, as in xlarge": {"conv_kernel_size": 3, "conv_act": "gelu"},
    "a wide convolution in groups": {"conv_kernel_size": 5, "conv_groups": 4},
    "matrices of their own": {"share_att_key": False},
    "words ask alone": {"pos_att_type": ["c2p"], "share_att_key": False},
    "distances ask alone": {"pos_att_type": ["p2c"]},
    "vectors of distances as they are": {"norm_rel_ebd": "none"},
    "a bucket a distance": {"position_buckets": -1, "max_relative_positions": 5},
    "no kind at all": {"pos_att_type": []},
    "positions and segments": {"position_biased_input": True, "type_vocab_size": 2},
    "narrow words": {"embedding_size": 6},
}
TOLERANCE = {"atol": 1e-4, "rtol": 0}


def theirs(place, config, kind=AutoModelForSequenceClassification):
    """One of their models with random weights, saved beside a tokenizer."""
    torch.manual_seed(0)
    model = kind.from_config(DebertaV2Config(**config)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(mean=1.0 if "Norm" in name and name.endswith("weight") else 0.0, std=0.3)
    model.save_pretrained(place)
    vocabulary.train(["a cat"] * 5, 64, window=512).save(place)
    return model


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_answer_and_learn_as_in_transformers_and_back(variant, tmp_path):
    model = theirs(tmp_path, V3 | VARIANTS[variant])
    ours = folder.load(tmp_path)
    assert not ours.fresh
    assert not ours.ignored
    lengths = np.array([50, 3, 1, 50])
    ids = np.random.default_rng(0).integers(5, 90, size=lengths.sum())
    boundaries = np.concatenate([[0], lengths.cumsum()])
    batch = pack(ids, boundaries, np.arange(4))
    alone = torch.cat([model(torch.from_numpy(part)[None]).logits for part in np.split(ids, boundaries[1:-1])])
    logits = ours.model.eval()(batch)
    torch.testing.assert_close(logits, alone[batch.order], **TOLERANCE)
    alone.softmax(1)[:, 0].sum().backward()
    logits.softmax(1)[:, 0].sum().backward()
    expected = dict(model.named_parameters())
    learned = {name: weight.grad for name, weight in ours.model.named_parameters() if weight.grad is not None}
    for name, sources in FAMILY.names(learned).items():
        grads = torch.cat([expected[source].grad for source in sources])
        torch.testing.assert_close(learned[name], grads, **TOLERANCE, msg=name)
    again = tmp_path / "again"
    again.mkdir()
    folder.save(again, ours.model, ours.tokenizer, ours.family, ours.arguments, ours.head)
    assert folder.load(again).arguments == ours.arguments
    reopened = AutoModelForSequenceClassification.from_pretrained(again).eval()
    with torch.no_grad():
        torch.testing.assert_close(reopened(torch.from_numpy(ids[:50])[None]).logits, alone[:1], **TOLERANCE)


@pytest.mark.parametrize(("buckets", "farthest"), [(256, 512), (8, 60), (2, 3)])
def test_buckets_are_those_of_transformers(buckets, farthest):
    distance = torch.arange(-1500, 1501)
    expected = make_log_bucket_position(distance, buckets, farthest).long() + buckets
    assert torch.equal(Distances(buckets, farthest).rows(1500), expected.clamp(0, 2 * buckets - 1))


def test_a_model_of_hidden_words_gives_its_encoder(tmp_path):
    theirs(tmp_path, V3, AutoModelForMaskedLM)
    ours = folder.load(tmp_path, head=HeadPlan.numbered(3))
    assert ours.fresh == tuple(f"head.{name}.{end}" for name in ("dense", "output") for end in ("bias", "weight"))
    assert {name.partition(".")[0] for name in ours.ignored} == {"cls"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"relative_attention": False}, "'relative_attention' is False; only True is supported"),
        ({"pooler_hidden_act": "tanh"}, "'pooler_hidden_act' is 'tanh'; only 'gelu' is supported"),
        ({"pooler_hidden_size": 8}, "'pooler_hidden_size' is 8; only 16 is supported"),
        ({"attention_head_size": 4}, "'attention_head_size' is 4; only 8 is supported"),
        ({"pos_att_type": ["p2p"]}, r"'pos_att_type' is \['p2p'\]; only 'c2p' and 'p2c' are supported"),
        ({"norm_rel_ebd": "batch"}, "'norm_rel_ebd' is 'batch', but must be 'none' or 'layer_norm'"),
        ({"position_buckets": "8"}, "'position_buckets' is '8', but must be a whole number up to 1,000,000"),
        ({"share_att_key": 1}, "'share_att_key' is 1, but must be true or false"),
        ({"conv_kernel_size": 4}, "a convolution over 4 tokens in 1 groups is not supported; .* must be odd"),
        ({"conv_kernel_size": 3, "conv_groups": 3}, "over 3 tokens in 3 groups is not supported; .* the width, 16"),
        ({"position_buckets": 1}, "'position_buckets' is 1 with distances up to 60"),
    ],
)
def test_what_the_encoder_does_not_do_is_refused(change, message):
    with pytest.raises(CheckpointError, match=message):
        FAMILY.arguments(V3 | change)
