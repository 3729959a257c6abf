"""The encoder and the model: packing changes nothing, frozen stages can be kept, positions are sinusoids."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.packed import StoredStates, pack
from headstart.nn.positions import sinusoids

ARGUMENTS = {"vocabulary": 50, "width": 8, "layers": 3, "heads": 2, "feed_forward": 16, "window": 12}
LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=7)


def build(**options):
    torch.manual_seed(0)
    model = Model(Encoder(**ARGUMENTS | options), ClassificationHead(8, 3))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.2)
    return model.eval()


def texts(lengths):
    boundaries = np.concatenate([[0], np.cumsum(lengths)])
    return np.random.default_rng(0).integers(0, 50, size=boundaries[-1]), boundaries


OPTIONS = pytest.mark.parametrize("options", [{}, {"one_block": True}, {"distance_buckets": 8}], ids=str)


def padded_forward(encoder, tokens, boundaries):
    """The same encoder on a padded batch with a mask, each step written out with the framework's layers."""
    lengths = torch.from_numpy(np.diff(boundaries))
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    ids = torch.zeros(mask.shape, dtype=torch.long)
    ids[mask] = torch.from_numpy(tokens)
    part = encoder.embeddings
    places = torch.arange(ids.shape[1]) + part.position_offset
    hidden = part.norm(part.word(ids) + part.position(places) + part.segment(torch.zeros_like(ids)))
    for block in encoder.layers:
        heads = block.attention.heads
        query, key, value = (
            states.unflatten(-1, (heads, -1)).transpose(1, 2) for states in block.attention.qkv(hidden).chunk(3, dim=-1)
        )
        scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])
        if part.distance is not None:
            buckets = [[bucket(j - i) for j in places] for i in places]
            scores = scores + part.distance(torch.tensor(buckets)).permute(2, 0, 1)
        shares = scores.masked_fill(~mask[:, None, None, :], -math.inf).softmax(-1)
        attended = block.attention.output((shares @ value).transpose(1, 2).flatten(2))
        hidden = block.attention_norm(hidden + attended)
        hidden = block.output_norm(hidden + block.down(torch.nn.functional.gelu(block.up(hidden))))
    return hidden, mask


def bucket(distance):
    """One of eight, by hand: 0, 1, 2 to 16 and more than that, before the token that asks and behind it."""
    steps = abs(distance)
    return 4 * (distance > 0) + (steps if steps < 2 else 2 if steps < 16 else 3)


@OPTIONS
@settings(max_examples=25, deadline=None)
@given(lengths=LENGTHS)
@torch.no_grad()
def test_packed_states_are_those_of_a_padded_batch(options, lengths):
    encoder = build(**options).encoder
    tokens, boundaries = texts(lengths)
    expected, mask = padded_forward(encoder, tokens, boundaries)
    batch = pack(tokens, boundaries, np.arange(len(lengths)))
    rows = [expected[i, mask[i]] for i in batch.order.tolist()]
    torch.testing.assert_close(encoder(batch), torch.cat(rows), atol=1e-5, rtol=0)
    first = torch.stack([row[0] for row in rows])
    torch.testing.assert_close(encoder(batch, first_only=True), first, atol=1e-5, rtol=0)
    places = torch.arange(0, len(batch.ids), 3)
    torch.testing.assert_close(encoder(batch, places=places), torch.cat(rows)[places], atol=1e-5, rtol=0)
    *_, last = encoder.states(batch)
    torch.testing.assert_close(last, torch.cat(rows), atol=1e-5, rtol=0)


@settings(max_examples=25, deadline=None)
@given(lengths=LENGTHS, seed=st.integers(0, 99))
@torch.no_grad()
def test_a_text_s_scores_do_not_depend_on_its_batch(lengths, seed):
    model = build()
    tokens, boundaries = texts(lengths)
    rows = np.random.default_rng(seed).permutation(len(lengths))
    together = pack(tokens, boundaries, rows)
    scores = model(together)
    alone = torch.cat([model(pack(tokens, boundaries, rows[[place]])) for place in together.order.tolist()])
    torch.testing.assert_close(scores, alone, atol=1e-5, rtol=0)


def freeze(model, stages):
    for stage in model.encoder.stages[:stages]:
        stage.requires_grad_(False)


def keep(stages, states, batch, by_token):
    """Keep states as they came out of a batch."""
    starts = np.empty(len(batch), dtype=np.int64)
    starts[batch.order.numpy()] = batch.starts.numpy() if by_token else np.arange(len(batch))
    return StoredStates(stages, states, starts, by_token)


@pytest.mark.parametrize("by_rows", [[0, 1, 2, 3], [3, 1], [2]])
@pytest.mark.parametrize(
    ("stages", "options"),
    [
        *((stages, {}) for stages in range(5)),
        *((stages, {"one_block": True}) for stages in range(3)),
        *((stages, {"distance_buckets": 8}) for stages in range(1, 5)),
    ],
)
def test_kept_states_of_frozen_stages_change_nothing(stages, options, by_rows):
    model = build(dropout=0.0, **options)
    every = len(model.encoder.stages)
    freeze(model, stages)
    assert model.frozen_stages() == stages
    lengths = [5, 2, 5, 9]
    tokens, boundaries = texts(lengths)
    stored = None
    if stages:
        everything = pack(tokens, boundaries, np.arange(4))
        states = model.frozen_states(everything)
        assert len(states) == (4 if stages == every else sum(lengths))
        stored = keep(stages, states, everything, by_token=stages < every)
    rows = np.array(by_rows)
    expected = model(pack(tokens, boundaries, rows))
    batch = pack(tokens, boundaries, rows, stored)
    torch.testing.assert_close(model(batch), expected, atol=1e-6, rtol=0)
    learned = [weight for weight in model.parameters() if weight.requires_grad]
    gradients = torch.autograd.grad(model(batch).sum(), learned, allow_unused=True)
    plain = torch.autograd.grad(expected.sum(), learned, allow_unused=True)
    for ours, theirs in zip(gradients, plain, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@OPTIONS
def test_blocks_computed_again_give_the_same_gradients(options):
    model = build(dropout=0.3, **options).train()
    tokens, boundaries = texts([5, 2, 9])
    batch = pack(tokens, boundaries, np.arange(3))
    results = []
    for recompute in (False, True):
        model.encoder.recompute = recompute
        torch.manual_seed(0)
        out = model(batch)
        results.append([out, *torch.autograd.grad(out.square().sum(), list(model.encoder.parameters()))])
    for plain, again in zip(*results, strict=True):
        torch.testing.assert_close(again, plain)


def test_layers_that_are_one_block_are_layers_of_equal_weights():
    one, many = build(one_block=True).encoder, build().encoder
    many.embeddings.load_state_dict(one.embeddings.state_dict())
    for block in many.blocks:
        block.load_state_dict(one.blocks[0].state_dict())
    batch = pack(*texts([5, 2, 9]), np.arange(3))
    results = []
    for encoder in (one, many):
        encoder(batch).square().sum().backward()
        results.append([list(encoder.states(batch)), [block.up.weight.grad for block in encoder.blocks]])
    torch.testing.assert_close(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1][0], sum(results[1][1]))
    assert len(list(one.parameters())) < len(list(many.parameters()))


@pytest.mark.parametrize(("options", "left"), [({}, [1, 3]), ({"one_block": True}, [1, 2])])
def test_some_layers_are_left_out(options, left):
    encoder = build(**options).encoder
    batch = pack(*texts([5, 2]), np.arange(2))
    hidden = encoder.embeddings(batch)
    for number in left:
        hidden = encoder.layers[number - 1](hidden, batch)
    encoder.keep([1, 3])
    assert len(encoder.layers) == 2
    torch.testing.assert_close(encoder(batch), hidden)


def test_frozen_stages_drop_nothing():
    model = build(dropout=0.3)
    freeze(model, 2)
    model.train()
    assert [stage.training for stage in model.encoder.stages] == [False, False, True, True]


@pytest.mark.parametrize(("length", "width"), [(1, 2), (7, 6), (40, 16)])
def test_sinusoids_follow_the_formula(length, width):
    table = sinusoids(length, width)
    for position in range(length):
        for column in range(width):
            angle = position / 10_000 ** (2 * (column // 2) / width)
            expected = math.cos(angle) if column % 2 else math.sin(angle)
            assert table[position, column] == pytest.approx(expected, abs=1e-6)


def test_sinusoidal_positions_are_the_table_at_the_size_of_fresh_words_and_never_learn():
    position = Encoder(**ARGUMENTS, sinusoidal=True).embeddings.position.weight
    table = sinusoids(12, 8)
    torch.testing.assert_close(position.detach(), table * position[0, 1].item())
    assert position.square().mean().sqrt().item() == pytest.approx(0.02)
    assert not position.requires_grad


def test_pack_sorts_by_length_and_tells_where_each_text_went():
    tokens, boundaries = np.arange(10), np.array([0, 4, 5, 8, 10])
    batch = pack(tokens, boundaries, np.array([3, 0, 1]))
    assert batch.ids.tolist() == [4, 8, 9, 0, 1, 2, 3]
    assert batch.positions.tolist() == [0, 0, 1, 0, 1, 2, 3]
    assert batch.starts.tolist() == [0, 1, 3]
    assert batch.groups == ((1, 1), (1, 2), (1, 4))
    assert batch.order.tolist() == [2, 0, 1]
    assert len(batch) == 3


def test_a_batch_moves_with_all_its_parts():
    batch = pack(np.arange(3), np.array([0, 3]), np.array([0]), StoredStates(1, torch.ones(3, 8), np.array([0])))
    moved = batch.to("meta")
    tensors = [value for value in vars(moved).values() if isinstance(value, torch.Tensor)]
    assert len(tensors) == 5
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert dataclasses.replace(moved, hidden=None).to("meta").hidden is None


@pytest.mark.parametrize("first", [False, True])
def test_the_head_drops_where_its_family_does(first):
    head = ClassificationHead(4, 2, dropout=0.999999, dropout_first=first).train()
    with torch.no_grad():
        head.dense.bias.fill_(1.0)
        head.output.bias.zero_()
    seen = []
    head.dense.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    scores = head(torch.ones(3, 4))
    assert (seen[0] == 0).all() == first
    assert (scores == 0).all()


def test_the_loss_weighs_classes():
    logits, targets = torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1])
    losses = [-math.log(math.exp(2) / (math.exp(2) + 1)), -math.log(1 / (math.exp(2) + 1))]
    head, ends = ClassificationHead(8, 2), torch.arange(3)
    assert head.loss(logits, targets, ends).item() == pytest.approx(sum(losses))
    assert head.loss(logits, targets, ends, torch.tensor([1.0, 3.0])).item() == pytest.approx(losses[0] + 3 * losses[1])
