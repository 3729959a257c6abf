"""The conditional random field: its loss beside plain enumeration, and what it makes of pairs of labels."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from torch import nn

from headstart.core.sequences import IGNORED
from headstart.nn.crf import CrfHead

LENGTHS = (4, 1, 6, 3)
ENDS = np.concatenate([[0], np.cumsum(LENGTHS)])
TAGS = 3


@pytest.fixture
def head():
    made = CrfHead(8, TAGS)
    torch.manual_seed(0)
    nn.init.normal_(made.moves.weight)
    return made


@pytest.fixture
def given(rng):
    """Logits, and targets of which some are none: of the second sequence, and within the third."""
    logits = torch.from_numpy(rng.normal(size=(ENDS[-1], TAGS))).float().requires_grad_()
    targets = torch.from_numpy(rng.integers(0, TAGS, ENDS[-1]))
    targets[[4, 6, 9]] = IGNORED
    return logits, targets


def plain(logits, targets, moves):
    """Return the loss by the sum over every possible sequence."""
    loss = 0.0
    for start, end in pairwise(ENDS):
        places = [place for place in range(start, end) if targets[place] != IGNORED]

        def score(path, places=places):
            own = sum(logits[place, tag] for place, tag in zip(places, path, strict=True))
            return own + sum(moves[one, two] for one, two in pairwise(path))

        if places:
            every = torch.stack([torch.as_tensor(score(path)) for path in product(range(TAGS), repeat=len(places))])
            loss = loss + every.logsumexp(0) - score([int(targets[place]) for place in places])
    return loss


def test_the_loss_and_its_gradients_are_those_of_every_sequence(head, given):
    logits, targets = given
    moves = head.moves.weight
    expected = plain(logits, targets, moves)
    slopes = torch.autograd.grad(expected, (logits, moves))
    loss = head.loss(logits, targets, torch.from_numpy(ENDS))
    torch.testing.assert_close(loss, expected)
    for ours, theirs in zip(torch.autograd.grad(loss, (logits, moves)), slopes, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_without_scores_of_pairs_it_is_the_loss_of_single_tokens(head, given):
    logits, targets = given
    nn.init.zeros_(head.moves.weight)
    ends = torch.from_numpy(ENDS)
    torch.testing.assert_close(head.loss(logits, targets, ends), super(CrfHead, head).loss(logits, targets, ends))


def test_no_targets_have_no_loss(head, given):
    assert head.loss(given[0], torch.full((ENDS[-1],), IGNORED), torch.from_numpy(ENDS)) == 0


def test_huge_scores_have_a_finite_loss(head, given):
    assert torch.isfinite(head.loss(1e4 * given[0], given[1], torch.from_numpy(ENDS)))
