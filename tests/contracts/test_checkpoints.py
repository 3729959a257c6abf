"""What every checkpoint family promises: the same answers as transformers, in both directions."""

import os

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import numpy as np
import pytest
import tokenizers
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from headstart.activations import attention
from headstart.checkpoints import folder
from headstart.core import rooms
from headstart.core.contracts import HeadPlan
from headstart.core.sequences import Encoded
from headstart.nn.packed import pack
from headstart.text import vocabulary
from headstart.text.tokenizer import Tokenizer

NAMES = rooms.names("checkpoints.families")
WINDOW = 24
LABELS = ("bad", "fine", "good")
TEXTS = ["the cat sat", "", "a much longer text about the cat and the hat that does not fit, in words " * 3, "hat!"]
TOLERANCE = 1e-4
LENGTHS = st.lists(st.integers(1, WINDOW), min_size=1, max_size=6)


# What is particular to families with an encoder of their own.
OWN = {
    "modernbert": {"layers": 4, "reach": 3, "far_every": 2, "near_theta": 10.0, "far_theta": 100.0},
    "deberta-v2": {"buckets": 8, "farthest": 16},
}


def tiny(family):
    """Arguments of a small encoder that the family can express."""
    arguments = {"vocabulary": 90, "width": 16, "layers": 2, "heads": 4, "feed_forward": 32, "window": WINDOW}
    arguments |= {"activation": "gelu_new", "dropout": 0.2}
    if family.model_type in OWN:
        return arguments | {"epsilon": 0.01} | OWN[family.model_type]
    if "epsilon" in family.keys:
        arguments["epsilon"] = 0.01
    if "types" not in family.keys:
        arguments["types"] = 0
    if "position_offset" not in family.neutral:
        arguments["position_offset"] = 2
    if "embedding_width" in family.keys:
        arguments["embedding_width"] = 8
    return arguments | family.always


def byte_level():
    """A tokenizer as RoBERTa has it, its padding token being number 1."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.train_from_iterator(TEXTS, tokenizers.trainers.BpeTrainer(vocab_size=80, special_tokens=special))
    backend.post_processor = tokenizers.processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    roles = ("bos_token", "pad_token", "eos_token", "unk_token", "mask_token")
    more = {"tokenizer_class": "RobertaTokenizer", "cls_token": "<s>", "sep_token": "</s>"}
    return Tokenizer(backend, WINDOW, {**dict(zip(roles, special, strict=True)), **more})


def randomise(model):
    """Draw weights large enough for a mistake to show."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(mean=1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0, std=0.3)
    return model.eval()


@pytest.fixture(scope="module", params=NAMES)
def pair(request, tmp_path_factory):
    """Their classifier with random weights, our reading of its folder, and the folder."""
    family = rooms.load("checkpoints.families", request.param)
    config = AutoConfig.for_model(
        **family.config(tiny(family), HeadPlan(LABELS), 0.1, pad=0), attn_implementation="eager"
    )
    theirs = randomise(AutoModelForSequenceClassification.from_config(config))
    place = tmp_path_factory.mktemp(request.param)
    theirs.save_pretrained(place)
    (byte_level() if "position_offset" in tiny(family) else vocabulary.train(TEXTS * 9, 60, window=WINDOW)).save(place)
    ours = folder.load(place)
    ours.model.eval()
    return theirs, ours, place


def ragged(lengths, seed=0):
    """Random ids packed, and the same padded with a mask. Ids up to 4 are left to special tokens."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(5, 90, size=sum(lengths))
    boundaries = np.concatenate([[0], np.cumsum(lengths)])
    batch = pack(tokens, boundaries, np.arange(len(lengths)))
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    ids = torch.ones(mask.shape, dtype=torch.long)
    ids[mask] = torch.from_numpy(tokens)
    return batch, {"input_ids": ids, "attention_mask": mask.long()}, mask


@settings(max_examples=15, deadline=None)
@given(lengths=LENGTHS)
def test_hidden_states_and_logits_are_those_of_transformers(pair, lengths):
    theirs, ours, _ = pair
    batch, padded, mask = ragged(lengths)
    with torch.no_grad():
        expected = theirs.base_model(**padded).last_hidden_state
        hidden = ours.model.encoder(batch)
        first = ours.model.encoder(batch, first_only=True)
        logits = ours.model(batch)
        expected_logits = theirs(**padded).logits
    rows = [expected[i, mask[i]] for i in batch.order.tolist()]
    torch.testing.assert_close(hidden, torch.cat(rows), atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(first, hidden[batch.starts], atol=1e-5, rtol=0)
    torch.testing.assert_close(logits, expected_logits[batch.order], atol=TOLERANCE, rtol=0)


def test_attention_is_that_of_transformers(pair):
    theirs, ours, _ = pair
    ids = ragged([WINDOW - 3])[1]["input_ids"]
    with torch.no_grad():
        expected = torch.stack(theirs(input_ids=ids, output_attentions=True).attentions)[:, 0]
    encoded = Encoded(ids[0].numpy().astype(np.int32), np.array([0, ids.shape[1]]))
    found = attention.weights(ours.model, encoded, 0, 512, "cpu")
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5, rtol=0)
    np.testing.assert_array_equal(attention.weights(ours.model, encoded, 0, 3, "cpu"), found[..., :3])


def test_gradients_are_those_of_transformers(pair):
    theirs, ours, _ = pair
    batch, padded, _ = ragged([3, WINDOW, 1, 7, 7])
    targets = torch.tensor([0, 1, 2, 1, 0])
    for model in (theirs, ours.model):
        model.zero_grad()
    torch.nn.functional.cross_entropy(theirs(**padded).logits, targets).backward()
    (ours.model.head.loss(ours.model(batch), targets[batch.order], batch.boundaries) / len(targets)).backward()
    expected = dict(theirs.named_parameters())
    family = rooms.load("checkpoints.families", ours.family)
    learned = {name: weight.grad for name, weight in ours.model.named_parameters() if weight.requires_grad}
    for name, sources in family.names(learned).items():
        grads = [expected[source].grad for source in sources]
        torch.testing.assert_close(learned[name], torch.cat(grads), atol=TOLERANCE, rtol=0, msg=name)


def test_the_table_names_every_weight_of_transformers_once(pair):
    theirs, ours, _ = pair
    family = rooms.load("checkpoints.families", ours.family)
    named = [name for names in family.names(dict(ours.model.named_parameters())).values() for name in names]
    assert sorted(named) == sorted(name for name, _ in theirs.named_parameters())
    assert not ours.fresh
    assert not ours.ignored


def test_saved_folder_opens_in_transformers_with_the_same_logits_labels_and_tokens(pair, tmp_path):
    _, ours, _ = pair
    folder.save(tmp_path, ours.model, ours.tokenizer, ours.family, ours.arguments, HeadPlan(LABELS))
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert tuple(theirs.config.id2label[i] for i in range(len(LABELS))) == LABELS
    assert theirs.config.label2id == {label: i for i, label in enumerate(LABELS)}
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    padded = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    encoded = ours.tokenizer.encode(TEXTS)
    batch = pack(encoded.tokens, encoded.boundaries, np.arange(len(TEXTS)))
    rows = [ids[mask.bool()].tolist() for ids, mask in zip(padded["input_ids"], padded["attention_mask"], strict=True)]
    assert rows == [part.tolist() for part in np.split(encoded.tokens, encoded.boundaries[1:-1])]
    assert padded["input_ids"].shape[1] == WINDOW
    with torch.no_grad():
        expected = theirs(**padded).logits
        torch.testing.assert_close(ours.model(batch), expected[batch.order], atol=TOLERANCE, rtol=0)


def test_loading_what_was_saved_gives_the_same_bits(pair, tmp_path):
    _, ours, _ = pair
    folder.save(tmp_path, ours.model, ours.tokenizer, ours.family, ours.arguments, HeadPlan(LABELS))
    again = folder.load(tmp_path)
    assert (again.arguments, again.head.labels, again.family) == (ours.arguments, LABELS, ours.family)
    assert again.tokenizer.window == WINDOW
    before, after = ours.model.state_dict(), again.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_an_encoder_alone_is_read_from_a_bare_checkpoint_and_saved_as_one(pair, tmp_path):
    theirs, ours, _ = pair
    theirs.base_model.save_pretrained(tmp_path)
    ours.tokenizer.save(tmp_path)
    bare = folder.load(tmp_path)
    assert bare.head is None
    weights = ours.model.encoder.state_dict()
    assert all(torch.equal(weights[name], weight) for name, weight in bare.model.state_dict().items())
    saved = tmp_path / "saved"
    saved.mkdir()
    folder.save(saved, bare.model, bare.tokenizer, bare.family, bare.arguments, None)
    batch, padded, mask = ragged([5, 2])
    with torch.no_grad():
        expected = AutoModel.from_pretrained(saved).eval()(**padded).last_hidden_state
        hidden = bare.model.eval()(batch)
    rows = [expected[i, mask[i]] for i in batch.order.tolist()]
    torch.testing.assert_close(hidden, torch.cat(rows), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_and_config_are_inverse(name):
    family = rooms.load("checkpoints.families", name)
    arguments = family.arguments(family.config(tiny(family), HeadPlan(LABELS), 0.3, pad=0))
    assert arguments.items() >= tiny(family).items()
    config = family.config(arguments, HeadPlan(LABELS), 0.3, pad=0)
    assert family.arguments(config) == arguments
    assert family.head_dropout(config) == 0.3
