"""What is reported of texts that are too long for a window."""

import pytest

from headstart.contest.windows import findings, truncation
from headstart.core.errors import UsageError
from headstart.tasks.classification import Classification
from headstart.tasks.ner import Ner

LONG = " ".join(["word"] * 1024)


@pytest.mark.parametrize(("share", "severity"), [(0.0, "fine"), (0.01, "note"), (0.2, "warning")])
def test_how_bad_a_cut_is(share, severity):
    finding = truncation({"linear": 0.0, "scratch": share})
    assert (finding.kind, finding.severity, finding.share) == ("truncation", severity, share)


def test_windows_are_measured_in_tokens():
    finding, unknown = findings(Classification(), [LONG, "short"], "no-such-model")
    # 1,024 words and two marks in a window of 512, and one short text
    assert finding.share == pytest.approx(0.5, abs=0.02)
    assert "scratch does not read 50.0 %" in finding.sentence
    assert unknown.kind == "backbone"
    assert unknown.sentence.startswith("The backbone 'no-such-model' cannot be opened, so nothing can be fine-tuned")
    assert "no model folder 'no-such-model'" in unknown.sentence


@pytest.mark.parametrize(("way", "truncated"), [("first", True), ("head-tail", True), ("mean", False)])
def test_a_check_counts_what_the_options_leave_out(way, truncated):
    options = {"finetuned.long": way, "scratch.long": "mean", "scratch.most_windows": 4}
    finding = findings(Classification(), [LONG, "short"], "minilm", options)[0]
    assert ("finetuned does not read" in finding.sentence) == truncated
    assert "scratch" not in finding.sentence


def test_windows_of_a_task_leave_nothing_out():
    assert findings(Ner(), [tuple(LONG.split())], "minilm")[0].severity == "fine"


def test_other_options_are_refused():
    with pytest.raises(UsageError, match=r"option 'linear.features' changes nothing that a check counts; give those"):
        findings(Classification(), [LONG], "minilm", {"linear.features": 3})
