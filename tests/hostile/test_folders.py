"""Every way of damaging a model folder once; ``python -m tests.hostile folders`` tries them on every kind of folder."""

import re

import pytest
from tests.hostile import folders

ALL = {case.name: case for case in folders.cases()}


def way(name):
    """Say in which way a case damages its folder, without the kind of folder and the file."""
    damage = name.partition(": ")[2]
    added = re.match("added|harmless|a byte changed", damage)
    return added[0] if added else re.split(r": | is ", damage)[-1].removesuffix(" missing")


ONCE = {way(name): name for name in reversed(ALL)}


def test_there_are_enough_cases_under_different_names():
    assert len(ALL) == len(list(folders.cases())) >= 450


@pytest.mark.parametrize("name", sorted(ONCE.values()))
def test_a_damaged_folder_answers_as_before_or_is_refused_in_a_sentence(name, tmp_path):
    outcome = ALL[name].run(tmp_path)
    assert outcome.verdict != "WRONG", outcome.reason


def test_the_judge_sees_what_is_wrong(tmp_path):
    def other_answers(place):
        (place / "majority.json").write_text('{"shares": [0.5, 0.5]}')
        folders.manifest.relist(place)

    def calls(place):
        with pytest.raises(OSError, match="no network here"):
            folders.socket.create_connection(("127.0.0.1", 9))

    for number, (name, damage, reason) in enumerate(
        [
            ("other answers", other_answers, "other answers in silence, by up to 0.25"),
            ("a call", calls, "called the network"),
            ("harmless", lambda place: (place / "x.json").write_text(""), "refused: .*x.json"),
        ]
    ):
        (tmp_path / str(number)).mkdir()
        outcome = folders.judge("majority", name, damage, tmp_path / str(number))
        assert outcome.verdict == "WRONG"
        assert re.match(reason, outcome.reason)
