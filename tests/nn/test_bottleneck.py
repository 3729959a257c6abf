"""Bottlenecks: nearly nothing at first, in their places, and in copies made for prediction."""

import pytest
import torch

from headstart.nn import bottleneck
from headstart.nn.int8 import quantised
from headstart.nn.prepacked import prepacked

KINDS = sorted(bottleneck.PLACES)


def grown(model, kind):
    """Put bottlenecks in that do something."""
    bottleneck.insert(model, kind, 3)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "_adapter." in name:
                weight.normal_(std=0.5)
    return model.eval()


def test_a_bottleneck_is_the_sum_in_the_paper():
    part = bottleneck.Bottleneck(6, 2)
    hidden = torch.randn(4, 6)
    inner = torch.nn.functional.gelu(hidden @ part.down.weight.T + part.down.bias)
    torch.testing.assert_close(part(hidden), hidden + inner @ part.up.weight.T + part.up.bias)


@pytest.mark.parametrize(("kind", "count"), [("houlsby", 2), ("pfeiffer", 1)])
def test_fresh_bottlenecks_change_nearly_nothing(model, batch, kind, count):
    before = model(batch)
    bottleneck.insert(model, kind, 3)
    assert sum(isinstance(part, bottleneck.Bottleneck) for part in model.modules()) == count * len(model.encoder.blocks)
    assert not torch.equal(model(batch), before)
    torch.testing.assert_close(model(batch), before, atol=0.01, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_they_stand_between_a_layer_and_the_sum_with_its_input(model, batch, kind):
    whole = grown(model, kind)
    block, hidden, packed = whole.encoder.blocks[0], torch.randn(9, 8), batch
    same = torch.nn.Identity() if block.attention_adapter is None else block.attention_adapter
    middle = block.attention_norm(same(block.attention(hidden, packed)) + hidden)
    expanded = block.down(block.activation(block.up(middle)))
    torch.testing.assert_close(block(hidden, packed), block.output_norm(block.output_adapter(expanded) + middle))


@pytest.mark.parametrize("kind", KINDS)
def test_splitting_and_joining_are_inverse(model, batch, kind):
    names = {name for name, _ in model.named_parameters()}
    assert bottleneck.split(model)[1] == {}
    whole = grown(model, kind)
    plain, weights = bottleneck.split(whole)
    assert {name for name, _ in plain.named_parameters()} == names
    assert plain.encoder.blocks[0].up.weight is whole.encoder.blocks[0].up.weight
    bottleneck.join(plain, weights)
    assert torch.equal(plain(batch), whole(batch))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("make", "error"), [(prepacked, 1e-5), (quantised, 0.05)])
@torch.inference_mode()
def test_copies_for_prediction_have_them_too(model, batch, kind, make, error):
    whole = grown(model, kind)
    expected = whole(batch)
    torch.testing.assert_close(make(whole)(batch), expected, atol=error, rtol=0)
    assert (bottleneck.split(whole)[0](batch) - expected).abs().max() > 2 * error
