"""ONNX files of every family have the logits of the model, in float32 and nearly so in int8."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from headstart.core.errors import UsageError
from headstart.export import graph
from headstart.nn.disentangled import DisentangledEncoder
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.modern import ModernEncoder
from headstart.nn.packed import pack

SIZES = {"vocabulary": 40, "width": 16, "layers": 2, "heads": 2, "feed_forward": 32, "window": 30, "dropout": 0.0}
LENGTHS = [5, 2, 5, 30, 1]
FAMILIES = {
    "bert": lambda: Encoder(**SIZES),
    "roberta": lambda: Encoder(**SIZES | {"types": 1}, position_offset=2),
    "distilbert": lambda: Encoder(**SIZES | {"types": 0}),
    "electra": lambda: Encoder(**SIZES, embedding_width=8),
    "albert": lambda: Encoder(**SIZES, embedding_width=8, one_block=True, activation="gelu_new"),
    "mpnet": lambda: Encoder(**SIZES | {"types": 0}, distance_buckets=32, position_offset=2),
    "deberta": lambda: DisentangledEncoder(**SIZES, buckets=6, farthest=12, convolution=3),
    "modernbert": lambda: ModernEncoder(**SIZES, reach=3, far_every=2),
}


def build(family):
    torch.manual_seed(0)
    model = Model(FAMILIES[family](), ClassificationHead(16, 3, dropout=0.0))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(10)  # at the size of trained weights, so that layers do more than pass states on
    return model.eval()


@pytest.fixture
def texts():
    tokens = np.random.default_rng(0).integers(0, 40, size=sum(LENGTHS))
    return np.split(tokens, np.cumsum(LENGTHS)[:-1])


def padded(texts):
    ids, mask = np.zeros((2, len(texts), max(map(len, texts))), dtype=np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)], mask[row, : len(text)] = text, 1
    return {"input_ids": ids, "attention_mask": mask}


@torch.inference_mode()
def logits_of(model, texts):
    batch = pack(np.concatenate(texts), np.cumsum([0, *map(len, texts)]), np.arange(len(texts)))
    return model(batch)[batch.order.argsort()].numpy()


def run(path, texts):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, padded(texts))[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_has_the_logits_of_the_model_for_any_number_and_length_of_texts(family, texts, tmp_path):
    model = build(family)
    graph.write(model, tmp_path / "model.onnx")
    expected = logits_of(model, texts)
    assert np.ptp(expected, axis=0).max() > 0.1
    np.testing.assert_allclose(run(tmp_path / "model.onnx", texts), expected, atol=1e-4)
    np.testing.assert_allclose(run(tmp_path / "model.onnx", texts[-1:]), expected[-1:], atol=1e-4)


@pytest.mark.parametrize("method", ["dynamic", "static"])
@pytest.mark.parametrize(("spared", "left"), [((), 4), (("down",), 3), (("up", "down"), 2)])
def test_an_8_bit_file_has_nearly_these_logits(method, spared, left, texts, tmp_path):
    model = build("bert")
    graph.write(model, tmp_path / "model.onnx")
    how = graph.Quantisation(method, spared)
    graph.quantise(tmp_path / "model.onnx", tmp_path / "int8.onnx", how, [padded([text]) for text in texts])
    expected, found = logits_of(model, texts), run(tmp_path / "int8.onnx", texts)
    assert 0 < np.abs(found - expected).max() < 0.3 * np.ptp(expected)
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "int8.onnx"}
    stored = onnx.load(tmp_path / "int8.onnx").graph.initializer
    matrices = [each for each in stored if each.data_type == onnx.TensorProto.INT8 and len(each.dims) == 2]
    assert len(matrices) == 2 * left + 2  # of both blocks and of the head


def test_a_model_beyond_two_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "LARGEST", 1000)
    with pytest.raises(UsageError, match=r"has 0\.0 GB of weights, and one ONNX file holds at most"):
        graph.write(build("bert"), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
