import pytest

from headstart.contenders import _members
from headstart.core.errors import UsageError
from headstart.core.records import Run
from headstart.tasks.classification import Classification


def test_a_name_says_its_strategy_or_what_the_contender_reads_from_it():
    assert _members.build("finetuned:frozen").strategy == "frozen"
    assert _members.build("finetuned:frozen", "some/folder").backbone == "some/folder"
    assert _members.build("linear", "some/folder") == _members.build("linear")
    assert _members.build("ensemble:vote").how == "vote"


def test_a_name_that_stands_for_nothing_is_refused():
    with pytest.raises(UsageError, match=r"contender 'majority' has no strategies; write 'majority' instead of"):
        _members.options("majority:x")
    with pytest.raises(UsageError, match=r"contender 'linear' has no strategies; write 'linear' instead of"):
        _members.options("linear:full")
    with pytest.raises(
        UsageError, match=r"contender 'linear' has no way 'x'; known: columns, text, text-typos, typos, words"
    ):
        _members.options("linear:x")
    with pytest.raises(UsageError, match="no strategy 'ful'; did you mean 'full'"):
        _members.options("finetuned:ful")


def test_in_a_contest_the_model_of_the_contest_is_taken(tmp_path):
    run = Run(0, tmp_path, fitted=lambda name: (f"model of {name}", 3.0))
    assert _members.fitted("linear", None, None, None, run) == ("model of linear", 3.0)


def test_outside_a_contest_a_contender_is_trained_in_a_folder_of_its_own(tmp_path, monkeypatch):
    seen = []

    class Fake:
        kinds = frozenset({"label"})
        generates = "never"

        def fit(self, train, validation, task, run):
            seen.append(run)
            return "model"

    monkeypatch.setattr(_members, "build", lambda name, backbone: Fake())
    task = Classification(("a",))
    assert _members.fitted("finetuned:full", None, None, task, Run(5, tmp_path)) == ("model", 0.0)
    assert (seen[0].seed, seen[0].folder) == (5, tmp_path / "finetuned-full")
