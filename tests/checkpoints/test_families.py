"""What is particular to one family, against transformers; and what config.json must hold."""

import os

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import numpy as np
import pytest
import torch
import transformers

from headstart.checkpoints import folder
from headstart.core import rooms
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError
from headstart.nn.packed import pack
from headstart.text import vocabulary

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}
DISTIL = {"dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 32}
VARIANTS = {
    "bert with one segment": ("Bert", SIZES | {"type_vocab_size": 1, "hidden_act": "relu"}),
    "roberta with two segments and another padding id": ("Roberta", SIZES | {"type_vocab_size": 2, "pad_token_id": 3}),
    "xlm-roberta with one segment": ("XLMRoberta", SIZES | {"type_vocab_size": 1, "layer_norm_eps": 1e-5}),
    "distilbert with sinusoidal positions": ("DistilBert", DISTIL | {"sinusoidal_pos_embds": True}),
    "electra with embeddings of full width": ("Electra", SIZES | {"embedding_size": 16}),
    "albert with embeddings of full width": ("Albert", SIZES | {"embedding_size": 16}),
    "albert with one layer": ("Albert", SIZES | {"num_hidden_layers": 1, "embedding_size": 4, "hidden_act": "relu"}),
    "mpnet with another padding id": ("MPNet", SIZES | {"pad_token_id": 3}),
    "electra with narrow embeddings": ("Electra", SIZES | {"embedding_size": 4}),
}


def make(kind, options, suffix="ForSequenceClassification", seed=0):
    """One of their models with random weights, from their own configuration class."""
    config = getattr(transformers, f"{kind}Config")(vocab_size=90, max_position_embeddings=40, **options)
    torch.manual_seed(seed)
    model = getattr(transformers, f"{kind}{suffix}")(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(mean=1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0, std=0.3)
    return model.eval()


def store(model, place):
    model.save_pretrained(place)
    vocabulary.train(["a cat"] * 5, 64, window=512).save(place)
    return place


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_answer_as_in_transformers(variant, tmp_path):
    theirs = make(*VARIANTS[variant])
    ours = folder.load(store(theirs, tmp_path))
    lengths = np.array([4, 30, 1, 4])
    ids = np.random.default_rng(0).integers(5, 90, size=lengths.sum())
    boundaries = np.concatenate([[0], lengths.cumsum()])
    batch = pack(ids, boundaries, np.arange(4))
    with torch.no_grad():
        alone = [theirs(torch.from_numpy(part)[None]).logits for part in np.split(ids, boundaries[1:-1])]
        torch.testing.assert_close(ours.model.eval()(batch), torch.cat(alone)[batch.order], atol=1e-4, rtol=0)
    assert ours.head.labels == ("LABEL_0", "LABEL_1")


def test_sinusoidal_positions_stay_fixed(tmp_path):
    ours = folder.load(store(make("DistilBert", DISTIL | {"sinusoidal_pos_embds": True}), tmp_path))
    assert ours.arguments["sinusoidal"]
    assert not ours.model.encoder.embeddings.position.weight.requires_grad


@pytest.mark.parametrize(("kind", "options", "window"), [("Bert", SIZES, 40), ("Roberta", SIZES, 38)])
def test_the_window_is_what_positions_allow(kind, options, window, tmp_path):
    ours = folder.load(store(make(kind, options), tmp_path))
    assert ours.arguments["window"] == ours.tokenizer.window == window


@pytest.mark.parametrize(
    ("kind", "suffix", "fresh", "ignored"),
    [
        ("Bert", "Model", ["head.output"], []),
        ("Bert", "ForPreTraining", ["head.output"], ["cls.predictions", "cls.seq_relationship"]),
        ("Bert", "ForMaskedLM", ["head.dense", "head.output"], ["cls.predictions"]),
        ("Bert", "ForTokenClassification", ["head.dense", "head.output"], ["classifier"]),
        ("Bert", "ForSequenceClassification", ["head.output"], ["classifier"]),
        ("Roberta", "ForMaskedLM", ["head.dense", "head.output"], ["lm_head"]),
        ("Albert", "Model", ["head.output"], []),
        ("Albert", "ForPreTraining", ["head.output"], ["predictions", "sop_classifier"]),
        ("Albert", "ForMaskedLM", ["head.dense", "head.output"], ["predictions"]),
        ("MPNet", "Model", ["head.dense", "head.output"], ["pooler"]),
        ("MPNet", "ForMaskedLM", ["head.dense", "head.output"], ["lm_head"]),
        ("XLMRoberta", "Model", ["head.dense", "head.output"], ["pooler"]),
        ("DistilBert", "ForMaskedLM", ["head.dense", "head.output"], ["vocab_"]),
        ("Electra", "ForPreTraining", ["head.dense", "head.output"], ["discriminator_predictions"]),
    ],
)
def test_checkpoints_of_other_tasks_give_their_encoder(kind, suffix, fresh, ignored, tmp_path):
    theirs = make(kind, DISTIL if kind == "DistilBert" else SIZES, suffix)
    store(theirs, tmp_path)
    head = folder.load(tmp_path).head
    assert (head.suffix if head else "") == (suffix if "Classification" in suffix else "")
    ours = folder.load(tmp_path, head=HeadPlan.numbered(5))
    assert ours.fresh == tuple(f"{name}.{end}" for name in fresh for end in ("bias", "weight"))
    assert len(ours.model.head.output.bias) == 5
    assert all(any(name.startswith(start) for start in ignored) for name in ours.ignored)
    assert len(ours.ignored) >= len(ignored)
    batch = pack(np.arange(5, 12), np.array([0, 7]), np.array([0]))
    with torch.no_grad():
        expected = theirs.base_model(torch.arange(5, 12)[None]).last_hidden_state[0]
        torch.testing.assert_close(ours.model.eval().encoder(batch), expected, atol=1e-4, rtol=0)


def test_fresh_weights_follow_the_generator_of_torch(tmp_path):
    store(make("Bert", SIZES, "ForMaskedLM"), tmp_path)
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        heads.append(folder.load(tmp_path, head=HeadPlan.numbered(3)).model.head.dense.weight)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_dropout_is_the_folder_s_or_the_caller_s(tmp_path):
    store(make("Roberta", SIZES | {"hidden_dropout_prob": 0.2, "classifier_dropout": 0.3}), tmp_path)
    model = folder.load(tmp_path).model
    assert (model.encoder.blocks[0].dropout.p, model.head.dropout.p, model.head.dropout_first) == (0.2, 0.3, True)
    model = folder.load(tmp_path, dropout=0.0).model
    assert (model.encoder.embeddings.dropout.p, model.head.dropout.p) == (0.0, 0.0)


BERT = rooms.load("checkpoints.families", "bert")
CONFIG = SIZES | {"vocab_size": 90, "max_position_embeddings": 40}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": None}, "config.json has no 'hidden_size'"),
        ({"hidden_size": "16"}, "'hidden_size' is '16', but must be a whole number from 1 to 1,000,000"),
        ({"hidden_size": True}, "'hidden_size' is True, but must be a whole number"),
        ({"num_hidden_layers": 10**9}, "'num_hidden_layers' is 1000000000, but must be .* to 1,000"),
        ({"num_attention_heads": 3}, "3 attention heads do not divide a width of 16"),
        ({"hidden_act": "silu"}, "'hidden_act' is 'silu', but must be one of gelu, gelu_new, relu, tanh"),
        ({"hidden_act": ["gelu"]}, r"'hidden_act' is \['gelu'\]"),
        ({"hidden_dropout_prob": 1}, "'hidden_dropout_prob' is 1, but must be a number from 0 to below 1"),
        ({"layer_norm_eps": float("nan")}, "'layer_norm_eps' is nan"),
        ({"position_embedding_type": "relative_key"}, "'position_embedding_type' is 'relative_key'; only 'absolute'"),
        ({"is_decoder": True}, "'is_decoder' is True; only False"),
    ],
)
def test_config_is_checked_strictly(change, message):
    with pytest.raises(CheckpointError, match=message):
        BERT.arguments(CONFIG | change)


def test_older_files_leave_out_what_never_changed():
    arguments = BERT.arguments(CONFIG)
    assert (arguments["epsilon"], arguments["types"], arguments["activation"]) == (1e-12, 2, "gelu")


def test_older_files_of_albert_leave_out_other_values():
    albert = rooms.load("checkpoints.families", "albert")
    arguments = albert.arguments(CONFIG | {"embedding_size": 8})
    assert (arguments["activation"], arguments["dropout"]) == ("gelu_new", 0.0)
    assert albert.head_dropout(CONFIG | {"embedding_size": 8}) == 0.1


@pytest.mark.parametrize(
    ("family", "key"),
    [("albert", "num_hidden_groups"), ("albert", "inner_group_num"), ("mpnet", "relative_attention_num_buckets")],
)
def test_what_a_family_computes_in_one_way_alone_is_checked(family, key):
    config = CONFIG | {"embedding_size": 8}
    with pytest.raises(CheckpointError, match=rf"config\.json: '{key}' is 2; only (1|32) is supported"):
        rooms.load("checkpoints.families", family).arguments(config | {key: 2})


def test_sinusoidal_must_be_a_truth_value():
    with pytest.raises(CheckpointError, match="'sinusoidal_pos_embds' is 1, but must be true or false"):
        rooms.load("checkpoints.families", "distilbert").arguments(
            DISTIL | {"vocab_size": 90, "max_position_embeddings": 40, "sinusoidal_pos_embds": 1}
        )


def test_roberta_s_padding_id_must_leave_positions():
    with pytest.raises(CheckpointError, match="'pad_token_id' is 39, but must be a whole number from 0 to below 39"):
        rooms.load("checkpoints.families", "roberta").arguments(CONFIG | {"pad_token_id": 39})


ARGUMENTS = {"vocabulary": 90, "width": 16, "layers": 2, "heads": 4, "feed_forward": 32, "window": 40}


@pytest.mark.parametrize(
    ("family", "change", "message"),
    [
        ("bert", {"types": 0}, "the bert family needs segment embeddings"),
        ("bert", {"position_offset": 2}, r"the bert family has no position_offset but 0 \(here 2\); save as another"),
        ("distilbert", {"types": 2}, r"the distilbert family has no types but 0 \(here 2\)"),
        ("distilbert", {"types": 0, "epsilon": 1e-5}, "the distilbert family has no epsilon"),
        ("albert", {"embedding_width": 8}, r"the albert family has no one_block but True \(here False\)"),
        ("albert", {"one_block": True}, "the albert family needs an embedding_width"),
        ("mpnet", {"types": 0, "position_offset": 2}, r"the mpnet family has no distance_buckets but 32 \(here 0\)"),
        ("bert", {"one_block": True}, r"the bert family has no one_block but False \(here True\)"),
        ("bert", {"distance_buckets": 32}, r"the bert family has no distance_buckets but 0 \(here 32\)"),
        ("roberta", {}, "the roberta family counts positions from 1 or more"),
    ],
)
def test_a_family_refuses_an_encoder_that_its_files_cannot_hold(family, change, message):
    with pytest.raises(CheckpointError, match=message):
        rooms.load("checkpoints.families", family).config(ARGUMENTS | change, None, 0.1, pad=0)
