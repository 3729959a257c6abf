"""What a head reads of a batch, and that stages which bring its input along need not run again."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headstart.core.errors import UsageError
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.packed import means, pack


def test_means_are_those_of_each_text_with_their_gradient(rng):
    lengths = rng.integers(1, 9, size=20)
    batch = pack(np.zeros(lengths.sum(), np.int32), np.append(0, np.cumsum(lengths)), np.arange(20))
    states = torch.randn(int(lengths.sum()), 4, dtype=torch.float32, requires_grad=True)
    averaged = means(states, batch)
    parts = [part.mean(dim=0) for part in states.split(np.sort(lengths).tolist())]
    assert torch.allclose(averaged, torch.stack(parts), atol=1e-6)
    weights = torch.randn_like(averaged)
    (wanted,) = torch.autograd.grad((torch.stack(parts) * weights).sum(), states)
    (gradient,) = torch.autograd.grad((averaged * weights).sum(), states)
    assert torch.allclose(gradient, wanted, atol=1e-6)


def test_means_are_scored_by_one_linear_layer(batch):
    torch.manual_seed(0)
    encoder = Encoder(vocabulary=30, width=8, layers=2, heads=2, feed_forward=16, window=12, dropout=0.0)
    model = Model(encoder, ClassificationHead(8, 3, pooling="mean")).eval()
    states = encoder(batch)
    assert torch.allclose(model(batch), model.head.output(means(states, batch)), atol=1e-6)
    assert {name for name, _ in model.head.named_parameters()} == {"output.weight", "output.bias"}


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_a_batch_that_brings_pooled_states_is_not_pooled_again(batch, pooling):
    torch.manual_seed(0)
    encoder = Encoder(vocabulary=30, width=8, layers=2, heads=2, feed_forward=16, window=12, dropout=0.0)
    model = Model(encoder, ClassificationHead(8, 3, pooling=pooling)).eval()
    encoder.requires_grad_(False)
    pooled = model.frozen_states(batch)
    assert pooled.shape == (3, 8)
    assert torch.allclose(model(replace(batch, hidden=pooled, stages=3)), model(batch), atol=1e-6)


def test_an_unknown_pooling():
    with pytest.raises(UsageError, match="no pooling 'man'; did you mean 'mean'"):
        ClassificationHead(8, 2, pooling="man")
