import numpy as np
import pytest

from headstart.contest import ladder, rank
from headstart.core import rooms
from headstart.core.records import Rows, Splits
from headstart.metrics import labels, stats
from headstart.tasks.classification import Classification

TASK = Classification()
ACCURACY = TASK.metrics[0]


def compare(targets, *teams):
    return stats.compare(*([labels.tally(targets, answers) for answers in team] for team in teams), ACCURACY)


TARGETS = tuple(np.random.default_rng(0).choice(["bad", "good"], 400))


@pytest.fixture
def contest_splits() -> Splits:
    empty = Rows((), (), ())
    return Splits(empty, empty, Rows(tuple(map(str, range(400))), ("x",) * 400, TARGETS), frozenset(), "x")


@pytest.fixture
def make(make_record):
    def made(contender: str, accuracy: float, **other):
        wrong = np.random.default_rng(int(accuracy * 1000)).random(400) >= accuracy
        values = [{"bad": "good", "good": "bad"}[t] if w else t for t, w in zip(TARGETS, wrong, strict=True)]
        return make_record(contender, values, score=labels.score(TARGETS, values)["accuracy"], **other)

    return made


def climb(records, splits):
    return ladder.ladder(records, rank.rank(records, splits, TASK, ACCURACY), splits, TASK, ACCURACY)


def test_each_level_is_compared_with_the_best_below(make, contest_splits):
    records = [
        make(n, a)
        for n, a in (
            ("finetuned:full", 0.95),
            ("finetuned:frozen", 0.7),
            ("finetuned:partial", 0.9),
            ("linear", 0.8),
            ("majority", 0.5),
        )
    ]
    steps = climb(records, contest_splits)
    assert [(r.name, r.contender, r.over) for r in steps] == [
        ("floor", "majority", ""),
        ("linear", "linear", "majority"),
        ("frozen", "finetuned:frozen", "linear"),
        ("light tuning", "finetuned:partial", "linear"),
        ("full tuning", "finetuned:full", "finetuned:partial"),
    ]
    assert (steps[0].gain, steps[0].p_value, steps[0].worth) == (None, None, None)
    by_name = {r.trial.contender: [r.predictions.values] for r in records}
    comparisons = [compare(TARGETS, by_name[r.contender], by_name[r.over]) for r in steps[1:]]
    assert [r.gain for r in steps[1:]] == [compared.difference for compared in comparisons]
    assert [r.p_value for r in steps[1:]] == pytest.approx(stats.holm([compared.p_value for compared in comparisons]))
    assert steps[2].gain.value < 0 < steps[3].gain.value
    assert not any(r.ties for r in steps)


def test_the_best_of_a_level_is_chosen_on_validation(make, contest_splits):
    lucky, steady = make("finetuned:lora", 0.95), make("finetuned:partial", 0.9)
    lucky.validation["accuracy"] = 0.1
    steps = climb([make("linear", 0.8), lucky, steady, make("finetuned:full", 0.92)], contest_splits)
    assert [r.contender for r in steps] == ["linear", "finetuned:partial", "finetuned:full"]
    assert steps[2].over == "finetuned:partial"


def test_equal_contenders_tie(make, contest_splits):
    steps = climb([make("linear", 0.8), make("scratch", 0.8)], contest_splits)
    assert steps[1].ties
    assert steps[1].gain.value == 0


def test_a_level_is_worth_labels_where_the_one_below_has_a_curve(make, contest_splits):
    curve = [make("linear", 0.6, size=10, train_rows=10), make("linear", 0.8)]
    assert climb([*curve, make("scratch", 0.7)], contest_splits)[1].worth.labels.value == pytest.approx(32, abs=12)
    assert climb([*curve, make("scratch", 0.95)], contest_splits)[1].worth.labels is None
    assert climb([curve[1], make("scratch", 0.7)], contest_splits)[1].worth is None


def test_what_names_no_level_stands_beside_the_ladder(make, contest_splits):
    assert climb([make("stranger", 0.9), make("linear", 0.8)], contest_splits)[0].contender == "linear"
    assert climb([make("stranger", 0.9)], contest_splits) == ()


def test_every_level_that_a_plugin_names_is_one():
    named = {rooms.plugin(room, name).level for room in ("contenders", "strategies") for name in rooms.names(room)}
    assert named - {""} <= set(ladder.LEVELS)
