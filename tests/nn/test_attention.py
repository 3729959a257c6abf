"""Attention against a slow plain version, the fast path against the public function."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.nn.attention import (
    SelfAttention,
    attend,
    attend_at_once,
    attend_by_group,
    attend_to,
    fits_flash,
    threads_that_pay,
)
from headstart.nn.packed import pack, pack_pairs

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def packed(lengths):
    boundaries = np.concatenate([[0], np.cumsum(lengths)])
    return pack(np.arange(1, boundaries[-1] + 1), boundaries, np.arange(len(lengths)))


def layer(width=8, heads=2, dtype=torch.float32):
    torch.manual_seed(0)
    attention = SelfAttention(width, heads).to(dtype)
    with torch.no_grad():
        for weight in attention.parameters():
            weight.normal_(std=0.5)
    return attention


def plain(attention, hidden, batch, bias=None):
    """One token and one head at a time, after Vaswani et al. 2017, equation 1."""
    query, key, value = torch.nn.functional.linear(hidden, attention.qkv.weight, attention.qkv.bias).chunk(3, dim=1)
    size = hidden.shape[1] // attention.heads
    answers = torch.zeros_like(hidden)
    ends = [*batch.starts.tolist()[1:], len(hidden)]
    for start, end in zip(batch.starts.tolist(), ends, strict=True):
        for token in range(start, end):
            for head in range(attention.heads):
                part = slice(head * size, (head + 1) * size)
                scores = [float(query[token, part] @ key[other, part]) / math.sqrt(size) for other in range(start, end)]
                if bias is not None:
                    scores = [
                        score + float(more) for score, more in zip(scores, bias[head, token - start], strict=False)
                    ]
                shares = [math.exp(score - max(scores)) for score in scores]
                for other, share in zip(range(start, end), shares, strict=True):
                    answers[token, part] += share / sum(shares) * value[other, part]
    return attention.output(answers)


@settings(max_examples=25, deadline=None)
@given(lengths=LENGTHS)
@torch.no_grad()
def test_attention_is_that_of_a_plain_version(lengths):
    attention, batch = layer(), packed(lengths)
    hidden = torch.randn(len(batch.ids), 8)
    expected = plain(attention, hidden, batch)
    torch.testing.assert_close(attention(hidden, batch), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(attention(hidden, batch, first_only=True), expected[batch.starts], atol=1e-5, rtol=0)


@settings(max_examples=25, deadline=None)
@given(lengths=LENGTHS)
@torch.no_grad()
def test_attention_with_a_bias_is_that_of_a_plain_version(lengths):
    attention, batch = layer(), packed(lengths)
    hidden, bias = torch.randn(len(batch.ids), 8), torch.randn(2, max(lengths), max(lengths))
    expected = plain(attention, hidden, batch, bias)
    places = torch.arange(0, len(hidden), 2)
    torch.testing.assert_close(attention(hidden, batch, bias=bias), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(attention(hidden, batch, True, None, bias), expected[batch.starts], atol=1e-5, rtol=0)
    torch.testing.assert_close(attention(hidden, batch, False, places, bias), expected[places], atol=1e-5, rtol=0)


@pytest.mark.parametrize("first_only", [False, True])
def test_gradients_of_states_and_bias_are_those_of_finite_differences(first_only):
    attention, batch = layer(4, 2, torch.float64), packed([3, 1, 2, 3])
    hidden = torch.randn(9, 4, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda *given: attention(given[0], batch, first_only, None, given[1]), (hidden, bias)
    )


@pytest.mark.parametrize("first_only", [False, True])
def test_gradients_are_those_of_finite_differences(first_only):
    attention, batch = layer(4, 2, torch.float64), packed([3, 1, 2, 3])
    hidden = torch.randn(9, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda states: attention(states, batch, first_only), (hidden,))


def flash_loop(flag):
    """Return a plain loop over texts with the arguments of the GPU's kernel; a flag or a window is for causal ones."""

    def loop(query, key, value, query_ends, key_ends, most_queries, most_keys, causal):
        assert (int(query_ends.diff().max()), int(key_ends.diff().max())) == (most_queries, most_keys)
        answers = [
            torch.nn.functional.scaled_dot_product_attention(
                *(
                    part[start:end].transpose(0, 1)
                    for part, start, end in (
                        (query, query_ends[text], query_ends[text + 1]),
                        (key, key_ends[text], key_ends[text + 1]),
                        (value, key_ends[text], key_ends[text + 1]),
                    )
                ),
                is_causal=causal,
            ).transpose(0, 1)
            for text in range(len(query_ends) - 1)
        ]
        return torch.cat(answers)

    if flag == "is_causal":
        return lambda *arguments, is_causal=False: loop(*arguments, is_causal)
    return lambda *arguments, window_size=(-1, -1): loop(*arguments, window_size == (-1, 0))


@pytest.mark.parametrize("first_only", [False, True])
def test_flash_attention_is_given_each_text_apart(first_only, monkeypatch):
    from torch.nn.attention import varlen

    monkeypatch.setattr(varlen, "varlen_attn", flash_loop("window_size"))
    batch = packed([3, 1, 4, 3])
    states = torch.randn(11, 16 if first_only else 24)
    query = torch.randn(4, 8) if first_only else None
    expected = attend_by_group(query, states, batch.groups, 2)
    torch.testing.assert_close(attend_at_once(query, states, batch, 2), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("flag", ["is_causal", "window_size"])
def test_flash_attention_is_causal_or_reads_sources_of_other_lengths(flag, monkeypatch):
    from torch.nn.attention import varlen

    monkeypatch.setattr(varlen, "varlen_attn", flash_loop(flag))
    pairs = pack_pairs(
        (np.arange(11), np.array([0, 3, 4, 8, 11])), (np.arange(9), np.array([0, 2, 5, 6, 9])), np.arange(4)
    )
    own, across, query = torch.randn(9, 24), torch.randn(11, 16), torch.randn(9, 8)
    expected = attend_by_group(None, own, pairs.target.groups, 2, causal=True)
    torch.testing.assert_close(attend_at_once(None, own, pairs.target, 2, causal=True), expected, atol=1e-6, rtol=0)
    expected = attend_by_group(query, across, pairs.runs.groups, 2, asking=pairs.target.groups)
    torch.testing.assert_close(attend_at_once(query, across, pairs.runs, 2, pairs.target), expected, atol=1e-6, rtol=0)


@settings(max_examples=25, deadline=None)
@given(lengths=LENGTHS, targets=LENGTHS, causal=st.booleans())
def test_attention_between_texts_gives_the_gradients_of_the_public_function(lengths, targets, causal):
    count = min(len(lengths), len(targets))
    sides = [(np.arange(sum(side[:count])), np.cumsum([0, *side[:count]])) for side in (lengths, targets)]
    pairs = pack_pairs(*sides, np.arange(count))
    asking, answering = pairs.target, pairs.target if causal else pairs.runs
    states = torch.randn(len(answering.ids), 24 if causal else 16, requires_grad=True)
    query = None if causal else torch.randn(len(asking.ids), 8, requires_grad=True)
    leaves = [states] if query is None else [states, query]
    given_gradient = torch.randn(len(asking.ids), 8)
    results = []
    for out in (
        attend_to(query, states, asking, answering, 2, causal),
        attend_by_group(query, states, answering.groups, 2, asking=asking.groups, causal=causal),
    ):
        results.append([out, *torch.autograd.grad(out, leaves, given_gradient)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@settings(max_examples=25, deadline=None)
@given(lengths=LENGTHS, first_only=st.booleans())
def test_the_fast_path_gives_the_gradients_of_the_public_function(lengths, first_only):
    batch = packed(lengths)
    states = torch.randn(len(batch.ids), 16 if first_only else 24, requires_grad=True)
    query = torch.randn(len(batch), 8, requires_grad=True) if first_only else None
    leaves = [states] if query is None else [states, query]
    given_gradient = torch.randn(len(batch) if first_only else len(batch.ids), 8)
    results = []
    for out in (attend(query, states, batch, 2), attend_by_group(query, states, batch.groups, 2)):
        results.append([out, *torch.autograd.grad(out, leaves, given_gradient)])
    for fast, public in zip(*results, strict=True):
        torch.testing.assert_close(fast, public, atol=1e-5, rtol=0)


def test_a_small_group_gets_one_thread_and_all_are_back_whatever_happens():
    before = torch.get_num_threads()
    seen = []

    def work_and_fail():
        with threads_that_pay(width=384) as choose:
            for group in ((1, 30), (2, 512), (4, 30)):
                choose(group)
                seen.append(torch.get_num_threads())
            raise RuntimeError("in the middle")

    torch.set_num_threads(2)
    try:
        with pytest.raises(RuntimeError, match="in the middle"):
            work_and_fail()
        assert (seen, torch.get_num_threads()) == ([1, 2, 1], 2)
    finally:
        torch.set_num_threads(before)


def test_flash_attention_is_for_16_bits_and_some_widths_of_a_head():
    assert fits_flash(torch.zeros(1, 3 * 64, dtype=torch.bfloat16), 2, 3)
    assert not fits_flash(torch.zeros(1, 3 * 64), 2, 3)
    assert not fits_flash(torch.zeros(1, 3 * 60, dtype=torch.bfloat16), 2, 3)
    assert not fits_flash(torch.zeros(1, 2 * 320, dtype=torch.float16), 1, 2)
