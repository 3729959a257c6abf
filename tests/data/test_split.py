"""Divisions: nobody is lost, no copy crosses, every class is in train, and own test sets are used as they are."""

from __future__ import annotations

from collections import Counter
from functools import partial
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.core.errors import DataError, UsageError
from headstart.core.records import Rows, Splits
from headstart.data import split as splitting
from headstart.data._near import copies
from headstart.tasks.classification import Classification

split = partial(splitting.split, task=Classification())


def nested(rows, sizes, seed=0):
    return splitting.nested(rows, Classification(), sizes, seed)


WORDS = [
    *("river", "lantern", "cobalt", "meadow", "engine", "whisper", "marble"),
    *("thunder", "violin", "harvest", "compass", "orchard", "saddle", "glacier"),
]


def make(labels: list[str], texts: list[str] | None = None, name: str = "row") -> Rows:
    """Make rows with texts that are no copies of each other unless given."""
    texts = texts or [f"{WORDS[i % 14]} {WORDS[i // 14 % 14]} {i}" for i in range(len(labels))]
    return Rows(tuple(f"{name}:{i}" for i in range(len(labels))), tuple(texts), tuple(labels))


def parts(splits: Splits) -> tuple[Rows, Rows, Rows]:
    return splits.train, splits.validation, splits.test


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=6).filter(lambda counts: sum(counts) - len(counts) >= 2),
    seed=st.integers(0, 3),
)
def test_shares_strata_and_nobody_lost(counts: list[int], seed: int) -> None:
    rows = make([str(label) for label, count in enumerate(counts) for _ in range(count)])
    divided = split(rows, seed=seed)
    assert sorted(name for part in parts(divided) for name in part.ids) == sorted(rows.ids)
    assert set(divided.train.targets) == set(rows.targets)
    assert len(divided.test) >= 1
    assert len(divided.validation) >= 1
    if min(counts) >= 10:
        assert len(divided.test) == round(0.2 * len(rows))
        for label, count in Counter(rows.targets).items():
            assert abs(Counter(divided.test.targets)[label] - 0.2 * count) <= 1


def test_default_shares_are_70_10_20() -> None:
    divided = split(make(["a", "b", "b"] * 1000))
    assert [len(part) for part in parts(divided)] == [2100, 300, 600]
    assert [Counter(part.targets)["a"] for part in parts(divided)] == [700, 100, 200]


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_two_rows_a_class_are_enough(classes: int) -> None:
    divided = split(make([str(number) for number in range(classes)] * 2))
    assert len(set(divided.train.targets)) == classes
    assert len(divided.validation) >= 1
    assert len(divided.test) >= 1


@settings(max_examples=40, deadline=None)
@given(numbers=st.lists(st.integers(0, 25), max_size=60), seed=st.integers(0, 5), chosen=st.randoms())
def test_copies_never_cross_and_rare_labels_stay_in_train(numbers: list[int], seed: int, chosen: Random) -> None:
    numbers = [*range(26), *numbers]
    texts = [chosen.choice(["{} {}", "{}  {} "]).format(WORDS[number % 14], number) for number in numbers]
    labels = ["a", "rare", *(chosen.choice("ab") for _ in numbers[2:])]
    divided = split(make(labels, texts), seed=seed)
    groups = copies(texts)
    train, validation, test = (set(groups.near_groups(part.inputs).tolist()) for part in parts(divided))
    assert train.isdisjoint(test)
    assert validation.isdisjoint(test)
    assert train.isdisjoint(validation)
    assert set(divided.train.targets) == set(labels)
    assert divided.leaked == frozenset()


def test_near_copies_do_not_cross() -> None:
    texts = [f"{' '.join(WORDS[(i + k * k) % 14] for k in range(9))} {i}" for i in range(50)]
    divided = split(make(["a", "b"] * 50, [*texts, *(f"{text} indeed" for text in texts)]))
    sides = [{text.removesuffix(" indeed") for text in part.inputs} for part in parts(divided)]
    assert all(sides)
    assert len(set.union(*sides)) == sum(map(len, sides)) == 50


def test_repeats_are_shared_out_like_other_rows() -> None:
    texts = [f"pair {i // 2}" if i < 600 else f"single {i}" for i in range(2000)]
    test = split(make(["a", "b"] * 1000, texts)).test
    repeated = sum(text.startswith("pair") for text in test.inputs)
    assert repeated == pytest.approx(120, abs=40)


def test_one_text_repeated_a_thousand_times_does_not_become_the_test_set() -> None:
    for seed in range(5):
        divided = split(make(["a", "b"] * 1000, ["again"] * 300 + [f"single {i}" for i in range(1700)]), seed=seed)
        assert "again" not in divided.test.inputs
        assert len(divided.test) == 400


def test_a_seed_gives_one_division() -> None:
    rows = make(["a", "b"] * 50)
    assert split(rows, seed=1) == split(rows, seed=1)
    assert split(rows, seed=1).sha256 != split(rows, seed=2).sha256


def test_an_own_test_set_is_used_as_it_is() -> None:
    long = " ".join(WORDS)
    train = make(["a", "b"] * 20, [*(f"text number {i}" for i in range(38)), long, "Short one"])
    test = make(["a", "b", "a", "c"], ["unseen", long + " and so on", "short  ONE", "text number"], name="test")
    divided = split(train, test=test)
    assert divided.test == test
    assert divided.leaked == {"test:1", "test:2"}
    assert len(divided.train) + len(divided.validation) == 40
    assert len(divided.validation) == 8


def test_own_validation_and_test_leave_train_whole() -> None:
    train, validation, test = make(["a", "b"]), make(["a"], ["v"], "v"), make(["b"], ["t"], "t")
    divided = split(train, test=test, validation=validation)
    assert parts(divided) == (train, validation, test)


def test_own_validation_alone() -> None:
    rows = make(["a", "b"] * 20)
    divided = split(rows, validation=make(["a"], [rows.inputs[0]], "v"))
    assert (len(divided.train), len(divided.validation), len(divided.test)) == (32, 1, 8)
    assert (rows.ids[0] in divided.test.ids) == bool(divided.leaked)


def test_equal_ids_of_two_sources_are_told_apart() -> None:
    divided = split(make(["a", "b"] * 5), test=make(["a", "b"], ["one", "two"]))
    assert divided.test.ids == ("test:row:0", "test:row:1")


def test_what_cannot_be_divided() -> None:
    with pytest.raises(DataError, match="all 3 rows have the label 'a'"):
        split(make(["a"] * 3))
    with pytest.raises(DataError, match="the data has no labelled rows"):
        split(Rows(("x",), ("text",)))
    with pytest.raises(DataError, match="the test set has no labelled rows"):
        split(make(["a", "b"]), test=Rows((), (), ()))
    with pytest.raises(DataError, match="the 4 rows hold only 2 texts that are no copies of each other: too few"):
        split(make(["a", "a", "b", "b"], ["one", "ONE", "two", "two "]))


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    sizes=st.lists(st.integers(1, 250), min_size=1),
    seed=st.integers(0, 3),
)
def test_nested_subsets(counts: list[int], sizes: list[int], seed: int) -> None:
    rows = make([str(label) for label, count in enumerate(counts) for _ in range(count)])
    subsets = nested(rows, sizes, seed)
    before: set[str] = set()
    for size in sorted(subsets):
        subset = subsets[size]
        assert len(subset) == min(size, len(rows))
        assert before <= set(subset.ids) <= set(rows.ids)
        assert len(set(subset.targets)) == min(len(counts), len(subset))
        for label, count in Counter(rows.targets).items():
            share = len(subset) * count / len(rows)
            assert abs(Counter(subset.targets)[label] - share) <= len(counts) + 1
        before = set(subset.ids)
    assert nested(rows, sizes, seed) == subsets


def test_each_seed_has_subsets_of_its_own() -> None:
    rows = make(["a", "b"] * 50)
    assert len({nested(rows, [20], seed)[20].ids for seed in range(5)}) == 5


def test_copies_of_own_test_rows_in_validation_are_leaks() -> None:
    train, validation = make(["a", "b"] * 20), make(["a", "b"], ["seen before", "other"], "v")
    divided = split(train, validation=validation, test=make(["a", "b"], ["Seen  before", "unseen"], "t"))
    assert divided.leaked == {"t:0"}


def test_nested_refuses_a_size_of_nothing() -> None:
    with pytest.raises(UsageError, match="a size of 0 training rows makes no sense; give sizes of at least 1"):
        nested(make(["a", "b"]), [0])
