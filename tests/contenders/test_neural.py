"""What contenders with a Transformer share: kept states, resuming, class weights, and a folder others can open."""

import copy
import itertools
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sklearn.utils.class_weight import compute_class_weight

from headstart.activations import forward, store
from headstart.checkpoints import folder
from headstart.contenders import _neural
from headstart.contenders.finetuned import Finetuned
from headstart.core import rooms
from headstart.core.contracts import class_numbers, metric_values
from headstart.core.errors import HeadstartError, TrainingError, UsageError
from headstart.core.records import Rows, Run
from headstart.metrics.temperature import tempered
from headstart.nn import parallel
from headstart.nn.block import Block
from headstart.nn.encoder import Embeddings, Encoder
from headstart.nn.heads import Model
from headstart.saved import model_folder
from headstart.text import vocabulary
from headstart.training import convex

pytestmark = pytest.mark.usefixtures("trained_once")
WORDS = ("good fine lovely great", "bad awful poor dreadful", "red blue green grey")


@pytest.fixture
def rows(rng):
    """Ninety texts of three classes, of very different lengths."""
    texts, labels = [], []
    for number in range(90):
        words = WORDS[number % 3].split()
        texts.append(" ".join(rng.choice(words, size=rng.integers(1, 30))))
        labels.append(("praise", "blame", "colour")[number % 3])
    return Rows(tuple(map(str, range(90))), tuple(texts), tuple(labels))


@pytest.fixture
def task(rows):
    return rooms.load("tasks", "classification").fitted(rows)


@pytest.fixture
def backbone(tmp_path, rows):
    """A pretrained model in name only: random weights in a Hugging Face folder."""
    torch.manual_seed(1)
    tokenizer = vocabulary.train(rows.inputs, 60, window=24)
    shape = {"width": 16, "layers": 3, "heads": 2, "feed_forward": 32, "window": 24}
    arguments = {"vocabulary": tokenizer.size, "dropout": 0.1, **shape}
    path = tmp_path / "backbone"
    path.mkdir()
    folder.save(path, Encoder(**arguments), tokenizer, "bert", arguments, None)
    return str(path)


def fit(backbone, rows, task, place, strategy="full", seed=0, **options):
    contender = rooms.load(
        "contenders", "finetuned", {"strategy": strategy, "backbone": backbone, "epochs": 2, **options}
    )
    return contender.fit(rows, rows.take(range(30)), task, Run(seed, place))


def test_scores_come_back_in_the_order_of_the_texts(backbone, rows, task, tmp_path):
    fitted = fit(backbone, rows, task, tmp_path / "run")
    together = fitted.predict(rows.inputs).probabilities
    alone = np.concatenate([fitted.predict([text]).probabilities for text in rows.inputs])
    assert np.allclose(together, alone, atol=1e-6)
    assert np.allclose(fitted.predict(rows.inputs[::-1]).probabilities[::-1], together, atol=1e-6)


def test_a_temperature_is_part_of_the_weights_that_others_read(backbone, rows, task, tmp_path):
    import transformers

    before = fit(backbone, rows, task, tmp_path / "run").with_temperature(0.01)  # it hardly learns, and is unsure
    after = before.with_temperature(3.0)
    expected = tempered(before.predict(rows.inputs).probabilities, 3.0)
    assert not np.allclose(before.predict(rows.inputs).probabilities, expected, atol=1e-2)  # the copy alone is changed
    assert np.allclose(after.predict(rows.inputs).probabilities, expected, atol=1e-5)
    assert np.allclose(after.with_int8().predict(rows.inputs).probabilities, expected, atol=2e-2)
    after.save(tmp_path / "model")
    again = model_folder.open_model(tmp_path / "model").predict(rows.inputs)
    assert np.array_equal(again.probabilities, after.predict(rows.inputs).probabilities)
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    ids = before.checkpoint.tokenizer.encode([rows.inputs[0]]).tokens
    with torch.no_grad():
        logits = theirs(input_ids=torch.from_numpy(ids).long()[None]).logits
    assert np.allclose(logits.softmax(-1)[0], expected[0], atol=1e-5)


def test_two_threads_answer_as_one_does(backbone, rows, task, tmp_path, monkeypatch, set_threads):
    monkeypatch.setattr(forward, "STATE_BUDGET", {"cpu": 100 * 16})  # many batches
    used = []
    monkeypatch.setattr(parallel, "ThreadPoolExecutor", lambda *a: used.append(a) or ThreadPoolExecutor(*a))
    full = fit(backbone, rows, task, tmp_path / "full")
    by_threads = {}
    for threads in (1, 2):
        set_threads(threads)
        used.clear()
        answers = [model.predict(rows.inputs * 3).probabilities.tobytes() for model in (full, full.with_int8())]
        fit(backbone, rows, task, tmp_path / f"frozen{threads}", "frozen", recompute=True)  # whose steps are not halved
        (states,) = (tmp_path / f"frozen{threads}").glob("*.rows")
        by_threads[threads] = *answers, states.read_bytes()
        assert len(used) >= 3 if threads == 2 else not used
    assert by_threads[1] == by_threads[2]


@pytest.mark.parametrize("strategy", ["frozen", "partial"])
def test_states_too_many_to_keep_are_computed_in_every_step(backbone, rows, task, tmp_path, strategy, monkeypatch):
    stored = fit(backbone, rows, task, tmp_path / "kept", strategy).predict(rows.inputs).probabilities
    assert list((tmp_path / "kept").glob("*.rows"))
    monkeypatch.setattr(store, "MOST_BYTES", 0)
    again = fit(backbone, rows, task, tmp_path / "not", strategy).predict(rows.inputs).probabilities
    assert not list((tmp_path / "not").glob("*.rows"))
    assert np.allclose(stored, again, atol=1e-2)


@pytest.mark.parametrize("strategy", ["frozen", "partial"])
def test_trainings_share_the_states_of_frozen_stages(backbone, rows, task, tmp_path, strategy, monkeypatch):
    contender = rooms.load("contenders", "finetuned", {"strategy": strategy, "backbone": backbone, "epochs": 2})
    alone = contender.fit(rows, rows.take(range(30)), task, Run(1, tmp_path / "alone"))
    first = Run(0, tmp_path / "first", shared=tmp_path / "shared")
    assert contender.fit(rows.take(range(60)), rows.take(range(30)), task, first).reused_seconds > 0
    computed = []
    frozen_states = Model.frozen_states
    monkeypatch.setattr(Model, "frozen_states", lambda *a: computed.append(len(a[1])) or frozen_states(*a))
    second = contender.fit(rows, rows.take(range(30)), task, Run(1, tmp_path / "second", shared=tmp_path / "shared"))
    assert sum(computed) == len(set(rows.inputs[60:]) - set(rows.inputs[:60]))
    assert second.reused_seconds > 0
    assert np.allclose(second.predict(rows.inputs).probabilities, alone.predict(rows.inputs).probabilities, atol=1e-3)


def test_states_of_the_embeddings_alone_are_not_kept(backbone, rows, task, tmp_path):
    fit(backbone, rows, task, tmp_path / "run", "partial", options=("blocks=3",))
    assert not list((tmp_path / "run").glob("*.rows"))


def test_options_of_the_strategy_come_before_the_contenders(backbone, rows, task, tmp_path):
    fitted = fit(backbone, rows, task, tmp_path / "run", "partial", options=("blocks=1", "epochs=1"))
    assert len((tmp_path / "run/metrics.jsonl").read_text().splitlines()) == 3  # ninety rows once, 32 a step
    block = sum(weight.numel() for weight in fitted.model.encoder.blocks[0].parameters())
    assert fitted.trained_parameters == block + sum(weight.numel() for weight in fitted.model.head.parameters())


def test_a_stage_is_opened_in_its_turn_and_has_no_optimiser_state_before(backbone, rows, task, tmp_path, monkeypatch):
    from headstart.training import loop

    monkeypatch.setitem(loop.train.__kwdefaults__, "checkpoint_seconds", 0.0)
    seen = []

    def look(progress):
        written = tmp_path / "run/checkpoint.safetensors"  # of the step before
        if progress.stage == "training" and written.is_file():
            with safe_open(written, "pt") as file:
                seen.append({name for name in file.keys() if name.startswith("exp_avg/")})  # noqa: SIM118 (no dictionary)

    options = {"strategy": "gradual", "backbone": backbone, "epochs": 4, "options": ("opening=0.5",)}
    contender = rooms.load("contenders", "finetuned", options)
    contender.fit(rows, rows.take(range(30)), task, Run(0, tmp_path / "run", progress=look))
    assert all(before <= after for before, after in itertools.pairwise(seen))
    assert {name.split("/")[1].split(".")[0] for name in seen[0]} == {"head"}
    assert any("blocks.2" in name for name in seen[4])
    assert not any("embeddings" in name for name in seen[4])
    assert any("embeddings.word" in name for name in seen[-1])


def test_lora_leaves_an_ordinary_checkpoint_with_the_updates_beside_it(backbone, rows, task, tmp_path):
    fitted = fit(backbone, rows, task, tmp_path / "run", "lora", learning_rate=1e-2)
    assert type(fitted.model.encoder.blocks[0].up) is torch.nn.Linear
    fitted.save(tmp_path / "model")
    import peft
    from transformers import AutoModelForSequenceClassification as Auto

    base = Auto.from_pretrained(backbone, num_labels=3)
    laid_over = peft.PeftModel.from_pretrained(base, tmp_path / "model/adapter").eval()
    whole = Auto.from_pretrained(tmp_path / "model").eval()
    batch = {"input_ids": torch.arange(5, 15).view(2, 5)}
    with torch.no_grad():
        assert torch.allclose(laid_over(**batch).logits, whole(**batch).logits, atol=1e-5)
    config = json.loads((tmp_path / "model/adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == backbone


def test_lora_over_an_adapter_leaves_no_updates_alone_since_their_base_is_no_folder(backbone, rows, task, tmp_path):
    fit(backbone, rows, task, tmp_path / "run", "lora", learning_rate=1e-2).save(tmp_path / "model")
    again = fit(str(tmp_path / "model/adapter"), rows, task, tmp_path / "again", "lora", learning_rate=1e-2)
    again.save(tmp_path / "tuned twice")
    assert not (tmp_path / "tuned twice/adapter").exists()
    saved = model_folder.open_model(tmp_path / "tuned twice")
    assert saved.predict(rows.inputs).values == again.predict(rows.inputs).values


def test_bottlenecks_are_saved_beside_an_ordinary_classifier(backbone, rows, task, tmp_path):
    from transformers import AutoModelForSequenceClassification

    fitted = fit(backbone, rows, task, tmp_path / "run", "adapter", learning_rate=1e-2)
    fitted.save(tmp_path / "model")
    again = model_folder.open_model(tmp_path / "model")
    assert np.array_equal(again.predict(rows.inputs).probabilities, fitted.predict(rows.inputs).probabilities)
    assert (again.parameters, again.trained_parameters) == (fitted.parameters, fitted.trained_parameters)
    few = again.predict(rows.inputs[:1]).probabilities
    assert np.allclose(few, fitted.predict(rows.inputs).probabilities[:1], atol=1e-5)
    small = again.with_int8().predict(rows.inputs).probabilities
    assert 0 < np.abs(small - fitted.predict(rows.inputs).probabilities).max() < 0.1
    AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    with pytest.raises(UsageError, match="was fine-tuned with adapters, which a new training would drop"):
        Finetuned(backbone=str(tmp_path / "model")).fit(rows, rows, task, Run(0, tmp_path / "other"))
    (tmp_path / "model" / _neural.BOTTLENECKS).unlink()
    with pytest.raises(HeadstartError, match=r"adapter\.safetensors' is missing"):
        model_folder.open_model(tmp_path / "model")


def test_a_frozen_encoder_stays_bit_equal(backbone, rows, task, tmp_path):
    before = folder.load(backbone).model.state_dict()
    after = fit(backbone, rows, task, tmp_path / "run", "frozen").model.encoder.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_few_tokens_take_weights_that_are_laid_out_for_them(backbone, rows, task, tmp_path, monkeypatch):
    fitted = fit(backbone, rows, task, tmp_path / "run")
    plain = fitted.predict(rows.inputs)
    assert "_for_few" not in vars(fitted)
    few = fitted.predict(rows.inputs[:2])
    assert "_for_few" in vars(fitted)
    assert np.allclose(few.probabilities, plain.probabilities[:2], atol=1e-6)
    copied = copy.deepcopy(fitted)
    assert np.allclose(copied.predict(rows.inputs[:2]).probabilities, few.probabilities, atol=1e-6)
    monkeypatch.setattr(_neural.prepacked, "available", lambda: False)
    del fitted._for_few
    fitted.predict(rows.inputs[:2])
    assert "_for_few" not in vars(fitted)


def test_one_thread_answers_what_is_too_little_for_two(backbone, rows, task, tmp_path, monkeypatch, set_threads):
    fitted = fit(backbone, rows, task, tmp_path / "run")
    small = fitted.with_int8()
    threads = []
    real = _neural.outputs
    monkeypatch.setattr(_neural, "outputs", lambda *a: threads.append(torch.get_num_threads()) or real(*a))
    monkeypatch.setattr(_neural, "ALONE", 10 * 16)
    monkeypatch.setattr(_neural, "ALONE_INT8", 100 * 16)
    set_threads(2)
    texts = ["good"], [" ".join(WORDS[0].split() * 5)], rows.inputs
    tokens = [len(task.encode(some, fitted.checkpoint.tokenizer).tokens) for some in texts]
    assert tokens[0] <= 10 < tokens[1] <= 100 < tokens[2]
    for some in texts:
        for model in (fitted, small):
            model.predict(some)
    assert threads == [1, 1, 2, 1, 2, 2]
    assert torch.get_num_threads() == 2


def test_a_saved_model_remembers_no_texts(backbone, rows, task, tmp_path):
    fitted = fit(backbone, rows, task, tmp_path / "run")
    fitted.save(tmp_path / "model")
    opened = model_folder.open_model(tmp_path / "model")
    assert np.allclose(opened.predict(rows.inputs).probabilities, fitted.predict(rows.inputs).probabilities, atol=1e-6)
    assert fitted.checkpoint.tokenizer.memory.bodies
    assert opened.checkpoint.tokenizer.memory is None


def test_int8_saves_the_weights_as_they_were(backbone, rows, task, tmp_path):
    fitted = fit(backbone, rows, task, tmp_path / "run")
    small = fitted.with_int8()
    actual, expected = small.predict(rows.inputs).probabilities, fitted.predict(rows.inputs).probabilities
    assert 0 < np.abs(actual - expected).max() < 0.05
    assert small.parameters == fitted.parameters
    small.save(tmp_path / "model")
    again = model_folder.open_model(tmp_path / "model").predict(rows.inputs).probabilities
    assert np.allclose(again, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("strategy", "threads"), [("full", 1), ("full", 2), ("gradual", 2), ("lora", 2), ("partial", 2)]
)
def test_a_broken_fit_goes_on_bit_for_bit(
    backbone, rows, task, tmp_path, strategy, threads, checkpoint_after, set_threads
):
    set_threads(threads)
    whole = fit(backbone, rows, task, tmp_path / "whole", strategy)
    written = checkpoint_after(4)
    steps = 0

    class Killed(Exception):
        pass

    def die(progress):
        nonlocal steps
        steps += progress.stage == "training"
        if steps == 5:
            raise Killed

    contender = rooms.load("contenders", "finetuned", {"strategy": strategy, "backbone": backbone, "epochs": 2})
    with pytest.raises(Killed):
        contender.fit(rows, rows.take(range(30)), task, Run(0, tmp_path / "broken", progress=die))
    assert written[-1] == 4
    resumed = fit(backbone, rows, task, tmp_path / "broken", strategy)
    ours, theirs = resumed.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    lines = (tmp_path / "broken/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, len(lines) + 1))


@pytest.mark.parametrize("strategy", ["full", "partial"])
def test_a_checkpoint_is_not_resumed_from_other_starting_weights(backbone, rows, task, tmp_path, strategy):
    fit(backbone, rows, task, tmp_path / "run", strategy)
    weights = load_file(f"{backbone}/model.safetensors")
    name = next(name for name in weights if name.endswith("query.weight"))
    save_file(weights | {name: weights[name] + 0.1}, f"{backbone}/model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingError, match="belongs to a training with other settings or data"):
        fit(backbone, rows, task, tmp_path / "run", strategy)


def test_a_frozen_fit_killed_while_it_is_solved_gives_the_same_model(backbone, rows, task, tmp_path):
    whole = fit(backbone, rows, task, tmp_path / "whole", "frozen")

    class Killed(Exception):
        pass

    def die(progress):
        if progress.stage == "solving the head" and progress.done > 0.5:
            raise Killed

    contender = rooms.load("contenders", "finetuned", {"strategy": "frozen", "backbone": backbone})
    with pytest.raises(Killed):
        contender.fit(rows, rows.take(range(30)), task, Run(0, tmp_path / "broken", progress=die))
    resumed = fit(backbone, rows, task, tmp_path / "broken", "frozen")
    ours, theirs = resumed.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_frozen_head_is_the_logistic_regression_that_is_best_on_validation(backbone, rows, task, tmp_path):
    fitted = fit(backbone, rows, task, tmp_path / "run", "frozen", pooling="mean")
    held_out = rows.take(range(30))
    encoder = copy.deepcopy(fitted.model).requires_grad_(False)

    def states(part):
        encoded = task.encode(part.inputs, fitted.checkpoint.tokenizer)
        return forward.pooled_states(encoder, encoded, "cpu").states.numpy()

    features, numbers = states(rows), class_numbers(task.classes, rows.targets)
    scores = []
    for solution in convex.solutions(features, numbers):
        answers = (states(held_out) @ solution.weight.T + solution.bias).argmax(axis=1)
        scores.append((answers == class_numbers(task.classes, held_out.targets)).mean())
    right = np.array(fitted.predict(held_out.inputs).values) == np.array(held_out.targets)
    assert right.mean() == max(scores) > min(scores)


@pytest.mark.parametrize("strategy", ["full", "partial", "lora", "adapter", "frozen"])
def test_a_model_that_reads_means_answers_as_before_when_it_is_opened(backbone, rows, task, tmp_path, strategy):
    fitted = fit(backbone, rows, task, tmp_path / "run", strategy, pooling="mean")
    fitted.save(tmp_path / "model")
    opened = model_folder.open_model(tmp_path / "model")
    assert opened.model.head.pooling == "mean"
    assert np.allclose(opened.predict(rows.inputs).probabilities, fitted.predict(rows.inputs).probabilities, atol=1e-6)
    small = opened.with_int8().predict(rows.inputs).probabilities
    assert np.allclose(small, fitted.predict(rows.inputs).probabilities, atol=0.05)


def test_balanced_weights_are_scikit_learns(rng):
    numbers = rng.integers(0, 4, size=50)
    ours = _neural.balanced_weights(numbers, 4)
    assert np.allclose(ours, compute_class_weight("balanced", classes=np.arange(4), y=numbers))


@pytest.mark.parametrize("strategy", ["full", "frozen"])
def test_balanced_weights_change_the_training(backbone, rows, tmp_path, strategy):
    few = rows.take([*range(0, 90, 3), 1, 4])  # thirty of one class, two of another
    task = rooms.load("tasks", "classification").fitted(few)
    plain = fit(backbone, few, task, tmp_path / "a", strategy).predict(few.inputs).probabilities
    fitted = fit(backbone, few, task, tmp_path / "b", strategy, class_weights="balanced")
    balanced = fitted.predict(few.inputs).probabilities
    rare = task.classes.index("blame")
    assert balanced[:, rare].mean() > plain[:, rare].mean()


def test_a_model_that_was_opened_and_saved_again_needs_the_first_folder_no_longer(backbone, rows, task, tmp_path):
    fitted = fit(backbone, rows, task, tmp_path / "run", epochs=1)
    fitted.save(tmp_path / "first")
    model_folder.open_model(tmp_path / "first").save(tmp_path / "second", whole=False)
    shutil.rmtree(tmp_path / "first")
    again = model_folder.open_model(tmp_path / "second").predict(rows.inputs)
    assert np.array_equal(again.probabilities, fitted.predict(rows.inputs).probabilities)


def logged(place, what):
    lines = map(json.loads, (place / "metrics.jsonl").read_text().splitlines())
    return [line[what] for line in lines if what in line]


def test_warm_up_and_decay_are_those_of_the_options(backbone, rows, task, tmp_path):
    fit(backbone, rows, task, tmp_path / "a", warmup=0.5, decay="constant")  # ninety rows twice, 32 a step
    assert logged(tmp_path / "a", "rate") == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1])
    fit(backbone, rows, task, tmp_path / "b", warmup=0.0, decay="linear")
    assert logged(tmp_path / "b", "rate") == pytest.approx([1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


def test_parts_of_a_step_and_rows_a_step_are_those_of_the_options(backbone, rows, task, tmp_path, monkeypatch):
    sizes = []
    forward = Model.forward
    monkeypatch.setattr(Model, "forward", lambda self, batch: sizes.append(len(batch)) or forward(self, batch))
    fit(backbone, rows, task, tmp_path / "a", batch_rows=45, accumulate=3, epochs=1)
    assert sizes[:6] == [15] * 6


@pytest.mark.parametrize("recompute", [False, True])
def test_blocks_are_computed_twice_where_memory_is_to_be_saved(backbone, rows, task, tmp_path, monkeypatch, recompute):
    ran = []
    forward = Block.forward
    monkeypatch.setattr(
        Block, "forward", lambda self, *given: ran.append(torch.is_grad_enabled()) or forward(self, *given)
    )
    plain = fit(backbone, rows, task, tmp_path / "run", recompute=recompute)
    assert sum(ran) == 6 * 3 * (1 + recompute)  # six steps, three blocks
    monkeypatch.setattr(Block, "forward", forward)
    other = fit(backbone, rows, task, tmp_path / "other", recompute=not recompute).model.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in plain.model.state_dict().items())


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_a_share_of_the_words_is_hidden_in_each_step(rows, task, tmp_path, monkeypatch, share):
    seen = []
    embed = Embeddings.forward

    def watched(self, batch):
        if self.training:
            seen.extend(batch.ids.tolist())
        return embed(self, batch)

    monkeypatch.setattr(Embeddings, "forward", watched)
    small = {"vocabulary": 60, "layers": 1, "width": 16, "heads": 2, "feed_forward": 16, "epochs": 1}
    contender = rooms.load("contenders", "scratch", {**small, "word_dropout": share})
    fitted = contender.fit(rows, rows.take(range(30)), task, Run(0, tmp_path))
    unknown = fitted.checkpoint.tokenizer.unknown  # which occurs in no text
    encoded = task.encode(rows.inputs, fitted.checkpoint.tokenizer)
    hidden = np.searchsorted(np.unique([*encoded.tokens, unknown]), unknown)
    marks = 2 * len(encoded) / len(encoded.tokens)  # the first and last token of each text
    assert (np.array(seen) == hidden).mean() == pytest.approx(share * (1 - marks), abs=0.01)


@pytest.mark.parametrize("metric", ["accuracy", "macro-F1"])
def test_the_checkpoint_that_is_kept_has_the_best_score_by_the_metric(backbone, rows, task, tmp_path, metric):
    held_out = rows.take([*range(0, 60, 3), 1, 2, 4])  # most of one class, so that the two metrics differ
    contender = rooms.load("contenders", "finetuned", {"backbone": backbone, "epochs": 6, "learning_rate": 3e-3})
    fitted = contender.fit(rows, held_out, task, Run(0, tmp_path, metric=metric))
    values = metric_values(task, fitted.predict(held_out.inputs), held_out)
    assert max(logged(tmp_path, "validation_score")) == pytest.approx(values[metric])
    assert values["accuracy"] != pytest.approx(values["macro-F1"])


def test_an_unknown_weighting_is_refused(backbone, rows, task, tmp_path):
    with pytest.raises(UsageError, match="'class_weights' of contender 'finetuned' cannot be 'even'; known: balanced"):
        fit(backbone, rows, task, tmp_path / "a", class_weights="even")
    with pytest.raises(UsageError, match="no class weights 'even'; known: balanced, none"):
        Finetuned(backbone=backbone, class_weights="even").fit(rows, rows.take([0, 1]), task, Run(0, tmp_path / "b"))


def test_without_validation_rows_the_training_rows_stand_in(backbone, rows, task, tmp_path):
    contender = rooms.load("contenders", "finetuned", {"backbone": backbone, "epochs": 2})
    fitted = contender.fit(rows, Rows((), (), ()), task, Run(0, tmp_path / "run"))
    assert set(fitted.predict(rows.inputs).values) <= set(task.classes)


def test_labels_that_only_validation_shows_do_not_break_training(backbone, rows, task, tmp_path):
    strange = replace(rows.take(range(3)), targets=("x", "y", "z"))
    contender = rooms.load("contenders", "finetuned", {"backbone": backbone, "epochs": 2})
    fitted = contender.fit(rows, strange, task, Run(0, tmp_path / "run"))
    assert np.isfinite(fitted.predict(rows.inputs).probabilities).all()


def test_the_folder_opens_in_transformers_with_the_same_answers(backbone, rows, task, tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    fitted = fit(backbone, rows, task, tmp_path / "run")
    fitted.save(tmp_path / "model")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    batch = tokenizer(list(rows.inputs), padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        theirs = model(**batch).logits.softmax(-1).numpy()
    assert np.allclose(fitted.predict(rows.inputs).probabilities, theirs, atol=1e-5)
    assert tuple(model.config.id2label[number] for number in range(3)) == task.classes
    again = model_folder.open_model(tmp_path / "model")
    assert np.array_equal(again.predict(rows.inputs).probabilities, fitted.predict(rows.inputs).probabilities)
    assert (again.parameters, again.trained_parameters) == (fitted.parameters, fitted.trained_parameters)


def test_scratch_reports_a_cut_window_and_about_a_million_parameters(rows, task, tmp_path):
    contender = rooms.load("contenders", "scratch", {"window": 8, "epochs": 1})
    fitted = contender.fit(rows, rows.take(range(30)), task, Run(0, tmp_path))
    assert fitted.cut_off(["good " * 40]) == pytest.approx(1 - 6 / 40)
    assert fitted.cut_off(["good"]) == 0.0
    words = rooms.load("contenders", "scratch")
    assert 0.8e6 < words.vocabulary * words.width + 2 * (12 * words.width**2) + words.window * words.width < 1.3e6
