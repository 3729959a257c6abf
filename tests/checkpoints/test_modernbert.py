"""ModernBERT as its files have it, old and new, against transformers; and what is refused."""

import json
import os

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, ModernBertConfig

from headstart.checkpoints import folder
from headstart.core import rooms
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError, UsageError
from headstart.nn.packed import pack
from headstart.text import vocabulary

FAMILY = rooms.load("checkpoints.families", "modernbert")
SIZES = {"vocab_size": 90, "hidden_size": 16, "num_hidden_layers": 5, "num_attention_heads": 2, "intermediate_size": 24}
CONFIG = {"model_type": "modernbert", "pad_token_id": 0, "max_position_embeddings": 300, **SIZES}
# Keys as the model's first files have them, before layers and rotations were written out.
OLD = {
    **CONFIG,
    "architectures": ["ModernBertForMaskedLM"],
    "global_attn_every_n_layers": 2,
    "global_rope_theta": 300.0,
    "local_rope_theta": 40.0,
    "local_attention": 16,
    "rope_scaling": None,
    "norm_bias": False,
    "norm_eps": 1e-05,
}
FAR, NEAR = "full_attention", "sliding_attention"


def theirs(place, config, kind=AutoModelForSequenceClassification):
    """One of their models with random weights, saved beside a tokenizer under the config.json that is given."""
    torch.manual_seed(0)
    model = kind.from_config(ModernBertConfig(**config), attn_implementation="eager").eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(mean=1.0 if "norm" in name and name.endswith("weight") else 0.0, std=0.3)
    model.save_pretrained(place)
    vocabulary.train(["a cat"] * 5, 64, window=512).save(place)
    return model


@pytest.mark.parametrize("config", [CONFIG, OLD, CONFIG | {"layer_types": [FAR, NEAR, NEAR, NEAR, NEAR]}])
def test_long_texts_answer_as_in_transformers_whichever_keys_the_file_has(config, tmp_path):
    model = theirs(tmp_path, config)
    (tmp_path / "config.json").write_text(
        json.dumps(config | {"architectures": ["ModernBertForSequenceClassification"]})
    )
    ours = folder.load(tmp_path)
    lengths = np.array([250, 3, 131, 250])
    ids = np.random.default_rng(0).integers(5, 90, size=lengths.sum())
    boundaries = np.concatenate([[0], lengths.cumsum()])
    batch = pack(ids, boundaries, np.arange(4))
    with torch.no_grad():
        alone = [model(torch.from_numpy(part)[None]).logits for part in np.split(ids, boundaries[1:-1])]
        torch.testing.assert_close(ours.model.eval()(batch), torch.cat(alone)[batch.order], atol=1e-4, rtol=0)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_the_classifier_reads_what_the_file_says_and_is_saved_so(pooling, tmp_path):
    model = theirs(tmp_path, CONFIG | {"classifier_pooling": pooling})
    ours = folder.load(tmp_path)
    again = tmp_path / "again"
    again.mkdir()
    folder.save(again, ours.model, ours.tokenizer, ours.family, ours.arguments, ours.head)
    ids = torch.arange(5, 85).view(2, 40)
    batch = pack(ids.flatten().numpy(), np.array([0, 40, 80]), np.arange(2))
    with torch.no_grad():
        expected = model(ids).logits
        for logits in (ours.model.eval()(batch), folder.load(again).model.eval()(batch)):
            torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
        reopened = AutoModelForSequenceClassification.from_pretrained(again).eval()
        torch.testing.assert_close(reopened(ids).logits, expected, atol=1e-4, rtol=0)
    fresh = folder.load(tmp_path, head=HeadPlan.numbered(5), pooling="checkpoint").model.head
    assert fresh.first_only == (pooling == "cls")
    torch.testing.assert_close(fresh.dense.weight, model.head.dense.weight)


def test_the_classifier_reads_nothing_else(tmp_path):
    theirs(tmp_path, CONFIG)
    (tmp_path / "config.json").write_text(
        json.dumps(CONFIG | {"classifier_pooling": "max", "architectures": ["ModernBertForSequenceClassification"]})
    )
    with pytest.raises(CheckpointError, match="'classifier_pooling' is 'max', but must be 'cls' or 'mean'"):
        folder.load(tmp_path)


def test_new_files_mean_what_old_ones_do():
    new = json.loads(ModernBertConfig(**OLD).to_json_string(use_diff=False))
    assert "global_rope_theta" not in new
    arguments = FAMILY.arguments(new)
    assert arguments == FAMILY.arguments(OLD)
    assert (arguments["far_every"], arguments["far_theta"], arguments["near_theta"]) == (2, 300.0, 40.0)
    assert arguments["reach"] == 8


def test_a_model_of_hidden_words_gives_its_head_too(tmp_path):
    model = theirs(tmp_path, OLD, AutoModelForMaskedLM)
    ours = folder.load(tmp_path, head=HeadPlan.numbered(3))
    assert ours.fresh == ("head.output.bias", "head.output.weight")
    assert ours.ignored == ("decoder.bias",)
    torch.testing.assert_close(ours.model.head.dense.weight, model.head.dense.weight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm_bias": True}, "'norm_bias' is True; only False is supported"),
        ({"classifier_activation": "silu"}, "'classifier_activation' is 'silu'; only 'gelu' is supported"),
        ({"num_attention_heads": 16}, "rotary positions need heads of even width, not 1"),
        ({"layer_types": [NEAR] * 5}, f"'layer_types' must name 5 layers, the first of them and then .* '{FAR}'"),
        ({"global_attn_every_n_layers": 0}, "'global_attn_every_n_layers' is 0, but must be a whole number from 1"),
        ({"rope_scaling": {"type": "linear"}}, f"the rotation of '{FAR}' is .*; only the plain one is supported"),
        ({"rope_parameters": {FAR: {"rope_type": "yarn"}}}, f"the rotation of '{FAR}' is .*'yarn'"),
        ({"rope_parameters": "yarn"}, f"the rotation of '{FAR}' is 'yarn'"),
        ({"local_rope_theta": "high"}, f"theta of '{NEAR}' is 'high', but must be a number above 1"),
    ],
)
def test_what_the_encoder_does_not_do_is_refused(change, message):
    with pytest.raises(CheckpointError, match=message):
        FAMILY.arguments(CONFIG | change)


def test_without_biases_bitfit_has_nothing_to_tune(tmp_path):
    theirs(tmp_path, CONFIG)
    with pytest.raises(UsageError, match="this model's blocks have no biases, so bitfit has nothing to train"):
        rooms.load("strategies", "bitfit").prepare(folder.load(tmp_path).model)


@pytest.mark.parametrize("name", ["full", "gradual", "partial", "frozen", "lora", "adapter"])
def test_all_that_a_strategy_lets_learn_gets_a_gradient(name, tmp_path):
    theirs(tmp_path, CONFIG)
    model = folder.load(tmp_path).model
    groups = rooms.load("strategies", name).prepare(model)
    model(pack(np.arange(90), np.array([0, 90]), np.array([0]))).sum().backward()
    learning = {name for group in groups for name in group.weights}
    assert learning == {name for name, weight in model.named_parameters() if weight.grad is not None}
    assert not learning ^ {name for name, weight in model.named_parameters() if weight.requires_grad}
