"""What every strategy promises. A new file in the room is tested here by itself."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch

from headstart.checkpoints import folder
from headstart.contenders import _neural
from headstart.core import rooms
from headstart.core.contracts import HeadPlan
from headstart.core.records import Rows, Run
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.packed import StoredStates, pack
from headstart.saved import model_folder
from headstart.strategies import Strategy
from headstart.text import vocabulary
from headstart.text.tokenizer import Encoded
from headstart.training.loop import Settings
from headstart.training.optimizer import adamw

NAMES = rooms.names("strategies")
pytestmark = pytest.mark.usefixtures("trained_once")


@pytest.fixture
def texts(rng):
    lengths = rng.integers(2, 12, size=9)
    boundaries = torch.tensor([0, *lengths.cumsum()]).numpy()
    return Encoded(rng.integers(1, 30, size=boundaries[-1]).astype("int32"), boundaries)


@pytest.fixture(params=[{}, {"one_block": True}, {"distance_buckets": 8}], ids=str)
def model(request):
    torch.manual_seed(0)
    shape = {"vocabulary": 30, "width": 8, "layers": 3, "heads": 2, "feed_forward": 16, "window": 12}
    encoder = Encoder(**shape, dropout=0.0, **request.param)
    return Model(encoder, ClassificationHead(8, 3, dropout=0.0))


def learn(model, texts, groups, steps=3):
    optimizer = adamw(groups, weight_decay=0.0)
    batch = pack(texts.tokens, texts.boundaries, torch.arange(len(texts)).numpy())
    targets = torch.arange(len(texts)) % 3
    for _ in range(steps):
        model.head.loss(model(batch), targets[batch.order], batch.boundaries).backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("name", NAMES)
def test_what_learns_moves_and_nothing_else(name, model, texts):
    groups = rooms.load("strategies", name).prepare(model)
    before = {key: weight.detach().clone() for key, weight in model.named_parameters()}
    learning = {key for group in groups for key in group.weights}
    # Rows of an embedding that no text uses have no gradient; one moved entry shows that the weight learns.
    learn(model, texts, groups)
    moved = {key for key, weight in model.named_parameters() if not torch.equal(weight, before[key])}
    assert moved <= learning
    # A key's bias shifts all scores of a query alike, so softmax cancels it; it shares the fused weight with others.
    assert learning - moved == set()


@pytest.mark.parametrize("name", NAMES)
def test_only_learning_weights_ask_for_gradients(name, model):
    groups = rooms.load("strategies", name).prepare(model)
    learning = {id(weight) for group in groups for weight in group.weights.values()}
    assert learning == {id(weight) for weight in model.parameters() if weight.requires_grad}
    assert all(group.learning_rate > 0 for group in groups)


@pytest.mark.parametrize("name", NAMES)
def test_no_gradient_flows_below_what_learns(name, model, texts):
    rooms.load("strategies", name).prepare(model)
    batch = pack(texts.tokens, texts.boundaries, torch.arange(len(texts)).numpy())
    for number, stage in enumerate(model.encoder.stages, start=1):
        states = model.encoder(batch, stop=number)
        learns = any(weight.requires_grad for part in model.encoder.stages[:number] for weight in part.parameters())
        assert states.requires_grad == learns, stage
    model.head.loss(model(batch), torch.arange(len(texts)) % 3, batch.boundaries).backward()
    assert all((weight.grad is None) == (not weight.requires_grad) for weight in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_kept_states_change_nothing(name, model, texts):
    """The frozen part computed once gives the same scores and the same gradients as computed in every step."""
    rooms.load("strategies", name).prepare(model)
    rows = torch.arange(len(texts)).numpy()
    batch = pack(texts.tokens, texts.boundaries, rows)
    if not model.frozen_stages():
        assert all(weight.requires_grad for weight in model.encoder.embeddings.word.parameters())
        return
    states = model.frozen_states(batch)
    by_token = len(states) > len(texts)
    starts = np.empty(len(texts), dtype=np.int64)
    starts[batch.order.numpy()] = batch.starts.numpy() if by_token else np.arange(len(texts))
    short = pack(texts.tokens, texts.boundaries, rows, StoredStates(model.frozen_stages(), states, starts, by_token))
    assert torch.allclose(model(short), model(batch), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_default_for_the_length_of_a_training(name):
    strategy = rooms.load("strategies", name)
    assert isinstance(strategy, Strategy)
    assert strategy.epochs >= 1


# --- through a whole fit -------------------------------------------------------------------------------------


STEPS = 15  # forty rows, eight a step, three epochs


class Killed(Exception):
    """Simulates a kill in the middle of a training."""


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    words = ("good fine lovely", "bad awful poor")
    texts = [" ".join(rng.choice(words[number % 2].split(), size=rng.integers(1, 9))) for number in range(40)]
    return Rows(tuple(map(str, range(40))), tuple(texts), tuple("+-"[number % 2] for number in range(40)))


# Families whose encoders are put together in other ways than BERT's.
OTHERS = {
    "albert": {"embedding_width": 4, "one_block": True},
    "mpnet": {"types": 0, "position_offset": 2, "distance_buckets": 32},
}


@pytest.fixture(scope="module")
def backbone(request, rows, tmp_path_factory):
    """A pretrained model in name only, of BERT's family unless a test asks for another."""
    family = getattr(request, "param", "bert")
    torch.manual_seed(1)
    tokenizer = vocabulary.train(rows.inputs, 60, window=12)
    shape = {"width": 8, "layers": 3, "heads": 2, "feed_forward": 16, "window": 12, "dropout": 0.1}
    arguments = {"vocabulary": tokenizer.size, **shape, **OTHERS.get(family, {})}
    place = tmp_path_factory.mktemp("backbone")
    folder.save(place, Encoder(**arguments), tokenizer, family, arguments, None)
    return place


def fit(name, backbone, rows, run):
    torch.manual_seed(run.seed)
    checkpoint = folder.load(backbone, head=HeadPlan.numbered(2))
    task = rooms.load("tasks", "classification").fitted(rows)
    strategy, settings = rooms.load("strategies", name), Settings(epochs=3, batch_rows=8)
    return _neural.fit("finetuned", checkpoint, rows, rows, task, run, strategy=strategy, settings=settings)


@pytest.fixture(scope="module")
def whole(backbone, rows, tmp_path_factory):
    """Give the model of a training that nothing interrupts, trained once a strategy; nobody changes it."""
    return functools.cache(lambda name: fit(name, backbone, rows, Run(0, tmp_path_factory.mktemp("whole") / "run")))


@pytest.mark.parametrize("name", NAMES)
def test_a_fit_moves_what_it_says_and_nothing_else(name, backbone, whole):
    torch.manual_seed(0)
    before = folder.load(backbone, head=HeadPlan.numbered(2)).model
    fitted = whole(name)
    groups = rooms.load("strategies", name).prepare(before)
    assert fitted.trained_parameters == sum(weight.numel() for group in groups for weight in group.weights.values())
    learning = {key for group in groups for key in group.weights}
    learning |= {f"{layer}.weight" for layer, _ in (fitted.updates.pairs if fitted.updates else ())}
    torch.manual_seed(0)
    start = dict(folder.load(backbone, head=HeadPlan.numbered(2)).model.named_parameters())
    for key, weight in fitted.model.named_parameters():
        assert key not in start or torch.equal(weight, start[key]) == (key not in learning), key


@pytest.mark.parametrize("backbone", ["bert", *OTHERS], indirect=True)
@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_answers_as_before(name, whole, rows, tmp_path):
    fitted = whole(name)
    fitted.save(tmp_path / "model")
    again = model_folder.open_model(tmp_path / "model")
    assert np.array_equal(again.predict(rows.inputs).probabilities, fitted.predict(rows.inputs).probabilities)
    assert (again.parameters, again.trained_parameters) == (fitted.parameters, fitted.trained_parameters)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("last", [1, 6, 14])
def test_a_broken_fit_goes_on_bit_for_bit(name, last, backbone, whole, rows, tmp_path, checkpoint_after):
    expected = whole(name)
    written = checkpoint_after(last)

    def die(progress):
        if progress.stage in ("training", "solving the head") and progress.done > last / STEPS:
            raise Killed

    run = Run(0, tmp_path / "broken")
    with pytest.raises(Killed):
        fit(name, backbone, rows, replace(run, progress=die))
    assert written == ([] if name == "frozen" else [last])
    ours, theirs = fit(name, backbone, rows, run).model.state_dict(), expected.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
