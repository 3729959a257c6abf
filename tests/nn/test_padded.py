"""A model on padded texts has the logits of the packed one."""

import itertools

import numpy as np
import pytest
import torch

from headstart.nn.disentangled import DisentangledEncoder
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model, SpanHead, TokenHead
from headstart.nn.modern import ModernEncoder
from headstart.nn.packed import pack, pool_windows
from headstart.nn.padded import Padded

SIZES = {"vocabulary": 40, "width": 16, "layers": 2, "heads": 2, "feed_forward": 32, "window": 30, "dropout": 0.0}
LENGTHS = [5, 2, 5, 30, 1]
KINDS = {
    "bert": lambda: Encoder(**SIZES),
    "albert": lambda: Encoder(**SIZES, one_block=True, embedding_width=8),
    "mpnet": lambda: Encoder(**SIZES | {"types": 0}, distance_buckets=32, position_offset=2),
    "modernbert": lambda: ModernEncoder(**SIZES, reach=3, far_every=2),
    "modernbert without local blocks": lambda: ModernEncoder(**SIZES, far_every=1),
    "deberta": lambda: DisentangledEncoder(**SIZES | {"types": 2}, buckets=6, farthest=12, convolution=3),
    "deberta with own matrices": lambda: DisentangledEncoder(**SIZES, own=True, distance_norm=False, queries=False),
}
HEADS = {
    "first": lambda: ClassificationHead(16, 3, dropout=0.0),
    "mean": lambda: ClassificationHead(16, 3, dropout=0.0, pooling="mean"),
    "tokens": lambda: TokenHead(16, 3, dropout=0.0),
    "spans": lambda: SpanHead(16, 2, dropout=0.0, dense=True, norm_epsilon=1e-5),
}


def build(kind, head="first"):
    torch.manual_seed(0)
    model = Model(KINDS[kind](), HEADS[head]())
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(10)  # at the size of trained weights, so that layers do more than pass states on
    return model.eval()


@pytest.fixture
def packed():
    random = np.random.default_rng(0)
    tokens = random.integers(0, 40, size=sum(LENGTHS))
    segments = random.integers(0, 2, size=sum(LENGTHS)).astype(np.uint8)
    return pack(tokens, np.cumsum([0, *LENGTHS]), np.arange(len(LENGTHS)), segments=segments)


@pytest.fixture
def padded(packed):
    """The same texts in packed order, with padding."""
    ends = packed.boundaries.tolist()
    shape = len(packed), max(LENGTHS)
    ids, mask, segments = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
    ids += 7
    for row, (start, end) in enumerate(itertools.pairwise(ends)):
        ids[row, : end - start] = packed.ids[start:end]
        segments[row, : end - start] = packed.segments[start:end]
        mask[row, : end - start] = 1
    return ids, mask, segments


@torch.inference_mode()
@pytest.mark.parametrize(
    ("kind", "head"), [*((kind, "first") for kind in KINDS), ("bert", "mean"), ("deberta", "tokens"), ("bert", "spans")]
)
def test_logits_are_those_of_the_packed_model(kind, head, packed, padded):
    model = build(kind, head)
    logits = Padded(model)(*padded)
    if model.head.reads_all:
        logits = logits[padded[1].bool()]
    torch.testing.assert_close(logits, model(packed), atol=1e-5, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("way", ["mean", "max"])
def test_windows_of_a_text_are_pooled(way, packed, padded):
    model = build("bert")
    model.head.windows = way
    owners = torch.tensor([0, 1, 0, 2, 2])
    states = model.encoder(packed, first_only=True)
    expected = model.head(pool_windows(states, owners, 3, way))
    windows = torch.nn.functional.one_hot(owners).T.float()
    torch.testing.assert_close(Padded(model)(*padded, windows=windows), expected, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_what_is_read_beside_the_text_is_added(padded):
    model = build("bert")
    model.head.columns = torch.nn.Linear(2, 3, bias=False)
    features = torch.arange(10.0).view(5, 2)
    added = Padded(model)(*padded, features=features) - Padded(model)(*padded, features=features * 0)
    torch.testing.assert_close(added, model.head.columns(features), atol=1e-5, rtol=1e-4)


def test_the_model_shares_its_weights_and_stays_as_it_is(padded):
    model = build("deberta")
    names = [type(part).__name__ for part in model.modules()]
    shadow = Padded(model)
    assert [type(part).__name__ for part in model.modules()] == names
    assert {id(weight) for weight in shadow.parameters()} == {id(weight) for weight in model.parameters()}
