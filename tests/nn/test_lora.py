"""Low-rank updates against matrices that were updated plainly, and against PEFT."""

import copy

import peft
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from headstart.nn import lora
from headstart.nn.linear import Linear


def draw(part):
    """Give updates values at which a mistake shows: they are zero at first."""
    with torch.no_grad():
        for name, weight in part.named_parameters():
            if ".updates." in f".{name}":
                weight.normal_(std=0.3)
    return part


@settings(max_examples=25, deadline=None)
@given(numbers=st.sets(st.integers(0, 2), min_size=1), rank=st.integers(1, 5), seed=st.integers(0, 99))
def test_outputs_and_gradients_are_those_of_updated_matrices(numbers, rank, seed):
    torch.manual_seed(seed)
    part = draw(lora.LowRank(Linear(6, 12), [4, 4, 4], sorted(numbers), rank, alpha=3.0, dropout=0.0))
    hidden = torch.randn(5, 6, requires_grad=True)
    weight = part.layer.weight.detach().clone()
    for number in numbers:
        update = part.updates[str(number)]
        weight[4 * number : 4 * number + 4] += 3.0 / rank * update.up @ update.down
    plain = hidden @ weight.T + part.layer.bias
    torch.testing.assert_close(part(hidden), plain)
    torch.testing.assert_close(part.part(hidden, 0, 4), plain[:, :4])
    torch.testing.assert_close(part.part(hidden, 4, 12), plain[:, 4:])
    for one, other in zip(
        *(torch.autograd.grad(out.square().sum(), hidden) for out in (part(hidden), plain)), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_one_layer_computes_what_pefts_does():
    torch.manual_seed(0)
    theirs = peft.get_peft_model(
        nn.Sequential(nn.Linear(6, 12)),
        peft.LoraConfig(r=3, lora_alpha=6, target_modules=["0"], init_lora_weights=False),
    )
    layer = theirs.base_model.model[0]
    ours = lora.LowRank(copy.deepcopy(layer.base_layer), [12], [0], rank=3, alpha=6, dropout=0.0)
    with torch.no_grad():
        ours.updates["0"].down.copy_(layer.lora_A["default"].weight)
        ours.updates["0"].up.copy_(layer.lora_B["default"].weight)
    hidden = torch.randn(4, 6)
    torch.testing.assert_close(ours(hidden), theirs(hidden))


@pytest.mark.parametrize("targets", [["query"], ["query", "value"], ["key", "up"], list(lora.TARGETS)])
def test_updates_begin_at_nothing_and_end_inside_the_matrices(model, batch, targets):
    before = model(batch)
    plain = [type(part) for part in model.modules()]
    lora.insert(model, targets, rank=2, alpha=4.0, dropout=0.5)
    assert torch.equal(model.eval()(batch), before)
    learnt = draw(model)(batch)
    assert not torch.allclose(learnt, before, atol=1e-3)
    pairs = lora.merge(model)
    torch.testing.assert_close(model(batch), learnt, atol=1e-5, rtol=0)
    assert [type(part) for part in model.modules()] == plain
    assert len(pairs) == len(model.encoder.blocks) * len(targets)


def test_what_updates_see_is_dropped_while_training():
    part = draw(lora.LowRank(nn.Linear(6, 12), [12], [0], rank=2, alpha=2.0, dropout=1.0))
    hidden = torch.randn(4, 6)
    torch.testing.assert_close(part(hidden), part.layer(hidden))
    assert not torch.allclose(part.eval()(hidden), part.layer(hidden))


def test_matrices_of_unequal_height_are_updated_where_they_are():
    part = draw(lora.LowRank(Linear(6, 12), [8, 2, 2], [0, 2], rank=3, alpha=6.0, dropout=0.0))
    weight = part.layer.weight.detach().clone()
    weight[:8] += 2 * part.updates["0"].up @ part.updates["0"].down
    weight[10:] += 2 * part.updates["2"].up @ part.updates["2"].down
    hidden = torch.randn(5, 6)
    torch.testing.assert_close(part(hidden), hidden @ weight.T + part.layer.bias)
    whole = nn.Sequential(part)
    assert lora.merge(whole).keys() == {("0", 0), ("0", 2)}
    torch.testing.assert_close(whole[0].weight, weight)
