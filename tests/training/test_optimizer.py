import torch
from torch import nn

from headstart.nn.groups import Group
from headstart.training.optimizer import adamw


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
