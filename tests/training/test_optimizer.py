import pytest
import torch
from torch import nn

from headstart.nn.groups import Group
from headstart.training.optimizer import adamw, clipped_step


def test_decay_touches_matrices_only():
    layer, norm = nn.Linear(3, 2), nn.LayerNorm(2)
    weights = {"w": layer.weight, "b": layer.bias, "n": norm.weight}
    parts = adamw([Group(weights, 1e-3)], weight_decay=0.1).param_groups
    decayed = {id(weight) for part in parts if part["weight_decay"] for weight in part["params"]}
    assert decayed == {id(layer.weight)}
    assert sum(len(part["params"]) for part in parts) == 3


def test_groups_keep_their_own_rates():
    one, two = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(2, 2))
    parts = adamw([Group({"one": one}, 1e-3), Group({"two": two}, 1e-4)], 0.0).param_groups
    assert [part["peak"] for part in parts] == [1e-3, 1e-4]


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_a_clipped_step_is_clipping_and_a_step(size):
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    optimizer = adamw([Group(dict(ours.named_parameters()), 1e-2)], 0.01)
    peer = adamw([Group(dict(theirs.named_parameters()), 1e-2)], 0.01)
    for _ in range(5):
        inputs = torch.randn(4, 5)
        for model in (ours, theirs):
            (model(inputs).sum() * size).backward()
        expected = nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        peer.step()
        peer.zero_grad()
        norm = clipped_step(optimizer, ours.parameters(), 1.0)
        torch.testing.assert_close(norm, expected)
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-4, atol=1e-6)
    assert ours.weight.grad is None
