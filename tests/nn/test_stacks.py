"""What every kind of encoder promises; the states themselves are compared with transformers' in the contracts."""

import itertools

import numpy as np
import pytest
import torch

from headstart.nn import bottleneck, disentangled, lora
from headstart.nn.disentangled import DisentangledEncoder
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.int8 import quantised
from headstart.nn.modern import ModernEncoder
from headstart.nn.packed import StoredStates, drop_words, pack
from headstart.nn.prepacked import prepacked

SIZES = {"vocabulary": 40, "width": 16, "layers": 4, "heads": 2, "feed_forward": 32, "window": 30, "dropout": 0.0}
KINDS = {
    "bert": lambda **sizes: Encoder(**sizes),
    "modern": lambda **sizes: ModernEncoder(**sizes, reach=3, far_every=2),
    "disentangled": lambda **sizes: DisentangledEncoder(**sizes, buckets=6, farthest=12, convolution=3),
}
LENGTHS = [5, 2, 5, 30, 1]


@pytest.fixture(params=KINDS)
def model(request):
    return build(request.param)


def build(kind, **changes):
    torch.manual_seed(0)
    built = Model(KINDS[kind](**{**SIZES, **changes}), ClassificationHead(16, 3, dropout=0.0))
    with torch.no_grad():
        for weight in built.parameters():
            if weight.dim() > 1:
                weight.mul_(10)  # at the size of trained weights, so that layers do more than pass states on
    return built.eval()


@pytest.fixture
def batch():
    tokens = np.random.default_rng(0).integers(0, 40, size=sum(LENGTHS))
    return pack(tokens, np.cumsum([0, *LENGTHS]), np.arange(len(LENGTHS)))


def test_a_text_has_the_same_states_alone(model, batch):
    together = model.encoder(batch)
    bounds = batch.boundaries.tolist()
    for start, stop in itertools.pairwise(bounds):
        alone = pack(batch.ids[start:stop].numpy(), np.array([0, stop - start]), np.array([0]))
        torch.testing.assert_close(model.encoder(alone), together[start:stop], atol=1e-5, rtol=1e-4)


def test_the_last_block_answers_for_some_tokens_as_for_all(model, batch):
    everything = model.encoder(batch)
    torch.testing.assert_close(model.encoder(batch, first_only=True), everything[batch.starts], atol=1e-5, rtol=1e-4)
    places = torch.tensor([3, 0, 17])
    torch.testing.assert_close(model.encoder(batch, places=places), everything[places], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("first_only", [False, True])
def test_gradients_flow_through_first_tokens_alone_as_through_all(first_only, model, batch):
    model.encoder.embeddings.word.weight.grad = None
    states = model.encoder(batch, first_only=first_only)
    (states if first_only else states[batch.starts]).square().sum().backward()
    actual = model.encoder.embeddings.word.weight.grad
    states = model.encoder(batch, places=batch.starts.long())
    (expected,) = torch.autograd.grad(states.square().sum(), [model.encoder.embeddings.word.weight])
    torch.testing.assert_close(actual, expected, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("stages", range(1, 6))
def test_kept_states_of_frozen_stages_change_nothing(stages, model, batch):
    for stage in model.encoder.stages[:stages]:
        stage.requires_grad_(False)
    states = model.frozen_states(batch)
    by_token = stages < 5
    starts = np.empty(len(batch), dtype=np.int64)
    starts[batch.order.numpy()] = batch.starts.numpy() if by_token else np.arange(len(batch))
    tokens = np.random.default_rng(0).integers(0, 40, size=sum(LENGTHS))
    stored = pack(tokens, np.cumsum([0, *LENGTHS]), np.array([3, 1]), StoredStates(stages, states, starts, by_token))
    plain = pack(tokens, np.cumsum([0, *LENGTHS]), np.array([3, 1]))
    learned = [weight for weight in model.parameters() if weight.requires_grad]
    torch.testing.assert_close(model(stored), model(plain), atol=1e-5, rtol=1e-4)
    ours, theirs = (torch.autograd.grad(model(part).sum(), learned) for part in (stored, plain))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_computed_again_give_the_same_gradients(kind, batch):
    model = build(kind, dropout=0.3).train()
    results = []
    for recompute in (False, True):
        model.encoder.recompute = recompute
        torch.manual_seed(0)
        out = model(batch)
        results.append([out, *torch.autograd.grad(out.square().sum(), list(model.parameters()))])
    for plain, again in zip(*results, strict=True):
        torch.testing.assert_close(again, plain)


def test_dropout_drops_where_it_trains_alone(batch):
    for kind in KINDS:
        model = build(kind, dropout=0.3)
        assert torch.equal(model(batch), model(batch))
        model.train()
        assert not torch.equal(model(batch), model(batch))


@torch.inference_mode()
def test_other_layers_answer_alike(model, batch):
    expected = model(batch)
    torch.testing.assert_close(prepacked(model)(batch), expected, atol=1e-4, rtol=1e-4)
    scale = expected.abs().max()
    assert ((quantised(model)(batch) - expected).abs().max() < 0.2 * scale).all()
    assert not torch.equal(quantised(model)(batch), expected)


def test_updates_are_nothing_at_first_and_the_same_once_merged(model, batch):
    before = model(batch)
    lora.insert(model, list(lora.TARGETS), rank=2, alpha=4.0, dropout=0.0)
    torch.testing.assert_close(model(batch), before, atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".updates." in name:
                weight.normal_(std=0.1)
    beside = model(batch)
    assert not torch.allclose(beside, before, atol=1e-2)
    lora.merge(model)
    torch.testing.assert_close(model(batch), beside, atol=1e-4, rtol=1e-3)


def test_adapters_take_part_and_come_out_again(model, batch):
    before = model(batch)
    bottleneck.insert(model, "houlsby", 2)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "_adapter." in name:
                weight.normal_(std=0.3)
    assert not torch.allclose(model(batch), before, atol=1e-2)
    plain, weights = bottleneck.split(model)
    torch.testing.assert_close(plain(batch), before)
    bottleneck.join(plain, weights)
    torch.testing.assert_close(plain(batch), model(batch))


def test_scores_in_parts_are_those_of_whole_groups(batch, monkeypatch):
    model = build("disentangled")
    whole = model.encoder(batch)
    monkeypatch.setattr(disentangled, "MOST_SCORES", 1)
    torch.testing.assert_close(model.encoder(batch), whole, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model.encoder(batch, first_only=True), whole[batch.starts], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "changes", "pooling"),
    [
        ("bert", {}, "mean"),
        ("bert", {"distance_buckets": 8}, "first"),
        *((k, {}, "first") for k in KINDS if k != "bert"),
    ],
)
def test_every_operation_stays_on_the_device_of_the_batch(kind, changes, pooling, batch):
    """On the meta device, which computes nothing: an index left on the CPU would be an error there, as on a GPU."""
    shape = {**SIZES, **changes, "layers": 2, "dropout": 0.1}
    model = Model(KINDS[kind](**shape), ClassificationHead(16, 3, pooling=pooling))
    model.to("meta").train()
    logits = model(drop_words(batch.to("meta"), 0.5, 3, [0, 1]))
    targets, ends = torch.zeros(len(batch), dtype=torch.long), torch.arange(len(batch) + 1)
    model.head.loss(logits, targets.to("meta"), ends.to("meta")).backward()
    assert all(weight.grad.device.type == "meta" for weight in model.parameters() if weight.requires_grad)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_training_in_16_bits_differs_by_their_rounding(model, batch, pooling):
    """Under autocast, as on a GPU; on the CPU, whose autocast casts the same products."""
    net = Model(model.encoder, ClassificationHead(16, 3, dropout=0.0, pooling=pooling)).train()
    gradients = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            logits = net(batch)
        assert logits.dtype == (torch.bfloat16 if enabled else torch.float32)
        net.head.loss(logits, batch.order % 3, batch.boundaries).backward()
        gradients.append(torch.cat([w.grad.flatten() for w in net.parameters() if w.grad is not None]))
        net.zero_grad()
    assert (gradients[1] - gradients[0]).norm() < 0.1 * gradients[0].norm()
