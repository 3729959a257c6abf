"""Copies of a model with other linear layers: what they share with it, and what they leave alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.int8 import Int8Linear, quantised
from headstart.nn.packed import pack
from headstart.nn.prepacked import PrepackedLinear, prepacked

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=8)
COPIES = [(quantised, Int8Linear, 0.2), (prepacked, PrepackedLinear, 1e-5)]


OPTIONS = pytest.mark.parametrize("options", [{}, {"one_block": True}, {"distance_buckets": 8}], ids=str)


def model(**options):
    torch.manual_seed(0)
    encoder = Encoder(vocabulary=40, width=32, layers=2, heads=4, feed_forward=64, window=12, **options)
    built = Model(encoder, ClassificationHead(32, 3))
    with torch.no_grad():
        for weight in built.parameters():
            if weight.dim() > 1:
                weight.mul_(8)  # at the size of trained weights, so that layers do more than pass states on
    return built.eval()


def batch_of(lengths, seed=0):
    boundaries = np.concatenate([[0], np.cumsum(lengths)])
    tokens = np.random.default_rng(seed).integers(0, 40, boundaries[-1])
    return pack(tokens, boundaries, np.arange(len(lengths)))


@OPTIONS
@pytest.mark.parametrize(("make", "kind", "error"), COPIES)
@settings(max_examples=15, deadline=None)
@given(lengths=LENGTHS)
@torch.inference_mode()
def test_a_copy_answers_as_the_model_on_ragged_batches(make, kind, error, options, lengths):
    original = model(**options)
    batch = batch_of(lengths)
    expected, actual = original(batch), make(original)(batch)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, expected, atol=error, rtol=0)


@OPTIONS
@pytest.mark.parametrize(("make", "kind", "error"), COPIES)
@torch.inference_mode()
def test_a_copy_answers_alike_for_all_tokens_and_for_first_ones(make, kind, error, options):
    encoder = make(model(**options)).encoder
    batch = batch_of([3, 7, 1])
    every = encoder(batch, first_only=False)
    torch.testing.assert_close(encoder(batch, first_only=True), every[batch.starts], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("make", "kind", "error"), COPIES)
def test_the_model_stays_as_it_is_and_shares_what_is_not_made_anew(make, kind, error):
    original = model().train()
    before = {name: weight.clone() for name, weight in original.state_dict().items()}
    copied = make(original)
    assert all(torch.equal(before[name], weight) for name, weight in original.state_dict().items())
    assert original.training
    assert not copied.training
    assert type(original.encoder.blocks[0].up) is torch.nn.Linear
    made = [part for part in copied.modules() if isinstance(part, kind)]
    assert len(made) == 4 * len(original.encoder.blocks)
    assert copied.encoder.embeddings.word.weight is original.encoder.embeddings.word.weight
    assert copied.head.output.weight is original.head.output.weight
