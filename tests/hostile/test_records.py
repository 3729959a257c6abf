"""A changed digit, byte or line in each kind of file of a finished comparison: the same result, or an error."""

from pathlib import Path

import pytest
from tests.hostile import records


@pytest.mark.parametrize("way", records.WAYS)
@pytest.mark.parametrize("pattern", ["data.json", "result.json", "trials/*.json", "trials/*.jsonl", "models/*.json"])
def test_a_damaged_file_is_an_error_that_names_it_or_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, way: str
) -> None:
    monkeypatch.setattr(records, "CONTENDERS", ("majority",))
    outcome = records.changed(pattern, way, 0)(tmp_path)
    assert outcome.verdict != "WRONG", outcome.reason
