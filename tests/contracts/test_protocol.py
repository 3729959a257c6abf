"""What validation and test rows may change, for every contender (docs/decisions/0002-one-contest-protocol.md).

Rows are poisoned in turn: their labels are flipped, their texts replaced. Poisoned training rows change the weights.
Poisoned validation rows change which of the trained candidates is taken, and no candidate. Poisoned test rows change
nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from headstart.contenders import _combining, distilled, linear
from headstart.contest import run as contest
from headstart.contest.plan import plan
from headstart.contest.trials import Terms
from headstart.core import rooms
from headstart.core.contracts import metric_values
from headstart.core.records import Progress, Record, Rows, Run, Splits
from headstart.distillation import phases
from headstart.pretraining import job
from headstart.tasks.classification import Classification
from headstart.training import collapse, convex, loop

TURNED = {"good": "bad", "bad": "good"}
WORDS = {
    label: sorted({word for text, of in Classification.SAMPLE if of == label for word in text.split() if len(word) > 3})
    for label in TURNED
}
# Words that no clean row holds.
OTHERS = ["zebra", "quartz", "jigsaw", "vortex", "oxygen"]
# Validation rows: so many that the only evaluation is the last step's, and so few that there are several.
MANY, FEW = 320, 12


def some_rows(name: str, count: int, seed: int) -> Rows:
    """Make rows of which two in three are 'good', with texts of words of their class."""
    random = np.random.default_rng(seed)
    labels = ["good" if i % 3 else "bad" for i in range(count)]
    texts = [" ".join(random.choice(WORDS[label], 5)) for label in labels]
    return Rows(tuple(f"{name}:{i + 2}" for i in range(count)), tuple(texts), tuple(labels))


def flipped(rows: Rows) -> Rows:
    """Turn every label into the other one."""
    return dataclasses.replace(rows, targets=tuple(TURNED[label] for label in rows.targets))


def replaced(rows: Rows) -> Rows:
    """Put other words in the place of the texts."""
    random = np.random.default_rng(9)
    return dataclasses.replace(rows, inputs=tuple(" ".join(random.choice(OTHERS, 6)) for _ in rows.inputs))


TRAIN, HELD_OUT, TEST = some_rows("a", 32, 0), some_rows("b", MANY, 1), some_rows("c", 30, 2)
HELD_OUT_FEW = HELD_OUT.take(range(FEW))


# --- every contender ---------------------------------------------------------------------------------------------

# The ways of a kind that differ in what they learn or choose; a contender without an entry is one case.
WAYS: dict[str, list[dict[str, str]]] = {
    "finetuned": [{"strategy": name, "pooling": "mean"} for name in rooms.names("strategies")],
    "distilled": [{"method": method} for method in distilled.METHODS],
    "ensemble": [{"how": how} for how in _combining.METHODS],
}
LABELLING = [kind for kind in rooms.names("contenders") if "label" in rooms.plugin("contenders", kind).kinds]
CASES = [(kind, way) for kind in LABELLING for way in WAYS.get(kind, [{}])]
# Ways of an ensemble that learn from validation how much each member counts.
LEARNT_ON_VALIDATION = ("greedy", "weights", "stacking")


@pytest.fixture(scope="module", params=CASES, ids=lambda case: ":".join([case[0], *case[1].values()]))
def case(request) -> tuple[str, dict[str, str]]:
    return request.param


@pytest.fixture(scope="module", autouse=True)
def few_steps():
    """Let pretraining and distillation be as short as their options say."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "SIZES", {**job.SIZES, "tiny": (1, 64)})
        patch.setattr(phases, "LEAST_STEPS", 1)
        yield


@contextmanager
def one_candidate() -> Iterator[None]:
    """Leave contenders that choose among solutions a single one; nothing is then chosen on validation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "STRENGTHS", (1.0,))
        patch.setattr(linear, "RATIO_STRENGTHS", ())
        patch.setattr(convex, "STRENGTHS", (0.1,))
        yield


@pytest.fixture(scope="module")
def contender(case, tiny_options):
    kind, way = case
    return rooms.load("contenders", kind, {**tiny_options(kind), **way})


@pytest.fixture(scope="module")
def fit(contender, tmp_path_factory) -> Callable[[Rows, Rows], dict[str, str]]:
    """Fit and save; give the SHA-256 of every file that was left."""

    def files(train: Rows, validation: Rows) -> dict[str, str]:
        place = tmp_path_factory.mktemp("protocol")
        task = Classification().fitted(train)
        contender.fit(train, validation, task, Run(0, place / "work")).save(place / "model")
        return hashes(place / "model")

    return files


def hashes(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of every tensor and other file of a folder but the manifest, which repeats them."""
    parts: dict[str, bytes] = {}
    for path in (path for path in folder.rglob("*") if path.is_file() and path.name != "headstart.json"):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".safetensors":  # its header is in no fixed order, and may name the folder of a backbone
            parts |= {f"{name}:{key}": value.tobytes() for key, value in load_file(path).items()}
        else:
            parts[name] = path.read_bytes()
    return {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}


@pytest.fixture(scope="module")
def clean(fit) -> dict[str, str]:
    """The files of a training on clean rows with nothing to choose."""
    with one_candidate():
        return fit(TRAIN, HELD_OUT)


def test_validation_rows_change_no_candidate(fit, clean, case):
    with one_candidate():
        poisoned = fit(TRAIN, replaced(flipped(HELD_OUT)))
    assert poisoned == clean or case[1].get("how") in LEARNT_ON_VALIDATION or case[0] == "cascade"


def test_training_rows_change_the_weights(fit, clean, case):
    with one_candidate():
        assert fit(flipped(TRAIN), HELD_OUT) != clean
        assert (fit(replaced(TRAIN), HELD_OUT) != clean) == (case[0] != "majority")


def test_validation_labels_change_what_is_chosen(fit, case):
    assert (fit(TRAIN, flipped(HELD_OUT_FEW)) != fit(TRAIN, HELD_OUT_FEW)) == (case[0] != "majority")


# --- options and budgets -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def teacher(tiny_options, tmp_path_factory) -> Any:
    """A model for students to learn from, trained once."""
    task = Classification().fitted(TRAIN)
    return rooms.load("contenders", "finetuned", tiny_options("finetuned")).fit(
        TRAIN, HELD_OUT, task, Run(0, tmp_path_factory.mktemp("teacher"))
    )


@pytest.fixture
def train(case, contender, teacher, tmp_path, monkeypatch) -> Callable[..., Any]:
    """Train a contender once, collapsed or not, on few validation rows."""
    monkeypatch.setattr(collapse, "judged", lambda *given, **rest: "")

    def trained(validation: Rows = HELD_OUT_FEW, *, options: dict[str, int] | None = None, **run: Any):
        fields = {field.name for field in dataclasses.fields(contender)}
        changed = {name: value for name, value in (options or {}).items() if name in fields}
        place = Run(
            0, tmp_path, fitted=None if case[0] in ("ensemble", "cascade") else lambda name: (teacher, 0.0), **run
        )
        return dataclasses.replace(contender, **changed).fit(TRAIN, validation, Classification().fitted(TRAIN), place)

    return trained


def test_it_plans_as_many_steps_as_its_options_say(case, train, monkeypatch):
    """Its rows are one step, so a pass is a step; the numbers are beyond those that few rows are given anyway."""
    planned = []
    steps = loop.Settings.steps
    monkeypatch.setattr(loop.Settings, "steps", lambda self, rows: planned.append(steps(self, rows)) or planned[-1])
    train(options={"pretraining_epochs": 21, "matching_epochs": 22, "epochs": 23})
    phases = {"selfpretrained": [21, 21, 23], "distilled": [22, 23], "scratch": [23], "finetuned": [23]}
    phases["distilled"] = [23] if case[1].get("method") == "logits" else phases["distilled"]
    phases["finetuned"] = [] if case[1].get("strategy") == "frozen" else phases["finetuned"]
    assert planned == phases.get(case[0], [])


def test_it_ends_when_its_minutes_do(case, train, monkeypatch):
    clock = [0.0]
    step = loop.clipped_step

    def a_second_each(*given: Any) -> Any:
        clock[0] += 1.0
        return step(*given)

    def fitting(news: Progress) -> None:
        clock[0] += news.stage == "fitting"  # one of the solutions among which the linear model is chosen

    monkeypatch.setattr(loop, "clipped_step", a_second_each)
    monkeypatch.setattr(job, "_time", lambda *given: 1.0)
    monkeypatch.setattr(loop.time, "monotonic", lambda: clock[0])
    train(options={"pretraining_epochs": 99, "matching_epochs": 99, "epochs": 99}, minutes=0.1, progress=fitting)
    at_once = case[0] == "majority" or case[1].get("strategy") == "frozen"
    assert clock[0] == 0 if at_once else 6 <= clock[0] <= 7


def test_what_is_kept_has_the_best_validation_score_by_the_metric(case, train):
    seen = []

    def watch(news: Progress) -> None:
        if news.stage in ("training", "fitting", "solving the head"):
            seen.extend(value for name, value in news.values.items() if name in ("validation_score", "macro-F1"))

    labels = (*flipped(HELD_OUT_FEW).targets[:4], *HELD_OUT_FEW.targets[4:])
    some_wrong = dataclasses.replace(HELD_OUT_FEW, targets=labels)
    fitted = train(some_wrong, metric="macro-F1", progress=watch)
    scores = metric_values(fitted.task, fitted.predict(some_wrong.inputs), some_wrong)
    if case[0] not in ("majority", "ensemble", "cascade"):
        assert max(seen) == pytest.approx(scores["macro-F1"]) != pytest.approx(scores["accuracy"])


# --- a whole contest ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compete(tiny_options, tmp_path_factory) -> Callable[[Splits], tuple[list[Record], dict[str, dict[str, str]]]]:
    """Let every contender compete; give the records, and the hashes of the model that each leaves."""

    def competed(splits: Splits) -> tuple[list[Record], dict[str, dict[str, str]]]:
        kinds = LABELLING
        options = {f"{kind}.{name}": value for kind in kinds for name, value in tiny_options(kind).items()}
        backbone = options.pop("finetuned.backbone")
        del options["distilled.backbone"]
        trials = plan(
            task=Classification(),
            train_rows=len(splits.train),
            contenders=kinds,
            strategies=("frozen", "full"),
            backbone=backbone,
            options=options,
            seeds=(0,),
        ).trials
        terms = Terms(tmp_path_factory.mktemp("contest"), "accuracy", unlabelled=("A text without a label.",))
        outcome = contest.run(splits, Classification(), trials, terms)
        assert outcome.failed == {}
        return list(outcome.records), {name: hashes(folder) for name, folder in outcome.models.items()}

    return competed


@pytest.fixture(scope="module")
def competition(compete):
    return compete(Splits(TRAIN, HELD_OUT_FEW, TEST, frozenset(), "clean"))


def test_test_rows_change_nothing_but_test_scores(compete, competition):
    # Labels that no other row has, so that they would be seen among the classes of a model.
    poisoned = dataclasses.replace(replaced(TEST), targets=("poison",) * len(TEST))
    records, files = compete(Splits(TRAIN, HELD_OUT_FEW, poisoned, frozenset(), "poisoned"))
    clean_records, clean_files = competition
    assert {name.partition(":")[0] for name in files} == set(LABELLING)
    assert files == clean_files
    assert [record.validation for record in records] == [record.validation for record in clean_records]
    assert {record.scores["accuracy"] for record in records} == {0.0}


def test_a_model_is_scored_on_validation_and_test_rows_as_it_answers_them(competition):
    records, _ = competition
    for record in records:
        right = np.mean([one == other for one, other in zip(record.predictions.values, TEST.targets, strict=True)])
        assert record.scores["accuracy"] == pytest.approx(right)
    assert len({record.validation["accuracy"] for record in records}) > 1
    assert any(record.validation["accuracy"] != record.scores["accuracy"] for record in records)
