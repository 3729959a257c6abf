"""A disk that is full at some write of a comparison: one sentence, and with room the same result."""

import errno
from pathlib import Path

import pytest
from tests.hostile import _runs, disks


@pytest.mark.parametrize(
    ("write", "code"), [(1, errno.ENOSPC), (6, errno.EDQUOT), (13, errno.ENOSPC), (25, errno.EROFS), (40, errno.EACCES)]
)
def test_a_comparison_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int, code: int) -> None:
    monkeypatch.setattr(_runs, "CONTENDERS", ("majority",))
    outcome = disks.comparison(write, code)(tmp_path)
    assert outcome.verdict == "clear error", outcome.reason
