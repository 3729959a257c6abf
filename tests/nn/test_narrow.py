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


def test_rows_that_evaluation_alone_looks_up_neither_learn_nor_decay(rng):
    embedding = nn.Embedding(50, 4)
    before = embedding.weight.detach().clone()
    ids, others = np.array([3, 4, 9]), np.array([4, 20, 21])
    with narrowed(embedding, ids, others) as renumber:
        optimizer = torch.optim.AdamW(embedding.parameters(), lr=0.1, weight_decay=0.5)
        for _ in range(3):
            embedding.train()(torch.from_numpy(renumber(ids))).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            evaluated = embedding.eval()(torch.from_numpy(renumber(others[1:])))
            assert torch.equal(evaluated, before[20:22])
        embedding.train()(torch.from_numpy(renumber(ids))).sum().backward()
        optimizer.step()  # not evaluated again
    moved = (embedding.weight != before).any(dim=1).nonzero().flatten()
    assert moved.tolist() == [3, 4, 9]


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
