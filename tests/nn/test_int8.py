"""8-bit products against the same sums in plain floating point, and how far they are from unrounded ones."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from headstart.core.errors import HeadstartError, UsageError
from headstart.nn.int8 import INPUT_STEPS, WEIGHT_STEPS, Int8Linear


def layer(inputs, outputs, seed=0):
    torch.manual_seed(seed)
    linear = nn.Linear(inputs, outputs)
    with torch.no_grad():
        linear.weight.mul_(torch.rand(outputs, 1) * 10)  # outputs of very different sizes
    return linear


def plain(part, hidden):
    """Round weights and inputs, multiply in double precision, and undo the scales."""
    weight, bias = part.weight.detach().double(), part.bias.detach().double()
    scale = weight.abs().amax(1, keepdim=True) / WEIGHT_STEPS
    low, high = hidden.double().amin(1, keepdim=True), hidden.double().amax(1, keepdim=True)
    step = ((high - low) / INPUT_STEPS).clamp(min=1e-30)
    rounded = ((hidden.double() - low) / step).round()
    return (rounded * step + low) @ ((weight / scale).round() * scale).T + bias


@settings(max_examples=40, deadline=None)
@given(
    tokens=st.integers(1, 40),
    inputs=st.sampled_from([1, 3, 16, 65, 256]),
    outputs=st.sampled_from([1, 7, 32, 130]),
    seed=st.integers(0, 1000),
)
def test_a_product_is_that_of_rounded_numbers(tokens, inputs, outputs, seed):
    part = layer(inputs, outputs, seed)
    hidden = torch.randn(tokens, inputs) * torch.rand(tokens, 1) * 20 + torch.randn(tokens, 1)
    actual, expected = Int8Linear(part)(hidden).double(), plain(part, hidden)
    # An input right between two steps may go either way; no more than one step of one input is ever lost.
    step = (hidden.amax(1, keepdim=True) - hidden.amin(1, keepdim=True)) / INPUT_STEPS
    assert ((actual - expected).abs() <= 1e-4 + 1.01 * step * part.weight.abs().amax(1)).all()
    assert (actual - expected).abs().mean() < 1e-3 * (1 + expected.abs().mean())


def test_nothing_overflows_where_all_is_as_large_as_can_be():
    part = layer(512, 16)
    with torch.no_grad():
        part.weight.fill_(3.0)
    hidden = torch.full((4, 512), 50.0)
    hidden[:, 0] = -50.0
    torch.testing.assert_close(Int8Linear(part)(hidden), part(hidden).detach(), rtol=1e-4, atol=1e-2)


def test_a_tokens_answer_does_not_depend_on_its_neighbours():
    part = Int8Linear(layer(64, 48))
    hidden = torch.randn(9, 64)
    hidden[3] *= 1000
    alone = torch.cat([part(row[None]) for row in hidden])
    assert torch.equal(part(hidden), alone)


@pytest.mark.parametrize("value", [0.0, -7.5, 1e30])
def test_a_token_of_equal_values_is_exact_up_to_the_weights(value):
    part = layer(32, 8)
    outputs = Int8Linear(part)(torch.full((2, 32), value))
    assert torch.isfinite(outputs).all()
    error = 32 * abs(value) * part.weight.detach().abs().amax(1) / WEIGHT_STEPS / 2
    assert ((outputs - part(torch.full((2, 32), value)).detach()).abs() <= error + 1e-5).all()


def test_an_output_without_weights_is_its_bias():
    part = layer(16, 4)
    with torch.no_grad():
        part.weight[2] = 0
    assert torch.equal(Int8Linear(part)(torch.randn(3, 16))[:, 2], part.bias[2].detach().expand(3))


def test_parts_are_slices_of_the_whole():
    part = Int8Linear(layer(16, 24), cuts=(8,))
    hidden = torch.randn(5, 16)
    whole = part(hidden)
    assert torch.equal(part.part(hidden, 0, 8), whole[:, :8])
    assert torch.equal(part.part(hidden, 8, 24), whole[:, 8:])


def test_the_machines_own_engine_comes_back():
    before = torch.backends.quantized.engine
    other = next(name for name in torch.backends.quantized.supported_engines if name not in ("none", "fbgemm"))
    torch.backends.quantized.engine = other
    try:
        Int8Linear(layer(4, 4))
        assert torch.backends.quantized.engine == other
    finally:
        torch.backends.quantized.engine = before


def test_nothing_is_said_about_the_future_of_torch(recwarn):
    Int8Linear(layer(4, 4))
    assert not recwarn.list


def test_a_machine_without_the_engine(monkeypatch):
    monkeypatch.setattr(type(torch.backends.quantized), "supported_engines", ["qnnpack", "none"])
    with pytest.raises(UsageError, match=r"int8 needs torch's engine 'fbgemm', which this machine lacks \(it has: qn"):
        Int8Linear(layer(4, 4))
    assert issubclass(UsageError, HeadstartError)


def test_error_is_a_fraction_of_the_spread(rng):
    part = layer(384, 64)
    hidden = torch.from_numpy(rng.standard_normal((200, 384)).astype(np.float32))
    exact = part(hidden).detach()
    assert (Int8Linear(part)(hidden) - exact).abs().mean() < 0.015 * exact.std()
