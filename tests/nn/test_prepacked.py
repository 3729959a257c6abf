"""Weights that are laid out beforehand give the same products."""

import numpy as np
import pytest
import torch
from torch import nn

from headstart.nn import prepacked
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.packed import pack


@pytest.mark.parametrize("tokens", [1, 2, 27, 128, 300])
def test_products_are_those_of_the_layer(tokens):
    part = nn.Linear(48, 80)
    hidden = torch.randn(tokens, 48)
    with torch.inference_mode():
        torch.testing.assert_close(prepacked.PrepackedLinear(part)(hidden), part(hidden), atol=1e-5, rtol=1e-5)


def test_texts_of_all_lengths_need_few_kernels():
    rows = [prepacked.rounded(tokens) for tokens in range(1, prepacked.FEW + 1)]
    assert len(set(rows)) <= 24
    assert all(tokens <= count <= 1.25 * tokens for tokens, count in enumerate(rows, start=1))


def test_a_product_has_a_rounded_number_of_rows(monkeypatch):
    part, given = prepacked.PrepackedLinear(nn.Linear(16, 24)), []
    kernel = torch.ops.mkldnn._linear_pointwise

    def remember(hidden, *rest):
        given.append(len(hidden))
        return kernel(hidden, *rest)

    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", remember)
    with torch.inference_mode():
        assert part(torch.randn(25, 16)).shape == (25, 24)
    assert given == [28]


def test_an_activation_can_be_joined_to_the_product():
    layer = nn.Linear(48, 80)
    part = prepacked.PrepackedLinear(layer)
    part.after = prepacked.GELU
    hidden = 3 * torch.randn(9, 48)
    with torch.inference_mode():
        torch.testing.assert_close(part(hidden), nn.functional.gelu(layer(hidden)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
@torch.inference_mode()
def test_every_activation_stays_what_it_was(activation):
    encoder = Encoder(vocabulary=9, width=8, layers=2, heads=2, feed_forward=16, window=6, activation=activation)
    model = Model(encoder, ClassificationHead(8, 2)).eval()
    batch = pack(np.array([1, 2, 3, 4]), np.array([0, 3, 4]), np.array([0, 1]))
    torch.testing.assert_close(prepacked.prepacked(model)(batch), model(batch), atol=1e-6, rtol=0)


def test_parts_are_slices_of_the_whole():
    part = prepacked.PrepackedLinear(nn.Linear(16, 24), cuts=(8,))
    hidden = torch.randn(5, 16)
    whole = part(hidden)
    torch.testing.assert_close(part.part(hidden, 0, 8), whole[:, :8])
    torch.testing.assert_close(part.part(hidden, 8, 24), whole[:, 8:])


def test_a_torch_without_the_kernel(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not prepacked.available()
