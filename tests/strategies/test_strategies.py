"""What each strategy lets learn, on a small model."""

import pytest
import torch

from headstart.core import rooms
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model


def small(sinusoidal=False):
    torch.manual_seed(0)
    encoder = Encoder(vocabulary=30, width=8, layers=3, heads=2, feed_forward=16, window=12, sinusoidal=sinusoidal)
    return Model(encoder, ClassificationHead(8, 2))


@pytest.mark.parametrize(("name", "frozen"), [("full", 0), ("partial", 2), ("frozen", 4)])
def test_frozen_stages(name, frozen):
    model = small()
    rooms.load("strategies", name).prepare(model)
    assert model.frozen_stages() == frozen


def test_full_slows_down_towards_the_embeddings():
    groups = rooms.load("strategies", "full", {"learning_rate": 1.0, "layer_decay": 0.5}).prepare(small())
    assert [group.learning_rate for group in groups] == [1.0, 0.5, 0.25, 0.125, 0.0625]
    assert all("head" in name for name in groups[0].weights)
    assert all("embeddings" in name for name in groups[-1].weights)


def test_partial_with_more_blocks_than_there_are_keeps_the_embeddings_frozen():
    model = small()
    rooms.load("strategies", "partial", {"blocks": 99}).prepare(model)
    assert model.frozen_stages() == 1


def test_sinusoidal_positions_never_learn():
    model = small(sinusoidal=True)
    groups = rooms.load("strategies", "full").prepare(model)
    learning = {name for group in groups for name in group.weights}
    assert "encoder.embeddings.position.weight" not in learning
    assert not model.encoder.embeddings.position.weight.requires_grad
