"""Distances between tokens, against transformers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

from headstart.nn.positions import distance_bias, distance_buckets


@pytest.mark.parametrize("count", [32, 8])
@pytest.mark.parametrize("length", [1, 2, 17, 700])
def test_buckets_and_their_values_are_those_of_transformers(length, count):
    places = torch.arange(length)
    theirs = MPNetEncoder.relative_position_bucket(places[None] - places[:, None], num_buckets=count)
    values = torch.randn(count, 3)
    assert torch.equal(distance_bias(values, length), values[theirs].permute(2, 0, 1))


@given(length=st.integers(1, 40))
def test_a_longer_text_has_the_same_distances(length):
    assert torch.equal(distance_buckets(41, 32)[41 - length : 40 + length], distance_buckets(length, 32))


def test_slopes_are_those_of_finite_differences():
    values = torch.randn(8, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda weight: distance_bias(weight, 5), (values,))
