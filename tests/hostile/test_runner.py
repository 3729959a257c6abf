"""The runner of the hostile suite counts what a case did to its process."""

import os
import time
from pathlib import Path

import pytest
from tests.hostile import _runner as runner
from tests.hostile._common import Case, Outcome


def cases(seed: int = 0):
    """Cases that end in every way there is."""
    yield Case("endings", "right", lambda folder: Outcome("right" if not list(folder.iterdir()) else "WRONG"))
    yield Case("endings", "clear", lambda folder: Outcome("clear error", "no such file."))
    yield Case("endings", "raises", lambda folder: Outcome("right", str(1 / 0)))
    yield Case("endings", "exits", lambda folder: os._exit(3))
    yield Case("endings", "hangs", lambda folder: time.sleep(60))
    yield Case("endings", "last", lambda folder: Outcome("right"))


@pytest.fixture
def endings(monkeypatch):
    """Make this module an area of the suite, in the processes of the runner too."""
    name = Path(__file__).stem
    monkeypatch.setitem(runner.AREAS, name, 6)
    monkeypatch.setattr(runner, "SECONDS", 2)
    return name


def test_a_case_that_ends_or_hangs_its_process_is_wrong_and_the_others_go_on(endings, monkeypatch, capsys):
    assert runner.main([endings]) == 1
    output = capsys.readouterr().out
    assert f"{endings}: 6 cases: 2 right, 1 clear error, 3 WRONG" in output
    assert "raises: ZeroDivisionError: division by zero" in output
    assert "exits: ended the process (exit code 3)" in output
    assert "hangs: no end after 2 seconds" in output


def test_an_area_with_fewer_cases_than_it_must_have_fails(endings, monkeypatch, capsys):
    monkeypatch.setattr(runner, "cases_of", lambda area: {})
    assert runner.main([endings]) == 1
    assert f"{endings}: 0 cases, of at least 6" in capsys.readouterr().out


def test_an_unknown_area(capsys):
    with pytest.raises(SystemExit, match="no area 'folder'; known: folders, files"):
        runner.main(["folder"])
