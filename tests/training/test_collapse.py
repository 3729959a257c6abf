"""Trainings that collapse at a real learning rate, and models that look like it and are not."""

import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from headstart.core import rooms, sealed
from headstart.core.errors import DivergedError
from headstart.core.records import Attempt, Rows, Run
from headstart.core.sequences import Ragged
from headstart.nn.groups import Group
from headstart.nn.heads import ClassificationHead
from headstart.training import collapse
from headstart.training.loop import Settings, train


@pytest.fixture
def rows(rng):
    words = {"praise": ["good", "fine", "lovely", "great"], "blame": ["bad", "awful", "poor", "dreadful"]}
    labels = tuple(("praise", "blame")[number % 2] for number in range(80))
    texts = tuple(" ".join(rng.choice(words[label], 6)) for label in labels)
    return Rows(tuple(map(str, range(80))), texts, labels)


def fit(rows, place, rate, attempts, progress=lambda _: None, resumed=lambda _: None, **options):
    small = {"layers": 1, "width": 16, "heads": 2, "feed_forward": 32, "window": 12, "vocabulary": 60, "epochs": 2}
    contender = rooms.load("contenders", "scratch", {**small, "learning_rate": rate, "word_dropout": 0.0, **options})
    task = rooms.load("tasks", "classification").fitted(rows)
    run = Run(0, place, progress=progress, attempted=attempts.append, resumed=resumed)
    return contender.fit(rows, rows.take(range(20)), task, run)


def test_a_training_that_learns_runs_once(rows, tmp_path):
    attempts = []
    fitted = fit(rows, tmp_path, 3e-3, attempts)
    assert attempts == [Attempt()]
    assert fitted.predict(rows.inputs).values == rows.targets


def test_a_rate_that_is_too_high_is_retried_at_a_third_and_told(rows, tmp_path):
    attempts = []
    fit(rows, tmp_path, 30.0, attempts)
    assert [attempt.rate_factor for attempt in attempts] == [1.0, pytest.approx(1 / 3)]
    assert attempts[0].collapsed
    rates = [seen(tmp_path / where, "rate")[:10] for where in ("", "retry")]
    assert rates[0] == rates[1]  # shares of the peak, which is the lower one


def seen(folder, what):
    return [json.loads(line)[what] for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("second", [False, True])
def test_a_kill_in_either_training_resumes_there(rows, tmp_path, second, monkeypatch):
    from headstart.training import loop

    monkeypatch.setitem(loop.train.__kwdefaults__, "checkpoint_seconds", 0.0)
    whole = fit(rows, tmp_path / "whole", 30.0, [])
    steps = [len(seen(tmp_path / "whole" / where, "step")) for where in ("", "retry")]
    stages = []

    class Killed(Exception):
        pass

    def die(news):
        stages.append(news.stage == "training")
        if sum(stages) == 3 + steps[0] * second:
            raise Killed

    with pytest.raises(Killed):
        fit(rows, tmp_path / "broken", 30.0, [], die)
    stages.clear()
    earlier = []
    resumed = fit(
        rows, tmp_path / "broken", 30.0, [], lambda news: stages.append(news.stage == "training"), earlier.append
    )
    assert len(earlier) == 1 + second  # the seconds of each training before the kill
    assert min(earlier) > 0
    assert sum(stages) in (sum(steps) - 3 - steps[0] * second, sum(steps) - 2 - steps[0] * second)
    ours, theirs = resumed.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def diverging(place, attempts, at):
    """Train one weight towards rows of which some make the loss infinite while the rate is above a limit."""
    weight = nn.Parameter(torch.ones(1))

    def attempt(run, groups):
        bad = groups[0].learning_rate > at
        train(
            rows=8,
            groups=groups,
            loss=lambda rows: weight.square().sum() * (float("inf") if bad else 1.0),
            evaluate=lambda: (0.0, 0.0),
            mode=nn.Identity(),
            settings=Settings(epochs=1),
            run=run,
            fingerprint="same",
        )

    run = Run(0, place, attempted=attempts.append)
    collapse.train(attempt, lambda: "", [Group({"w": weight}, 0.3)], run, "same")
    return weight


def test_a_gradient_that_is_no_number_is_retried_from_the_start(tmp_path):
    attempts = []
    weight = diverging(tmp_path, attempts, at=0.2)
    assert 0 < weight.item() < 1
    assert [bool(attempt.collapsed) for attempt in attempts] == [True, False]
    assert "is not a finite number" in attempts[0].collapsed


def test_a_training_that_diverges_twice_fails(tmp_path):
    with pytest.raises(DivergedError, match="twice, the second time at a third of the learning rate: the gradient of"):
        diverging(tmp_path, [], at=0.05)


def test_a_note_of_another_training_is_not_believed(tmp_path):
    sealed.write_note(tmp_path / "collapsed.json", {"fingerprint": "other", "reason": "something"})
    attempts = []
    diverging(tmp_path, attempts, at=1.0)
    assert attempts == [Attempt()]


@pytest.mark.parametrize("content", ["", "[]", '{"fingerprint": "same", "reason": "something"}'])
def test_a_damaged_note_is_not_believed(tmp_path, capsys, content):
    (tmp_path / "collapsed.json").write_text(content)
    attempts = []
    diverging(tmp_path, attempts, at=1.0)
    assert attempts == [Attempt()]
    assert capsys.readouterr().err.endswith("collapsed.json' is damaged, so it is deleted and made again.\n")


# --- what counts as collapsed -------------------------------------------------------------------------------------


def answers(shares, rows, rng, knows=0.0, bias=0.0):
    """Make targets with these shares, and logits that are the log shares plus what the model knows."""
    targets = torch.from_numpy(rng.choice(len(shares), rows, p=shares))
    logits = torch.tensor(shares).log().repeat(rows, 1).float()
    logits[:, 0] += bias
    return logits + knows * F.one_hot(targets, len(shares)).float(), targets


HEAD = ClassificationHead(8, 2)


def reason(logits, targets, weights=None, **options):
    return collapse.reason(HEAD, logits, targets, torch.arange(len(targets) + 1), weights, **options)


@pytest.mark.parametrize(
    ("shares", "knows", "bias", "expected"),
    [
        ([0.5, 0.5], 0.0, 0.5, "one class for all texts"),
        ([0.22, 0.2, 0.18, 0.2, 0.2], 0.0, 3.0, "one class for all texts"),
        ([0.95, 0.05], 0.0, 1.0, "one class for all texts"),
        ([0.95, 0.05], 1.0, 0.0, ""),  # one answer to all texts, and yet it knows some
        ([0.5, 0.5], 0.5, 0.0, ""),
        ([0.9, 0.1], 5.0, 0.0, ""),
    ],
)
def test_a_model_that_knows_no_more_than_the_shares(rng, shares, knows, bias, expected):
    logits, targets = answers(shares, 400, rng, knows, bias)
    assert reason(logits, targets) == expected


def test_answers_at_random_are_a_loss_that_never_fell(rng):
    _, targets = answers([0.5, 0.5], 400, rng)
    logits = torch.from_numpy(rng.normal(size=(400, 2)))
    assert reason(logits, targets) == "a loss that never fell below that of the class shares"
    assert reason(logits.fill_(float("nan")), targets) == "answers that are not finite numbers"


def test_a_head_over_frozen_states_may_give_one_answer(rng):
    logits, targets = answers([0.6, 0.4], 400, rng)
    assert reason(logits, targets, head_only=True) == ""
    assert reason(logits + torch.tensor([9.0, 0.0]), targets, head_only=True) != ""


def test_weights_of_classes_are_taken_into_account(rng):
    """A balanced training answers evenly where it knows nothing, and its plain loss lies above that of the shares."""
    _, targets = answers([0.9, 0.1], 400, rng)
    counts = torch.bincount(targets).float()
    weights = len(targets) / (2 * counts)
    logits = 0.5 * F.one_hot(targets, 2).float()
    assert reason(logits, targets, weights) == ""
    assert reason(torch.zeros(400, 2), targets, weights) != ""


def test_few_rows_are_judged_where_they_show_that_the_model_learnt(rng):
    judged_rows = []

    def logits_of(knows):
        logits, targets = answers([0.5, 0.5], 5000, rng, knows)

        def some(rows):
            judged_rows.append(len(rows))
            return Ragged.single(logits[torch.from_numpy(rows)].numpy())

        return some, HEAD, Ragged.single(targets.numpy())

    assert collapse.judged(*logits_of(2.0)) == ""
    assert judged_rows == [collapse.FEW_ROWS]
    # Learnt little, which few rows cannot tell from nothing.
    assert collapse.judged(*logits_of(0.1)) == ""
    assert collapse.judged(*logits_of(0.0)) == "one class for all texts"
    assert judged_rows == [collapse.FEW_ROWS, *[collapse.FEW_ROWS, collapse.MOST_ROWS] * 2]


def test_one_class_in_all_rows_is_nothing_to_learn():
    assert reason(torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)) == ""
