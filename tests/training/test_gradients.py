"""Halves of a step side by side give the gradient of the whole."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from headstart.nn import chance
from headstart.nn.dropout import Dropout
from headstart.training import gradients
from headstart.training.batches import halves

ROWS = 30


@pytest.fixture
def problem(rng):
    """A model one of whose weights learns nothing and one of which is not used, and the loss of some rows."""
    torch.manual_seed(0)
    inputs, targets = torch.randn(ROWS, 6), torch.randn(ROWS, 1)
    model = nn.Sequential(nn.Linear(6, 8), Dropout(0.0), nn.Tanh(), nn.Linear(8, 1), nn.Linear(1, 1))
    model[0].bias.requires_grad_(False)
    seen = []

    def loss(rows):
        seen.append((threading.current_thread().name, rows.tolist()))
        return F.mse_loss(model[:4](inputs[rows]), targets[rows])

    return model, loss, rng.integers(1, 90, size=ROWS), seen


def work_out(problem, halved, rows, parts=1, number=3):
    model, loss, lengths, _ = problem
    model.zero_grad()
    with gradients.backward(lengths if halved else None, "cpu") as backward:
        value = backward(loss, rows, list(model.parameters()), parts, number)
    return value.item(), [None if weight.grad is None else weight.grad.clone() for weight in model.parameters()]


@pytest.mark.parametrize("parts", [1, 3, 100])
def test_halves_give_the_gradient_of_the_whole(problem, set_threads, rng, parts):
    rows = rng.permutation(ROWS)[:17]
    set_threads(1)
    whole = work_out(problem, True, rows)
    assert problem[3] == [("MainThread", rows.tolist())]
    set_threads(2)
    problem[3].clear()
    value, gradients = work_out(problem, True, rows, parts)
    assert value == pytest.approx(whole[0], rel=1e-5)
    assert [gradient is None for gradient in gradients] == [False, True, False, False, True, True]
    for one, other in zip(gradients, whole[1], strict=True):
        if one is not None:
            torch.testing.assert_close(one, other)
    assert sorted(row for _, half in problem[3] for row in half) == sorted(rows.tolist())
    assert {name.partition("_")[0] for name, _ in problem[3]} == {"headstart"}
    assert len(problem[3]) == {1: 2, 3: 6, 100: 17}[parts]  # a row alone has no halves


@pytest.mark.parametrize("most", [1, 9])
def test_means_over_other_things_than_rows_are_those_of_the_whole(problem, set_threads, rng, most):
    model, loss, lengths, seen = problem
    words = rng.integers(0, most, size=ROWS)  # with `most` 1 there is none at all

    def sums(rows):
        return (sum(int(words[row]) * loss(np.array([row])) for row in rows), int(words[rows].sum())), (
            loss(rows) * len(rows),
            len(rows),
        )

    rows = np.arange(ROWS)
    by_threads = {}
    for threads in (1, 2):
        set_threads(threads)
        by_threads[threads] = work_out((model, sums, lengths, seen), True, rows)
    each = [loss(np.array([row])).item() for row in rows]
    expected = np.dot(words, each) / max(1, words.sum()) + np.mean(each)
    for value, gradients_ in by_threads.values():
        assert value == pytest.approx(expected, rel=1e-5)
        torch.testing.assert_close(gradients_[0], by_threads[1][1][0])


def test_a_step_is_halved_only_where_lengths_are_given(problem, set_threads):
    set_threads(2)
    work_out(problem, False, np.arange(8), parts=2)
    assert [half for _, half in problem[3]] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_what_is_drawn_follows_from_the_seed_alone(problem, set_threads):
    set_threads(2)
    problem[0][1].p = 0.5
    rows = np.arange(ROWS)
    one, again, other = (work_out(problem, True, rows, number=number)[1][0] for number in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)
    assert chance.generator() is None


def test_an_error_in_a_half_is_the_steps(problem, set_threads):
    set_threads(2)

    def fail(rows):
        raise ValueError(f"{len(rows)} rows")

    with pytest.raises(ValueError, match="rows"):
        work_out((problem[0], fail, *problem[2:]), True, np.arange(ROWS))
    assert torch.get_num_threads() == 2


@given(st.lists(st.integers(1, 500), min_size=1, max_size=40))
def test_halves_have_about_as_many_tokens(lengths):
    lengths = np.array(lengths)
    rows = np.arange(len(lengths))[::-1]
    one, other = halves(rows, lengths)
    assert sorted([*one, *other]) == sorted(rows)
    assert abs(lengths[one].sum() - lengths[other].sum()) <= lengths.max()
