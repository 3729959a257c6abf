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


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_columns_beside_the_state_are_its_last_layer_on_both_side_by_side(batch, pooling):
    torch.manual_seed(0)
    encoder = Encoder(vocabulary=30, width=8, layers=2, heads=2, feed_forward=16, window=12, dropout=0.0)
    model = Model(encoder, ClassificationHead(8, 3, pooling=pooling)).eval()
    model.head.columns = torch.nn.Linear(5, 3, bias=False)
    features = torch.randn(len(batch), 5)
    pooled = model.head.pool(encoder(batch, model.head.first_only), batch)
    state = pooled if model.head.dense is None else torch.tanh(model.head.dense(pooled))
    weight = torch.cat([model.head.output.weight, model.head.columns.weight], dim=1)
    expected = torch.nn.functional.linear(torch.cat([state, features], dim=1), weight, model.head.output.bias)
    logits = model(replace(batch, features=features))
    assert torch.allclose(logits, expected, atol=1e-6)
    logits.sum().backward()
    assert torch.allclose(model.head.columns.weight.grad, features.sum(dim=0).expand(3, -1), atol=1e-5)


@pytest.mark.parametrize("given", [True, False])
def test_columns_are_neither_dropped_nor_made_up(batch, given):
    encoder = Encoder(vocabulary=30, width=8, layers=1, heads=2, feed_forward=16, window=12)
    model = Model(encoder, ClassificationHead(8, 3))
    if given:
        batch = replace(batch, features=torch.zeros(len(batch), 5))
    else:
        model.head.columns = torch.nn.Linear(5, 3, bias=False)
    with pytest.raises(ValueError, match="a head that reads columns beside the text needs them, and no other"):
        model(batch)
