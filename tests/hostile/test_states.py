"""A sample of the damaged states: each kind of file of a training's own, in the fewest comparisons."""

import re
from dataclasses import replace

import pytest
from tests.hostile import _compare, states

SAMPLE = [
    ("partial, training", r"\.rows$", "deleted"),
    ("partial, training", r"\.rows$", "cut to half"),
    ("partial, training", r"\.index$", "garbage"),
    ("partial, training", r"/checkpoint\.safetensors$", "a bit flipped"),
    ("partial, training", r"/metrics\.jsonl$", "[]"),
]


@pytest.mark.parametrize(("scene", "pattern", "how"), SAMPLE)
def test_a_damaged_state_changes_nothing(tmp_path, scene, pattern, how):
    path = next(path for path in states.files(scene) if re.search(pattern, path))
    assert states.judge(scene, path, how, tmp_path).verdict == "right"


def test_another_result_or_a_vague_sentence_is_wrong(tmp_path, monkeypatch):
    out = tmp_path / "run"
    ended = _compare.Ended(0, "")
    monkeypatch.setattr(_compare, "run", lambda out, kind: ended)
    monkeypatch.setattr(_compare, "results", lambda out: {"trial": 1})
    monkeypatch.setattr(_compare, "undisturbed", lambda kind: {"trial": 2})
    assert states.verdict("linear", out).reason == "no message, and different results: trial"
    monkeypatch.setattr(_compare, "undisturbed", lambda kind: {"trial": 1})
    assert states.verdict("linear", out).verdict == "right"
    for code, err in ((None, ""), (1, "headstart: no."), (1, f"Error in {out}"), (-9, ""), (1, "")):
        ended = replace(ended, code=code, err=err)
        assert states.verdict("linear", out).verdict == "WRONG"
    ended = replace(ended, code=1, err=f"line\nheadstart: '{out}/x' is damaged; delete it.\n")
    assert states.verdict("linear", out).verdict == "clear error"
