"""Dropout against what it promises: the share that goes, the mean that stays, gradients through what is kept."""

import pytest
import torch

from headstart.nn.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(7,), (301, 77)])
def test_a_share_is_dropped_and_the_rest_enlarged(p, shape):
    torch.manual_seed(0)
    values = torch.ones(shape)
    out = Dropout(p)(values)
    torch.testing.assert_close(out[out != 0], torch.full_like(out[out != 0], 1 / (1 - p)), rtol=2e-4, atol=0)
    if values.numel() > 1000:
        assert (out == 0).float().mean().item() == pytest.approx(p, abs=0.01)
        assert out.mean().item() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("joined", [False, True])
def test_gradients_pass_through_what_was_kept(joined):
    values = torch.randn(50, 8, requires_grad=True)
    residual = torch.randn(50, 8, requires_grad=True) if joined else None
    torch.manual_seed(3)
    out = Dropout(0.3)(values, residual)
    mask = Dropout(0.3)
    torch.manual_seed(3)
    factor = mask(torch.ones(50, 8))
    plain = values * factor + (residual if joined else 0)
    torch.testing.assert_close(out, plain)
    given = torch.randn_like(out)
    leaves = [values, residual] if joined else [values]
    for ours, theirs in zip(
        torch.autograd.grad(out, leaves, given), torch.autograd.grad(plain, leaves, given), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_masks_follow_torchs_seed():
    torch.manual_seed(5)
    one = Dropout(0.5)(torch.ones(40))
    again = Dropout(0.5)(torch.ones(40))
    torch.manual_seed(5)
    assert torch.equal(Dropout(0.5)(torch.ones(40)), one)
    assert not torch.equal(again, one)


def test_nothing_is_drawn_where_nothing_is_dropped():
    values, residual = torch.randn(4), torch.randn(4)
    before = torch.get_rng_state()
    assert torch.equal(Dropout(0.0)(values, residual), values + residual)
    assert torch.equal(Dropout(0.4).eval()(values), values)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_rate_of_one_drops_all():
    assert torch.equal(Dropout(1.0)(torch.ones(9), torch.full((9,), 2.0)), torch.full((9,), 2.0))
