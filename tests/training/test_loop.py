"""The loop on a small regression: it learns, it stops, and a kill at any step changes nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from headstart.core.alone import alone
from headstart.core.errors import TrainingError, UsageError
from headstart.core.records import Run
from headstart.nn.groups import Group
from headstart.training import loop, schedule
from headstart.training.loop import Settings, train


class Killed(Exception):
    """Simulates a kill in the middle of a step."""


def regression(
    folder,
    *,
    settings=None,
    seed=3,
    die_at=None,
    score=None,
    minutes=None,
    fingerprint="same",
    loss=None,
    steps=None,
    held_out=0,
    checkpoint_seconds=0.0,
    replace_others=False,
):
    """Train a small network with dropout; return its weights and history."""
    torch.manual_seed(0)
    inputs = torch.randn(40, 5)
    targets = inputs @ torch.randn(5, 1)
    model = nn.Sequential(nn.Linear(5, 16), nn.Dropout(0.2), nn.Tanh(), nn.Linear(16, 1))
    calls = 0

    def step_loss(rows: np.ndarray) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if die_at is not None and calls > die_at:
            raise Killed
        return F.mse_loss(model(inputs[rows]), targets[rows])

    def evaluate() -> tuple[float, float]:
        with torch.inference_mode():
            error = float(F.mse_loss(model(inputs), targets))
        return (-error if score is None else score(calls)), error

    history = train(
        rows=40,
        groups=[Group(dict(model.named_parameters()), 1e-2)],
        loss=loss or step_loss,
        evaluate=evaluate,
        held_out=held_out,
        mode=model,
        settings=settings or Settings(epochs=8, batch_rows=8),
        run=Run(seed, Path(folder), minutes=minutes, replace_others=replace_others),
        fingerprint=fingerprint,
        before_step=lambda step, total: None if steps is None else steps.append((step, total)),
        checkpoint_seconds=checkpoint_seconds,
    )
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}, history


def same(one, two):
    return all(torch.equal(one[name], two[name]) for name in one)


def test_it_learns(tmp_path):
    _, history = regression(tmp_path)
    assert history.steps == 40
    assert history.evaluations[-1]["loss"] < history.evaluations[0]["loss"] / 2


def test_each_step_is_announced_and_after_a_kill_from_where_it_stopped(tmp_path):
    before, after = [], []
    with pytest.raises(Killed):
        regression(tmp_path, die_at=7, steps=before)
    regression(tmp_path, steps=after)
    assert before == [(step, 40) for step in range(8)]
    assert after == [(step, 40) for step in range(7, 40)]


def test_a_seed_gives_one_result_and_another_seed_another(tmp_path):
    one, _ = regression(tmp_path / "a", seed=1)
    again, _ = regression(tmp_path / "b", seed=1)
    other, _ = regression(tmp_path / "c", seed=2)
    assert same(one, again)
    assert not same(one, other)


def test_freed_memory_goes_back_now_and_then(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(loop.memory, "give_back", lambda: calls.append(1))
    regression(tmp_path / "short")
    assert not calls
    monkeypatch.setattr(loop.memory, "GIVE_BACK_SECONDS", 0.0)
    regression(tmp_path / "long")
    assert len(calls) == 40


@pytest.mark.parametrize(("die_at", "average"), [(1, 0), (7, 0), (20, 0), (39, 0), (33, 4)])
def test_a_broken_training_goes_on_bit_for_bit(tmp_path, die_at, average):
    settings = Settings(epochs=8, batch_rows=8, average=average)
    whole, history = regression(tmp_path / "whole", settings=settings)
    with pytest.raises(Killed):
        regression(tmp_path / "broken", settings=settings, die_at=die_at)
    resumed, resumed_history = regression(tmp_path / "broken", settings=settings)
    assert same(whole, resumed)
    strip = [{**e, "seconds": 0} for e in history.evaluations]
    assert strip == [{**e, "seconds": 0} for e in resumed_history.evaluations]
    steps = [json.loads(line)["step"] for line in (tmp_path / "broken/metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 41))


def test_a_process_killed_at_any_moment_goes_on_bit_for_bit(tmp_path):
    """SIGKILL while checkpoints are being written; the folder never holds half a file that is believed."""
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import torch, test_loop; torch.set_num_threads(1)\n"
        f"test_loop.regression({str(tmp_path / 'killed')!r}, settings=test_loop.Settings(epochs=40, batch_rows=8))"
    )
    checkpoint = tmp_path / "killed/checkpoint.safetensors"
    for pause in (0.02, 0.1):
        child = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "OMP_NUM_THREADS": "1"})
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before:
            assert child.poll() is None, "the training ended before it could be killed"
            time.sleep(0.01)
        time.sleep(pause)
        child.send_signal(signal.SIGKILL)
        child.wait()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        settings = Settings(epochs=40, batch_rows=8)
        # Checkpoints of these two runs are of no interest, and each waits for the disk.
        resumed, _ = regression(tmp_path / "killed", settings=settings, checkpoint_seconds=60.0)
        whole, _ = regression(tmp_path / "whole", settings=settings, checkpoint_seconds=60.0)
    finally:
        torch.set_num_threads(threads)
    assert same(whole, resumed)


def test_a_finished_training_is_not_run_again(tmp_path):
    first, _ = regression(tmp_path)
    second, _ = regression(tmp_path, die_at=0)
    assert same(first, second)


def test_early_stopping_keeps_the_best_weights(tmp_path):
    settings = Settings(epochs=20, batch_rows=8, patience=3, evaluations=20)
    peak, history = regression(tmp_path / "a", settings=settings, score=lambda calls: -abs(calls - 10))
    assert [e["step"] for e in history.evaluations] == [5, 10, 15, 20, 25]
    with pytest.raises(Killed):
        regression(tmp_path / "b", settings=settings, die_at=10)
    from safetensors.torch import load_file

    checkpoint = load_file(tmp_path / "b/checkpoint.safetensors")
    assert all(torch.equal(peak[name], checkpoint[f"weight/{name}"]) for name in peak)


def test_the_last_evaluations_are_averaged_if_that_is_no_worse(tmp_path):
    def trained(average, *scores):
        given = iter(scores)
        settings = Settings(epochs=4, batch_rows=8, average=average)
        return regression(tmp_path / str(scores), settings=settings, score=lambda _: next(given))

    (third, _), (last, _) = trained(0, 0, 0, 1, 0), trained(0, 0, 0, 0, 1)
    mean, history = trained(2, 0, 0, 1, 0, 1)
    for name, weight in mean.items():
        torch.testing.assert_close(weight, (third[name] + last[name]) / 2)
    assert history.evaluations[-1]["averaged"] == 2
    best, _ = trained(2, 0, 0, 1, 0, 0.5)
    assert same(best, third)


def test_accumulation_changes_memory_and_not_the_result(tmp_path):
    def without_dropout(parts):
        torch.manual_seed(0)
        model = nn.Linear(5, 1)
        inputs, targets = torch.randn(40, 5), torch.randn(40, 1)
        train(
            rows=40,
            groups=[Group(dict(model.named_parameters()), 1e-2)],
            loss=lambda rows: F.mse_loss(model(inputs[rows]), targets[rows]),
            evaluate=lambda: (0.0, 0.0),
            mode=model,
            settings=Settings(epochs=2, batch_rows=16, accumulate=parts),
            run=Run(0, tmp_path / str(parts)),
            fingerprint="",
        )
        return model.weight.detach()

    assert torch.allclose(without_dropout(1), without_dropout(5), atol=1e-6)


def test_the_budget_ends_a_training(tmp_path):
    _, history = regression(tmp_path, settings=Settings(epochs=100_000, batch_rows=8), minutes=0.2 / 60)
    assert 0 < history.steps < 500_000
    assert len(history.evaluations) >= 1


def test_a_training_ends_with_the_step_that_passes_its_minutes(tmp_path, monkeypatch):
    clock = [0.0]
    step = loop.clipped_step

    def a_second_each(*given):
        clock[0] += 1.0
        return step(*given)

    monkeypatch.setattr(loop, "clipped_step", a_second_each)
    monkeypatch.setattr(loop.time, "monotonic", lambda: clock[0])
    settings = Settings(epochs=100, batch_rows=8)
    assert regression(tmp_path, settings=settings, minutes=0.1)[1].steps == 7


def test_each_step_learns_at_the_rate_of_the_schedule(tmp_path, monkeypatch):
    rates = []
    step = loop.clipped_step

    def watched(optimizer, *rest):
        rates.append([part["lr"] for part in optimizer.param_groups])
        return step(optimizer, *rest)

    monkeypatch.setattr(loop, "clipped_step", watched)
    regression(tmp_path, settings=Settings(epochs=4, batch_rows=8, warmup=0.25, decay="cosine"))
    expected = [1e-2 * schedule.factor(number, 20, warmup=0.25, decay="cosine") for number in range(20)]
    assert rates == [[pytest.approx(rate)] * 2 for rate in expected]  # matrices, and biases apart


def test_every_epoch_reads_all_rows_in_an_order_of_its_own_that_follows_from_the_seed(tmp_path):
    weight = nn.Parameter(torch.ones(1))

    def order(seed):
        seen = []

        def loss(rows):
            seen.extend(rows.tolist())
            return weight.square().sum()

        train(
            rows=13,
            groups=[Group({"w": weight}, 1e-3)],
            loss=loss,
            evaluate=lambda: (0.0, 0.0),
            mode=nn.Identity(),
            settings=Settings(epochs=2, batch_rows=4),
            run=Run(seed, tmp_path / str(len(list(tmp_path.iterdir())))),
            fingerprint="",
        )
        return tuple(seen[:13]), tuple(seen[13:])

    first, again, other = order(0), order(0), order(1)
    assert first == again
    assert len({*first, *other}) == 4
    assert all(sorted(epoch) == list(range(13)) for epoch in (*first, *other))


def test_what_a_step_draws_follows_from_the_seed(tmp_path):
    def drawn(seed):
        weight, seen = nn.Parameter(torch.ones(1)), []
        train(
            rows=4,
            groups=[Group({"w": weight}, 1e-3)],
            loss=lambda rows: seen.append(float(torch.rand(()))) or weight.square().sum(),
            evaluate=lambda: (0.0, 0.0),
            mode=nn.Identity(),
            settings=Settings(epochs=3),
            run=Run(seed, tmp_path / str(len(list(tmp_path.iterdir())))),
            fingerprint="",
        )
        return seen

    assert drawn(0) == drawn(0)
    assert len({*drawn(0), *drawn(1)}) == 6


def test_few_rows_get_more_epochs_up_to_a_limit():
    settings = Settings(epochs=3, least_steps=100, most_epochs=20, batch_rows=10)
    assert settings.steps(1000) == 300
    assert settings.steps(100) == 100
    assert settings.steps(20) == 40


@pytest.mark.parametrize(("held_out", "steps"), [(0, [5, 10, 15, 20]), (28, [7, 14, 20]), (1000, [20])])
def test_many_held_out_rows_are_read_the_more_rarely(tmp_path, held_out, steps):
    history = regression(tmp_path, settings=Settings(epochs=4, batch_rows=8), held_out=held_out)[1]
    assert [evaluation["step"] for evaluation in history.evaluations] == steps


def test_a_loss_that_is_no_number_is_refused(tmp_path):
    weight = nn.Parameter(torch.ones(1))
    with pytest.raises(TrainingError, match=r"gradient of step 1 is not a finite number .* lower learning rate"):
        train(
            rows=4,
            groups=[Group({"w": weight}, 1.0)],
            loss=lambda rows: (weight * float("nan")).sum(),
            evaluate=lambda: (0.0, 0.0),
            mode=nn.Identity(),
            settings=Settings(),
            run=Run(0, tmp_path),
            fingerprint="",
        )


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    regression(tmp_path)
    with pytest.raises(TrainingError, match="belongs to a training with other settings or data"):
        regression(tmp_path, fingerprint="other")


def test_a_checkpoint_of_another_training_is_replaced_where_it_can_only_be_out_of_date(tmp_path, capsys):
    fresh = regression(tmp_path / "fresh", fingerprint="other")
    with pytest.raises(Killed):
        regression(tmp_path / "run", seed=4, die_at=9)
    capsys.readouterr()
    again = regression(tmp_path / "run", fingerprint="other", replace_others=True)
    assert same(again[0], fresh[0])
    assert again[1].steps == fresh[1].steps
    assert "checkpoint.safetensors' is of a model or of states that have changed since" in capsys.readouterr().err
    regression(tmp_path / "run", fingerprint="other")  # its own checkpoint took that place
    assert capsys.readouterr().err == ""


def test_one_training_at_a_time_in_a_folder(tmp_path):
    refused = pytest.raises(
        UsageError, match=r"is using .*run: wait until it ends, or choose another folder for the Run"
    )
    with alone(tmp_path / "run"), refused:
        regression(tmp_path / "run")
    assert not (tmp_path / "run/checkpoint.safetensors").exists()
    locked = []

    def seen(rows):
        with pytest.raises(UsageError, match="another headstart process is using"), alone(tmp_path / "run"):
            pass
        locked.append(rows)
        raise Killed

    with pytest.raises(Killed):
        regression(tmp_path / "run", loss=seen)
    assert len(locked) == 1
    regression(tmp_path / "run")


def cut(path, share=2):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // share])


def flip(path, share=2):
    data = bytearray(path.read_bytes())
    data[len(data) // share] ^= 1
    path.write_bytes(data)


def to_folder(path):
    path.unlink()
    (path / "inside").mkdir(parents=True)


def another_best(path):
    """Write a sound file of safetensors with another header."""
    with safe_open(path, "pt") as file:
        header = file.metadata()
    state = json.loads(header["state"])
    state["best"]["step"] += 1
    save_file(load_file(path), path, metadata={**header, "state": json.dumps(state)})


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": cut,
    "cut in its header": lambda path: cut(path, share=50),
    "flipped": flip,
    "flipped in its header": lambda path: flip(path, share=50),
    "garbage": lambda path: path.write_bytes(bytes(range(256))),
    "list": lambda path: path.write_text("[]"),
    "folder": to_folder,
    "other state": another_best,
    "no state": lambda path: save_file(load_file(path), path),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_checkpoint_is_not_believed(tmp_path, how, capsys):
    settings = Settings(epochs=2, batch_rows=8)
    whole, _ = regression(tmp_path / "whole", settings=settings)
    with pytest.raises(Killed):
        regression(tmp_path / "broken", settings=settings, die_at=7)
    DAMAGES[how](tmp_path / "broken/checkpoint.safetensors")
    steps = []
    again, _ = regression(tmp_path / "broken", settings=settings, steps=steps)
    assert steps[0] == (0, 10)
    assert same(whole, again)
    assert "checkpoint.safetensors' is damaged, so it is deleted and made again.\n" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]\n", "1\n", '{"loss": 1}\n', "\xff", None])
def test_a_damaged_log_does_not_stop_a_training(tmp_path, content):
    path = tmp_path / "metrics.jsonl"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content.encode("latin-1"))
    regression(tmp_path, settings=Settings(epochs=1, batch_rows=8))
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3, 4, 5]
