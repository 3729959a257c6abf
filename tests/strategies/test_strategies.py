"""What each strategy lets learn, on a small model."""

import pytest
import torch

from headstart.core import rooms
from headstart.core.errors import UsageError
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model


def small(**options):
    torch.manual_seed(0)
    encoder = Encoder(vocabulary=30, width=8, layers=3, heads=2, feed_forward=16, window=12, **options)
    return Model(encoder, ClassificationHead(8, 2))


@pytest.mark.parametrize(
    ("name", "frozen"),
    [("full", 0), ("gradual", 0), ("partial", 2), ("frozen", 4), ("lora", 1), ("adapter", 1), ("bitfit", 1)],
)
def test_frozen_stages(name, frozen):
    model = small()
    rooms.load("strategies", name).prepare(model)
    assert model.frozen_stages() == frozen


def test_full_slows_down_towards_the_embeddings():
    groups = rooms.load("strategies", "full", {"learning_rate": 1.0, "layer_decay": 0.5}).prepare(small())
    assert [group.learning_rate for group in groups] == [1.0, 0.5, 0.25, 0.125, 0.0625]
    assert all("head" in name for name in groups[0].weights)
    assert all("embeddings" in name for name in groups[-1].weights)


@pytest.mark.parametrize(
    ("name", "frozen"),
    [("full", 0), ("gradual", 0), ("partial", 1), ("frozen", 2), ("lora", 1), ("adapter", 1), ("bitfit", 1)],
)
def test_layers_that_are_one_block_are_one_stage(name, frozen):
    model = small(one_block=True)
    groups = rooms.load("strategies", name).prepare(model)
    assert model.frozen_stages() == frozen
    assert len({id(weight) for group in groups for weight in group.weights.values()}) == len(learning(model))


def test_full_keeps_layers_that_are_one_block():
    with pytest.raises(UsageError, match="'reinitialise' is 1, but all layers of this model share one block"):
        rooms.load("strategies", "full", {"reinitialise": 1}).prepare(small(one_block=True))


def learning(model):
    return {name for name, weight in model.named_parameters() if weight.requires_grad}


def test_full_draws_the_top_blocks_and_the_heads_dense_layer_afresh():
    before = small().state_dict()
    drawn = []
    for seed in (1, 1, 2):
        model = small()
        with torch.no_grad():
            model.encoder.blocks[2].output_norm.weight.fill_(3.0)
        torch.manual_seed(seed)
        rooms.load("strategies", "full", {"reinitialise": 2}).prepare(model)
        drawn.append(model.state_dict())
    moved = {name for name in before if not torch.equal(drawn[0][name], before[name])}
    matrices = ("attention.qkv", "attention.output", "up", "down")
    expected = {f"encoder.blocks.{number}.{name}.weight" for number in (1, 2) for name in matrices}
    assert moved == expected | {"head.dense.weight"}  # biases are 0 and norms 1 again
    assert torch.equal(drawn[0]["head.dense.weight"], drawn[1]["head.dense.weight"])
    assert not torch.equal(drawn[0]["head.dense.weight"], drawn[2]["head.dense.weight"])


def test_gradual_opens_from_the_top_evenly_and_learns_whole_for_half_of_the_steps_at_least():
    model, strategy = small(), rooms.load("strategies", "gradual")
    groups = strategy.prepare(model)
    assert learning(model) == {name for name, _ in model.named_parameters()}
    opened = []
    for step in range(100):
        before = learning(model)
        assert strategy.at_step(groups, step, 100) == (learning(model) != before)
        opened.append(5 - model.frozen_stages())
    assert [opened.index(count) for count in range(1, 6)] == [0, 8, 15, 23, 30]
    assert opened == sorted(opened)
    assert opened.count(5) >= 50
    strategy.at_step(groups, 20, 100)  # what is open follows from the step alone
    assert 5 - model.frozen_stages() == opened[20]


def test_gradual_never_opens_sinusoidal_positions():
    model, strategy = small(sinusoidal=True), rooms.load("strategies", "gradual", {"opening": 0})
    strategy.at_step(strategy.prepare(model), 0, 100)
    assert not model.encoder.embeddings.position.weight.requires_grad
    assert model.encoder.embeddings.word.weight.requires_grad


def test_bitfit_learns_biases_and_the_head():
    model = small()
    rooms.load("strategies", "bitfit").prepare(model)
    biases = {name for name, _ in model.encoder.blocks.named_parameters(prefix="encoder.blocks") if "bias" in name}
    assert learning(model) == biases | {f"head.{name}" for name, _ in model.head.named_parameters()}


def test_lora_learns_factors_of_its_targets_and_the_head():
    model = small()
    rooms.load("strategies", "lora", {"targets": "query+value+down", "rank": 2}).prepare(model)
    heads = {f"head.{name}" for name, _ in model.head.named_parameters()}
    layers = ("attention.qkv.updates.0", "attention.qkv.updates.2", "down.updates.0")
    factors = {f"encoder.blocks.{n}.{layer}.{part}" for n in range(3) for layer in layers for part in ("down", "up")}
    assert learning(model) == heads | factors


@pytest.mark.parametrize(("kind", "places"), [("houlsby", 2), ("pfeiffer", 1)])
def test_adapter_learns_bottlenecks_norms_and_the_head(kind, places):
    model = small()
    rooms.load("strategies", "adapter", {"kind": kind, "width": 3}).prepare(model)
    assert len(learning(model)) == 4 + 3 * (4 * places + 4)
    assert not any("qkv" in name or "embeddings" in name for name in learning(model))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lora", {"rank": 0}, "option 'rank' is 0; give a number from 1 up"),
        ("lora", {"targets": "query+valeu"}, r"no matrix 'valeu' for lora's targets; did you mean 'value'\?"),
        ("adapter", {"width": 0}, "option 'width' is 0; give a number from 1 up"),
        ("adapter", {"kind": "pfeifer"}, r"no kind 'pfeifer' of adapter; did you mean 'pfeiffer'\?"),
        ("full", {"reinitialise": -1}, "option 'reinitialise' .*is -1; give a number from 0 up"),
        ("gradual", {"opening": -0.5}, r"option 'opening' .*is -0\.5; give a number from 0 up"),
    ],
)
def test_mistakes_are_named(name, options, message):
    with pytest.raises(UsageError, match=message):
        rooms.load("strategies", name, options)


def test_partial_with_more_blocks_than_there_are_keeps_the_embeddings_frozen():
    model = small()
    rooms.load("strategies", "partial", {"blocks": 99}).prepare(model)
    assert model.frozen_stages() == 1


def test_sinusoidal_positions_never_learn():
    model = small(sinusoidal=True)
    groups = rooms.load("strategies", "full").prepare(model)
    learning = {name for group in groups for name in group.weights}
    assert "encoder.embeddings.position.weight" not in learning
    assert not model.encoder.embeddings.position.weight.requires_grad
