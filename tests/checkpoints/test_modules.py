"""Heads that read means: saved as sentence-transformers has them, with equal logits there and here."""

import json
import shutil

import numpy as np
import pytest
import torch

from headstart.checkpoints import folder
from headstart.checkpoints.header import open_header
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError, UsageError
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.packed import pack
from headstart.text import vocabulary

TEXTS = ["good fine lovely great", "bad", "red blue green grey, good and bad", "awful poor"]
LABELS = ("blame", "colour", "praise")


@pytest.fixture(scope="module", params=["mean", "first"])
def saved(request, tmp_path_factory):
    """A classifier without a dense layer, and the folder it was saved in."""
    torch.manual_seed(1)
    tokenizer = vocabulary.train(TEXTS * 9, 60, window=16)
    shape = {"width": 16, "layers": 2, "heads": 2, "feed_forward": 32, "window": 16}
    arguments = {"vocabulary": tokenizer.size, "dropout": 0.1, **shape}
    model = Model(Encoder(**arguments), ClassificationHead(16, 3, pooling=request.param))
    model.head.make_linear()
    torch.nn.init.normal_(model.head.output.weight)
    place = tmp_path_factory.mktemp(request.param)
    folder.save(place, model, tokenizer, "bert", arguments, HeadPlan(LABELS))
    return model.eval(), place


def logits(model, tokenizer):
    encoded = tokenizer.encode(TEXTS)
    batch = pack(encoded.tokens, encoded.boundaries, np.arange(len(TEXTS)))
    with torch.no_grad():
        return model(batch)[batch.order.argsort()]


def test_the_folder_opens_here_with_equal_logits(saved):
    model, place = saved
    loaded = folder.load(place)
    assert loaded.head.labels == LABELS
    assert loaded.fresh == ()
    assert loaded.model.head.pooling == model.head.pooling
    assert torch.allclose(logits(loaded.model.eval(), loaded.tokenizer), logits(model, loaded.tokenizer), atol=1e-6)


def test_the_folder_opens_in_sentence_transformers_with_equal_logits(saved):
    sentence_transformers = pytest.importorskip("sentence_transformers", reason="no sentence-transformers")
    model, place = saved
    peer = sentence_transformers.SentenceTransformer(str(place), device="cpu")
    wanted = torch.from_numpy(peer.encode(TEXTS, normalize_embeddings=False))
    assert torch.allclose(logits(model, folder.load(place).tokenizer), wanted, atol=1e-5)


def test_a_new_head_reads_what_the_backbone_was_trained_with(saved):
    model, place = saved
    assert folder.load(place, head=HeadPlan.numbered(5), pooling="checkpoint").model.head.pooling == model.head.pooling
    assert folder.load(place, head=HeadPlan.numbered(5)).model.head.pooling == "first"
    with pytest.raises(UsageError, match="no pooling 'last'; known: first, mean"):
        folder.load(place, head=HeadPlan.numbered(5), pooling="last")


def test_a_layer_that_is_damaged_or_of_another_size(saved, tmp_path):
    _, place = saved
    config = json.loads((place / "config.json").read_text())
    layer = place / "2_Dense" / "model.safetensors"
    content = layer.read_bytes()
    try:
        layer.write_bytes(content[:40])
        with pytest.raises(CheckpointError, match=r"model.safetensors is damaged .*; fetch the model again"):
            folder.load(place)
        layer.write_bytes(content.replace(b"[3,16]", b"[16,3]"))
        with pytest.raises(CheckpointError, match=r"2_Dense: the layer has other shapes than .*; fetch"):
            folder.load(place)
    finally:
        layer.write_bytes(content)
    assert len(config["id2label"]) == 3


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"pooling_mode": "cls"}, "first"),
        ({"pooling_mode": ["mean"]}, "mean"),
        ({"pooling_mode": ["mean", "max"]}, ""),
        ({"pooling_mode": "max"}, ""),
        ({"pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, ""),
    ],
)
def test_poolings_as_old_and_new_sentence_transformers_write_them(settings, expected, backbone, tmp_path):
    place = tmp_path / "model"
    shutil.copytree(backbone, place)
    (place / "1_Pooling").mkdir()
    (place / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    (place / "modules.json").write_text("[]")
    assert open_header(place).pooling == expected
