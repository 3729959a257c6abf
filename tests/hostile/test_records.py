"""A changed digit, byte or line in each kind of file of a finished comparison: the same result, or an error."""

from pathlib import Path

import pytest
from tests.hostile import records


@pytest.mark.parametrize("way", records.WAYS)
@pytest.mark.parametrize(
    "pattern", ["data.json", "result.json", "trials/*.json", "trials/*.jsonl", "models/*.json", "best/majority.json"]
)
def test_a_damaged_file_is_an_error_that_names_it_or_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, way: str
) -> None:
    monkeypatch.setattr(records, "CONTENDERS", ("majority",))
    outcome = records.changed(pattern, way, 0)(tmp_path)
    assert outcome.verdict != "WRONG", outcome.reason


@pytest.mark.parametrize("pattern", records.ALONE)
def test_a_damaged_file_of_a_best_model_with_weights_changes_nothing(tmp_path: Path, pattern: str) -> None:
    outcome = records.changed(pattern, "byte", 0)(tmp_path)
    assert outcome.verdict != "WRONG", outcome.reason
