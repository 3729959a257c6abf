"""What every strategy promises. A new file in the room is tested here by itself."""

import numpy as np
import pytest
import torch

from headstart.core import rooms
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.packed import Kept, pack
from headstart.text.tokenizer import Encoded
from headstart.training.optimizer import adamw

NAMES = rooms.names("strategies")


@pytest.fixture
def texts(rng):
    lengths = rng.integers(2, 12, size=9)
    boundaries = torch.tensor([0, *lengths.cumsum()]).numpy()
    return Encoded(rng.integers(1, 30, size=boundaries[-1]).astype("int32"), boundaries)


@pytest.fixture
def model():
    torch.manual_seed(0)
    encoder = Encoder(vocabulary=30, width=8, layers=3, heads=2, feed_forward=16, window=12, dropout=0.0)
    return Model(encoder, ClassificationHead(8, 3, dropout=0.0))


def learn(model, texts, groups, steps=3):
    optimizer = adamw(groups, weight_decay=0.0)
    batch = pack(texts.tokens, texts.boundaries, torch.arange(len(texts)).numpy())
    targets = torch.arange(len(texts)) % 3
    for _ in range(steps):
        model.head.loss(model(batch), targets[batch.order]).backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("name", NAMES)
def test_what_learns_moves_and_nothing_else(name, model, texts):
    before = {key: weight.detach().clone() for key, weight in model.named_parameters()}
    groups = rooms.load("strategies", name).prepare(model)
    learning = {key for group in groups for key in group.weights}
    # Rows of an embedding that no text uses have no gradient; one moved entry shows that the weight learns.
    learn(model, texts, groups)
    moved = {key for key, weight in model.named_parameters() if not torch.equal(weight, before[key])}
    assert moved <= learning
    # A key's bias shifts all scores of a query alike, so softmax cancels it; it shares the fused weight with others.
    assert learning - moved == set()


@pytest.mark.parametrize("name", NAMES)
def test_only_learning_weights_ask_for_gradients(name, model):
    groups = rooms.load("strategies", name).prepare(model)
    learning = {id(weight) for group in groups for weight in group.weights.values()}
    assert learning == {id(weight) for weight in model.parameters() if weight.requires_grad}
    assert all(group.learning_rate > 0 for group in groups)


@pytest.mark.parametrize("name", NAMES)
def test_kept_states_change_nothing(name, model, texts):
    """The frozen part computed once gives the same scores and the same gradients as computed in every step."""
    rooms.load("strategies", name).prepare(model)
    rows = torch.arange(len(texts)).numpy()
    batch = pack(texts.tokens, texts.boundaries, rows)
    if not model.frozen_stages():
        assert all(weight.requires_grad for weight in model.encoder.embeddings.word.parameters())
        return
    states = model.frozen_states(batch)
    by_token = len(states) > len(texts)
    starts = np.empty(len(texts), dtype=np.int64)
    starts[batch.order.numpy()] = batch.starts.numpy() if by_token else np.arange(len(texts))
    short = pack(texts.tokens, texts.boundaries, rows, Kept(model.frozen_stages(), states, starts, by_token))
    assert torch.allclose(model(short), model(batch), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_default_for_the_length_of_a_training(name):
    assert rooms.load("strategies", name).epochs >= 1
