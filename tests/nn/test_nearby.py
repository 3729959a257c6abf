"""Attention to near tokens alone, against attention with a mask over whole texts."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from headstart.nn import nearby

WIDTH, HEADS = 8, 2
CASES = {
    "groups": st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 90)), min_size=1, max_size=3, unique_by=lambda g: g[1]
    ),
    "reach": st.sampled_from([1, 2, 7, 40]),
    "first_only": st.booleans(),
}


def inputs(groups, first_only, seed=0):
    torch.manual_seed(seed)
    tokens = sum(count * length for count, length in groups)
    query = torch.randn(sum(count for count, _ in groups), WIDTH).requires_grad_() if first_only else None
    return query, torch.randn(tokens, (2 if first_only else 3) * WIDTH).requires_grad_()


def masked(query, states, groups, reach):
    """Each text by itself, every score computed and those of far tokens hidden."""
    answers, start = [], 0
    for count, length in groups:
        for _ in range(count):
            parts = states[start : start + length].split(WIDTH, dim=1)
            if query is not None:
                parts = (query[None, len(answers)], *parts)
            q, k, v = (part.unflatten(1, (HEADS, -1)).transpose(0, 1) for part in parts)
            near = (torch.arange(q.shape[1])[:, None] - torch.arange(length)).abs() <= reach
            answers.append(F.scaled_dot_product_attention(q, k, v, near).transpose(0, 1).flatten(1))
            start += length
    return torch.cat(answers)


@settings(max_examples=30, deadline=None)
@given(**CASES)
def test_answers_and_gradients_are_those_of_a_mask(groups, reach, first_only):
    groups = tuple(sorted(groups, key=lambda group: group[1]))
    query, states = inputs(groups, first_only)
    asked = [states] if query is None else [query, states]
    expected = masked(query, states, groups, reach)
    wanted = torch.autograd.grad(expected.square().sum(), asked)
    for attend in (nearby._AttendNearby.apply, nearby.nearby_by_group):
        actual = attend(query, states, groups, HEADS, reach)
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-4)
        gradients = torch.autograd.grad(actual.square().sum(), asked)
        for ours, theirs in zip(gradients, wanted, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("asking", "length", "reach"), [(1, 500, 3), (500, 500, 3), (70, 70, 30), (64, 64, 63)])
def test_pieces_cover_what_is_near_and_little_more(asking, length, reach):
    pieces = list(nearby._pieces(asking, length, reach, torch.zeros(1)))
    assert [piece[0].start for piece in pieces] == [0, *(piece[0].stop for piece in pieces[:-1])]
    assert pieces[-1][0].stop == asking
    scores = sum((one.stop - one.start) * (near.stop - near.start) for one, near, _ in pieces)
    assert scores <= asking * (max(nearby.LEAST, 2 * reach) + 2 * reach)
