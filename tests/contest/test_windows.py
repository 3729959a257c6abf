"""What is reported of texts that are too long for a window."""

import pytest

from headstart.contest.windows import findings, truncation


@pytest.mark.parametrize(("share", "severity"), [(0.0, "fine"), (0.01, "note"), (0.2, "warning")])
def test_how_bad_a_cut_is(share, severity):
    finding = truncation({"linear": 0.0, "scratch": share})
    assert (finding.kind, finding.severity, finding.share) == ("truncation", severity, share)


def test_windows_are_measured_in_tokens():
    long = " ".join(["word"] * 1024)
    finding, unknown = findings([long, "short"], "no-such-model")
    # 1,024 words and two marks in a window of 512, and one short text
    assert finding.share == pytest.approx(0.5, abs=0.02)
    assert "scratch does not read 50.0 %" in finding.sentence
    assert unknown.kind == "backbone"
    assert unknown.sentence.startswith("The backbone 'no-such-model' cannot be opened, so nothing can be fine-tuned")
    assert "no model folder 'no-such-model'" in unknown.sentence
