"""A training on a narrowed embedding is the training on the whole one."""

import numpy as np
import pytest
import torch
from torch import nn

from headstart.nn.narrow import narrowed


def learn(embedding, ids, steps=4):
    optimizer = torch.optim.AdamW(embedding.parameters(), lr=0.1, weight_decay=0.0)
    for _ in range(steps):
        embedding(ids).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()


def test_the_same_rows_learn_the_same(rng):
    torch.manual_seed(0)
    whole, part = nn.Embedding(50, 4), nn.Embedding(50, 4)
    part.load_state_dict(whole.state_dict())
    ids = rng.integers(0, 50, size=(3, 5))
    learn(whole, torch.from_numpy(ids))
    with narrowed(part, np.append(ids, [7])) as renumber:
        assert len(part.weight) == len({*ids.ravel().tolist(), 7})
        learn(part, torch.from_numpy(renumber(ids)))
    torch.testing.assert_close(part.weight, whole.weight)


def test_what_was_frozen_inside_is_frozen_outside():
    embedding = nn.Embedding(9, 2)
    with narrowed(embedding, np.arange(3)):
        embedding.requires_grad_(False)
    assert not embedding.weight.requires_grad
    assert embedding.weight.shape == (9, 2)


def test_an_error_leaves_the_embedding_whole():
    embedding = nn.Embedding(9, 2)

    def fail():
        with narrowed(embedding, np.arange(3)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert len(embedding.weight) == 9
