from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headstart.nn import cross_entropy as module
from headstart.nn.cross_entropy import cross_entropy

TOKENS, WIDTH, VOCABULARY = 11, 6, 19


def examples(spread: float) -> tuple[Tensor, nn.Parameter, nn.Parameter, Tensor]:
    """Return states, matrix and bias that need gradients, and labels; logits grow with `spread`."""
    random = torch.Generator().manual_seed(0)
    states = (spread * torch.randn(TOKENS, WIDTH, generator=random)).requires_grad_()
    matrix = nn.Parameter(torch.randn(VOCABULARY, WIDTH, generator=random))
    bias = nn.Parameter(torch.randn(VOCABULARY, generator=random))
    return states, matrix, bias, torch.randint(VOCABULARY, (TOKENS,), generator=random)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("spread", [0.5, 100.0])
@pytest.mark.parametrize("with_bias", [True, False])
def test_losses_and_gradients_are_those_of_torch_in_chunks_too(
    smoothing: float, spread: float, with_bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAST", 4)
    monkeypatch.setattr(module, "CHUNK", 4 * VOCABULARY)
    states, matrix, bias, labels = examples(spread)
    inputs = [states, matrix, *([bias] if with_bias else [])]
    logits = F.linear(states, matrix, bias if with_bias else None)
    expected = F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="sum") / 7
    total = cross_entropy(states, matrix, bias if with_bias else None, labels, smoothing) / 7
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-5)
    theirs, ours = torch.autograd.grad(expected, inputs), torch.autograd.grad(total, inputs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5 * spread)


def test_gradients_are_computed_only_of_what_learns() -> None:
    states, matrix, bias, labels = examples(1.0)
    frozen = matrix.detach()
    cross_entropy(states, frozen, bias, labels, 0.1).backward()
    assert states.grad is not None
    assert bias.grad is not None
    with torch.no_grad():
        total = cross_entropy(states, matrix, bias, labels, 0.1)
    assert not total.requires_grad
    assert matrix.grad is None
    torch.testing.assert_close(total, cross_entropy(states, matrix, bias, labels, 0.1).detach())


def test_no_logits_of_all_tokens_are_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST", 2)
    monkeypatch.setattr(module, "CHUNK", 2 * VOCABULARY)
    states, matrix, bias, labels = examples(1.0)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen:
        cross_entropy(states, matrix, bias, labels, 0.1).backward()
    largest = max(event.cpu_memory_usage for event in seen.events())
    assert largest < 4 * TOKENS * VOCABULARY


def test_a_text_without_tokens_has_no_loss() -> None:
    states, matrix, bias, labels = examples(1.0)
    total = cross_entropy(states[:0], matrix, bias, labels[:0], 0.1)
    total.backward()
    assert float(total.detach()) == 0.0
    assert matrix.grad is not None
    assert not matrix.grad.any()
