"""A sample of the kills: in the middle of a save, between two, and in the run that resumes."""

import pytest
from tests.hostile import _compare, kills


@pytest.mark.parametrize(("share", "twice"), [(0.3, False), (0.45, True), (0.6, False), (0.95, False)])
def test_a_kill_changes_nothing(tmp_path, share, twice):
    call = int(share * _compare.moments("partial"))
    assert kills.judge("partial", call, twice, tmp_path).verdict == "right"
